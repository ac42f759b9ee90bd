"""A fleet of emulated workers behind a gateway, resized by controllers, and clients that stream from it: for the studies of
crashes, drains and failovers."""
import asyncio
import datetime
import glob
import http.client
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time

from worker import Failure

POOL = "chat"
# Before what others run, where the study's are (`chrt -r` in its script).
URGENT = os.sched_getscheduler(0) != os.SCHED_OTHER


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(condition, what, seconds=30, every=0.02):
    """Until it holds; the seconds that took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() > began + seconds:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(every)
    return time.monotonic() - began


class Program:
    """A part of the live plane; what it tells goes to a file, as JSON, one object a line."""

    def __init__(self, tool, words, log):
        self.log = log
        self.begin = os.path.getsize(log) if os.path.exists(log) else 0
        self.started = time.monotonic()
        with open(log, "a") as output, open(log + ".err", "a") as errors:
            self.process = subprocess.Popen([tool] + words + ["--json"], stdout=output, stderr=errors)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def events(self):
        """All that it has told since it started."""
        with open(self.log) as file:
            file.seek(self.begin)
            text = file.read()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def told(self, event):
        return any(one["event"] == event for one in self.events())

    def is_alive(self):
        return self.process.poll() is None


class Fleet:
    """The folder of a scenario made of `laptop-burst`, its gateway, and as many controllers as are started."""

    def __init__(self, tool, policy, replicas, control, lease="10s", step=24_000_000, cold_start="300ms", drain="1m"):
        """`step`: nanoseconds of an empty engine's step; each sequence in it adds a sixtieth."""
        self.tool, self.folder = tool, tempfile.mkdtemp(prefix="tidegate-study-")
        self.port, self.admin = free_port(), free_port()
        self.controllers, self.ports, self.lease = [], {}, lease
        for name in ["laptop-burst/profiles", "prices"]:
            shutil.copytree(f"Scenarios/{name}", f"{self.folder}/{os.path.basename(name)}")
        profile = f"{self.folder}/profiles/rehearsal.json"
        with open(profile) as file:
            values = json.load(file)
        for regime in ("decode", "mixed"):
            values["stepTime"][regime]["constant"] = step
            values["stepTime"][regime]["perSequence"] = step / 60
        with open(profile, "w") as file:
            json.dump(values, file)
        with open("Scenarios/laptop-burst/scenario.yaml") as file:
            text = file.read()
        text = text[:text.index("policies:")] + f"policies:\n  - {policy}\n"
        for old, new in [("{min: 4, max: 24, initial: 4}", replicas), ("drain_deadline: 1m", f"drain_deadline: {drain}"),
                         ("max_num_seqs: 64", "max_num_seqs: 128"),
                         ("{provision: 12s, pull: 2s, load: 4s, warm_up: 2s}",
                          f"{{provision: {cold_start}, pull: 0s, load: 0s, warm_up: 0s}}"),
                         ("{tick: 10s, scrape: 5s, window: 20s, staleness: 20s}", control)]:
            if old not in text:
                raise Failure(f"laptop-burst has changed: no '{old}'")
            text = text.replace(old, new)
        with open(f"{self.folder}/scenario.yaml", "w") as file:
            file.write(text)
        self.journal = f"{self.folder}/state/controller/journal.jsonl"
        self.pool_folder = f"{self.folder}/state/pools/{POOL}"
        self.ledger = f"{self.folder}/state/ledger.sqlite"
        self.start_gateway()

    # Programs

    def configuration(self, number):
        """Of the controller with that number, beside the others': one state, a port for each."""
        path = f"{self.folder}/live{number}.yaml"
        if number not in self.ports:
            self.ports[number] = free_port()
            with open(path, "w") as file:
                file.write(f"""scenario: .
state: state
gateway: {{listen: "127.0.0.1:{self.port}", admin: "127.0.0.1:{self.admin}", authentication: none, log: none}}
controller: {{listen: "127.0.0.1:{self.ports[number]}", lease: {self.lease}, abuse: {{enabled: false}}}}
token_prices:
  {POOL}: {{prompt: 0.15, output: 0.60}}
""")
        return path

    def start_gateway(self):
        self.gateway = Program(self.tool, ["gateway", "--config", self.configuration(0), "--drain-deadline", "2m"], f"{self.folder}/gateway.log")

    def start_controller(self, number=0):
        controller = Program(
            self.tool, ["control", "--config", self.configuration(number), "--active"], f"{self.folder}/control{number}.log")
        self.controllers.append(controller)
        return controller

    def end(self, keep=False):
        for program in self.controllers + [self.gateway]:
            if program.is_alive():
                program.signal(signal.SIGCONT)
            program.kill()
        # Workers outlive their controller: these are ours, by their mark.
        for pid, _ in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if keep:
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    # What can be seen of it

    def ask(self, port, path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            fields = {"Connection": "close"}
            if method == "POST":
                fields["X-Tidegate-Command"] = f"{int(time.time() * 1000)}-{random.randrange(1 << 60)}"
            connection.request(method, path, headers=fields)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read() or "null")
        finally:
            connection.close()

    def status(self, number=0):
        """What the controller with that number says of itself; None while it does not answer."""
        try:
            status, answer = self.ask(self.ports[number], "/v1/status")
            return answer if status == 200 else None
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def drain(self, replica, number=0):
        return self.ask(self.ports[number], f"/v1/pools/{POOL}/replicas/{replica}/drain", "POST")[0]

    def routed(self):
        """The gateway's replicas as it tells of them."""
        try:
            pools = self.ask(self.admin, "/admin/v1/pools")[1]["pools"]
        except (OSError, http.client.HTTPException, ValueError):
            return []
        return [replica for pool in pools for replica in pool["replicas"]]

    def routing(self):
        return sorted(replica["id"] for replica in self.routed() if replica["state"] == "routing")

    def processes(self):
        """Number and replica of each worker process that runs."""
        mark = f"TIDEGATE_REPLICA={os.path.realpath(self.pool_folder)}#".encode()
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    entry = next((entry for entry in file.read().split(b"\0") if entry.startswith(mark)), None)
                if entry is None:
                    continue
                with open(f"/proc/{name}/stat") as file:
                    if file.read().rsplit(")", 1)[1].split()[0] != "Z":
                        found.append((int(name), entry[len(mark):].decode()))
            except OSError:
                continue
        return sorted(found)

    def pool(self):
        """The pool's saved state; None before there is one."""
        try:
            with open(f"{self.pool_folder}/workers.json") as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def records(self, after=0):
        """The journal's whole ticks behind its first `after` bytes, and where they end."""
        try:
            with open(self.journal, "rb") as file:
                file.seek(after)
                data = file.read()
        except FileNotFoundError:
            return [], after
        whole = data[:data.rfind(b"\n") + 1]
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line["record"] for line in lines if "record" in line], after + len(whole)

    def verify(self):
        """Whether the journal's decisions come out again, as far as whole lines are there now; what `verify` says."""
        planner = os.path.join(os.path.dirname(self.tool), "tidegate")
        # A copy: controllers may still write.
        copy = os.path.join(self.folder, "journal-so-far.jsonl")
        with open(self.journal, "rb") as journal, open(copy, "wb") as file:
            text = journal.read()
            file.write(text[:text.rfind(b"\n") + 1])
        found = subprocess.run([planner, "verify", copy], capture_output=True, text=True)
        return found.returncode == 0, (found.stdout + found.stderr).strip()

    def rows(self):
        """The ledger's rows by request: how many, outcome and output tokens."""
        database = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=10)
        rows = {}
        for name, outcome, tokens in database.execute("SELECT request, outcome, output_tokens FROM usage"):
            rows.setdefault(name, []).append((outcome, tokens))
        database.close()
        return rows

    def unfinished(self):
        return len(glob.glob(f"{self.pool_folder}/.*.partial"))


