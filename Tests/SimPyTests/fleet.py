"""A gateway and engines with continuous batching as SimPy processes: fleets as JSON on stdin, request times on stdout.

Written from the rules in words (README, "Serving model"), sharing no line and no idea with the simulator:
every step is an event, every sequence is looked at in every step. Times are whole nanoseconds, and costs are whole, so
SimPy's clock adds Python integers and a difference of one nanosecond is a difference.
"""
import json
import sys

import simpy
from simpy.events import URGENT


class Sequence:
    def __init__(self, number, prompt, output):
        self.number, self.prompt, self.output = number, prompt, output
        self.to_prefill = self.cached = self.produced = 0
        self.first = self.end = None

    def is_decoding(self):
        return self.to_prefill > 0 and self.cached >= self.to_prefill


class Engine:
    """One replica: plans a step, sleeps as long as it takes, hands out its tokens."""

    def __init__(self, env, fleet):
        self.env, self.costs = env, fleet["costs"]
        self.budget, self.seats = fleet["maxBatchedTokens"], fleet["maxSequences"]
        self.block, self.blocks = fleet["blockSize"], fleet["blocks"]
        self.waiting, self.running = [], []
        self.bell = env.event()
        env.process(self.serve())

    def outstanding(self):
        return len(self.waiting) + len(self.running)

    def submit(self, sequence):
        self.waiting.append(sequence)
        if not self.bell.triggered:
            self.bell.succeed()

    def blocks_of(self, tokens):
        return -(-tokens // self.block)

    def make_room(self):
        """Every decoding sequence must have a place for its next token: else the last one admitted begins anew."""
        preempted = False
        while True:
            wanted = sum(
                self.blocks_of(s.cached + 1) if s.is_decoding() else self.blocks_of(s.to_prefill) for s in self.running)
            if wanted <= self.blocks:
                return preempted, self.blocks - wanted
            victim = self.running.pop()
            victim.cached = victim.to_prefill = 0
            self.waiting.insert(0, victim)
            preempted = True

    def plan(self):
        """The tokens that each running sequence computes in the next step."""
        preempted, free = self.make_room()
        work, left = {}, self.budget
        for s in self.running:
            if s.is_decoding():
                work[s], left = 1, left - 1
        for s in self.running:
            if not s.is_decoding():
                work[s] = min(left, s.to_prefill - s.cached)
                left -= work[s]
        while not preempted and self.waiting and left > 0 and len(self.running) < self.seats:
            tokens = self.waiting[0].prompt + self.waiting[0].produced
            if self.blocks_of(tokens) > free:
                break
            s = self.waiting.pop(0)
            free -= self.blocks_of(tokens)
            s.to_prefill = tokens
            work[s] = min(left, tokens)
            left -= work[s]
            self.running.append(s)
        return work

    def duration(self, work):
        decoding = [s for s in work if s.is_decoding()]
        chunks = [s for s in work if not s.is_decoding() and work[s] > 0]
        context = sum(s.cached for s in decoding)
        if not chunks:
            cost = self.costs["decode"]
            return cost["constant"] + cost["sequence"] * len(decoding) + cost["context"] * context
        cost = self.costs["mixed"]
        return (cost["constant"] + cost["prefill"] * sum(work[s] for s in chunks) + cost["sequence"] * len(decoding)
                + cost["context"] * context + cost["behind"] * sum(s.cached for s in chunks))

    def serve(self):
        while True:
            if not self.waiting and not self.running:
                self.bell = self.env.event()
                yield self.bell
            work = self.plan()
            yield self.env.timeout(self.duration(work))
            for s in work:
                s.cached += work[s]
                if s.is_decoding():
                    s.produced += 1
                    s.first = s.first if s.first is not None else self.env.now
                    if s.produced == s.output:
                        s.end = self.env.now
            self.running = [s for s in self.running if s.end is None]


class Gateway:
    def __init__(self, engines, router, places):
        self.engines, self.router, self.places, self.turn = engines, router, places, 0

    def send(self, sequence):
        """To an engine with a place to wait; turned away when there is none."""
        if self.router == "round-robin":
            order = self.engines[self.turn:] + self.engines[:self.turn]
        else:
            order = sorted(self.engines, key=Engine.outstanding)
        for engine in order:
            if len(engine.waiting) < self.places:
                self.turn = (self.engines.index(engine) + 1) % len(self.engines)
                return engine.submit(sequence)


def clients(env, gateway, sequences, times):
    for sequence, time in zip(sequences, times):
        # A request that comes as a step ends comes before its end: urgent events of a moment go first.
        arrival = env.event()
        arrival._ok, arrival._value = True, None
        env.schedule(arrival, priority=URGENT, delay=time - env.now)
        yield arrival
        gateway.send(sequence)


def play(fleet):
    env = simpy.Environment(initial_time=0)
    gateway = Gateway([Engine(env, fleet) for _ in range(fleet["engines"])], fleet["router"], fleet["places"])
    sequences = [Sequence(number, prompt, output) for number, (_, prompt, output) in enumerate(fleet["requests"])]
    env.process(clients(env, gateway, sequences, [request[0] for request in fleet["requests"]]))
    env.run()
    return [[s.first, s.end] if s.end is not None else None for s in sequences]


print(json.dumps([play(fleet) for fleet in json.load(sys.stdin)]))
