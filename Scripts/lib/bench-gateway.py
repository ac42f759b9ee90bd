"""Runs GatewayBench three times in each of its ways and prints the report: bench-gateway.py BENCH SECONDS PREFIX SWIFT."""
import datetime
import json
import os
import re
import resource
import subprocess
import sys

bench, seconds, prefix, swift = sys.argv[1:]


def run(way, folder=None, tls=False):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run(prefix.split() + [bench, way, seconds] + ["--tls"] * tls, stdout=subprocess.PIPE, check=True,
                            env=dict(os.environ, TMPDIR=folder) if folder else None).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(output), cpu


def verdict(holds):
    return "met" if holds else "**beyond its target**"


with open("/proc/cpuinfo") as file:
    machine = re.search(r"model name\s*:\s*(.*)", file.read())[1]
print("# The gateway")
print()
print(f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {machine}, {os.cpu_count()} cores, release build, {swift}."
      f"")
print()
print("Clients, gateway (two event loops, keys, budgets, ledger with synced commits) and a worker that computes nothing run in one")
print(f"process and share all cores. Each line is one run of {seconds} s after a second of warming up. Times in ms.")
print("The gateway reaches the worker by a Unix socket, as it does the workers of a local pool; clients come by loopback TCP.")
if prefix:
    print(f"The process was run by `{prefix}`, before whatever else the machine does.")
print()
print("*Stalls*: a virtual machine stands still when its host gives it less than whole cores. A thread on each core, before all")
print("others, notices; columns *unstalled* leave out what met such a moment or came up to four times as long after it. Verdicts are on these.")


def times(f):
    a, u = f["all"], f.get("unstalled") or f["all"]
    cells = [a["p50"], a["p99"], a["max"], u["p50"], u["p99"], u["p999"], u["max"]]
    return " | ".join(f"{value / 1e3:.2f}" for value in cells) + f" | {f['stalled']:.0f} ({f['longestStall']:.0f})"


HEAD = "p50 | p99 | max | unstalled p50 | p99 | p99.9 | max | stalls, in all (longest)"
print()
print("## Whole answers: 1,024 clients, each with its next request when it has its answer")
print()
print("An answer leaves when its row is on the disk, so its time is the disk's. In memory (/dev/shm) a sync costs nothing: what is")
print("left is the gateway's own. Target: 5,000 requests/s.")
print()
print("With TLS both sides of the gateway are encrypted, the workers' by mutual TLS. Target: half of that.")
print()
print(f"| ledger | TLS | requests/s | failed | {HEAD} | CPU s, all | |")
print("| --- " * 14 + "|")
WAYS = [("disk", None, False)] * 3 + [("disk", None, True)] * 3 + [("memory", "/dev/shm", False)] * 3 + [("memory", "/dev/shm", True)] * 3
for place, folder, tls in WAYS:
    figures, cpu = run("requests", folder, tls)
    f = figures["requests"]
    print(f"| {place} | {'yes' if tls else 'no'} | {f['perSecond']:,.0f} | {f['failed']} | {times(f)} | {cpu:.1f} "
          f"| {verdict(f['perSecond'] >= (2500 if tls else 5000) and not f['failed'])} |", flush=True)
print()
print("## Streams: 2,000 open, 25 pieces of some 240 bytes a second each, with TLS half as many")
print()
print("From when the worker wrote a piece to when the client had read it. Target: 50,000 pieces/s, each within 5 ms;")
print("with TLS half as many, likewise.")
print()
print(f"| TLS | pieces/s | failed | {HEAD} | CPU s, all | |")
print("| --- " * 13 + "|")
for tls in [False] * 3 + [True] * 3:
    figures, cpu = run("streams", tls=tls)
    f = figures["streams"]
    worst = (f.get("unstalled") or f["all"])["max"]
    holds = f["perSecond"] >= (24_950 if tls else 49_900) and not f["failed"] and worst <= 5000
    print(f"| {'yes' if tls else 'no'} | {f['perSecond']:,.0f} | {f['failed']} | {times(f)} | {cpu:.1f} | {verdict(holds)} |", flush=True)
print()
print("## First token: 300 streams a second")
print()
print("From when a request was sent to its first piece. Target: at most 3 ms more at p99 than without the gateway.")
print()
print(f"| | TLS | streams | {HEAD} | added p99, unstalled | |")
print("| --- " * 13 + "|")
for tls in [False] * 3 + [True] * 3:
    figures, cpu = run("first", tls=tls)
    kind = "yes" if tls else "no"
    d, t = figures["direct"], figures["through"]
    added = ((t.get("unstalled") or t["all"])["p99"] - (d.get("unstalled") or d["all"])["p99"]) / 1e3
    print(f"| direct | {kind} | {d['all']['count']:,} | {times(d)} | | |")
    print(f"| through | {kind} | {t['all']['count']:,} | {times(t)} | {added:.3f} | {verdict(added <= 3 and not t['failed'])} |", flush=True)
