import EngineModel
import Formats
import Serving
import Units

/// The requests of a measured run, played again in virtual time: the shared `Batcher` under the run's limits, with the
/// same arrivals and lengths, and steps that last what the profile says.
///
///     let outcome = MeasuredReplay(run, profile: profile).outcome()
///     outcome.requests[7].firstToken
///
/// With asynchronous scheduling a step is planned when the one before starts: what arrives or ends during a step is seen
/// one step later. Engines in data parallel take steps together, as long as the slowest, because each layer of experts
/// waits for all; a request goes to the one with the least of 4 × waiting + running.
///
/// - Source: vLLM's V1 engine, `EngineCore.step_with_batch_queue` and `DPLBAsyncMPClient`.
public struct MeasuredReplay {
    /// What became of one request, in the order of the run.
    public struct Request: Hashable, Sendable {
        /// When the engine took it up, at a step boundary.
        public var queued: Instant
        public var firstToken: Instant
        public var lastToken: Instant
        public var preemptions = 0
    }

    public struct Outcome: Sendable {
        public var requests: [Request]
        public var steps: Int
        public var preemptions: Int
        /// Prompt tokens found in prefix caches.
        public var cachedTokens: Int64
        /// The largest features of any step.
        public var range: ValidRange
        /// Seconds between two tokens, and how many answers had that gap: a step, and the sequences that decoded in it.
        /// What a preemption adds to a gap is not in it.
        public var gaps: [(value: Double, count: Int)] = []
    }

    private let run: MeasuredRun
    private let clock: StepClock
    private let configuration: BatcherConfiguration
    private let concurrency: Int?
    /// How long after its arrival a request reaches the engine. The way back is in it, because only their sum is known
    /// and no latency tells them apart.
    private let transit: TimeSpan

    /// - Parameter concurrency: Requests that are under way at a time, each followed by the next when it ends, whatever
    ///   their arrivals; as they arrive without it.
    /// - Throws: ``ValidationError`` when the profile has no room for the run.
    public init(
        _ run: MeasuredRun, profile: EngineProfile, concurrency: Int? = nil
    ) throws(ValidationError) {
        self.run = run
        self.concurrency = concurrency
        transit = run.clock == .client ? profile.requestOverhead ?? .zero : .zero
        clock = StepClock(profile.stepTime)
        let engine = run.engine
        // A profile of several engines tells the tokens of all of them.
        let engines = profile.acceleratorsPerReplica == engine.tensorParallel ? 1 : engine.dataParallel
        let blocks = engine.kvBlocks ?? Int(profile.kvTokens) / engines / engine.blockSize
        let longest = run.requests.map { $0.promptTokens + $0.outputTokens }.max() ?? 1
        let room = min(blocks * engine.blockSize, engine.maxContext ?? .max)
        guard longest <= room else { throw .noRoom(tokens: longest, room: room) }
        configuration = BatcherConfiguration(
            maxBatchedTokens: engine.maxBatchedTokens, maxSequences: engine.maxSequences,
            blockSize: engine.blockSize, totalBlocks: blocks, maxContext: room,
            prefixCaching: engine.prefixCaching && run.knowsTokens)
    }

    public func outcome() -> Outcome {
        var world = World(
            run: run, configuration: configuration, clock: clock, concurrency: concurrency, transit: transit)
        return world.play()
    }
}

/// The engines of a run, and where each request stands.
private struct World {
    let run: MeasuredRun
    let clock: StepClock
    var engines: [ReplayEngine]
    var outcome: MeasuredReplay.Outcome
    var now = FineTime(units: 0)
    var nextArrival = 0
    var ended = 0
    let concurrency: Int?
    let transit: TimeSpan