class Clients:
    """Streams, many at a time, on a thread of their own."""

    class Stream:
        def __init__(self, tokens):
            self.tokens, self.seen, self.name, self.status, self.error = tokens, 0, None, None, None
            self.has_begun, self.has_ended = False, False

        def is_whole(self):
            return self.error is None and self.status == 200 and self.seen == self.tokens

    def __init__(self, port):
        self.port, self.loop = port, asyncio.new_event_loop()
        self.all, self.holding = [], threading.Event()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def open(self, count, tokens):
        """Begins so many streams of so many tokens each."""
        streams = [Clients.Stream(tokens) for _ in range(count)]
        self.all += streams
        for stream in streams:
            asyncio.run_coroutine_threadsafe(self.play(stream), self.loop)
        return streams

    def keep(self, count, tokens, pause=0.05):
        """Has so many clients stream one answer after the other until `rest`."""
        async def client(number):
            draw = random.Random(number)
            while not self.holding.is_set():
                stream = Clients.Stream(draw.randint(1, tokens))
                self.all.append(stream)
                await self.play(stream)
                await asyncio.sleep(pause)
        self.holding.clear()
        return [asyncio.run_coroutine_threadsafe(client(number), self.loop) for number in range(count)]

    def rest(self, clients, seconds=60):
        self.holding.set()
        for client in clients:
            client.result(seconds)

    async def play(self, stream):
        body = json.dumps({"model": POOL, "prompt": [1, 2, 3, 4], "max_tokens": stream.tokens, "stream": True}).encode()
        writer = None
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port), 10)
            writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: study\r\nConnection: close\r\nContent-Type: application/json\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 90)).decode()
            stream.status = int(head.split(" ", 2)[1])
            fields = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in head.split("\r\n")[1:])}
            stream.name = fields.get("x-request-id")
            text = b""
            while True:
                if "chunked" in fields.get("transfer-encoding", ""):
                    size = int((await asyncio.wait_for(reader.readuntil(b"\r\n"), 90)).strip(), 16)
                    text += (await reader.readexactly(size + 2))[:-2]
                    if size == 0:
                        break
                else:
                    piece = await asyncio.wait_for(reader.read(65536), 90)
                    text += piece
                    if not piece:
                        break
                stream.has_begun = stream.has_begun or b"data: " in text
                stream.seen = text.count(b"data: {")
            if stream.status != 200:
                stream.error = f"{stream.status}: {text[:200].decode(errors='replace')}"
            elif not text.endswith(b"data: [DONE]\n\n"):
                stream.error = f"no end after {stream.seen} of {stream.tokens} tokens: {text[-200:].decode(errors='replace')}"
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            stream.error = f"{type(error).__name__} {error}"
        finally:
            stream.has_ended = True
            if writer:
                writer.close()

    def broken(self):
        return [stream for stream in self.all if stream.has_ended and not stream.is_whole()]


def seconds(instant):
    """Since 1970, of an instant as the journal has it: with up to nine digits of a second."""
    whole, _, part = instant.rstrip("Z").partition(".")
    return datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc).timestamp() + float(f"0.{part or 0}")


def unbilled(fleet, streams):
    """Whole streams without their one row, completed and with all their tokens."""
    rows = fleet.rows()
    return [stream for stream in streams if rows.get(stream.name) != [("completed", stream.tokens)]]
