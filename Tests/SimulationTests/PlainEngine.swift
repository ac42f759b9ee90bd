import EngineModel
import FleetModel
import Units

@testable import Simulation

/// One replica's engine, step by step and sequence by sequence, with nothing to make it fast: what the shared batcher
/// and the simulated engine must equal to the nanosecond.
///
/// Written from the rules alone. It keeps a list of sequences, each with the blocks it holds, and looks at all of them in
/// every step.
struct PlainEngine {
    struct Sequence {
        var id: Int
        var request: SmallWorld.Request
        /// Blocks held, cached tokens, tokens to prefill, tokens produced.
        var blocks = 0
        var cached = 0
        var target = 0
        var generated = 0
        /// Names of its first blocks that are in the prefix cache.
        var names: [PlainPrefixCache.Name] = []
        var wasPreempted = false
        var isDecoding: Bool { target > 0 && cached >= target }
    }

    let world: SmallWorld
    var records: [RequestRecord]
    var waiting: [Sequence] = []
    var running: [Sequence] = []
    var cache: PlainPrefixCache
    var clock = FineTime(.epoch)
    var steps: Int64 = 0
    var preemptions: Int64 = 0
    var tokens: Int64 = 0
    var busy = TimeSpan.zero
    private var arrived = 0
    private var noise: NoiseSource

    init(_ world: SmallWorld) {
        self.world = world
        records = world.requests.map { _ in RequestRecord() }
        cache = PlainPrefixCache(
            isOn: world.limits.prefixCaching, blockSize: world.limits.blockSize, unnamed: world.limits.totalBlocks)
        noise = world.noise
    }

    mutating func play() {
        while arrived < world.requests.count {
            // Idle: all arrivals of the next one's nanosecond are taken up together.
            let start = world.requests[arrived].time
            clock = max(clock, FineTime(start))
            takeArrivals(until: start)
            while !waiting.isEmpty || !running.isEmpty { step() }
            busy += clock.instant - start
        }
    }

    // MARK: - One step

    private mutating func step() {
        let hasPreempted = makeRoom()
        var features = StepFeatures()
        for index in running.indices where running[index].isDecoding {
            features.decodeSequences += 1
            features.decodeContext += Int64(running[index].cached)
            let more = blocks(for: running[index].cached + 1) - running[index].blocks
            running[index].blocks += more
            cache.take(more)
        }
        var budget = world.limits.maxBatchedTokens - Int(features.decodeSequences)
        var chunks: [Int: Int] = [:]
        for sequence in running where !sequence.isDecoding {
            let chunk = min(budget, sequence.target - sequence.cached)
            features.addChunk(tokens: Int64(chunk), context: Int64(sequence.cached))
            chunks[sequence.id] = chunk
            budget -= chunk
        }
        while !hasPreempted, budget > 0, running.count < world.limits.maxSequences, var next = waiting.first {
            next.target = next.request.prompt + next.generated
            next.blocks = blocks(for: next.target)
            next.names = cache.find(next.request.content, tokens: next.target)
            guard cache.admit(next.names, next.blocks) else { break }
            next.cached = next.names.count * world.limits.blockSize
            cache.count(next)
            waiting.removeFirst()
            let chunk = min(budget, next.target - next.cached)
            features.addChunk(tokens: Int64(chunk), context: Int64(next.cached))
            chunks[next.id] = chunk
            budget -= chunk
            running.append(next)
        }
        clock += world.clock.duration(of: features, noise: noise.factor(atStep: steps))
        steps += 1
        let now = clock.instant
        takeArrivals(until: now)
        expire { $0 < now }
        finishStep(chunks: chunks, at: now)
        expire { $0 == now }
        for sequence in running where records[sequence.id].outcome != nil {
            if records[sequence.id].outcome == .failedTimeout, !sequence.names.isEmpty { cache.cancelledHits += 1 }
            release(sequence)
        }
        running.removeAll { records[$0.id].outcome != nil }
        waiting.removeAll { records[$0.id].outcome != nil }
    }

    /// Each sequence of the step has its tokens cached, and those with a complete prompt have one more token.
    private mutating func finishStep(chunks: [Int: Int], at now: Instant) {
        for index in running.indices {
            running[index].cached += chunks[running[index].id] ?? 1
            if chunks[running[index].id] != nil {
                cache.register(
                    &running[index].names, of: running[index].request.content, tokens: running[index].cached)
            }
            guard running[index].isDecoding else { continue }
            let id = running[index].id
            running[index].generated += 1
            guard records[id].outcome == nil else { continue }
            tokens += 1
            if records[id].firstToken == .never { records[id].firstToken = now }
            if running[index].generated >= running[index].request.output { end(id, .completed, at: now) }
        }
    }

    /// While the decoding sequences need more blocks than there are, the last admitted of the lowest priority gives its
    /// own back and waits at the front of its priority.
    private mutating func makeRoom() -> Bool {
        var hasPreempted = false
        while true {
            let needed = running.filter(\.isDecoding).reduce(0) { $0 + blocks(for: $1.cached + 1) - $1.blocks }
            guard needed > cache.free else { return hasPreempted }
            let lowest = running.map(\.request.priority).max()!
            var victim = running.remove(at: running.lastIndex { $0.request.priority == lowest }!)
            release(victim)
            victim.names = []
            victim.wasPreempted = true
            victim.blocks = 0
            victim.cached = 0
            victim.target = 0
            waiting.insert(victim, at: waiting.firstIndex { $0.request.priority >= lowest } ?? waiting.count)
            preemptions += 1
            hasPreempted = true
        }
    }

    private mutating func release(_ sequence: Sequence) {
        cache.release(sequence.names, of: sequence.request.content, tokens: sequence.cached, sequence.blocks)
    }

    // MARK: - Clients

    private mutating func takeArrivals(until now: Instant) {
        while arrived < world.requests.count, world.requests[arrived].time <= now {
            let request = world.requests[arrived]
            waiting.insert(
                Sequence(id: arrived, request: request),
                at: waiting.firstIndex { $0.request.priority > request.priority } ?? waiting.count)
            arrived += 1
        }
    }

    private mutating func expire(_ isDue: (Instant) -> Bool) {
        for sequence in waiting + running where isDue(sequence.request.deadline) {
            end(sequence.id, .failedTimeout, at: sequence.request.deadline)
        }
    }

    private mutating func end(_ id: Int, _ outcome: RequestOutcome, at now: Instant) {
        guard records[id].outcome == nil else { return }
        records[id].outcome = outcome
        records[id].end = now
    }

    private func blocks(for tokens: Int) -> Int {
        tokens / world.limits.blockSize + (tokens % world.limits.blockSize > 0 ? 1 : 0)
    }
}

/// What became of one request.
struct RequestRecord: Hashable {
    var outcome: RequestOutcome?
    var firstToken = Instant.never
    var end = Instant.never
}
