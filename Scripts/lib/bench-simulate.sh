# Part of Scripts/bench: the simulator itself, measured from outside its process. Sourced.

# CPU seconds, wall seconds and peak memory of replaying a scenario, as a row.
bench_scenario() {
    python3 - "$tidegate" "$1" "$2" <<'PY'
import json, resource, subprocess, sys, time
tool, scenario, out = sys.argv[1:]
start = time.monotonic()
run = subprocess.run(
    [tool, "replay", scenario, "--output", out, "--no-store", "--quiet", "--json"], stdout=subprocess.PIPE, check=True)
wall = time.monotonic() - start
summary = json.loads(run.stdout)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"| {scenario} | {summary['requests']['arrived']:,} | {usage.ru_utime + usage.ru_stime:.2f} | {wall:.2f} "
      f"| {usage.ru_maxrss / 1024:.0f} | {100 * summary['slo']['attainment']:.2f} % | {summary['replicas']['mean']:.1f} |")
PY
}

# What valgrind counts in the kernel for REQUESTS requests of long-context traffic: instructions and allocations.
count_world() {
    local instructions allocations
    instructions=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$1" world "$2" 1 2>&1 |
        sed -n 's/.*refs: *//p' | tr -d ,)
    allocations=$(valgrind --tool=memcheck --leak-check=no "$1" world "$2" 1 2>&1 |
        sed -n 's/.*total heap usage: \([0-9,]*\) allocs.*/\1/p' | tr -d ,)
    echo "$instructions $allocations"
}

# Figures go to Reports/benchmarks/simulate.md. Fails when the kernel executes or allocates more than it did.
bench_simulate() {
    local out kernel record machine few many
    ensure_packages valgrind binutils
    out=$(mktemp -d)
    trap "rm -rf $out" EXIT
    kernel=$out/kernel
    # Some readers of debug information stumble over Swift's.
    strip -g -o "$kernel" "$(swift build -c release --show-bin-path)/KernelBench"
    machine=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
    record=Reports/benchmarks/simulate.md
    mkdir -p Reports/benchmarks
    {
        echo "# The simulator"
        echo
        echo "$(date -u +%Y-%m-%d), $machine, $(nproc) cores, release build. Whole process, files and report included."
        echo
        echo "| scenario | requests | CPU s | wall s | peak MB | within SLO | mean replicas |"
        echo "| --- | --- | --- | --- | --- | --- | --- |"
        for _ in 1 2 3; do bench_scenario bench-100k "$out/bench-100k"; done
        bench_scenario planet-week "$out/planet-week"
        echo
        echo "The kernel's timers alone, Jones' hold model, 20 million holds:"
        echo
        for pending in 64 4096; do
            python3 - "$kernel" "$pending" <<'PY'
import resource, subprocess, sys
subprocess.run([sys.argv[1], "hold", sys.argv[2], "20000000"], stdout=subprocess.DEVNULL, check=True)
print(f"- {sys.argv[2]} pending: {20 / resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime:.1f} million holds/s")
PY
        done
        echo
        echo "What one more request costs the kernel (8,000 prompt and 1,000 output tokens, 54 replicas, chunks of 2,048), by"
        echo "valgrind from 20,000 and 40,000 requests:"
        echo
        read -r few_instructions few_allocations <<<"$(count_world "$kernel" 20000)"
        read -r many_instructions many_allocations <<<"$(count_world "$kernel" 40000)"
        # 19,978 more requests arrive.
        awk -v a="$few_instructions" -v b="$many_instructions" -v c="$few_allocations" -v d="$many_allocations" 'BEGIN {
            printf "- %.0f instructions (gate: 15,000)\n- %.3f allocations, all of them in scrapes (gate: 0.22)\n",
                (b - a) / 19978, (d - c) / 19978
            exit (b - a) / 19978 > 15000 || (d - c) / 19978 > 0.22
        }' || echo "- **more than the gate allows**"
    } | tee "$record"
    echo "written to $record"
    ! grep -q "more than the gate" "$record"
}
