"""Storms against a worker: soak.py TIDEGATE-LIVE MINUTES SEED RECORD [MODEL]. Ends with 1 when something leaked or broke."""
import asyncio
import collections
import json
import os
import random
import sys
import time

from worker import Failure, Worker, append, provenance

tool, minutes, seed, record = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
CLIENTS, STORM, STORMS, PATIENCE = 24, 12.0, 4, 120
SMOL = ".build-models/SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL = sys.argv[5] if len(sys.argv) > 5 else SMOL if os.path.exists(SMOL) else "tiny"
# What memory may grow by from one storm to the next without a leak: the allocator's arenas, and pages of the KV cache
# that were never touched before.
GROWTH_MB = 24
HEADING = """# Does a worker leak?

Storms of %d clients, %g s each, that complete, stream, go away in the queue or in the middle, send bodies that are too
large, broken or cut off; after each storm the worker must be idle with no block in use and as many descriptors as before,
and resident memory within %d MB of what it was after the first. A process lives for %d storms and is then drained in the
middle of one by SIGTERM: streams that run must finish and it must exit with 0. `Scripts/soak`.

| when and where | executor | minutes | storms | drains | requests | cancelled | too large | refused (429, 503) | most memory gained, MB | descriptors gained | outcome |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
""" % (CLIENTS, STORM, GROWTH_MB, STORMS)

EXECUTORS = {
    # A queue of 8 beside 8 that run: some of the 24 clients get 429.
    "emulated": ["--executor", "emulated", "--profile", "Scenarios/profiles/llama-3.1-8b-h100-tp1.json", "--kv-blocks",
                 "256", "--max-num-seqs", "8", "--max-queue", "8", "--no-cold-start"],
    "core": ["--model", MODEL, "--kv-blocks", "256", "--max-model-len", "1024",
             "--max-num-seqs", "8", "--max-num-batched-tokens", "128", "--max-queue", "8"],
}


class Client:
    def __init__(self, port, draw, counts, deadline):
        self.port, self.draw, self.counts, self.deadline = port, draw, counts, deadline
        self.drains = False

    async def run(self):
        while time.monotonic() < self.deadline:
            action = self.draw.choices(
                [self.whole, self.stream, self.leave, self.leave_early, self.oversized, self.broken, self.cut_off],
                [4, 4, 5, 3, 1, 1, 1])[0]
            try:
                await asyncio.wait_for(action(), PATIENCE)
            except asyncio.TimeoutError:
                raise Failure(f"{action.__name__} had no end after {PATIENCE} s")
            except (ConnectionError, asyncio.IncompleteReadError):
                self.counts["closed"] += 1
                await asyncio.sleep(0.05)

    def body(self, stream):
        words = " ".join(self.draw.choices(["tide", "gate", "harbour", "ebb", "flow"], k=self.draw.randint(1, 120)))
        return json.dumps({"prompt": words, "max_tokens": self.draw.randint(1, 48), "stream": stream,
                           "temperature": self.draw.choice([0, 1])}).encode()

    async def send(self, body, length=None):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                     % (len(body) if length is None else length) + body)
        self.counts["requests"] += 1
        return reader, writer

    async def status(self, reader):
        line = await reader.readline()
        if not line:
            raise ConnectionError
        status = int(line.split()[1])
        if status in (429, 503):
            self.counts["refused"] += 1
        elif status >= 500:
            raise Failure(f"the worker answered {status}")
        return status

    async def close(self, writer):
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass

    async def whole(self):
        reader, writer = await self.send(self.body(False))
        try:
            status = await self.status(reader)
            text = await reader.read()
            if status == 200 and b'"finish_reason":"' not in text:
                raise Failure(f"an answer without an end: {text[:200]}")
        finally:
            await self.close(writer)

    async def stream(self):
        reader, writer = await self.send(self.body(True))
        try:
            status = await self.status(reader)
            text = await reader.read()
            if status == 200:
                self.counts["streams"] += 1
                if b"data: [DONE]" not in text:
                    raise Failure(f"a stream without an end: …{text[-300:]}")
        finally:
            await self.close(writer)

    async def leave(self):
        reader, writer = await self.send(self.body(True))
        try:
            if await self.status(reader) == 200:
                for _ in range(self.draw.randint(0, 12)):
                    await reader.readline()
                self.counts["cancelled"] += 1
        finally:
            await self.close(writer)

    async def leave_early(self):
        _, writer = await self.send(self.body(self.draw.random() < 0.5))
        await asyncio.sleep(self.draw.random() * 0.05)
        self.counts["cancelled"] += 1
        await self.close(writer)

    async def oversized(self):
        # The worker may close in the middle of it.
        reader, writer = await self.send(b'{"prompt":"' + b"a" * (5 << 20) + b'"}')
        try:
            status = await self.status(reader)
            if status not in (413, 503):
                raise Failure(f"a body that is too large got {status}")
            self.counts["oversized"] += status == 413
        finally:
            await self.close(writer)

    async def broken(self):
        reader, writer = await self.send(self.draw.choice([b"{", b"\xff", b"[]", b'{"prompt":7}', b'{"prompt":""}']))
        try:
            if await self.status(reader) not in (400, 503):
                raise Failure("a broken body was taken")
        finally:
            await self.close(writer)

    async def cut_off(self):
        _, writer = await self.send(b'{"prompt":"a', 100)
        await self.close(writer)


