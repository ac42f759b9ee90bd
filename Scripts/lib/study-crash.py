"""Kills the gateway at random moments under load: study-crash.py LIVE KILLS SEED RECORD."""
import http.client
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from fleet import URGENT, free_port
from worker import Failure, Worker, append, provenance

tool, kills, seed, record = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
HEADING = """# Crashes

`Scripts/study-crash` kills the gateway with SIGKILL under load (12 clients, streams and whole answers, two emulated workers)
and starts it again. *Acknowledged*: the client had the answer to its end. Lost: no row in the ledger for it. Recovery: from the
kill to the first request served again, the process's start included.

| run | kills | acknowledged | lost | rows | workers failed | spending differs | recovery p50 s | max s | failures |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
SCENARIO = "Scenarios/laptop"
POOL = "laptop"


class Gateway:
    def __init__(self, folder):
        self.port, self.admin = free_port(), free_port()
        self.ledger = f"{folder}/state/ledger.sqlite"
        self.config = f"{folder}/live.yaml"
        with open(self.config, "w") as file:
            file.write(f"""scenario: {os.path.abspath(SCENARIO)}
state: state
gateway: {{listen: 127.0.0.1:{self.port}, admin: 127.0.0.1:{self.admin}, authentication: none, log: none}}
token_prices:
  {POOL}: {{prompt: 0.15, output: 0.60}}
""")
        self.log = open(f"{folder}/gateway.log", "w")
        self.start()

    def start(self):
        self.process = subprocess.Popen([tool, "gateway", "--config", self.config], stdout=self.log, stderr=self.log)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def call(self, port, method, path, body=None, timeout=10):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        try:
            connection.request(method, path, body, {"Connection": "close"})
            reply = connection.getresponse()
            return reply.status, reply.headers.get("X-Request-Id"), reply.read().decode()
        finally:
            connection.close()

    def ask(self, stream, tokens):
        """The request's name, when the answer came to its end."""
        body = json.dumps({"model": POOL, "prompt": [1, 2, 3, 4], "max_tokens": tokens, "stream": stream})
        try:
            status, name, text = self.call(self.port, "POST", "/v1/completions", body)
        except (OSError, http.client.HTTPException):
            return None
        if status != 200:
            return None
        return name if text.endswith("data: [DONE]\n\n") or not stream else None

    def wait(self, began):
        """Until a request is served; the seconds since `began`."""
        while time.monotonic() < began + 20:
            if self.ask(False, 1):
                return time.monotonic() - began
            if self.process.poll() is not None:
                raise Failure(f"the gateway ended with {self.process.returncode}")
            time.sleep(0.01)
        raise Failure("the gateway did not come back within 20 s")


def study():
    draw = random.Random(seed)
    folder = tempfile.mkdtemp()
    failures, recoveries, acknowledged, lost, unhealthy, differing = [], [], 0, 0, 0, 0
    lock, fresh, ended = threading.Lock(), [], threading.Event()
    workers = [Worker(tool, ["--executor", "emulated", "--profile", "Scenarios/profiles/demo-15m-epyc.json", "--no-cold-start",
                             "--served-model-name", POOL])
               for _ in range(2)]
    gateway = None

    def client(number):
        random_tokens = random.Random(number)
        while not ended.is_set():
            name = gateway.ask(number % 2 == 0, random_tokens.randint(1, 20))
            if name:
                with lock:
                    fresh.append(name)
            else:
                time.sleep(0.01)

    try:
        gateway = Gateway(folder)
        replicas = [{"id": index + 1, "url": f"http://127.0.0.1:{worker.port}"} for index, worker in enumerate(workers)]
        deadline = time.monotonic() + 30
        while True:
            try:
                gateway.call(gateway.admin, "PUT", f"/admin/v1/pools/{POOL}/replicas", json.dumps({"epoch": 1, "replicas": replicas}))
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise Failure("the gateway did not start")
                time.sleep(0.05)
        gateway.wait(time.monotonic())
        threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(12)]
        for thread in threads:
            thread.start()
        for kill in range(kills):
            time.sleep(draw.uniform(0.0, 0.6))
            gateway.kill()
            began = time.monotonic()
            for worker in workers:
                unhealthy += worker.get("/health")[0] != 200
            gateway.start()
            recoveries.append(gateway.wait(began))
            if recoveries[-1] > 2:
                failures.append(f"kill {kill + 1}: {recoveries[-1]:.2f} s until it served again")
            with lock:
                names, fresh[:] = list(fresh), []
            acknowledged += len(names)
            database = sqlite3.connect(f"file:{gateway.ledger}?mode=ro", uri=True, timeout=10)
            missing = [name for name in names if not database.execute("SELECT 1 FROM usage WHERE request = ?", (name,)).fetchone()]
            rows, distinct = database.execute("SELECT count(*), count(DISTINCT request) FROM usage").fetchone()
            if rows != distinct:
                failures.append(f"kill {kill + 1}: {rows - distinct} rows are there twice")
            if kill % 25 == 24 and database.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                failures.append(f"kill {kill + 1}: the file is damaged")
            database.close()
            if missing:
                lost += len(missing)
                failures.append(f"kill {kill + 1}: no row for {missing[0]}")
        ended.set()
        for thread in threads:
            thread.join(20)
        # A start with nothing under way: what it says was spent is what the ledger says.
        gateway.kill()
        day = int(time.time() // 86400)
        database = sqlite3.connect(gateway.ledger)
        spent = database.execute("SELECT coalesce(sum(cost_nanodollars), 0) FROM usage WHERE ended_at_ns >= ?",
                                 (day * 86400 * 10**9,)).fetchone()[0]
        rows = database.execute("SELECT count(*) FROM usage").fetchone()[0]
        database.close()
        gateway.start()
        time.sleep(0.5)
        deadline = time.monotonic() + 20
        while True:
            try:
                tenants = json.loads(gateway.call(gateway.admin, "GET", "/admin/v1/tenants")[2])["tenants"]
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        told = sum(round(float(tenant["spent_today_usd"]) * 1e9) for tenant in tenants)
        differing = told - spent
        if differing:
            failures.append(f"spending of the day is told {differing} nanodollars off")
    except Failure as failure:
        rows = 0
        failures.append(str(failure))
    finally:
        ended.set()
        if gateway:
            gateway.kill()
        for worker in workers:
            if not worker.is_alive():
                failures.append(f"a worker ended with {worker.process.returncode}")
            worker.kill()
        shutil.rmtree(folder, ignore_errors=True)
    recoveries.sort()
    middle = recoveries[len(recoveries) // 2] if recoveries else 0
    line = (f"| {provenance()}{', real-time priority' if URGENT else ''}, seed {seed} | {len(recoveries)} | {acknowledged:,} | {lost} | {rows:,} | {unhealthy} | {differing} "
            f"| {middle:.2f} | {recoveries[-1] if recoveries else 0:.2f} | {'; '.join(failures[:5]) or 'none'} |")
    print(line, flush=True)
    append(record, HEADING, line)
    return not failures


sys.exit(0 if study() else 1)
