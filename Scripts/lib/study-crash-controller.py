"""Kills the controller at random moments under load: study-crash-controller.py LIVE KILLS SEED RECORD."""
import collections
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from fleet import POOL, URGENT, Clients, Fleet, unbilled, wait
from worker import Failure, append, provenance

tool, kills, seed, record = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
TICK = 0.25
HEADING = f"""# Crashes of the controller

`Scripts/study-crash controller` kills `tidegate control --active` with SIGKILL under load and starts it again at once: a gateway, one
to six emulated workers (cold start 0.3 s), a level that changes every second, ticks of {TICK} s, eight clients that stream without
a pause. Every fifth kill falls into the start itself. After each kill it is seen, before the restart, that the journal holds every
order that the pool has carried out and that no worker is there twice; after it, that the epoch is a later one.

*Recovery*: from the kill to the first new record in the journal, the process's start and one tick of {TICK} s included. *Leads*:
from the kill to leadership, without that tick. *Broken*: streams without their end or with tokens missing. *Unbilled*: whole streams
without their one ledger row. *Unrecorded*: orders carried out that are not in the journal. *Doubled*: workers that were there twice.
*Orphans*: worker processes that the pool does not know and that were still there ten seconds after a restart, or at the end. *Torn*:
restarts that found a last line cut short, as they may. *Replaced*: workers written down and killed before they existed.

| run | kills | resizes | records | streams | broken | unbilled | unrecorded | doubled | orphans | torn | replaced | leads p50 s | recovery p50 s | p99 s | max s | verified | failures |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
STEPS = ", ".join(f"{{after: {second}s, replicas: {level}}}" for second, level in enumerate([2, 5, 3, 6, 1, 4]))


def orders(records):
    """By generation the level that a journal sent."""
    return {target["generation"]: target["replicas"] for one in records for target in one["targets"] if target["pool"] == POOL}


def study():
    draw = random.Random(seed)
    fleet = Fleet(
        tool, policy=f"{{policy: schedule, period: 6s, steps_by_pool: {{{POOL}: [{STEPS}]}}}}",
        replicas="{min: 1, max: 6, initial: 2}",
        control=f"{{tick: {TICK * 1000:.0f}ms, scrape: 250ms, window: 500ms, staleness: 2s, restart_window: 500ms}}")
    clients, failures, found = Clients(fleet.port), [], collections.Counter()
    recoveries, leads, unknown, done, records, offset = [], [], {}, 0, [], 0
    epoch, streaming = 0, []

    def fail(text):
        failures.append(f"kill {done}: {text}")

    def look():
        """What must hold between two controllers, while nothing of the pool changes."""
        state, names = fleet.pool(), collections.Counter(name for _, name in fleet.processes())
        with open(fleet.journal, "rb") as file:
            found["torn"] += not file.read().endswith(b"\n")
        for worker in state["workers"] if state else []:
            found["replaced"] += not worker.get("process") and not names[f"r{worker['id']}"]
        for name in [name for name, count in names.items() if count > 1]:
            found["doubled"] += 1
            fail(f"{name} is there {names[name]} times")
        sent = orders(records)
        if state and state["appliedGeneration"] and sent.get(state["appliedGeneration"]) != state["target"]:
            found["unrecorded"] += 1
            fail(f"the pool has generation {state['appliedGeneration']}, {state['target']} replicas; the journal has "
                 f"{sent.get(state['appliedGeneration'])}")

    def look_for_orphans():
        state = fleet.pool()
        known = {worker["process"]["pid"] for worker in state["workers"] if worker.get("process")} if state else set()
        now, processes = time.monotonic(), dict(fleet.processes())
        for pid in set(unknown) - (set(processes) - known):
            del unknown[pid]
        for pid in set(processes) - known:
            unknown.setdefault(pid, now)
            if now - unknown[pid] > 10:
                found["orphans"] += 1
                unknown[pid] = now + 3600
                fail(f"process {pid}, {processes[pid]}, belongs to no replica")

    def read():
        nonlocal offset
        more, offset = fleet.records(offset)
        records.extend(more)
        return more

    try:
        controller = fleet.start_controller()
        wait(lambda: fleet.routing() == [0, 1] and read(), "the first workers serve")
        streaming = clients.keep(8, 30)
        for done in range(1, kills + 1):
            is_early = done % 5 == 0
            time.sleep(draw.uniform(0, 0.4 if is_early else 2.0))
            if not controller.is_alive():
                raise Failure(f"the controller ended by itself with {controller.process.returncode}: {controller.events()[-3:]}")
            killed = time.monotonic()
            controller.kill()
            read()
            look()
            count = len(records)
            controller = fleet.start_controller()
            if (done + 1) % 5 == 0 and done < kills:
                continue
            # The next one is killed while it starts.
            wait(lambda: controller.told("leading") or not controller.is_alive(), "the next controller leads", every=0.005)
            leads.append(time.monotonic() - killed)
            wait(lambda: read() or not controller.is_alive(), "its first record", every=0.005)
            recoveries.append(time.monotonic() - killed)
            first = next((one for one in records[count:]), None)
            if first is None:
                raise Failure(f"it ended with {controller.process.returncode}: {open(controller.log + '.err').read()[-500:]}")
            if first["context"]["epoch"] <= epoch or not first["context"]["restarted"]:
                fail(f"epoch {first['context']['epoch']} after {epoch}, restarted: {first['context']['restarted']}")
            epoch = first["context"]["epoch"]
            if recoveries[-1] > 2:
                fail(f"{recoveries[-1]:.2f} s to the first record")
            look_for_orphans()
            if done % 50 == 0:
                print(f"{done} kills, {len(records)} records, {len(clients.all)} streams, {len(clients.broken())} broken, "
                      f"recovery max {max(recoveries):.2f} s, {dict(found)}", flush=True)
        # Left alone it must come to the level it is told, with nothing beside.
        wait(lambda: (fleet.status() or {}).get("role") == "active", "it is active")
        clients.rest(streaming)

        def is_settled():
            state = fleet.pool()
            ready = [worker for worker in state["workers"] if "ready" in worker["phase"]]
            return len(fleet.processes()) == len(state["workers"]) == len(ready) == state["target"]
        wait(is_settled, "as many workers as ordered, and no more", 40, 0.01)
        controller.signal(signal.SIGTERM)
        if controller.process.wait(20) != 0:
            fail(f"it ended with {controller.process.returncode} after SIGTERM")
        read()
        look()
    except Failure as failure:
        fail(str(failure))
    finally:
        broken = clients.broken()
        for stream in broken[:3]:
            fail(f"a stream: {stream.error or f'{stream.seen} of {stream.tokens} tokens'}")
        whole = [stream for stream in clients.all if stream.is_whole()]
        missing = unbilled(fleet, whole)
        is_verified, said = fleet.verify()
        if not is_verified:
            fail(said)
        fleet.end(keep=bool(os.environ.get("KEEP")))
    recoveries.sort()
    leads.sort()

    def share(values, part):
        return values[min(len(values) - 1, int(part * len(values)))] if values else 0
    line = (f"| {provenance()}{', real-time priority' if URGENT else ''}, seed {seed} | {done} | {len(orders(records))} | "
            f"{len(records):,} | {len(whole):,} | {len(broken)} | {len(missing)} | {found['unrecorded']} | {found['doubled']} | "
            f"{found['orphans']} | {found['torn']} | {found['replaced']} | {share(leads, .5):.2f} | {share(recoveries, .5):.2f} | "
            f"{share(recoveries, .99):.2f} | {share(recoveries, 1):.2f} | {'yes' if is_verified else 'no'} | "
            f"{'; '.join(failures[:5]) or 'none'} |")
    print(line, flush=True)
    append(record, HEADING, line)
    return not failures and not missing


sys.exit(0 if study() else 1)
