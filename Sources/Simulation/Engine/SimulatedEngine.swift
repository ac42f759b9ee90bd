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
        var features: StepFeatures
        var count: Int64
        var noise: StepNoise
    }

    private(set) var batcher: Batcher
    /// What a scrape of this replica would read.
    private(set) var counters = EngineCounters()

    private let steps: StepClock
    private let noise: NoiseSource
    private var clock: FineTime
    private var run: Run?
    /// When an idle engine takes up what has arrived: after all arrivals of the same nanosecond.
    private var wake = Instant.never
    private var requests: [InFlight] = []
    /// Moves on when a slot changes hands or its sequence is preempted.
    private var epochs: [UInt32] = []
    /// Keys: the batcher's step count after which the sequence has all its tokens.
    private var finishes = SlotHeap()
    /// Keys: deadlines in nanoseconds. Their epochs move only when a slot changes hands.
    private var deadlines = SlotHeap()
    private var owners: [UInt32] = []
    /// Running sequences whose clients have gone; they leave at the next boundary.
    private var aborted: [SequenceSlot] = []
    private var busyBefore = TimeSpan.zero
    private var busySince = Instant.never

    init(configuration: BatcherConfiguration, steps: StepClock, noise: NoiseSource, at now: Instant) {
        batcher = Batcher(configuration: configuration)
        self.steps = steps
        self.noise = noise
        clock = FineTime(now)
    }

    /// Requests in the engine that have no outcome yet.
    private(set) var outstanding = 0
    var waiting: Int { batcher.waitingCount }

    /// When the engine wants to be called next.
    var nextEvent: Instant {
        mutating get {
            let boundary = run.map { end(of: $0, steps: $0.count) } ?? wake
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
        let slot = batcher.submit(promptTokens: Int(request.arrival.promptTokens), priority: priority)
        if slot == requests.count {
            requests.append(request)
            epochs.append(0)
            owners.append(0)
        } else {
            requests[slot] = request
            epochs[slot] &+= 1
            owners[slot] &+= 1
        }
        outstanding += 1
        if request.deadline != .never {
            deadlines.push(.init(key: request.deadline.nanoseconds, slot: Int32(slot), epoch: owners[slot]))
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
        if let current = run, end(of: current, steps: current.count) <= now {
            complete(current, steps: current.count, gaps: &gaps, ended: &ended)
            run = nil
            isBetweenSteps = true
        } else if run == nil, wake <= now {
            clock = max(clock, FineTime(now))
            isBetweenSteps = true
        }
        expireDeadlines(at: now, ended: &ended)
        if isBetweenSteps {
            wake = .never
            for slot in aborted { batcher.cancel(slot) }
            aborted.removeAll(keepingCapacity: true)
            startRun(at: now)
        }
    }

    /// Brings the counters up to the last step boundary at or before `now`, for a scrape.
    mutating func synchronise(at now: Instant, gaps: inout LatencyHistogram, ended: inout [Ended]) {
        guard let current = run, current.count > 1 else { return }
        let done = lastStep(of: current, notAfter: now)
        guard done >= 1, done < current.count else { return }
        complete(current, steps: done, continuing: true, gaps: &gaps, ended: &ended)
        run!.count -= done
        run!.features.decodeContext += current.features.decodeSequences * done
    }

    /// The replica goes away: everything it holds fails.
    mutating func abandon(at now: Instant, ended: inout [Ended]) {
        for slot in requests.indices where isLive(slot) {
            ended.append(Ended(request: requests[slot], outcome: .failedReplicaLost, time: now))
            requests[slot].isAborted = true
        }
        outstanding = 0
        busyBefore = busy(at: now)
        run = nil
        wake = .never
    }

    // MARK: - Runs

    private mutating func startRun(at now: Instant) {
        let plan = batcher.nextStep()
        for slot in batcher.preempted {
            epochs[slot] &+= 1
            requests[slot].lastToken = now
        }
        counters.preemptions += Int64(batcher.preempted.count)
        for slot in batcher.admitted where requests[slot].admitted == .never { requests[slot].admitted = now }
        if plan.isEmpty {
            if busySince != .never { busyBefore += now - busySince }
            busySince = .never
            return
        }
        if busySince == .never { busySince = now }
        var count = plan.equalSteps
        if count > 1 {
            if let first = nextFinish() { count = min(count, first.key - batcher.stepCount) }
            if noise.isActive { count = min(count, StepNoise.window - batcher.stepCount % StepNoise.window) }
        }
        counters.observe(plan.features, steps: count)
        run = Run(features: plan.features, count: count, noise: noise.factor(atStep: batcher.stepCount))
    }

    /// Accounts for steps that have run: tokens, gaps between them, first tokens, sequences that are done.
    private mutating func complete(
        _ current: Run, steps count: Int64, continuing: Bool = false, gaps: inout LatencyHistogram,
        ended: inout [Ended]
    ) {
        let sequences = current.features.decodeSequences
        if sequences > 0 {
            recordGaps(of: current, steps: count, into: &gaps)
        }
        clock += duration(of: current, steps: count)
        batcher.advance(steps: count, continuing: continuing)
        counters.steps += count
        counters.generatedTokens += sequences * count
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
    private mutating func recordGaps(of current: Run, steps count: Int64, into gaps: inout LatencyHistogram) {
        var step = steps.duration(of: current.features, noise: current.noise)
        let growth =
            count > 1 ? steps.growth(ofDecodeSteps: current.features, noise: current.noise) : FineTime(units: 0)
        var left = count
        while left > 0 {
            let span = step.floored
            let end = min(gaps.cellEnd(of: span), counters.itl.bucketEnd(of: span))
            var inside = left
            if step.plus(growth, times: left - 1).floored > end {
                // Steps whose floored duration is still at most `end`.
                let room = (Int128(end.nanoseconds) + 1) << FineTime.fractionBits - 1 - step.units
                inside = min(left, Int64(room / growth.units) + 1)
            }
            let middle = step.plus(growth, times: (inside - 1) / 2).floored
            gaps.record(middle, count: Int(inside * current.features.decodeSequences))
            counters.itl.add(middle, count: inside * current.features.decodeSequences)
            step = step.plus(growth, times: inside)
            left -= inside
        }
    }

    /// A prompt, or what a preemption made of it, is complete: its sequence has one more token.
    private mutating func produceToken(
        of slot: SequenceSlot, at now: Instant, gaps: inout LatencyHistogram, ended: inout [Ended]
    ) {
        guard !requests[slot].isAborted else { return }
        counters.generatedTokens += 1
        if requests[slot].firstToken == .never {
            requests[slot].firstToken = now
            counters.countFirstToken(
                ttft: now - requests[slot].arrival.time, promptTokens: Int64(requests[slot].arrival.promptTokens))
        } else {
            gaps.record(now - requests[slot].lastToken, count: 1)
            counters.itl.add(now - requests[slot].lastToken)
        }
        let left = Int(requests[slot].arrival.outputTokens) - batcher.generatedTokens(of: slot)
        if left <= 0 {
            end(slot, at: now, ended: &ended)
        } else {
            finishes.push(.init(key: batcher.stepCount + Int64(left), slot: Int32(slot), epoch: epochs[slot]))
        }
    }

    private mutating func end(_ slot: SequenceSlot, at now: Instant, ended: inout [Ended]) {
        // A client that has gone leaves through `aborted`, at this same boundary.
        guard !requests[slot].isAborted else { return }
        batcher.finish(slot)
        epochs[slot] &+= 1
        owners[slot] &+= 1
        counters.completed += 1
        outstanding -= 1
        ended.append(Ended(request: requests[slot], outcome: .completed, time: now))
        requests[slot].isAborted = true
    }

    /// Ends the run at the first boundary at or after `now`.
    private mutating func cutRun(at now: Instant) {
        guard let current = run, current.count > 1 else { return }
        var low: Int64 = 1
        var high = current.count
        while low < high {
            let middle = (low + high) / 2
            if end(of: current, steps: middle) >= now { high = middle } else { low = middle + 1 }
        }
        run!.count = low
    }

    /// The last step of the run whose boundary is at or before `now`; 0 when none is.
    private func lastStep(of current: Run, notAfter now: Instant) -> Int64 {
        var low: Int64 = 0
        var high = current.count
        while low < high {
            let middle = (low + high + 1) / 2
            if end(of: current, steps: middle) <= now { low = middle } else { high = middle - 1 }
        }
        return low
    }

    private func duration(of current: Run, steps count: Int64) -> FineTime {
        if current.features.isDecodeOnly {
            return steps.duration(ofDecodeSteps: count, from: current.features, noise: current.noise)
        }
        return steps.duration(of: current.features, noise: current.noise)
    }

    private func end(of current: Run, steps count: Int64) -> Instant {
        (clock + duration(of: current, steps: count)).instant
    }

    // MARK: - Clients that give up

    private mutating func expireDeadlines(at now: Instant, ended: inout [Ended]) {
        while let deadline = nextDeadline(), deadline.key <= now.nanoseconds {
            deadlines.removeTop()
            let slot = Int(deadline.slot)
            ended.append(Ended(request: requests[slot], outcome: .failedTimeout, time: now))
            outstanding -= 1
            requests[slot].isAborted = true
            owners[slot] &+= 1
            epochs[slot] &+= 1
            if batcher.isWaiting(slot) {
                batcher.cancel(slot)
                // It may have stood before one that fits: the next boundary decides anew.
                if batcher.admitsMore, batcher.waitingCount > 0 { cutRun(at: now) }
            } else {
                aborted.append(slot)
                cutRun(at: now)
            }
        }
    }

    private mutating func nextDeadline() -> SlotHeap.Entry? {
        let owners = self.owners
        return deadlines.top { owners[Int($0.slot)] == $0.epoch }
    }

    private mutating func nextFinish() -> SlotHeap.Entry? {
        let epochs = self.epochs
        return finishes.top { epochs[Int($0.slot)] == $0.epoch }
    }

    private func isLive(_ slot: SequenceSlot) -> Bool { !requests[slot].isAborted }
}
