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

# What valgrind counts in the kernel for REQUESTS requests of long-context traffic: instructions and allocations, and
# the allocations without a control tick before the end.
count_world() {
    local instructions
    instructions=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$1" world "$2" 1 2>&1 |
        sed -n 's/.*refs: *//p' | tr -d ,)
    echo "$instructions $(count_allocations "$1" world "$2") $(count_allocations "$1" loop "$2")"
}

count_allocations() {
    valgrind --tool=memcheck --leak-check=no "$1" "$2" "$3" 1 2>&1 |
        sed -n 's/.*total heap usage: \([0-9,]*\) allocs.*/\1/p' | tr -d ,
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
        read -r few_instructions few_allocations few_alone <<<"$(count_world "$kernel" 20000)"
        read -r many_instructions many_allocations many_alone <<<"$(count_world "$kernel" 40000)"
        # 19,978 more requests arrive, in 1,111 s with 18.5 more ticks of the control loop and twice as many scrapes.
        awk -v a="$few_instructions" -v b="$many_instructions" -v c="$few_allocations" -v d="$many_allocations" \
            -v e="$few_alone" -v f="$many_alone" 'BEGIN {
            instructions = (b - a) / 19978; ticks = (d - c) / 18.5; alone = f - e
            printf "- %.0f instructions (gate: 15,200)\n", instructions
            printf "- no allocation: %d for all 19,978 where no control tick falls (gate: 10), ", alone
            printf "and %.0f for each tick with its two scrapes of 54 replicas (gate: 20)\n", ticks
            exit instructions > 15200 || alone > 10 || ticks > 20
        }' || echo "- **more than the gate allows**"
    } | tee "$record"
    echo "written to $record"
    ! grep -q "more than the gate" "$record"
}
