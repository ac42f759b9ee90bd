"""Workers and gateways as child processes, and what can be read of them: for soak.py, fuzz-http.py and study-crash.py."""
import datetime
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import time


class Worker:
    """Starts `tidegate-live worker` on a free port and waits until it is warm."""

    def __init__(self, tool, arguments):
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            [tool, "worker", "--port", "0", "--json"] + arguments, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.port = None
        while self.port is None:
            line = self.process.stdout.readline()
            if not line:
                self.log.seek(0)
                raise SystemExit(f"the worker ended before it listened:\n{self.log.read()}")
            event = json.loads(line)
            if event["event"] == "listening":
                self.port = event["port"]
        self.wait(lambda: self.get("/health")[0] == 200, "the worker is warm", 120)

    def wait(self, condition, what, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.02)
        raise Failure(f"waited {seconds} s in vain until {what}")

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path, headers={"Connection": "close"})
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        return reply.status, text

    def metrics(self):
        """The values of the metrics page, lines of one name added up."""
        values = {}
        for line in self.get("/metrics")[1].splitlines():
            match = re.match(r"(?:vllm|tidegate):(\w+)\{.*\} (\S+)$", line)
            if match and not match[1].endswith("_bucket"):
                values[match[1]] = values.get(match[1], 0) + float(match[2])
        return values

    def settle(self):
        """Waits until nothing runs, waits or is connected; what is then left of memory and descriptors."""
        def is_quiet():
            seen = self.metrics()
            return seen["num_requests_running"] == 0 and seen["num_requests_waiting"] == 0
        self.wait(is_quiet, "nothing runs")
        usage = self.metrics()["kv_cache_usage_perc"]
        if usage != 0:
            raise Failure(f"{usage:.4f} of the blocks are in use, and nothing runs")
        time.sleep(0.5)
        return self.resident(), self.descriptors()

    def resident(self):
        """Resident memory in MB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def is_alive(self):
        return self.process.poll() is None

    def terminate(self, seconds=40):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        if self.is_alive():
            self.process.kill()
            self.process.wait()


class Gateway(Worker):
    """Starts `tidegate-live gateway` on free ports for the scenario of that name, with these workers as its one pool."""

    def __init__(self, tool, scenario, workers, names):
        self.folder = tempfile.TemporaryDirectory()
        self.log = open(f"{self.folder.name}/log", "w+")
        config = f"{self.folder.name}/live.yaml"
        with open(config, "w") as file:
            file.write(f"scenario: {os.path.abspath('Scenarios/' + scenario)}\n"
                       "gateway: {listen: 127.0.0.1:0, admin: 127.0.0.1:0, authentication: none, log: none,\n"
                       f"          limits: {{idle: 5s, receive: 5s}}, models: {{{scenario}: {{upstream: {names}, aliases: [{names}]}}}}}}\n")
        self.process = subprocess.Popen(
            [tool, "gateway", "--config", config, "--json"], stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise SystemExit(f"the gateway ended before it listened:\n{self.log.read()}")
        event = json.loads(line)
        self.port, self.admin = event["port"], event["admin_port"]
        replicas = [{"id": index + 1, "url": f"http://127.0.0.1:{worker.port}"} for index, worker in enumerate(workers)]
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=20)
        connection.request("PUT", f"/admin/v1/pools/{scenario}/replicas", json.dumps({"epoch": 1, "replicas": replicas}),
                           {"Connection": "close"})
        if connection.getresponse().status != 200:
            raise SystemExit("the gateway takes no replicas")
        connection.close()

    def metrics(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=20)
        connection.request("GET", "/metrics", headers={"Connection": "close"})
        text = connection.getresponse().read().decode()
        connection.close()
        return {match[1]: float(match[2]) for match in re.finditer(r"^(\w+)\{.*\} (\S+)$", text, re.M)}

    def settle(self):
        """Waits until nothing is open and connections to workers have gone; what is then left of memory and descriptors."""
        self.wait(lambda: self.metrics()["tidegate_gateway_open_requests"] == 0, "nothing is open")
        time.sleep(5.5)
        return self.resident(), self.descriptors()


class Failure(Exception):
    pass


def provenance():
    """Date, machine and what else it does, for a line of a report."""
    with open("/proc/cpuinfo") as file:
        machine = re.search(r"model name\s*:\s*(.*)", file.read())[1]
    load = os.getloadavg()[0]
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {machine}, {os.cpu_count()} cores, load {load:.0f}"


def append(record, heading, line):
    """Adds a line to a report that begins with `heading`."""
    if not os.path.exists(record):
        os.makedirs(os.path.dirname(record), exist_ok=True)
        with open(record, "w") as file:
            file.write(heading)
    with open(record, "a") as file:
        file.write(line + "\n")
