"""Mutated requests against a worker or a gateway before one: fuzz-http.py TIDEGATE-LIVE MINUTES SEED RECORD [gateway]. Ends
with 1 when it failed one."""
import collections
import json
import os
import random
import re
import select
import socket
import sys
import time

from worker import Failure, Gateway, Worker, append, provenance

tool, minutes, seed, record = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
subject = sys.argv[5] if len(sys.argv) > 5 else "worker"
HEADING = f"""# What a {subject} makes of hostile bytes

Requests mutated as JSON (values of other types, names twice, deep nesting, half surrogates, huge numbers), as HTTP heads and
as bytes (flipped, cut, repeated, spliced), sent in random pieces. A failure is a crash, an answer of 5xx other than 501 for
what is not built and 503, a connection that neither answers nor closes within 10 s of its client's last byte, or a block,
a descriptor or more than 24 MB held afterwards. `Scripts/fuzz-http`{"; a gateway has a worker behind it, and one request in five goes to its admin listener" if subject == "gateway" else ""}.

| when and where | minutes | requests | answers by status | closed without one | memory gained, MB | failures |
| --- | --- | --- | --- | --- | --- | --- |
"""

BODIES = [
    ("/v1/completions", {"model": "fuzzed", "prompt": "hello", "max_tokens": 4, "temperature": 0.7, "top_p": 0.9,
                         "top_k": 3, "min_p": 0.1, "seed": 1, "stop": ["x"], "stream": False, "n": 1, "user": "u"}),
    ("/v1/completions", {"prompt": [1, 2, 3], "max_tokens": 3, "stream": True, "logit_bias": {"5": 1},
                         "stream_options": {"include_usage": True}}),
    ("/v1/completions", {"prompt": ["a", [1, 2]], "max_tokens": 2, "cache_salt": "s", "priority": 3}),
    ("/v1/chat/completions", {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [
        {"type": "text", "text": "hi"}]}], "max_completion_tokens": 3, "stream": True, "tools": [], "response_format": {
        "type": "text"}}),
    ("/v1/embeddings", {"input": "a"}),
]
ADMIN = [
    ("/admin/v1/tenants/app/cap", {"tokens_per_minute": 1000000000, "reason": "r"}),
    ("/admin/v1/pools/nope/replicas", {"epoch": 0, "replicas": [{"id": 1, "url": "http://127.0.0.1:1", "draining": False}]}),
    ("/admin/v1/pools", {}), ("/admin/v1/tenants", {}), ("/metrics", {}),
]
VALUES = [
    "null", "true", "-1", "0", "1e999", "-1e999", "1e-999", "9223372036854775807", "-9223372036854775808",
    "18446744073709551616", "0.1", "1.0", "[]", "{}", '""', '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\x"', "NaN",
    "[" * 40 + "]" * 40, "[" * 20_000, '{"a":' * 5_000, '"' + "é" * 3_000 + '"', "[" + "1," * 3_000 + "1]", "01", "+1", "",
    '"\x01"', "tru", '{"a":1,"a":2}', "[[[[1]]]]", '["a",1,null]', '"\U0001f600"', "1" * 400, "-", "1e", "[,]", '{"":{}}',
]
HEADS = [
    b"Content-Length: 99999999999999999999", b"Content-Length: -1", b"Content-Length: 5, 5", b"Content-Length: 0x5",
    b"Content-Length: 1\r\nContent-Length: 2", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 3", b"Expect: 100-continue", b"Connection: close", b"X-Priority: a",
    b"X-Priority: -99999999999999999999", b"X: " + b"a" * 20_000, b"\x00: b", b"A : b", b": b", b"X-Priority: 9223372036854775807",
    b"Upgrade: h2c\r\nConnection: Upgrade", b"Host: \xff", b" folded", b"Content-Type: text/plain", b"Content-Encoding: gzip",
    b"\r\n".join(b"H%d: x" % i for i in range(200)),
]


def json_text(draw, value, depth=0):
    """The value as JSON text, some of it wrong."""
    if draw.random() < 0.06:
        return draw.choice(VALUES)
    if isinstance(value, dict):
        members = [(key, json_text(draw, item, depth + 1)) for key, item in value.items()]
        if members and draw.random() < 0.05:
            members.append(draw.choice(members))
        if members and draw.random() < 0.05:
            members.pop(draw.randrange(len(members)))
        return "{" + ",".join(f"{json.dumps(key)}:{text}" for key, text in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(draw, item, depth + 1) for item in value) + "]"
    return json.dumps(value)


