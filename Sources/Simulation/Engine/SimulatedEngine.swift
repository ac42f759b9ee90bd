import EngineModel
import FleetModel
import Randomness
import Serving
import Statistics
import Units

/// One replica's engine in virtual time: the shared `Batcher`, with steps that take the profile's time.
///
/// A run of equal decode steps is one event. It is cut short when something happens that the batcher would notice at
/// the next step boundary: an arrival that may be admitted, or a client that gives up. Between boundaries nothing is
/// looked at, exactly as in a real engine.
struct SimulatedEngine {
    /// Steps under way: `count` equal ones from the engine's clock on.
    private struct Run {
        var decodeSequences: Int64
        var count: Int64
        var durations: StepRun
        /// When all of them have run.
        var end: FineTime
    }

    /// What the engine knows of the request in one of the batcher's slots.
    private struct Slot {
        var request: InFlight
        /// Moves on when the slot changes hands or its sequence is preempted: its finish step has changed.
        var epoch: UInt32 = 0
        /// Moves on when the slot changes hands: its deadline has changed.
        var owner: UInt32 = 0
    }

    private(set) var batcher: Batcher
    /// What a scrape of this replica would read.
    private(set) var counters = EngineCounters()

    private let steps: StepClock
    private var noise: NoiseSource
    private var clock: FineTime
    private var run: Run?
    /// When an idle engine takes up what has arrived: after all arrivals of the same nanosecond.
    private var wake = Instant.never
    private var slots: [Slot] = []
    /// Keys: the batcher's step count after which the sequence has all its tokens.
    private var finishes = SlotHeap()
    /// Keys: deadlines in nanoseconds. Their epochs are the slots' owners.
    private var deadlines = SlotHeap()
    /// Running sequences whose clients have gone; they leave at the next boundary.
    private var aborted: [SequenceSlot] = []
    /// Of those, the ones that decode in the last step of the run: nobody receives their tokens.
    private var unheard: Int64 = 0
    private var busyBefore = TimeSpan.zero
    private var busySince = Instant.never

    init(configuration: BatcherConfiguration, steps: StepClock, noise: NoiseSource, at now: Instant) {
        batcher = Batcher(configuration: configuration, tracksSkew: steps.needsSkew)
        self.steps = steps
        self.noise = noise
        clock = FineTime(now)
    }

    /// Requests in the engine that have no outcome yet.
    private(set) var outstanding = 0
    var waiting: Int { batcher.waitingCount }
    /// What prompts found in the prefix cache; `nil` without one.
    var prefixCache: PrefixCacheCounts? { batcher.prefixCache }

    /// When the engine wants to be called next.
    var nextEvent: Instant {
        mutating get {
            let boundary = run?.end.instant ?? wake
            guard let deadline = nextDeadline() else { return boundary }
            return min(boundary, Instant(nanoseconds: deadline.key))
        }
    }

    /// Time in steps since the start.
    func busy(at now: Instant) -> TimeSpan { run == nil ? busyBefore : busyBefore + (now - busySince) }

    /// First tokens since the last call, for the timeline.
    mutating func takeInterval() -> EngineCounters.Interval {
        defer { counters.interval = .init() }
        return counters.interval
    }

    // MARK: - Events

    /// A request arrives.
    mutating func submit(_ request: InFlight, priority: Int, at now: Instant) {
        let slot = batcher.submit(
            promptTokens: Int(request.arrival.promptTokens), priority: priority, content: request.arrival.content)
        if slot == slots.count {
            slots.append(Slot(request: request))
        } else {
            slots[slot].request = request
            slots[slot].epoch &+= 1
            slots[slot].owner &+= 1
        }
        outstanding += 1
        if request.deadline != .never {
            deadlines.push(
                .init(key: request.deadline.nanoseconds, slot: Int32(slot), epoch: slots[slot].owner))
        }
        if run == nil {
            if wake == .never { wake = now }
        } else if batcher.admitsMore {
            cutRun(at: now)
        }
    }

    /// The time that `nextEvent` named has come.
    mutating func handleTimer(at now: Instant, gaps: inout LatencyHistogram, ended: inout [Ended]) {
        var isBetweenSteps = false
        if let current = run {
            if current.end.instant <= now {
                complete(current, steps: current.count, gaps: &gaps, ended: &ended)
                run = nil
                isBetweenSteps = true
            }
        } else if wake <= now {
            clock = max(clock, FineTime(now))
            isBetweenSteps = true
        }
        if !deadlines.isEmpty { expireDeadlines(at: now, ended: &ended) }
        if isBetweenSteps {
            wake = .never
            if !aborted.isEmpty {
                for slot in aborted { batcher.cancel(slot) }
                aborted.removeAll(keepingCapacity: true)
            }
            startRun(at: now)
        }
    }

