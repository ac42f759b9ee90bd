# Sourced by Scripts/bench: whether `tidegate load` keeps its schedule, against an emulated worker on the same machine.
#
# 2,000 Poisson arrivals a second for a minute; the worker plays the profile of an 8B model on an H100 and takes as much of
# the same processors as it likes. Twice: with the sending thread before others, and as one among them. On a machine that
# others use, LOAD_PREFIX='chrt -r 5' runs worker and load, once, before what else runs there.

bench_load() {
    local record=Reports/benchmarks/load.md seconds=${LOAD_SECONDS:-60} rate=${LOAD_RATE:-2000} port=
    local live prefix=${LOAD_PREFIX:-} threads=("" --ordinary-priority) thread
    [ -z "$prefix" ] || threads=("")
    live=$(dirname "$tidegate")/tidegate-live
    say "Building tidegate-live (release)"
    swift build -c release --product tidegate-live
    # Not local: they are ended and removed with the script, after this function.
    work=$(mktemp -d)
    trap 'kill "${worker:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
    load_scenario "$rate" >"$work/scenario.yaml"
    cp -r Scenarios/profiles Scenarios/prices "$work"
    $prefix "$live" worker --executor emulated --profile Scenarios/profiles/llama-3.1-8b-h100-tp1.json --port 0 --no-cold-start \
        --json >"$work/worker.json" &
    worker=$!
    for _ in $(seq 100); do
        port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' "$work/worker.json")
        [ -z "$port" ] || break
        sleep 0.1
    done
    [ -n "$port" ] || fail "the worker did not start"
    {
        echo "# Schedule of \`tidegate load\`"
        echo
        echo "$(date -u +%Y-%m-%d), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores shared with the worker and whatever else ran, release build."
        echo
        echo "$rate Poisson arrivals a second for $seconds s, prompts of 4 to 16 token ids, answers of 4 tokens in the mean, against"
        echo "\`tidegate worker --executor emulated\` with the profile of an 8B model on an H100. Send delay: from when a request was"
        echo "due to when the system had taken its bytes. Times in ms; load: mean number of runnable threads on the machine."
        [ -z "$prefix" ] || echo "Worker and load were run by \`$prefix\`, because others used the machine."
        echo
        echo "| sending thread | requests due | completed | sent/s | send delay p50 | p99 | p99.9 | max | TTFT p50 | p99 | CPU s, load | CPU s, worker | load |"
        echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    } >"$record"
    for thread in "${threads[@]}"; do
        $prefix python3 Scripts/lib/bench-load.py "$tidegate" "$worker" "$work" "http://127.0.0.1:$port" "${seconds}s" $thread |
            tee -a "$record"
    done
    echo "written to $record"
}

load_scenario() {
    cat <<EOF
scenario: load-$1
question: Does the load generator keep its schedule?
seed: 1
start: 2026-03-02T00:00:00Z
duration: 10m
slo_classes:
  interactive: {ttft: 1s, tpot: 50ms, attainment: 99%, timeout: 30s}
tenants: [bench]
traffic:
  - name: requests
    pool: chat
    class: interactive
    tenants: {bench: 100%}
    rate: {constant: $1/s}
    prompt_tokens: {uniform: {minimum: 4, maximum: 16}}
    output_tokens: {geometric: {mean: 4}, maximum: 32}
pools:
  - name: chat
    profile: profiles/llama-3.1-8b-h100-tp1.json
    offering: {provider: aws, instance: p5.48xlarge, zone: us-east-1a}
    engine: {max_num_seqs: 256, max_num_batched_tokens: 2048}
    cold_start: {provision: 3m, pull: 1m, load: 1m, warm_up: 30s}
    replicas: {min: 8, max: 8}
prices: [prices/on-demand.yaml]
policies:
  - {policy: static, replicas: 8}
EOF
}
