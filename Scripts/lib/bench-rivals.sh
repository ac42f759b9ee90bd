# Sourced by Scripts/bench: other simulators of LLM serving on the requests of bench-100k, beside Tidegate.
#
# What can be had from PyPI is installed into .build-rivals (1.5 GB, some minutes); what cannot be is said, with the
# installer's own words. Figures go to Reports/benchmarks/rivals.md.

# A plain version is a source package there that fetches its wheel elsewhere; the wheel itself is on PyPI as this one.
aisimulate=aisimulate==0.13.0.dev202610270000000085

bench_rivals() {
    local record=Reports/benchmarks/rivals.md python=.build-rivals/bin/python
    # Not local: it is removed when the script ends, after this function.
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    say "Installing $aisimulate into .build-rivals"
    if ! (ensure_python_packages .build-rivals --only-binary aisimulate "$aisimulate") >"$work/pip.log" 2>&1; then
        python=
        {
            echo "error: $aisimulate could not be installed:"
            grep -v '^ *$' "$work/pip.log" | tail -12 | sed 's/^/    /'
        } | tee "$work/missing.txt" >&2
    fi
    mkdir -p Reports/benchmarks
    python3 Scripts/lib/bench-rivals.py "$tidegate" "$work" "${RIVAL_REPEATS:-3}" $python >"$work/record.md" ||
        echo "error: aisimulate is installed and did not run to its end" | tee -a "$work/missing.txt" >&2
    {
        cat "$work/record.md"
        if [ -f "$work/missing.txt" ]; then echo && cat "$work/missing.txt"; fi
    } | tee "$record"
    echo "written to $record"
}