    /// Brings the counters up to the last step boundary at or before `now`, for a scrape.
    mutating func synchronise(at now: Instant, gaps: inout LatencyHistogram, ended: inout [Ended]) {
        guard let current = run, current.count > 1 else { return }
        // Boundaries are floored to nanoseconds, so those before the next one count.
        let next = FineTime(now + TimeSpan(nanoseconds: 1)) - clock
        let done = current.durations.steps(toReach: next, limit: current.count + 1) - 1
        guard done >= 1, done < current.count else { return }
        complete(current, steps: done, continuing: true, gaps: &gaps, ended: &ended)
        run!.count -= done
        run!.durations.skip(done)
    }

    /// The replica goes away: everything it holds fails. Steps that have run count, the one under way does not.
    mutating func abandon(at now: Instant, gaps: inout LatencyHistogram, ended: inout [Ended]) {
        if let current = run, current.end.instant <= now {
            // A client that gave up in this nanosecond has cut the run at a boundary in it.
            complete(current, steps: current.count, gaps: &gaps, ended: &ended)
        } else {
            synchronise(at: now, gaps: &gaps, ended: &ended)
        }
        for slot in slots.indices where !slots[slot].request.isAborted {
            ended.append(Ended(request: slots[slot].request, outcome: .failedReplicaLost, time: now))
            slots[slot].request.isAborted = true
        }
        outstanding = 0
        busyBefore = busy(at: now)
        run = nil
        unheard = 0
        wake = .never
    }

    // MARK: - Runs

    private mutating func startRun(at now: Instant) {
        var limit = noise.isActive ? StepNoise.window - batcher.stepCount % StepNoise.window : .max
        // Beyond the first finish the steps are others; a preemption can only put it off.
        if let finish = nextFinish() { limit = min(limit, finish.key - batcher.stepCount) }
        let plan = batcher.nextStep(limit: limit)
        if !batcher.preempted.isEmpty { notePreemptions(at: now) }
        for slot in batcher.admitted where slots[slot].request.admitted == .never {
            slots[slot].request.admitted = now
        }
        if plan.isEmpty {
            if busySince != .never { busyBefore += now - busySince }
            busySince = .never
            return
        }
        if busySince == .never { busySince = now }
        counters.observe(plan.features, steps: plan.equalSteps)
        let durations = steps.run(from: plan.features, noise: noise.factor(atStep: batcher.stepCount))
        run = Run(
            decodeSequences: plan.features.decodeSequences, count: plan.equalSteps, durations: durations,
            end: clock + durations.duration(of: plan.equalSteps))
    }

    private mutating func notePreemptions(at now: Instant) {
        for slot in batcher.preempted {
            slots[slot].epoch &+= 1
            slots[slot].request.lastToken = now
        }
        counters.preemptions += Int64(batcher.preempted.count)
    }

    /// Accounts for steps that have run: tokens, gaps between them, first tokens, sequences that are done.
    private mutating func complete(
        _ current: Run, steps count: Int64, continuing: Bool = false, gaps: inout LatencyHistogram,
        ended: inout [Ended]
    ) {
        // Gone clients are those of the last step, which only the end of the run completes.
        let lost = continuing ? 0 : unheard
        if current.decodeSequences > 0 { recordGaps(of: current, steps: count, lost: lost, into: &gaps) }
        clock = continuing ? clock + current.durations.duration(of: count) : current.end
        batcher.advance(steps: count, continuing: continuing)
        counters.steps += count
        counters.generatedTokens += current.decodeSequences * count - lost
        unheard -= lost
        let now = clock.instant
        for slot in batcher.completedPrefills { produceToken(of: slot, at: now, gaps: &gaps, ended: &ended) }
        while let finish = nextFinish(), finish.key <= batcher.stepCount {
            finishes.removeTop()
            end(Int(finish.slot), at: now, ended: &ended)
        }
    }

