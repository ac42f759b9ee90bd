"""A fleet without its controller, and with two: study-failover.py LIVE PAUSE HANDOVERS RECORD PARTS."""
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from fleet import POOL, URGENT, Clients, Fleet, seconds, unbilled, wait
from worker import Failure, append, provenance

tool, pause, handovers, record = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
WINDOW, LEASE = 10, 2
HEADING = f"""# Without a controller, and with two

`Scripts/study-failover`, over emulated workers. *Stopped*, *gone*: the controller is stopped (SIGSTOP), or killed and not started
again, for that long; before, eighteen clients stream and the policy `hpa` has four replicas; meanwhile only two do, so that it would
remove some. *Replicas*: before and after, and whether they are the same processes. *First window*: replicas removed within the
{WINDOW} s without scale-in that follow the first decision afterwards; then when the first was removed, because it must be able to.

*Handovers*: two controllers with a lease of {LEASE} s and a level that changes every second. The leader is stopped for longer than
the lease, and continued once the other has acted; or it is killed, and started again. *Takes over*: from the stop, or the kill, to
the other's leadership; *kept out*: stopped while it held a lock, so that nobody could lead before it went on. *Old records*: lines of an epoch behind one of a later epoch. *Old workers*: started by a controller that did
not lead. *Says so*: how often the continued one told that it lost leadership, and stood by. *Broken*, *unbilled*: streams without
their end, or without their ledger row.

| run | what | replicas | first window | first scale-in after s | takes over p50, max s | old records | old workers | says so | doubled | broken | unbilled | verified | failures |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def report(what, cells, clients, fleet, failures):
    """Adds the line of a run."""
    broken = clients.broken()
    if broken:
        failures.append(f"{len(broken)} streams broken, one with: {broken[0].error}")
    missing = unbilled(fleet, [stream for stream in clients.all if stream.is_whole()])
    if missing:
        failures.append(f"{len(missing)} streams without their row")
    is_verified, said = fleet.verify()
    if not is_verified:
        failures.append(said)
    line = (f"| {provenance()}{', real-time priority' if URGENT else ''} | {what} | {' | '.join(cells)} | {len(broken)} of "
            f"{len(clients.all):,} | {len(missing)} | {'yes' if is_verified else 'no'} | {'; '.join(failures[:5]) or 'none'} |")
    print(line, flush=True)
    append(record, HEADING, line)
    return not failures


def absence(is_stopped):
    """The controller does nothing for `pause` seconds while the load falls."""
    fleet = Fleet(
        tool, policy="{policy: hpa, target_per_replica: 3, scale_down_stabilization: 2s, scale_up_period: 2s, scale_down_period: 2s}",
        replicas="{min: 1, max: 4, initial: 1}",
        control=f"{{tick: 1s, scrape: 500ms, window: 2s, staleness: 4s, restart_window: {WINDOW}s}}")
    clients, failures, what = Clients(fleet.port), [], f"{'stopped' if is_stopped else 'gone'} for {pause} s"
    cells = ["–"] * 8
    try:
        controller = fleet.start_controller()
        wait(lambda: fleet.routing() == [0], "the first worker serves")
        few, more = clients.keep(2, 60), Clients(fleet.port)
        # More than four replicas are there for, so that it does not waver.
        many = more.keep(16, 60)
        wait(lambda: len(fleet.routing()) == 4, "four replicas", 60)
        time.sleep(WINDOW)
        before = fleet.processes()
        if len(before) != 4 or len(fleet.routing()) != 4:
            raise Failure(f"{len(before)} workers under full load")
        controller.signal(signal.SIGSTOP if is_stopped else signal.SIGKILL)
        more.rest(many)
        clients.all += more.all
        began, lowest = time.monotonic(), 4
        while time.monotonic() < began + pause:
            lowest = min(lowest, len(fleet.routing()))
            time.sleep(1)
        after, (past, offset) = fleet.processes(), fleet.records()
        if lowest < 4 or after != before:
            failures.append(f"capacity did not stay: {lowest} replicas routed, {len(after)} workers")
        if is_stopped:
            controller.signal(signal.SIGCONT)
        else:
            controller.kill()
            controller = fleet.start_controller()
        # It scales in, when the window is over.
        new = []

        def removed():
            nonlocal offset
            more, offset = fleet.records(offset)
            new.extend(more)
            return [one for one in new for target in one["targets"] if target["replicas"] < one["observation"]["pools"][0]["target"]]
        wait(lambda: removed(), "a scale-in", WINDOW * 3 + 30)
        if not new[0]["context"]["restarted"] or new[0]["context"]["epoch"] <= past[-1]["context"]["epoch"]:
            failures.append(f"its first decision is not that of a new term: {new[0]['context']}")
        first = seconds(removed()[0]["time"]) - seconds(new[0]["time"])
        early = sum(seconds(one["time"]) - seconds(new[0]["time"]) < WINDOW for one in removed())
        if early:
            failures.append("it scaled in within its first window")
        if is_stopped and not (controller.told("lost") and controller.told("leading")):
            failures.append("it did not tell that its lease had run out")
        clients.rest(few)
        cells[:3] = [f"{len(before)}, {len(after)}, {'same' if before == after else 'others'}", str(early), f"{first:.1f}"]
    except Failure as failure:
        failures.append(str(failure))
    try:
        return report(what, cells, clients, fleet, failures)
    finally:
        fleet.end(keep=bool(os.environ.get("KEEP")))


def pair():
    """Two controllers, the leader of which is stopped or killed again and again."""
    steps = ", ".join(f"{{after: {second}s, replicas: {level}}}" for second, level in enumerate([2, 4, 1, 3]))
    fleet = Fleet(
        tool, policy=f"{{policy: schedule, period: 4s, steps_by_pool: {{{POOL}: [{steps}]}}}}",
        replicas="{min: 1, max: 4, initial: 2}", lease=f"{LEASE}s",
        control="{tick: 250ms, scrape: 250ms, window: 500ms, staleness: 2s, restart_window: 500ms}")
    clients, failures, draw = Clients(fleet.port), [], random.Random(handovers)
    stopped, killed, said, old_records, doubled, foreign, parents = [], [], 0, 0, 0, set(), {}
    done = kept_out = 0

    def look(leader):
        """New workers must be the leader's children."""
        nonlocal doubled
        names = [name for _, name in fleet.processes()]
        doubled += len(names) - len(set(names))
        for pid, name in fleet.processes():
            if pid in parents:
                continue
            try:
                with open(f"/proc/{pid}/stat") as file:
                    parents[pid] = int(file.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parents[pid] != leader.process.pid:
                foreign.add((pid, name))

    def watch(leader, span):
        end = time.monotonic() + span
        while time.monotonic() < end:
            look(leader)
            time.sleep(0.05)

    try:
        pairs = [fleet.start_controller(0)]
        wait(lambda: pairs[0].told("leading") and fleet.routing() == [0, 1], "the first one leads")
        pairs.append(fleet.start_controller(1))
        wait(lambda: pairs[1].told("standby"), "the second stands by")
        streaming = clients.keep(6, 30)
        named = next(one["leader"] for one in pairs[1].events() if one["event"] == "standby")
        if str(pairs[0].process.pid) not in named:
            failures.append(f"the second does not say who leads: {named}")
        wait(lambda: (fleet.status(1) or {}).get("role") == "standby", "the second's page says that it stands by")
        lead = 0
        watch(pairs[lead], 10)
        for done in range(1, handovers + 1):
            leader, other = pairs[lead], pairs[1 - lead]
            heard = len(leader.events())
            epoch = fleet.records()[0][-1]["context"]["epoch"]
            time.sleep(draw.uniform(0, 1))
            other_heard = len(other.events())
            began = time.monotonic()
            is_kill = done % 4 == 0
            leader.signal(signal.SIGKILL if is_kill else signal.SIGSTOP)
            def follows():
                return any(one["event"] == "leading" for one in other.events()[other_heard:])
            try:
                wait(follows, "the other leads", 10, 0.005)
            except Failure:
                if is_kill:
                    raise
                # It was stopped with a lock in its hands, so nothing may be done before it goes on.
                # It may go on to lead, for nobody has taken its lease; or the lock goes to the other first.
                kept_out += 1
                known = len(fleet.records()[0])
                leader.signal(signal.SIGCONT)

                def leads():
                    roles = [(fleet.status(one) or {}).get("role") for one in (0, 1)]
                    return roles.index("active") if sorted(map(str, roles)) == ["active", "standby"] else None
                wait(lambda: len(fleet.records()[0]) > known + 4 and leads() is not None, "somebody leads again", 10)
                # Until then both may have led, one after the other.
                for pid, _ in fleet.processes():
                    parents.setdefault(pid, 0)
                lead = leads() if leads() is not None else lead
                watch(pairs[lead], 2)
                continue
            (killed if is_kill else stopped).append(time.monotonic() - began)
            # What the old one started before it was stopped is its own.
            for pid, _ in fleet.processes():
                parents.setdefault(pid, 0)
            watch(other, LEASE + 1)
            if is_kill:
                leader.kill()
                pairs[lead] = fleet.start_controller(lead)
                wait(lambda: pairs[lead].told("standby"), "the new one stands by")
            else:
                leader.signal(signal.SIGCONT)

                def stands_by():
                    events = [one["event"] for one in leader.events()[heard:]]
                    return "lost" in events and "standby" in events[events.index("lost"):]
                wait(stands_by, "the old one says that it lost leadership", 10)
                said += 1
            watch(other, 2)
            records = fleet.records()[0]
            epochs = [one["context"]["epoch"] for one in records]
            if epochs[-1] <= epoch:
                failures.append(f"handover {done}: epoch {epochs[-1]} after {epoch}")
            lead = 1 - lead
        clients.rest(streaming)
        epochs = [one["context"]["epoch"] for one in fleet.records()[0]]
        old_records = sum(later < earlier for earlier, later in zip(epochs, epochs[1:]))
        if old_records:
            failures.append(f"{old_records} records of an earlier epoch behind a later one")
        state = fleet.pool()
        if state["epoch"] != epochs[-1]:
            failures.append(f"the pool is in epoch {state['epoch']}, the journal in {epochs[-1]}")
    except Failure as failure:
        failures.append(f"handover {done}: {failure}")
    if doubled:
        failures.append(f"workers were there twice, {doubled} times")
    if foreign:
        failures.append(f"workers of one that did not lead: {sorted(foreign)[:3]}")

    def spread(values):
        return f"{sorted(values)[len(values) // 2]:.2f}, {max(values):.2f}" if values else "–"
    cells = ["–", "–", "–", f"stopped {spread(stopped)}; killed {spread(killed)}; kept out {kept_out}", str(old_records), str(len(foreign)),
             f"{said} of {len(stopped)}", str(doubled)]
    try:
        return report(f"{done} handovers", cells, clients, fleet, failures)
    finally:
        fleet.end(keep=bool(os.environ.get("KEEP")))


PARTS = {"stopped": lambda: absence(True), "gone": lambda: absence(False), "pair": pair}
sys.exit(0 if all([PARTS[part]() for part in sys.argv[5].split()]) else 1)
