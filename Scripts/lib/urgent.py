"""Runs a command whose threads come before everything else on a processor: urgent.py CPU [ENGINE_CPU] -- COMMAND …

A thread named 'engine' and the first thread of vLLM's worker go to ENGINE_CPU, all others to CPU: on one processor a
thread that sends tokens waits for the one that computes. Processes that the command starts are included where ENGINE_CPU is given.

Real-time priority is not enough: since Linux 6.12 the kernel gives ordinary tasks 50 ms of each second in which a real-time
thread would leave them none (the fair server), which is as much as several steps. A thread with a deadline comes before
that. Where deadlines are not allowed, threads stay at real-time priority, and a warning says so. Needs root.
"""
import ctypes
import os
import platform
import signal
import subprocess
import sys
import time

SCHED_DEADLINE, RESET_ON_FORK = 6, 1
PERIOD = 10_000_000  # ns: far below the second of the fair server
PRIORITY = int(os.environ.get("URGENCY", "20"))
# Which threads get a deadline: all of the command's process, or those named 'engine' alone. A process whose threads all have
# one can wait for ever, at its end, for one that has none.
DEADLINES = os.environ.get("DEADLINES", "all")
SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274}.get(platform.machine())


class Attributes(ctypes.Structure):
    """struct sched_attr of sched_setattr(2)."""
    _fields_ = [
        ("size", ctypes.c_uint32), ("policy", ctypes.c_uint32), ("flags", ctypes.c_uint64), ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32), ("runtime", ctypes.c_uint64), ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64)]


libc = ctypes.CDLL(None, use_errno=True)
warned = False


def make_urgent(thread, cpu, deadline):
    global warned
    try:
        if os.sched_getaffinity(thread) != {cpu}:
            # Not with a deadline: its processor's share of those would have to be moved.
            os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(PRIORITY))
            os.sched_setaffinity(thread, {cpu})
        if os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK == (SCHED_DEADLINE if deadline else os.SCHED_RR):
            return
        # Threads that it makes start as ordinary ones: a thread with a deadline may make none with its own.
        wanted = Attributes(ctypes.sizeof(Attributes), SCHED_DEADLINE, RESET_ON_FORK, 0, 0, PERIOD, PERIOD, PERIOD)
        if deadline and SET_ATTRIBUTES and libc.syscall(SET_ATTRIBUTES, thread, ctypes.byref(wanted), 0) == 0:
            return
        os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(PRIORITY))
        if deadline and not warned:
            print("warning: no deadlines here: ordinary tasks may take up to 50 ms of each second", file=sys.stderr)
        warned = warned or deadline
    except (ProcessLookupError, FileNotFoundError):
        pass


def threads(process, with_children):
    """Threads of a process, and of those that it started where that is wanted: number, name, process."""
    try:
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/comm") as file:
                yield int(thread), file.read().strip(), process
            with open(f"/proc/{process}/task/{thread}/children") as file:
                for child in file.read().split() if with_children else []:
                    yield from threads(int(child), True)
    except (FileNotFoundError, ProcessLookupError):
        pass  # It ended meanwhile.


def computes(thread, name, process):
    return name == "engine" or (name == "VLLM::Worker" and thread == process)


def main():
    split = sys.argv.index("--")
    cpu, *rest = [int(word) for word in sys.argv[1:split]]
    engine = rest[0] if rest else cpu

    def before():
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))

    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    child = subprocess.Popen(sys.argv[split + 1:], preexec_fn=before)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: child.send_signal(number))
    while child.poll() is None:
        # A client that starts a server leaves it to the server's own.
        for thread, name, process in threads(child.pid, with_children=bool(rest)):
            # Libraries of Python's engines set priorities of their own threads, which a thread with a deadline refuses.
            has_deadline = name == "engine" or (process == child.pid and DEADLINES == "all")
            make_urgent(thread, engine if computes(thread, name, process) else cpu, has_deadline)
        time.sleep(0.02)
    sys.exit(child.returncode if child.returncode >= 0 else 128 - child.returncode)


main()