    /// Records the gap before each token of a run: the duration of its step.
    ///
    /// Step times rise by a constant from step to step, so the steps that fall in one cell of the histogram are counted
    /// together, at the middle of their range: a run costs as much as the cells it crosses, not as its steps.
    private mutating func recordGaps(
        of current: Run, steps count: Int64, lost: Int64, into gaps: inout LatencyHistogram
    ) {
        // In 2⁻¹⁶ ns, which is far finer than a cell and holds a step of 39 hours.
        var step = current.durations.first.fixedPoint
        let growth = current.durations.growth.fixedPoint
        var left = count
        while left > 0 {
            var inside = left
            if left > 1 {
                let end = gaps.cellEnd(of: TimeSpan(nanoseconds: step >> 16)).nanoseconds
                let room = end < .max >> 17 ? (end + 1) << 16 - 1 - step : .max
                if growth * (left - 1) > room { inside = room / growth + 1 }
            }
            let middle = TimeSpan(nanoseconds: (step + growth * ((inside - 1) >> 1)) >> 16)
            let tokens = inside * current.decodeSequences - (inside == left ? lost : 0)
            if tokens > 0 {
                gaps.record(middle, count: Int(tokens))
                counters.itl.add(middle, count: tokens)
            }
            step += growth * inside
            left -= inside
        }
    }

    /// A prompt, or what a preemption made of it, is complete: its sequence has one more token.
    private mutating func produceToken(
        of slot: SequenceSlot, at now: Instant, gaps: inout LatencyHistogram, ended: inout [Ended]
    ) {
        guard !slots[slot].request.isAborted else { return }
        counters.generatedTokens += 1
        if slots[slot].request.firstToken == .never {
            slots[slot].request.firstToken = now
            counters.countFirstToken(
                ttft: now - slots[slot].request.arrival.time,
                promptTokens: Int64(slots[slot].request.arrival.promptTokens))
        } else {
            gaps.record(now - slots[slot].request.lastToken, count: 1)
            counters.itl.add(now - slots[slot].request.lastToken)
        }
        let left = Int(slots[slot].request.arrival.outputTokens) - batcher.generatedTokens(of: slot)
        if left <= 0 {
            end(slot, at: now, ended: &ended)
        } else {
            finishes.push(.init(key: batcher.stepCount + Int64(left), slot: Int32(slot), epoch: slots[slot].epoch))
        }
    }

    private mutating func end(_ slot: SequenceSlot, at now: Instant, ended: inout [Ended]) {
        // A client that has gone leaves through `aborted`, at this same boundary.
        guard !slots[slot].request.isAborted else { return }
        batcher.finish(slot)
        slots[slot].epoch &+= 1
        slots[slot].owner &+= 1
        counters.completed += 1
        outstanding -= 1
        ended.append(Ended(request: slots[slot].request, outcome: .completed, time: now))
        slots[slot].request.isAborted = true
    }

    /// Ends the run at the first boundary at or after `now`.
    private mutating func cutRun(at now: Instant) {
        guard let current = run, current.count > 1 else { return }
        let count = max(1, current.durations.steps(toReach: FineTime(now) - clock, limit: current.count))
        guard count < current.count else { return }
        run!.count = count
        run!.end = clock + current.durations.duration(of: count)
    }

    // MARK: - Clients that give up

    private mutating func expireDeadlines(at now: Instant, ended: inout [Ended]) {
        while let deadline = nextDeadline(), deadline.key <= now.nanoseconds {
            deadlines.removeTop()
            let slot = Int(deadline.slot)
            ended.append(Ended(request: slots[slot].request, outcome: .failedTimeout, time: now))
            outstanding -= 1
            slots[slot].request.isAborted = true
            slots[slot].owner &+= 1
            slots[slot].epoch &+= 1
            if batcher.isWaiting(slot) {
                batcher.cancel(slot)
                // It may have stood before one that fits: the next boundary decides anew.
                if batcher.admitsMore, batcher.waitingCount > 0 { cutRun(at: now) }
            } else {
                aborted.append(slot)
                cutRun(at: now)
                // A step that ends in this very nanosecond still reached the client.
                if let run, run.end.instant > now, batcher.isDecoding(slot) { unheard += 1 }
            }
        }
    }

    private mutating func nextDeadline() -> SlotHeap.Entry? {
        while let entry = deadlines.first {
            if slots[Int(entry.slot)].owner == entry.epoch { return entry }
            deadlines.removeTop()
        }
        return nil
    }

    private mutating func nextFinish() -> SlotHeap.Entry? {
        while let entry = finishes.first {
            if slots[Int(entry.slot)].epoch == entry.epoch { return entry }
            finishes.removeTop()
        }
        return nil
    }
}

extension FineTime {
    /// In units of 2⁻¹⁶ ns, at most 39 hours.
    fileprivate var fixedPoint: Int64 { Int64(clamping: units >> (FineTime.fractionBits - 16)) }
}
