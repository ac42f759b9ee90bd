"""A tenant at 40 times its usual load: study-abuse.py LIVE POLICY RUNS RECORD."""
import csv
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
from worker import Failure, append, provenance

live, policy, runs, record = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3].split(), sys.argv[4]
QUIET, ABUSE = int(os.environ.get("QUIET", 120)), int(os.environ.get("ABUSE", 120))
FACTOR = 40
RATES = {"app": 4.0, "agents": 4.0, "burst": 0.5}
TTFT, TPOT = 2.0, 0.060
HEADING = f"""# A tenant's abuse

`Scripts/study-abuse`: gateway, `control --active` and emulated workers, tenants app and agents at 4 requests/s each and burst at
0.5, which goes to {FACTOR} times that. *usual*: it does not. *watched*: `controller: {{abuse: …}}` with windows of 10 s, a cap after
5 s and a hold of 3 min. *unwatched*: `enabled: false`. Attainment: requests with TTFT within 2 s and TPOT within 60 ms, of all that
were due while the abuse lasted (in *usual*: in the same span). Replicas: the highest level then, and when it began.

| run | policy | quiet s, abuse s | replicas before, highest | app % | agents % | burst % | burst refused | problems |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scenario(folder, abuses):
    for name in ["laptop-burst/profiles", "prices"]:
        shutil.copytree(f"Scenarios/{name}", f"{folder}/{os.path.basename(name)}")
    traffic = ""
    for tenant, rate in RATES.items():
        spans = f"{{constant: {rate}/s}}"
        if tenant == "burst" and abuses:
            # A step within a second.
            values = ", ".join(str(rate if second < QUIET else rate * FACTOR) for second in range(QUIET + ABUSE + 2))
            spans = f"{{linear: {{every: 1s, values: [{values}]}}}}"
        traffic += f"""  - name: {tenant}
    pool: chat
    class: interactive
    tenants: {{{tenant}: 100%}}
    rate: {spans}
    prompt_tokens: {{lognormal: {{p50: 300, p99: 1500}}, minimum: 16, maximum: 3000}}
    output_tokens: {{lognormal: {{p50: 80, p99: 320}}, minimum: 4, maximum: 500}}
"""
    policies = {"hpa": "{policy: hpa, target_per_replica: 8, scale_down_stabilization: 60s}",
                "lookahead": "{policy: lookahead, scale_in_delay: 40s, horizon: 30s}"}
    with open("Scenarios/laptop-burst/scenario.yaml") as file:
        text = file.read()
    text = text[:text.index("tenants:")] + f"tenants: [{', '.join(RATES)}]\n\ntraffic:\n{traffic}\n" + text[text.index("pools:"):]
    text = text[:text.index("policies:")] + f"policies:\n  - {policies[policy]}\n"
    for old, new in [("duration: 10m", f"duration: {QUIET + ABUSE}s"), ("initial: 4}", "initial: 6}"),
                     ("{provision: 12s, pull: 2s, load: 4s, warm_up: 2s}", "{provision: 5s, pull: 0s, load: 0s, warm_up: 0s}"),
                     ("{tick: 10s, scrape: 5s, window: 20s, staleness: 20s}", "{tick: 5s, scrape: 1s, window: 10s, staleness: 10s}")]:
        if old not in text:
            raise Failure(f"laptop-burst has changed: no '{old}'")
        text = text.replace(old, new)
    with open(f"{folder}/scenario.yaml", "w") as file:
        file.write(text)


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={"Connection": "close"})
    return json.loads(connection.getresponse().read())


def ready(port):
    try:
        return sum(replica["phase"] == "ready" for pool in ask(port, "/v1/status")["pools"] for replica in pool["replicas"])
    except (OSError, http.client.HTTPException, ValueError):
        return 0


def levels(folder):
    """Time and target of each tick."""
    with open(f"{folder}/state/controller/journal.jsonl") as file:
        records = [json.loads(line).get("record") for line in file]
    return [(one["time"], one["observation"]["pools"][0]["target"]) for one in records if one and one["observation"]["pools"]]


def play(run):
    folder = tempfile.mkdtemp()
    children = []
    try:
        scenario(folder, abuses=run != "usual")
        front, admin, control = free_port(), free_port(), free_port()
        watch = "{enabled: false}" if run == "unwatched" else "{window: 10s, cap_after: 5s, hold: 3m}"
        with open(f"{folder}/live.yaml", "w") as file:
            file.write(f"""scenario: .
