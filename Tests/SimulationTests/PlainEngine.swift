import EngineModel
import FleetModel
import Randomness
import Serving
import Units

/// One replica's engine, step by step and sequence by sequence, with nothing to make it fast: what the shared batcher
/// and the simulated engine must equal to the nanosecond.
///
/// Written from the rules alone. It keeps a list of sequences, each with the blocks it holds, and looks at all of them in
/// every step. Whoever drives it hands it requests as they come, and calls `play` whenever `nextTime` has come: one call
/// ends at most one step and begins at most one.
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
        var admitted = Instant.never
        var firstToken = Instant.never
        var lastToken = Instant.never
        /// Whether it has its outcome. A running one keeps its place until the step is over.
        var hasEnded = false
        var isDecoding: Bool { target > 0 && cached >= target }
    }

    /// The step under way.
    struct Step {
        var start: Instant
        var end: FineTime
        /// Prompt tokens that it computes, by request; of the others it computes one token each.
        var chunks: [Int: Int]
    }

    /// The end of a request.
    struct End {
        var id: Int
        var outcome: RequestOutcome
        var time: Instant
        var admitted: Instant
        var firstToken: Instant
    }

    let limits: BatcherConfiguration
    let steps: StepClock
    let noise: PlainNoise
    var waiting: [Sequence] = []
    var running: [Sequence] = []
    var step: Step?
    var cache: PlainPrefixCache
    /// Ends that nobody has taken in yet.
    var ends: [End] = []

    // What it counts. Tokens are those that a client was there to receive.
    var stepCount: Int64 = 0
    var preemptions: Int64 = 0
    var tokens: Int64 = 0
    var promptTokens: Int64 = 0
    var completed: Int64 = 0
    /// Time to first token of each request that got one; and each gap between two tokens of one request.
    var firstTokens: [TimeSpan] = []
    var firstTokensInRow: [TimeSpan] = []
    var gaps: [TimeSpan] = []

    private var clock: FineTime
    /// When an idle engine takes up what has come.
    private var wake = Instant.never
    private var busyInSteps = TimeSpan.zero

    init(limits: BatcherConfiguration, steps: StepClock, noise: PlainNoise, at now: Instant) {
        self.limits = limits
        self.steps = steps
        self.noise = noise
        cache = PlainPrefixCache(
            isOn: limits.prefixCaching, blockSize: limits.blockSize, unnamed: limits.totalBlocks)
        clock = FineTime(now)
    }

    /// Requests without an outcome.
    var outstanding: Int { waiting.count + running.count { !$0.hasEnded } }

    var kvUtilization: Double { Double(limits.totalBlocks - cache.free) / Double(limits.totalBlocks) }

    /// Time in steps so far, the part of the step under way included.
    func busy(at now: Instant) -> TimeSpan { busyInSteps + (step.map { now - $0.start } ?? .zero) }

    /// When something happens next: the step ends, an idle engine begins one, or a client gives up.
    var nextTime: Instant {
        let clients = (waiting + running).filter { !$0.hasEnded }.map(\.request.deadline)
        return ([step?.end.instant ?? wake] + clients).min()!
    }

    // MARK: - What happens

    /// A request comes: it waits behind those of its priority.
    mutating func submit(_ id: Int, _ request: SmallWorld.Request, at now: Instant) {
        waiting.insert(
            Sequence(id: id, request: request),
            at: waiting.firstIndex { $0.request.priority > request.priority } ?? waiting.count)
        if step == nil { wake = now }
    }

    /// Does what is due: first the end of a step, then clients that give up, then the beginning of the next step.
    mutating func play(at now: Instant) {
        if let step, step.end.instant <= now { finish(step) }
        expire(at: now)
        guard step == nil else { return }
        wake = .never
        for sequence in running where sequence.hasEnded { release(sequence) }
        running.removeAll(where: \.hasEnded)
        begin(at: now)
    }

    /// The replica goes away: what it holds is lost, and so is the step under way.
    mutating func abandon(at now: Instant) {
        for sequence in waiting + running where !sequence.hasEnded { tell(sequence, .failedReplicaLost, at: now) }
        busyInSteps = busy(at: now)
        (waiting, running, step, wake) = ([], [], nil, .never)
    }

    // MARK: - One step

    private mutating func begin(at now: Instant) {
        let hasPreempted = makeRoom()
        var features = StepFeatures()
        for index in running.indices where running[index].isDecoding {
            features.decodeSequences += 1
            features.decodeContext += Int64(running[index].cached)
            let more = blocks(for: running[index].cached + 1) - running[index].blocks
            running[index].blocks += more
            cache.take(more)
        }
        var budget = limits.maxBatchedTokens - Int(features.decodeSequences)
        var chunks: [Int: Int] = [:]
        for sequence in running where !sequence.isDecoding {
            let chunk = min(budget, sequence.target - sequence.cached)
            if chunk > 0 { features.addChunk(tokens: Int64(chunk), context: Int64(sequence.cached)) }
            chunks[sequence.id] = chunk
            budget -= chunk
        }
        while !hasPreempted, budget > 0, running.count < limits.maxSequences, var next = waiting.first {
            next.target = next.request.prompt + next.generated
            next.blocks = blocks(for: next.target)
            next.names = cache.find(next.request.content, tokens: next.target)
            guard cache.admit(next.names, next.blocks) else { break }
            next.cached = next.names.count * limits.blockSize
            cache.count(next)
            waiting.removeFirst()
            let chunk = min(budget, next.target - next.cached)
            features.addChunk(tokens: Int64(chunk), context: Int64(next.cached))
            chunks[next.id] = chunk
            budget -= chunk
            if next.admitted == .never { next.admitted = now }
            running.append(next)
        }
        guard !running.isEmpty else { return }
        clock = max(clock, FineTime(now))
        let duration = steps.duration(of: features, noise: noise.factor(ofStep: stepCount))
        step = Step(start: now, end: clock + duration, chunks: chunks)
    }

    /// Each sequence of the step has its tokens cached, and those with a complete prompt have one more token.
    private mutating func finish(_ done: Step) {
        clock = done.end
        let now = clock.instant
        busyInSteps += now - done.start
        stepCount += 1
        step = nil
        for index in running.indices {
            running[index].cached += done.chunks[running[index].id] ?? 1
            if done.chunks[running[index].id] != nil {
                cache.register(
                    &running[index].names, of: running[index].request.content, tokens: running[index].cached)
            }
            guard running[index].isDecoding else { continue }
            running[index].generated += 1
            if !running[index].hasEnded { receive(tokenOf: index, at: now) }
        }
    }

    /// A client receives a token.
    private mutating func receive(tokenOf index: Int, at now: Instant) {
        tokens += 1
        let request = running[index].request
        if running[index].firstToken == .never {
            running[index].firstToken = now
            promptTokens += Int64(request.prompt)
            firstTokens.append(now - request.time)
            firstTokensInRow.append(now - request.time)
        } else {
            gaps.append(now - running[index].lastToken)
        }
        running[index].lastToken = now
        guard running[index].generated >= request.output else { return }
        running[index].hasEnded = true
        completed += 1
        tell(running[index], .completed, at: now)
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

    /// Clients give up: a waiting request is gone at once, a running one leaves when the step is over.
    private mutating func expire(at now: Instant) {
        for sequence in waiting + running where !sequence.hasEnded && sequence.request.deadline <= now {
            tell(sequence, .failedTimeout, at: now)
        }
        waiting.removeAll { $0.request.deadline <= now }
        for index in running.indices where !running[index].hasEnded && running[index].request.deadline <= now {
            running[index].hasEnded = true
            if !running[index].names.isEmpty { cache.cancelledHits += 1 }
        }
    }

    private mutating func tell(_ sequence: Sequence, _ outcome: RequestOutcome, at now: Instant) {
        ends.append(
            End(
                id: sequence.id, outcome: outcome, time: now, admitted: sequence.admitted,
                firstToken: sequence.firstToken))
    }

    private func blocks(for tokens: Int) -> Int {
        tokens / limits.blockSize + (tokens % limits.blockSize > 0 ? 1 : 0)
    }
}

/// The noise of a replica's steps, drawn anew for each step: the same number for all steps of a window.
struct PlainNoise {
    var stream: CounterStream
    var replica: Int
    var deviation: Double

    func factor(ofStep step: Int64) -> StepNoise {
        guard deviation > 0 else { return .none }
        let window = UInt64(step / StepNoise.window)
        return .lognormal(deviation: deviation, normal: stream.normal(at: UInt64(replica) << 40 | window))
    }
}

/// What became of one request.
struct RequestRecord: Hashable {
    var outcome: RequestOutcome?
    var firstToken = Instant.never
    var end = Instant.never
}