def request(draw, bodies=BODIES, method=b"POST"):
    path, body = draw.choice(bodies)
    text = json_text(draw, body).encode("utf-8", "surrogatepass")
    if draw.random() < 0.08:
        path = draw.choice(["/health", "/metrics", "/v1/models", "/v1/models/%ff", "/v1/models/a/b", "/", "*", "//", "/%00",
                            "/v1/completions/../x", "/" + "a" * 9_000, "http://x/health", "/health?a=b#c", ""])
        method = draw.choice([b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"CONNECT", b"BREW", b"get"])
    head = [method + b" " + path.encode() + b" HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(text)]
    while draw.random() < 0.15:
        head.insert(draw.randint(1, len(head)), draw.choice(HEADS))
    if draw.random() < 0.05:
        text = b"%x\r\n" % len(text) + text + b"\r\n0\r\n\r\n"
        head[-1] = b"Transfer-Encoding: chunked"
    data = bytearray(b"\r\n".join(head) + b"\r\n\r\n" + text)
    if draw.random() < 0.3:
        for _ in range(draw.randint(1, 6)):
            mutate(draw, data)
    return bytes(data)


def mutate(draw, data):
    if not data:
        return
    place = draw.randrange(len(data))
    kind = draw.randrange(6)
    if kind == 0:
        data[place] ^= 1 << draw.randrange(8)
    elif kind == 1:
        del data[place:]
    elif kind == 2:
        data[place:place] = data[place:place + draw.randint(1, 60)] * draw.randint(1, 20)
    elif kind == 3:
        del data[place:place + draw.randint(1, 30)]
    elif kind == 4:
        data[place:place] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 8)))
    else:
        data[place] = draw.choice(b"\x00\r\n \"{}[]:,\\\xff0")


def play(port, draw, data):
    """Sends in pieces and reads until the worker closes or has been silent; what it sent, and whether it hung."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        try:
            for _ in range(draw.choice([0, 0, 0, 1, 3])):
                cut = draw.randint(0, len(data))
                client.sendall(data[:cut])
                data = data[cut:]
            client.sendall(data)
            # An answer, or a sign that the worker waits for more.
            patience = time.monotonic() + 0.25
            while time.monotonic() < patience:
                if not select.select([client], [], [], max(0, patience - time.monotonic()))[0]:
                    break
                piece = client.recv(1 << 20)
                if not piece:
                    return received, False
                received += piece
                if is_whole(received):
                    return received, False
            client.shutdown(socket.SHUT_WR)
            client.settimeout(10)
            while True:
                piece = client.recv(1 << 20)
                if not piece:
                    return received, False
                received += piece
        except (ConnectionError, BrokenPipeError):
            return received, False
        except OSError as error:
            return received, isinstance(error, TimeoutError)


def is_whole(received):
    head, mark, body = received.partition(b"\r\n\r\n")
    if not mark:
        return False
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")


def fuzz():
    draw = random.Random(seed)
    statuses, closed, failures, sent = collections.Counter(), 0, [], 0
    behind = Worker(tool, ["--executor", "emulated", "--profile", "Scenarios/profiles/demo-15m-epyc.json", "--model", "fuzzed",
                           "--no-cold-start", "--max-model-len", "96", "--kv-blocks", "64", "--idle-timeout", "5s"])
    worker = behind if subject == "worker" else Gateway(tool, "laptop", [behind], names="fuzzed")
    try:
        before = None
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end and len(failures) < 10:
            isAdmin = subject == "gateway" and draw.random() < 0.2
            data = request(draw, ADMIN, draw.choice([b"PUT", b"GET"])) if isAdmin else request(draw)
            port = worker.admin if isAdmin else worker.port
            sent += 1
            problem = None
            try:
                received, hung = play(port, draw, data)
            except ConnectionRefusedError:
                received, hung, problem = b"", False, f"the {subject} takes no connection"
            found = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", received)]
            statuses.update(found)
            closed += not found
            bad = [status for status in found if status >= 500 and status not in (501, 503)]
            if hung:
                problem = "it neither answers nor closes"
            elif bad:
                problem = f"it answers {bad[0]}"
            if not worker.is_alive():
                problem = f"the {subject} ended with {worker.process.returncode}"
            if problem:
                failures.append(problem)
                os.makedirs(".build-fuzz", exist_ok=True)
                with open(f".build-fuzz/seed-{seed}-request-{sent}", "wb") as file:
                    file.write(data)
                print(f"request {sent}: {problem}", flush=True)
                if not worker.is_alive():
                    break
            # The first thousand fill what every worker keeps.
            if sent == 1000 and worker.is_alive():
                before = worker.settle()
        gained = 0.0
        if worker.is_alive():
            after = worker.settle()
            if before:
                gained = after[0] - before[0]
                if gained > 24 or after[1] > before[1]:
                    failures.append(f"{before[0]:.0f} MB and {before[1]} descriptors became {after[0]:.0f} and {after[1]}")
            if worker.terminate() != 0:
                failures.append(f"the {subject} did not drain")
    except Failure as failure:
        gained = 0.0
        failures.append(str(failure))
    finally:
        worker.kill()
        behind.kill()
    by_status = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
    line = (f"| {provenance()}, seed {seed} | {minutes:g} | {sent:,} | {by_status} | {closed:,} | {gained:.1f} "
            f"| {'; '.join(failures) or 'none'} |")
    print(line, flush=True)
    append(record, HEADING, line)
    return not failures


sys.exit(0 if fuzz() else 1)