state: state
gateway: {{listen: "127.0.0.1:{front}", admin: "127.0.0.1:{admin}", authentication: none, log: none}}
controller: {{listen: "127.0.0.1:{control}", abuse: {watch}}}
""")
        log = open(f"{folder}/log", "w")
        for part in [["gateway"], ["control", "--active"]]:
            children.append(subprocess.Popen(
                [live, part[0], "--config", f"{folder}/live.yaml"] + part[1:], cwd=folder, stdout=log, stderr=log))
        deadline = time.monotonic() + 60
        while ready(control) < 6:
            if time.monotonic() > deadline or any(child.poll() is not None for child in children):
                with open(f"{folder}/log") as text:
                    raise Failure("the fleet did not start:\n" + text.read()[-2000:])
            time.sleep(0.1)
        before = len(levels(folder)) if os.path.exists(f"{folder}/state/controller/journal.jsonl") else 0
        load = subprocess.run(
            [live, "load", "scenario.yaml", "--target", f"http://127.0.0.1:{front}", "--output", "out", "--drain", "30s", "--quiet"],
            cwd=folder, capture_output=True, text=True)
        if load.returncode not in (0, 75):
            raise Failure(f"the load ended with {load.returncode}: {load.stderr[-1000:]}")
        status = ask(control, "/v1/status")
        ticks = levels(folder)[before:]
        begin, end = QUIET // 5, (QUIET + ABUSE) // 5
        if len(ticks) < end - 1:
            raise Failure(f"{run}: the controller ticked {len(ticks)} times of {end}: the machine is too busy to measure on", 75)
        during = [target for _, target in ticks[begin:begin + ABUSE // 5]]
        attained, due, refused = {}, {}, 0
        for row in csv.DictReader(open(f"{folder}/out/requests.csv")):
            if int(row["scheduled_ns"]) < QUIET * 1e9:
                continue
            tenant = row["tenant"]
            due[tenant] = due.get(tenant, 0) + 1
            refused += row["status"] == "429" or row["error"] == "http-429"
            if row["error"] or not row["first_token_ns"]:
                continue
            first, last = int(row["first_token_ns"]), int(row["last_token_ns"])
            tokens = int(row["output_tokens"] or 0)
            ttft, tpot = (first - int(row["scheduled_ns"])) / 1e9, (last - first) / 1e9 / max(1, tokens - 1)
            attained[tenant] = attained.get(tenant, 0) + (ttft <= TTFT and tpot <= TPOT)
        share = {tenant: 100 * attained.get(tenant, 0) / max(1, due.get(tenant, 0)) for tenant in RATES}
        problems = [problem["text"] for problem in status["problems"] if "tenant" in problem["text"]]
        print(f"{run}: levels {[target for _, target in ticks]}, due {due}, attained {attained}, refused {refused}")
        for problem in reversed(status["problems"]):
            print("   ", problem["time"], problem["text"])
        return (f"| {provenance()}: {run} | {policy} | {QUIET}, {ABUSE} | {ticks[begin - 1][1]}, {max(during)} | {share['app']:.2f} | "
                f"{share['agents']:.2f} | {share['burst']:.2f} | {refused} | {len(problems)} |\n")
    finally:
        for child in reversed(children):
            child.send_signal(signal.SIGTERM)
            child.wait(30)
        # Workers outlive their controller: these are ours, by the names of their processes' folder.
        for name in os.listdir("/proc"):
            try:
                environment = open(f"/proc/{name}/environ", "rb").read() if name.isdigit() else b""
            except OSError:
                continue
            if folder.encode() in environment and int(name) != os.getpid():
                os.kill(int(name), signal.SIGKILL)
        if os.environ.get("KEEP"):
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder)


try:
    lines = "".join(play(run) for run in runs)
except Failure as failure:
    print(f"error: {failure.args[0]}", file=sys.stderr)
    sys.exit(failure.args[1] if len(failure.args) > 1 else 1)
append(record, HEADING, lines.rstrip())
