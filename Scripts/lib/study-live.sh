# Sourced by the studies of running servers: pinned and urgent processes, scenarios of one load, and tables of errors.
#
# What computes has processor $compute to itself; the client and everything else of the server are on processor $rest, all
# of it before what others run (see urgent.py).

compute=${COMPUTE_CPU:-1}
rest=${REST_CPU:-0}

# The client, on the other processor.
client() { python3 Scripts/lib/urgent.py "$rest" -- "$@"; }

# A calibration, tried again where something else had the processor just when it began.
calibrate() {
    local attempt
    for attempt in 1 2 3; do
        client "$live" calibrate endpoint "$@" && return
        [ $? -eq 69 ] || break
        sleep 5
    done
    fail "no calibration"
}

# Poisson arrivals at $1 a second for $2 seconds, prompts of $3 to $4 tokens and answers of $5 to $6.
load_scenario() {
    cat <<EOF
scenario: load-$1
question: Do simulated latencies agree with measured ones?
seed: ${7:-1}
start: 2026-03-02T00:00:00Z
duration: $2s
slo_classes:
  patient: {ttft: 1h, tpot: 1h, attainment: 99%}
tenants: [study]
traffic:
  - name: requests
    pool: served
    class: patient
    tenants: {study: 100%}
    rate: {constant: $1/s}
    prompt_tokens: {uniform: {minimum: $3, maximum: $4}}
    output_tokens: {uniform: {minimum: $5, maximum: $6}}
pools:
  - name: served
    profile: profiles/llama-3.1-8b-h100-tp1.json
    offering: {provider: aws, instance: p5.48xlarge, zone: us-east-1a}
    engine: {max_num_seqs: 256, max_num_batched_tokens: 2048}
    cold_start: {provision: 3m, pull: 1m, load: 1m, warm_up: 30s}
    replicas: {min: 1, max: 1}
prices: [prices/on-demand.yaml]
policies:
  - {policy: static, replicas: 1}
EOF
}

# The machine's speed, into $now: requests a second of a load far beyond the capacity of the server at $1, the same each
# time: $2 requests, prompts of $3 to $4 tokens and answers of $5 to $6.
probe() {
    load_scenario 1000 "$(python3 -c "print($2 / 1000)")" "$3" "$4" "$5" "$6" >"$work/probe.yaml"
    client "$live" load "$work/probe.yaml" --target "$1" --drain 10m --quiet --json >"$work/probe.json"
    now=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["rate"]["completed_per_second"])' "$work/probe.json")
}

# Waits until a server answers on port $1.
await_server() {
    local attempt
    for attempt in $(seq 600); do
        if [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$1/health")" = 200 ]; then return; fi
        sleep 0.1
    done
    fail "the server on port $1 is not ready after a minute"
}

machine() {
    echo "$(date -u +%Y-%m-%d), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores, release build."
}

# A row for the validation in file $2, named $1: errors in percent, and the measured means in ms.
error_row() {
    python3 - "$1" "$2" <<'PY'
import json, sys
name, path = sys.argv[1:]
found = json.load(open(path))
error, measured = found["error_percent"], found["measured"]
cells = [name, f"{found['simulated_run']['requests']:,}"]
cells += [f"{1000 * measured[latency]['mean']:.1f}" for latency in ("ttft", "itl")]
cells += [f"{error[latency][figure]:+.1f}" for latency in ("ttft", "itl", "e2e") for figure in ("mean", "p50", "p90", "p99")]
print("| " + " | ".join(cells) + " |")
PY
}

error_head() {
    echo "| load | requests | TTFT ms | ITL ms | TTFT mean | p50 | p90 | p99 | ITL mean | p50 | p90 | p99 | E2E mean | p50 | p90 | p99 |"
    echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
}

# A sentence on the profile in file $1.
profile_story() {
    python3 - "$1" <<'PY'
import json, sys
found = json.load(open(sys.argv[1]))
held = found["heldOutLoad"]
errors = ", ".join(f"{latency.upper()} mean {held['errorPercent'][latency]['mean']:+.1f} %" for latency in ("ttft", "itl"))
print(f"Profile: {found['fit']['fitted']} steps fitted, noise {100 * found['noise']:.1f} %, {found.get('requestOverhead', '?')} a "
      f"request beside its steps. Its own held-out load ({held['description']}): {errors}.")
PY
}

# By how many percent the steps of profile $2 are longer than those of $1, in the mean, with prompts of $3 to $4 tokens and
# answers of $5 to $6.
drift() {
    PYTHONPATH=Scripts/lib python3 - "$@" <<'PY'
import json, sys
from step_time import nanoseconds
shortest, longest, least, most = map(int, sys.argv[3:])
context = (shortest + longest) // 2 + (least + most) // 4
# Steps as loads have them: decoding batches, and the same with a prompt.
steps = [(0, d, context * d) for d in (2, 4, 8, 12, 16)]
steps += [(p, d, context * d) for p in (shortest, (shortest + longest) // 2, longest) for d in (2, 8, 15)]
before, after = (json.load(open(path)) for path in sys.argv[1:3])
changes = [nanoseconds(after, *step) / nanoseconds(before, *step) - 1 for step in steps]
print(f"{100 * sum(changes) / len(changes):+.2f}")
PY
}

# Whether a change of $1 percent is at most $2, so that the machine can be taken for the same.
is_steady() { python3 -c "import sys; sys.exit(abs($1) > $2)"; }