    init(
        run: MeasuredRun, configuration: BatcherConfiguration, clock: StepClock, concurrency: Int?, transit: TimeSpan
    ) {
        self.run = run
        self.transit = transit
        self.concurrency = concurrency
        self.clock = clock
        let engine = ReplayEngine(
            batcher: Batcher(configuration: configuration, numbered: true, tracksSkew: clock.needsSkew),
            isAsync: run.engine.asyncScheduling)
        engines = Array(repeating: engine, count: run.engine.dataParallel)
        let unknown = MeasuredReplay.Request(queued: .never, firstToken: .never, lastToken: .never)
        outcome = MeasuredReplay.Outcome(
            requests: Array(repeating: unknown, count: run.requests.count), steps: 0, preemptions: 0, cachedTokens: 0,
            range: ValidRange(decodeSequences: 0, decodeContext: 0, prefillTokens: 0, prefillContext: 0))
    }

    mutating func play() -> MeasuredReplay.Outcome {
        while true {
            if engines.allSatisfy(\.isEmpty) {
                guard nextArrival < run.requests.count else { break }
                now = max(now, FineTime(run.requests[nextArrival].arrival + transit))
            }
            takeArrivals()
            step()
        }
        outcome.cachedTokens = engines.reduce(0) { $0 + ($1.batcher.prefixCache?.hits ?? 0) }
        return outcome
    }

    private mutating func takeArrivals() {
        while nextArrival < run.requests.count, isDue {
            let least = engines.indices.min { (engines[$0].load, $0) < (engines[$1].load, $1) }!
            engines[least].inbox.append(nextArrival)
            outcome.requests[nextArrival].queued = now.instant
            nextArrival += 1
        }
    }

    private var isDue: Bool {
        if let concurrency { return nextArrival - ended < concurrency }
        return run.requests[nextArrival].arrival + transit <= now.instant
    }

    /// One step of all engines.
    private mutating func step() {
        var duration = FineTime(units: 0)
        var decoding = 0
        for index in engines.indices {
            guard let features = engines[index].plan(run.requests, &outcome) else { continue }
            outcome.range.cover(features)
            decoding += Int(features.decodeSequences)
            duration = max(duration, clock.duration(of: features, noise: .none))
        }
        guard duration.units > 0 else { return }
        now += duration
        outcome.steps += 1
        if decoding > 0 { outcome.gaps.append((duration.seconds, decoding)) }
        for index in engines.indices where engines[index].isPlanned {
            ended += engines[index].finishStep(run.requests, at: now.instant, &outcome)
        }
    }
}

/// One engine of a replay.
private struct ReplayEngine {
    /// The request in a slot of the batcher.
    private struct Slot {
        var request = 0
        /// Blocks whose names the batcher knows.
        var named = 0
        /// Moves on when its finish step changes.
        var epoch = 0
    }

    var batcher: Batcher
    let isAsync: Bool
    /// Requests that have arrived and that no plan knows yet.
    var inbox: [Int] = []
    private(set) var isPlanned = false
    /// Sequences that ended in the last step, while the next one was planned already.
    private var retired: [SequenceSlot] = []
    private var slots: [Slot] = []
    /// Those that have all their tokens after a step, by its number.
    private var finishes: [Int64: [(slot: SequenceSlot, epoch: Int)]] = [:]
    /// Decoding sequences by the step count, modulo the block size, at which each fills a block.
    private var filling: [[(slot: SequenceSlot, epoch: Int)]]
    /// Whether the engine has slept, so that what arrives is planned at once.
    private var isIdle = true

    init(batcher: Batcher, isAsync: Bool) {
        self.batcher = batcher
        self.isAsync = isAsync
        filling = Array(repeating: [], count: batcher.configuration.blockSize)
    }

    var isEmpty: Bool { batcher.runningCount == 0 && batcher.waitingCount == 0 && inbox.isEmpty }
    var load: Int { 4 * (batcher.waitingCount + inbox.count) + batcher.runningCount }