async def storm(worker, draw, counts, seconds, then=None):
    deadline = time.monotonic() + seconds
    clients = [Client(worker.port, random.Random(draw.random()), counts, deadline) for _ in range(CLIENTS)]
    tasks = [asyncio.create_task(client.run()) for client in clients]
    if then:
        await asyncio.sleep(seconds / 2)
        then(clients)
    await asyncio.gather(*tasks)


def soak(executor, seconds):
    draw, counts = random.Random(f"{seed} {executor}"), collections.Counter()
    end, gained, held, problem = time.monotonic() + seconds, 0.0, 0, None
    worker = None
    try:
        while time.monotonic() < end:
            worker = Worker(tool, EXECUTORS[executor])
            first = None
            for _ in range(STORMS):
                asyncio.run(storm(worker, draw, counts, min(STORM, max(2, end - time.monotonic()))))
                counts["storms"] += 1
                level = worker.settle()
                first = first or level
                gained, held = max(gained, level[0] - first[0]), max(held, level[1] - first[1])
                if level[0] > first[0] + GROWTH_MB or level[1] > first[1]:
                    raise Failure(f"{first[0]:.0f} MB and {first[1]} descriptors became {level[0]:.0f} and {level[1]}")
                if time.monotonic() > end:
                    break

            def drain(clients):
                worker.process.terminate()
                for client in clients:
                    client.deadline = 0
            asyncio.run(storm(worker, draw, counts, 4, drain))
            code = worker.process.wait(60)
            counts["drains"] += 1
            if code != 0:
                raise Failure(f"a drained worker exited with {code}")
    except Failure as failure:
        problem = str(failure)
    finally:
        if worker:
            worker.kill()
    name = executor if executor == "emulated" else f"core, {os.path.basename(MODEL)}"
    line = (f"| {provenance()}, seed {seed} | {name} | {seconds / 60:g} | {counts['storms']} | {counts['drains']} "
            f"| {counts['requests']:,} | {counts['cancelled']:,} | {counts['oversized']:,} | {counts['refused']:,} "
            f"| {gained:.1f} | {held} | {problem or 'nothing leaked'} |")
    print(line, flush=True)
    append(record, HEADING, line)
    return problem is None


# Both, also when the first one fails.
results = [soak(executor, minutes * 30) for executor in EXECUTORS]
sys.exit(0 if all(results) else 1)
