"""Ends parts of a fleet under open streams: study-drain.py LIVE STREAMS RECORD."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from fleet import POOL, URGENT, Clients, Fleet, seconds, unbilled, wait
from worker import Failure, append, provenance

tool, count, record = os.path.abspath(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
TOKENS, SCALE_IN = 40, 20
HEADING = f"""# Drains under open streams

`Scripts/study-drain`: that many streams of {TOKENS} tokens at once, of 0.2 s and more a token, through a gateway over emulated workers;
all have begun when a part is told to end, and four clients go on asking for short answers meanwhile. *Scale-in*: the policy takes
two of four replicas. *Drain*: `tidegate control drain`. *Worker*, *controller*, *gateway*: SIGTERM to its process. Each cell: streams
that came to their end with all their tokens and have their one row in the ledger, of all; then how many the part that ends held.
*Short*: answers meanwhile that failed, of all (none are asked for while the gateway ends).

| run | scale-in | drain | worker | controller | gateway | short | failures |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


def study():
    fleet = Fleet(
        tool, policy=f"{{policy: schedule, steps_by_pool: {{{POOL}: [{{after: 0s, replicas: 4}}, {{after: {SCALE_IN}s, replicas: 2}}]}}}}",
        replicas="{min: 1, max: 6, initial: 4}",
        control="{tick: 500ms, scrape: 500ms, window: 1s, staleness: 3s, restart_window: 5s}", step=200_000_000)
    clients, failures, cells, short = Clients(fleet.port), [], [], []

    def begin():
        streams = clients.open(count, TOKENS)
        wait(lambda: all(stream.has_begun or stream.has_ended for stream in streams), "all streams have begun", every=0.005)
        return streams

    def finish(what, streams, held):
        wait(lambda: all(stream.has_ended for stream in streams), f"all streams have ended ({what})", 120)
        broken = [stream for stream in streams if not stream.is_whole()]
        missing = unbilled(fleet, [stream for stream in streams if stream.is_whole()])
        if broken:
            failures.append(f"{what}: {len(broken)} broken, one with: {broken[0].error}")
        if missing:
            failures.append(f"{what}: {len(missing)} without their row")
        if not held:
            failures.append(f"{what}: it held no stream")
        cells.append(f"{count - len(broken) - len(missing)} of {count}; {held}")
        print(f"{what}: {cells[-1]}", flush=True)

    def outstanding(replicas):
        return sum(replica["outstanding"] for replica in fleet.routed() if replica["id"] in replicas)

    def drained():
        return {replica["id"] for replica in fleet.routed() if replica["state"] == "draining"}

    def asking(body):
        before = len(clients.all)
        asked = clients.keep(4, 4)
        body()
        clients.rest(asked)
        short.extend(stream for stream in clients.all[before:] if stream.tokens <= 4)

    def scale_in():
        first = fleet.records()[0][0]["time"]
        due = time.time() + SCALE_IN - (time.time() - seconds(first))
        time.sleep(max(0, due - time.time() - 3))
        streams = begin()
        wait(lambda: len(drained()) == 2, "two replicas drain")
        victims = drained()
        held = outstanding(victims)
        finish("scale-in", streams, held)
        wait(lambda: len(fleet.processes()) == 2, "two workers are gone")

    def drain():
        streams = begin()
        victim = fleet.routing()[0]
        if fleet.drain(victim) != 200:
            raise Failure("the controller refused to drain")
        wait(lambda: victim in drained(), "it drains")
        finish("drain", streams, outstanding({victim}))
        wait(lambda: len(fleet.routing()) == 2 and len(fleet.processes()) == 2, "another has taken its place")

    def worker():
        streams = begin()
        victim = fleet.routing()[0]
        held = outstanding({victim})
        os.kill(next(pid for pid, name in fleet.processes() if name == f"r{victim}"), signal.SIGTERM)
        finish("worker", streams, held)
        wait(lambda: victim not in fleet.routing() and len(fleet.routing()) == 2, "another has taken its place")

    def controller():
        streams = begin()
        held = outstanding(set(fleet.routing()))
        ending.signal(signal.SIGTERM)
        code = ending.process.wait(30)
        if code != 0:
            failures.append(f"controller: it ended with {code}")
        finish("controller", streams, held)
        if len(fleet.processes()) != 2:
            failures.append("controller: its workers did not stay")

    def gateway():
        streams = begin()
        fleet.gateway.signal(signal.SIGTERM)
        code = fleet.gateway.process.wait(60)
        if code != 0:
            failures.append(f"gateway: it ended with {code}")
        finish("gateway", streams, count)

    try:
        ending = fleet.start_controller()
        wait(lambda: fleet.routing() == [0, 1, 2, 3] and fleet.records()[0], "four workers serve")
        for part in [scale_in, drain, worker, controller]:
            asking(part)
        gateway()
        is_verified, said = fleet.verify()
        if not is_verified:
            failures.append(said)
    except Failure as failure:
        failures.append(str(failure))
    finally:
        fleet.end(keep=bool(os.environ.get("KEEP")))
    failed = [stream for stream in short if not stream.is_whole()]
    if failed:
        failures.append(f"a short one: {failed[0].error}")
    cells += ["not reached"] * (5 - len(cells))
    line = (f"| {provenance()}{', real-time priority' if URGENT else ''} | {' | '.join(cells)} | {len(failed)} of {len(short)} | "
            f"{'; '.join(failures[:5]) or 'none'} |")
    print(line, flush=True)
    append(record, HEADING, line)
    return not failures


sys.exit(0 if study() else 1)