    /// Plans the next step; `nil` when nothing runs.
    mutating func plan(_ requests: [MeasuredRun.Request], _ outcome: inout MeasuredReplay.Outcome) -> StepFeatures? {
        if !isAsync || isIdle { submitInbox(requests) }
        let plan = batcher.nextStep()
        for slot in batcher.preempted {
            slots[slot].epoch += 1
            outcome.requests[slots[slot].request].preemptions += 1
        }
        outcome.preemptions += batcher.preempted.count
        isPlanned = !plan.isEmpty
        isIdle = plan.isEmpty
        submitInbox(requests)
        // What was planned stays planned; what it left behind goes after it.
        if plan.isEmpty { releaseRetired() }
        return plan.isEmpty ? nil : plan.features
    }

    /// - Returns: Requests that have ended.
    mutating func finishStep(
        _ requests: [MeasuredRun.Request], at now: Instant, _ outcome: inout MeasuredReplay.Outcome
    ) -> Int {
        batcher.advance(steps: 1)
        isPlanned = false
        releaseRetired()
        for slot in batcher.completedPrefills {
            let request = slots[slot].request
            if outcome.requests[request].firstToken == .never { outcome.requests[request].firstToken = now }
            let left = requests[request].outputTokens - batcher.generatedTokens(of: slot)
            finishes[batcher.stepCount + Int64(max(0, left)), default: []].append((slot, slots[slot].epoch))
            awaitBlock(of: slot)
        }
        nameFilledBlocks()
        var ended = 0
        for (slot, epoch) in finishes.removeValue(forKey: batcher.stepCount) ?? [] where slots[slot].epoch == epoch {
            outcome.requests[slots[slot].request].lastToken = now
            end(slot)
            ended += 1
        }
        return ended
    }

    private mutating func end(_ slot: SequenceSlot) {
        nameBlocks(of: slot)
        slots[slot].epoch += 1
        if isAsync {
            batcher.retire(slot)
            retired.append(slot)
        } else {
            batcher.finish(slot)
        }
    }

    private mutating func releaseRetired() {
        for slot in retired { batcher.finish(slot) }
        retired.removeAll(keepingCapacity: true)
    }

    private mutating func submitInbox(_ requests: [MeasuredRun.Request]) {
        for index in inbox {
            let request = requests[index]
            let slot = batcher.submit(
                promptTokens: request.promptTokens, maxTokens: request.promptTokens + request.outputTokens,
                names: batcher.configuration.prefixCaching ? request.blockNames : [])
            while slots.count <= slot { slots.append(Slot()) }
            slots[slot].request = index
            slots[slot].named = request.blockNames.count
            slots[slot].epoch += 1
        }
        inbox.removeAll(keepingCapacity: true)
    }

    private mutating func awaitBlock(of slot: SequenceSlot) {
        nameBlocks(of: slot)
        let size = batcher.configuration.blockSize
        let rest = size - batcher.context(of: slot) % size
        filling[(Int(batcher.stepCount % Int64(size)) + rest) % size].append((slot, slots[slot].epoch))
    }

    private mutating func nameFilledBlocks() {
        let place = Int(batcher.stepCount % Int64(filling.count))
        filling[place].removeAll { slots[$0.slot].epoch != $0.epoch }
        for entry in filling[place] { nameBlocks(of: entry.slot) }
    }

    /// Names the blocks that the answer has filled: nobody else has them, but the sequence finds them after a preemption.
    private mutating func nameBlocks(of slot: SequenceSlot) {
        guard batcher.configuration.prefixCaching, slots[slot].named > 0 else { return }
        let whole = batcher.context(of: slot) / batcher.configuration.blockSize
        while slots[slot].named < whole {
            batcher.append(
                BlockName(high: UInt64(slots[slot].request), low: UInt64(slots[slot].named)), to: slot)
            slots[slot].named += 1
        }
    }
}

extension ValidRange {
    /// Widens the box to hold a step.
    mutating func cover(_ features: StepFeatures) {
        decodeSequences = max(decodeSequences, features.decodeSequences)
        decodeContext = max(decodeContext, features.decodeContext)
        prefillTokens = max(prefillTokens, features.prefillTokens)
        prefillContext = max(prefillContext, features.prefillContext)
    }
}
