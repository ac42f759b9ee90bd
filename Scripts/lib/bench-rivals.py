"""Simulators on the same 100,000 requests, one process after the other: bench-rivals.py TIDEGATE FOLDER REPEATS [PYTHON]

Writes one trace, gives it to each, and prints a table in Markdown: CPU seconds and peak memory of each whole process, as the
kernel counts them for a child that has ended, and the latencies that each one reports. PYTHON is an interpreter with
aisimulate installed; without it Tidegate stands alone."""
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import time

REQUESTS, RATE, SEED = 100_000, 120, 42
BLOCK = 512

tool, work, repeats = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3])
python = os.path.abspath(sys.argv[4]) if len(sys.argv) > 4 else None
root = os.getcwd()
trace = os.path.join(work, "requests.jsonl")


def length(mean, deviation, least, most):
    return min(max(round(draw.gauss(mean, deviation)), least), most)


# The laws of Scenarios/bench-100k. No block is used twice, so a prefix cache would find nothing.
draw = random.Random(SEED)
now, block = 0.0, 0
prompts = outputs = 0
with open(trace, "w") as file:
    for _ in range(REQUESTS):
        prompt, output = length(1000, 500, 16, 4000), length(250, 125, 8, 1000)
        blocks = -(-prompt // BLOCK)
        file.write(json.dumps({
            "timestamp": int(now), "input_length": prompt, "output_length": output,
            "hash_ids": list(range(block, block + blocks))}) + "\n")
        block += blocks
        prompts, outputs = prompts + prompt, outputs + output
        now += draw.expovariate(RATE / 1000)


class Failure(Exception):
    pass


def measure(command, folder):
    """Runs a command; its CPU and wall seconds, its peak memory in MB with that of its children, and what it printed."""
    before = time.monotonic()
    with open(os.path.join(work, "log"), "w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log)
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        log = pathlib.Path(work, "log").read_text()
        raise Failure(f"{' '.join(command)} ended with {status}:\n{(printed.decode() + log)[-3000:]}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - before, usage.ru_maxrss / 1024, printed


def row(name, requests, runs, latencies):
    cpu = [run[0] for run in runs]
    wall = [run[1] for run in runs]
    print(f"| {name} | {requests:,} | {min(cpu):.2f}–{max(cpu):.2f} | {min(wall):.2f}–{max(wall):.2f} "
          f"| {max(run[2] for run in runs):.0f} | {latencies} |", flush=True)


def tidegate(name, scenario):
    command = [tool, "replay", scenario, "--output", os.path.join(work, "out"), "--no-store", "--quiet", "--json",
               "--workers", "1"]
    runs = [measure(command, root) for _ in range(repeats)]
    said = json.loads(runs[0][3])
    row(name, said["requests"]["completed"], runs,
        f"{said['ttft_ms']['mean']:.1f} | {said['tpot_ms']['mean']:.1f} | {said['e2e_ms']['mean'] / 1000:.2f}")
    return min(run[0] for run in runs)


def on_the_trace():
    """Bench-100k with the trace in place of its traffic."""
    text = pathlib.Path(root, "Scenarios/bench-100k/scenario.yaml").read_text()
    before, rest = text.split("traffic:\n")
    after = rest[rest.index("pools:\n"):]
    folder = os.path.join(work, "bench-trace")
    os.makedirs(folder, exist_ok=True)
    text = "".join(line for line in before.splitlines(True) if not line.startswith("duration:")) + f"""\
traffic:
  - name: requests
    pool: chat
    class: interactive
    tenants: {{bench: 100%}}
    trace: {{file: {trace}, format: mooncake}}

""" + after.replace("../", root + "/Scenarios/")
    pathlib.Path(folder, "scenario.yaml").write_text(text)
    return folder


def aisimulate():
    config = os.path.join(work, "prediction.yaml")
    with open(config, "w") as file:
        file.write(PREDICTION.format(trace=trace, block=BLOCK))
    out = os.path.join(work, "prediction")
    command = [python, "-m", "aisimulate", "predict", "--config", config, "--output-dir", out]
    runs = []
    for _ in range(repeats):
        subprocess.run(["rm", "-rf", out], check=True)
        runs.append(measure(command, work))
    said = json.load(open(os.path.join(out, "prediction.json")))
    row("aisimulate " + version("aisimulate"), said["completed_requests"], runs,
        f"{said['mean_ttft_ms']:.1f} | {said['mean_tpot_ms']:.1f} | {said['mean_e2e_latency_ms'] / 1000:.2f}")
    return min(run[0] for run in runs)


def version(package):
    return subprocess.run(
        [python, "-c", f"import importlib.metadata as m; print(m.version('{package}'))"], stdout=subprocess.PIPE,
        check=True, text=True).stdout.strip()


PREDICTION = """\
traffic:
  source: {{type: trace, paths: [{trace}], format: mooncake, block_size: {block}}}
  load: {{type: trace_timestamps}}
engine:
  mode: aggregated
  model: meta-llama/Meta-Llama-3.1-8B
  hardware: h100_sxm
  backend: vllm
  workers:
    aggregated:
      parallelism: {{replicas: 8, tensor: 1}}
      scheduler: {{max_batched_tokens: 2048, max_sequences: 256}}
      kv_cache: {{prefix_caching: false}}
execution:
  resources: {{initialization_timeout_seconds: 600.0, shutdown_timeout_seconds: 120.0}}
"""

machine = next(line.split(": ")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
print(f"""\
# Simulators on the same work

{datetime.date.today()}, {machine}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f} when it began; {repeats} \
runs each, one after the other, all in one go. `Scripts/bench rivals`.

{REQUESTS:,} requests, Poisson at {RATE}/s, {prompts:,} prompt and {outputs:,} output tokens (normal, 1,000 ± 500 in 16 to
4,000 and 250 ± 125 in 8 to 1,000): one file in Mooncake's format that each simulator reads. Eight replicas of Llama-3.1-8B
on H100, 2,048 tokens and 256 sequences a step, no prefix cache. CPU seconds (lowest and highest) and peak memory are those
of the whole process, start, reading and report included, as the kernel counts them; other work on the machine moves the
wall seconds and, by its use of the caches, CPU seconds too.

| simulator | requests | CPU s | wall s | peak MB | mean TTFT ms | mean TPOT ms | mean E2E s |
| --- | --- | --- | --- | --- | --- | --- | --- |""", flush=True)
tidegate("Tidegate, bench-100k as shipped", "bench-100k")
ours = tidegate("Tidegate, the file", on_the_trace())
theirs, failure = None, None
try:
    theirs = aisimulate() if python else None
except Failure as problem:
    failure = problem
print("""
Latencies are not a comparison: each simulator has step times of its own (Tidegate's profile is fitted to closed-loop
results of TensorRT-LLM, aisimulate interpolates its tables of kernels for vLLM), and a router of its own.
""")
if theirs:
    print(f"On the file aisimulate takes {theirs / ours:.0f} times the CPU seconds of Tidegate (lowest of each).\n")
print(f"""\
```
tidegate replay SCENARIO --output OUT --no-store --quiet --json --workers 1
aisimulate predict --config prediction.yaml --output-dir OUT
```

with `prediction.yaml`:

```yaml
{PREDICTION.format(trace='requests.jsonl', block=BLOCK).rstrip()}
```

Not here: BLIS (Go source, in no package registry), LLMServingSim (C++ submodules), Vidur (its wheel on PyPI, 0.0.26, has no
profile data and so nothing to simulate with).""")
if failure:
    sys.exit(str(failure))
