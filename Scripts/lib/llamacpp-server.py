"""llama.cpp's own server, out of the wheel of xllamacpp: llamacpp-server.py MODEL.gguf PORT SLOTS CONTEXT_PER_SLOT BATCH.

One thread computes: with more than there are free processors they wait for one another. It gets the name 'engine', for
urgent.py to find it. Ends on SIGTERM.
"""
import os
import signal
import sys
import time

import xllamacpp

model, port, slots, context, batch = sys.argv[1], *map(int, sys.argv[2:6])
settings = xllamacpp.CommonParams()
settings.model.path = model
settings.hostnames = ["127.0.0.1"]
settings.port = port
settings.n_parallel = slots
settings.n_ctx = slots * context
settings.n_batch = batch
settings.endpoint_metrics = True
settings.cpuparams.n_threads = 1
settings.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(settings)
print("listening on", server.listening_address, flush=True)
# The wheel's own way to end does not return.
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: os._exit(0))


def busy():
    """Processor time of each thread so far, in ticks."""
    found = {}
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # It ended meanwhile.
        found[thread] = int(fields[11]) + int(fields[12])
    return found


# The thread that computes is the one that has nearly a processor to itself while a request is answered.
before = busy()
while True:
    time.sleep(0.05)
    now = busy()
    computing = [thread for thread in now if now[thread] - before.get(thread, 0) >= 4]
    if computing:
        with open(f"/proc/self/task/{computing[0]}/comm", "w") as file:
            file.write("engine")
        break
    before = now
while True:
    time.sleep(1)
