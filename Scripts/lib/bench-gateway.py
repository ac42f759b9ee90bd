"""Runs GatewayBench three times in each of its ways and prints the report: bench-gateway.py BENCH SECONDS PREFIX SWIFT."""
import datetime
import json
import os
import re
import resource
import subprocess
import sys

bench, seconds, prefix, swift = sys.argv[1:]


def run(way):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run(prefix.split() + [bench, way, seconds], stdout=subprocess.PIPE, check=True).stdout
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
      f" Without TLS.")
print()
print("Clients, gateway (one event loop, keys, budgets, ledger with synced commits) and a worker that computes nothing run in one")
print(f"process and share all cores. Each line is one run of {seconds} s after a second of warming up. Times in ms.")
if prefix:
    print(f"The process was run by `{prefix}`, because others used the machine.")
print()
print("## Whole answers: 64 clients, each with its next request when it has its answer")
print()
print("An answer leaves when its row is on the disk: with few clients the rate is the disk's. Target: 5,000 requests/s.")
print()
print("| requests/s | failed | p50 | p99 | p99.9 | max | CPU s, all | |")
print("| --- | --- | --- | --- | --- | --- | --- | --- |")
for _ in range(3):
    figures, cpu = run("requests")
    f = figures["requests"]
    print(f"| {f['per_second']:,.0f} | {f['failed']} | {f['p50_us'] / 1e3:.2f} | {f['p99_us'] / 1e3:.2f} | {f['p99_9_us'] / 1e3:.2f} "
          f"| {f['max_us'] / 1e3:.2f} | {cpu:.1f} | {verdict(f['per_second'] >= 5000 and f['failed'] == 0)} |", flush=True)
print()
print("## Streams: 2,000 open, 25 pieces of some 240 bytes a second each")
print()
print("From when the worker wrote a piece to when the client had read it. Target: 50,000 pieces/s, each within 5 ms.")
print()
print("| pieces/s | failed | p50 | p99 | p99.9 | max | CPU s, all | |")
print("| --- | --- | --- | --- | --- | --- | --- | --- |")
for _ in range(3):
    figures, cpu = run("streams")
    f = figures["streams"]
    holds = f["per_second"] >= 49_900 and f["failed"] == 0 and f["max_us"] <= 5000
    print(f"| {f['per_second']:,.0f} | {f['failed']} | {f['p50_us'] / 1e3:.2f} | {f['p99_us'] / 1e3:.2f} | {f['p99_9_us'] / 1e3:.2f} "
          f"| {f['max_us'] / 1e3:.2f} | {cpu:.1f} | {verdict(holds)} |", flush=True)
print()
print("## First token: 300 streams a second")
print()
print("From when a request was sent to its first piece. Target: at most 3 ms more at p99 than without the gateway.")
print()
print("| streams | direct p50 | p99 | through p50 | p99 | added p99 | |")
print("| --- | --- | --- | --- | --- | --- | --- |")
for _ in range(3):
    figures, cpu = run("first")
    d, t = figures["direct"], figures["through"]
    added = (t["p99_us"] - d["p99_us"]) / 1e3
    print(f"| {t['count']:,} | {d['p50_us'] / 1e3:.3f} | {d['p99_us'] / 1e3:.3f} | {t['p50_us'] / 1e3:.3f} | {t['p99_us'] / 1e3:.3f} "
          f"| {added:.3f} | {verdict(added <= 3 and t['failed'] == 0)} |", flush=True)
