# Part of Scripts/bench: what the gateway carries and adds, with clients and a worker that computes nothing in the same
# process. Sourced. On a machine that others use, GATEWAY_PREFIX='chrt -r 5' runs it before what else runs there.

# Figures go to Reports/benchmarks/gateway.md, each of three runs. Fails when one is beyond its target.
bench_gateway() {
    local record=Reports/benchmarks/gateway.md seconds=${GATEWAY_SECONDS:-10} prefix=${GATEWAY_PREFIX:-}
    say "Building the gateway's bench (release)"
    swift build -c release --product GatewayBench
    mkdir -p Reports/benchmarks
    python3 Scripts/lib/bench-gateway.py "$(swift build -c release --show-bin-path)/GatewayBench" "$seconds" "$prefix" \
        "$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/Swift \1/p' | head -1)" | tee "$record"
    echo "written to $record"
    ! grep -q "beyond its target" "$record"
}
