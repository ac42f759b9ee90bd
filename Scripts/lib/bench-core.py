"""Times the inference core, memory, sgemm and llama.cpp in turns, and prints the ratios as Markdown.

bench-core.py CORE_BENCH SMOLLM2 SWIFT_VERSION
"""
import datetime
import json
import os
import subprocess
import sys

bench, model, swift = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
large, rounds, batches = "demo-110m", 3, (1, 4, 16)
# Ahead of what else runs, where that is allowed, for the few seconds that each figure takes.
ahead = ["chrt", "-r", "5"]
if subprocess.run([*ahead, "true"], stderr=subprocess.DEVNULL).returncode != 0:
    ahead = []

SGEMM = """
import sys, time, numpy
rows, inputs, outputs = 512, 2048, 2048
x = numpy.random.rand(rows, inputs).astype(numpy.float32)
w = numpy.random.rand(inputs, outputs).astype(numpy.float32)
y = numpy.empty((rows, outputs), numpy.float32)
best = 1e9
for _ in range(12):
    start = time.perf_counter()
    numpy.dot(x, w, out=y)
    best = min(best, time.perf_counter() - start)
print(2 * rows * inputs * outputs / best * 1e-9)
"""


def run(*command, **environment):
    return subprocess.run(
        [*ahead, *map(str, command)], env={**os.environ, **environment}, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, check=True).stdout


def figure(*command):
    return json.loads(run(bench, *command))


def llama(threads):
    lines = run(sys.executable, here + "/bench-llamacpp.py", model, threads, *batches).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def best(figures):
    return min(figure["ms"] for figure in figures)


def sgemm(threads):
    """GFLOP/s of the better of OpenBLAS's own choice of kernels and those with AVX-512, which it leaves out on some
    processors that have it."""
    choices = [{}, {"OPENBLAS_CORETYPE": "SKYLAKEX"}] if "avx512f" in flags() else [{}]
    return max(float(run(sys.executable, "-c", SGEMM, OPENBLAS_NUM_THREADS=str(threads), **c)) for c in choices)


def flags():
    with open("/proc/cpuinfo") as file:
        return next((line.split() for line in file if line.startswith("flags")), [])


def machine():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")


def against_machine(threads):
    """Rows of the table of large weights: ours and the machine's in turns, the best round of each."""
    streams, gemms, ones, sixteens, prefills = [], [], [], [], []
    for _ in range(rounds):
        streams.append(figure("stream", threads)["gb_per_s"])
        ones.append(figure("steps", large, threads, 1, 64))
        gemms.append(sgemm(threads))
        sixteens.append(figure("steps", large, threads, 16, 64))
        prefills.append(figure("prefill", large, threads, 256))
    stream, gemm = max(streams), max(gemms)
    read = ones[0]["weight_bytes"] / best(ones) * 1e-6
    step = 2 * 16 * sixteens[0]["weights"] / best(sixteens) * 1e-6
    prefill = 2 * 256 * prefills[0]["weights"] / best(prefills) * 1e-6
    for name, ours, unit, theirs, target in (
        ("decode, batch 1", read, "GB/s", stream, 0.75), ("decode, batch 16", step, "GFLOP/s", gemm, 0.55),
        ("prefill, 256 tokens", prefill, "GFLOP/s", gemm, 0.60),
    ):
        yield threads, name, f"{ours:.1f} {unit}", f"{theirs:.1f} {unit}", ours / theirs, target


def against_llama(threads):
    ours, theirs = {}, {}
    for _ in range(rounds):
        for line in llama(threads):
            theirs.setdefault(line.get("batch", 0), []).append(line)
        for batch in batches:
            ours.setdefault(batch, []).append(figure("steps", model, threads, batch, 64))
        ours.setdefault(0, []).append(figure("prefill", model, threads, 256))
    for batch in (*batches, 0):
        tokens = batch or 256
        a, b = (1000 * tokens / best(side[batch]) for side in (ours, theirs))
        name = f"decode, batch {batch}" if batch else "prefill, 256 tokens"
        yield threads, name, f"{a:.0f} tokens/s", f"{b:.0f} tokens/s", a / b, 1.0


def table(title, header, rows):
    print(f"\n{title}\n\n| threads | | core | {header} | ratio | target |\n| --- | --- | --- | --- | --- | --- |")
    for threads, name, ours, theirs, ratio, target in rows:
        verdict = "" if ratio >= target else ", **below its target**"
        print(f"| {threads} | {name} | {ours} | {theirs} | {ratio:.2f} | {target:.2f}{verdict} |", flush=True)


counts = sorted({1, os.cpu_count() or 1})
print("# The inference core")
print(f"\n{datetime.date.today()}, {machine()}, {os.cpu_count()} cores, {swift}, release build. Best of {rounds} rounds "
      "of medians; ours and the others' in turns.")
print("Each figure was measured " + ("at real-time priority." if ahead else "at ordinary priority, beside what else ran."))
table(f"Weights far larger than the cache ({large}, 438 MB in 32-bit floats a step), beside memory read in order and "
      "numpy's sgemm (OpenBLAS, the faster of its kernels, 512 rows by 2048 × 2048):", "machine",
      [row for threads in counts for row in against_machine(threads)])
table("SmolLM2-135M-Instruct, Q4_1, the same file; llama.cpp (xllamacpp) by its server's own times, prompts of 64 tokens:",
      "llama.cpp", [row for threads in counts for row in against_llama(threads)])
print("\nFirst token of a prompt of 2,032 tokens, of which 2,000 are cached or none:\n")
for threads in counts:
    new, cached = (json.loads(line)["ms"] for line in run(bench, "prefix", "demo-15m", threads, 2000).splitlines())
    print(f"- {threads} threads, demo-15m: {cached:.0f} ms in place of {new:.0f} ms, {100 * cached / new:.0f} % "
          "(target: 35 % at most)" + ("" if cached <= 0.35 * new else ", **below its target**"))
