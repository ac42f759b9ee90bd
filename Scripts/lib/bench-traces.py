"""One file under each command that reads a trace: bench-traces.py TIDEGATE FORMAT FILE [BYTES OF TEXT]"""
import json
import os
import resource
import subprocess
import sys

tool, layout, path = sys.argv[1:4]
size = os.path.getsize(path)
text = int(sys.argv[4]) if len(sys.argv) > 4 else size
folder = os.path.dirname(path)
scenario = os.path.join(folder, "scenario.yaml")
root = os.getcwd()
with open(scenario, "w") as file:
    file.write(f"""scenario: trace
question: How fast is it read?
seed: 1
start: 2026-03-02T00:00:00Z
slo_classes: {{all: {{ttft: 10s}}}}
tenants: [all]
traffic:
  - {{name: trace, pool: fleet, class: all, tenants: {{all: 100%}}, trace: {{file: {path}, format: {layout}}}}}
pools:
  - name: fleet
    profile: {root}/Scenarios/profiles/llama-2-70b-h100-tp4.json
    offering: {{provider: aws, instance: p5.48xlarge, zone: us-east-1a}}
    cold_start: {{provision: 3m, pull: 1m, load: 1m, warm_up: 145s}}
    replicas: {{min: 1, max: 1, initial: 1}}
prices: [{root}/Scenarios/prices/on-demand.yaml]
policies: [{{policy: static}}]
""")


def measure(words):
    """CPU seconds and peak megabytes of one child, and what it printed."""
    process = subprocess.Popen([tool] + words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    printed = process.stdout.read()
    process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{words[0]} ended with {status}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, printed


subprocess.run(["cat", path], stdout=subprocess.DEVNULL, check=True)
_, _, printed = measure(["trace", "summary", path, "--format", layout, "--json"])
lines = json.loads(printed)["requests"]
for words in (["check", scenario], ["trace", "summary", path, "--format", layout]):
    runs = [measure(words) for _ in range(3)]
    cpu, memory = min(run[0] for run in runs), max(run[1] for run in runs)
    name = layout + (", gzip" if path.endswith(".gz") else "")
    packed = f"{size / 1e6 / cpu:.0f}" if path.endswith(".gz") else "–"
    print(f"| {name} | {lines:,} | `{' '.join(words[:2]) if words[0] == 'trace' else words[0]}` | {cpu:.2f} "
          f"| {text / 1e6 / cpu:.0f} | {packed} | {memory:.0f} |", flush=True)
