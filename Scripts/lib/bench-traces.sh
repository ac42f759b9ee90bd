# Sourced by Scripts/bench: how fast trace files are read, plain and gzip, in each format.
#
# `check` reads a file once, takes its digest and keeps no record; `trace summary` reads it twice without a digest. Rates
# are bytes of text a CPU second of the whole process, so that another's load does not show; the gzip rows add the rate
# of compressed bytes. The files are made up here and removed at the end.

bench_traces() {
    local record=Reports/benchmarks/traces.md megabytes=${TRACE_MEGABYTES:-500} format
    # Not local: it is removed when the script ends, after this function.
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    {
        echo "# Reading of traces"
        echo
        echo "$(date -u +%Y-%m-%d), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), one core, release build, files of $megabytes MB of text in the page cache."
        echo
        echo "| format | lines | command | CPU s | text MB/s | gzip MB/s | peak memory MB |"
        echo "| --- | --- | --- | --- | --- | --- | --- |"
    } >"$record"
    for format in azure csv mooncake; do
        python3 Scripts/lib/make-trace.py "$format" $((megabytes * 1000000)) "$work/trace"
        python3 Scripts/lib/bench-traces.py "$tidegate" "$format" "$work/trace" | tee -a "$record"
        gzip -c "$work/trace" >"$work/trace.gz"
        rm "$work/trace"
        python3 Scripts/lib/bench-traces.py "$tidegate" "$format" "$work/trace.gz" $((megabytes * 1000000)) |
            tee -a "$record"
        rm "$work/trace.gz"
    done
    echo "written to $record"
}
