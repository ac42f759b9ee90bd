"""Times llama.cpp (the package xllamacpp) on a GGUF file, one JSON line a figure, in the words of CoreBench.

bench-llamacpp.py MODEL THREADS BATCH...      decode steps of so many sequences, and a prefill of 256 tokens
"""
import json
import os
import statistics
import sys
import threading
import time
import urllib.request

import xllamacpp

model, threads, batches = sys.argv[1], int(sys.argv[2]), [int(a) for a in sys.argv[3:]]
parameters = xllamacpp.CommonParams()
parameters.model.path = model
parameters.port = 0
parameters.hostnames = ["127.0.0.1"]
parameters.warmup = False
parameters.n_parallel = max(batches)
parameters.n_ctx = 512 * max(batches)
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
server = xllamacpp.Server(parameters)
address = server.listening_address


def complete(prompt, count):
    body = json.dumps({"prompt": prompt, "n_predict": count, "ignore_eos": True, "temperature": 0,
                       "cache_prompt": False}).encode()
    request = urllib.request.Request(address + "/completion", body, {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))["timings"]


def prompt(count, seed):
    return [(i * 7919 + seed * 104729 + i * i * 31) % 40000 + 100 for i in range(count)]


complete(prompt(16, 0), 4)
for batch in batches:
    results = [None] * batch
    def one(index):
        results[index] = complete(prompt(64, index), 48)
    pool = [threading.Thread(target=one, args=(i,)) for i in range(batch)]
    for thread in pool: thread.start()
    for thread in pool: thread.join()
    # All decode side by side, from the last prefill to the end: the sequence that started last met all the others.
    step = min(t["predicted_ms"] / t["predicted_n"] for t in results)
    print(json.dumps({"what": "decode", "engine": "llama.cpp", "threads": threads, "batch": batch, "ms": step,
                      "tokens_per_s": 1000 * batch / step}), flush=True)
times = [complete(prompt(256, 3 + i), 1)["prompt_ms"] for i in range(5)]
print(json.dumps({"what": "prefill", "engine": "llama.cpp", "threads": threads, "tokens": 256,
                  "ms": statistics.median(times), "best_ms": min(times),
                  "tokens_per_s": 256000 / statistics.median(times)}), flush=True)
sys.stdout.flush()
# The wrapper's own end does not return.
os._exit(0)
