# Part of Scripts/bench: the inference core beside this machine's memory, a BLAS and llama.cpp. Sourced.

# Figures go to Reports/benchmarks/core.md, all of one run. Fails when a ratio is below its target.
bench_core() {
    local record=Reports/benchmarks/core.md
    say "Building the core's bench (release)"
    swift build -c release --product CoreBench
    ensure_python_packages .build-python numpy==2.4.6 xllamacpp==2026.10.11549 ||
        fail "numpy and xllamacpp could not be installed from PyPI: there is nothing to compare with"
    mkdir -p Reports/benchmarks
    .build-python/bin/python Scripts/lib/bench-core.py "$(swift build -c release --show-bin-path)/CoreBench" \
        "$(Scripts/get-model)" "$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/Swift \1/p' | head -1)" \
        | tee "$record"
    echo "written to $record"
    ! grep -q "below its target" "$record"
}
