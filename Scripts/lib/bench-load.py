"""Sends one load and prints its figures as a row of the table of Scripts/bench load."""
import json
import os
import resource
import subprocess
import sys
import threading

tool, worker, folder, target, span, *options = sys.argv[1:]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def runnable():
    with open("/proc/loadavg") as file:
        return int(file.read().split()[3].split("/")[0])


samples, ended = [], threading.Event()


def sample():
    while not ended.wait(0.5):
        samples.append(runnable())


before = cpu_seconds(worker)
sampler = threading.Thread(target=sample)
sampler.start()
run = subprocess.run(
    [tool, "load", f"{folder}/scenario.yaml", "--target", target, "--for", span, "--quiet", "--json", *options],
    stdout=subprocess.PIPE)
ended.set()
sampler.join()
if run.returncode != 0:
    sys.exit(f"load ended with {run.returncode}")
summary = json.loads(run.stdout)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
delay, ttft = summary["send_delay_ms"], summary["ttft_ms"]
cells = [
    summary["sending_thread"], f"{summary['requests']['offered']:,}", f"{summary['requests']['completed']:,}",
    f"{summary['rate']['sent_per_second']:,.1f}", *(f"{delay[key]:.3f}" for key in ("p50", "p99", "p99_9", "max")),
    *(f"{ttft[key]:.1f}" for key in ("p50", "p99")), f"{usage.ru_utime + usage.ru_stime:.1f}",
    f"{cpu_seconds(worker) - before:.1f}", f"{sum(samples) / max(1, len(samples)):.1f}",
]
print("| " + " | ".join(cells) + " |", flush=True)
