import EngineModel
import Glibc
import InferenceCore
import Randomness
import Serving
import Units

/// An engine that takes as long as a profile says and computes nothing: a laptop can rehearse a fleet of H100s with it.
///
/// The shared `Batcher` decides each step and `StepClock` says how long it lasts, in the simulator's integers. Steps end
/// at absolute deadlines, each counted from the one before, so a late wake-up makes one step late and none after it.
/// Text is filler; a request has as many tokens as it asked for, or a drawn number. With a prefix cache a prompt's blocks
/// are named as the core names them, and those that are there are not computed again; answers are no text that a later
/// prompt could begin with, so their blocks have no names.
struct EmulatedEngine: Engine {
    private struct Slot {
        var tokensLeft = 0
        var finish = FinishReason.length
        /// Tokens produced so far: which filler word comes next.
        var produced = 0
    }

    private var batcher: Batcher
    private let clock: StepClock
    private let noise: CounterStream
    private let noiseDeviation: Double
    private let lengths: CounterStream
    private let meanOutputTokens: Double
    private var requests: UInt64 = 0
    private var slots: [Slot] = []
    /// When the last step ended by the profile.
    private var now = FineTime(units: 0)
    private var isIdle = true
    private var producers: [SequenceSlot] = []

    /// - Parameters:
    ///   - meanOutputTokens: Mean length of what is generated when a request does not say; geometric. At least 1.
    ///   - seed: Of the noise and of those lengths.
    init(profile: EngineProfile, limits: BatcherConfiguration, meanOutputTokens: Double = 128, seed: UInt64 = 1) {
        batcher = Batcher(
            configuration: limits, numbered: limits.prefixCaching, tracksSkew: profile.stepTime.needsSkew)
        clock = StepClock(profile.stepTime)
        noise = CounterStream(seed: seed, names: "step-noise")
        noiseDeviation = profile.noise
        lengths = CounterStream(seed: seed, names: "output-lengths")
        self.meanOutputTokens = meanOutputTokens
    }

    var limits: BatcherConfiguration { batcher.configuration }

    var gauges: EngineGauges {
        EngineGauges(
            running: batcher.runningCount, waiting: batcher.waitingCount, kvUtilization: batcher.kvUtilization,
            prefixCache: batcher.prefixCache)
    }

    mutating func submit(_ request: GenerationRequest) -> Ticket {
        let room = limits.maxContext - request.prompt.count
        let slot: Slot
        if let wanted = request.maxTokens {
            slot = Slot(tokensLeft: min(wanted, room), finish: .length)
        } else {
            let drawn = drawnLength()
            slot = Slot(tokensLeft: min(drawn, room), finish: drawn <= room ? .stop : .length)
        }
        let ticket = enqueue(request, tokens: request.prompt.count + slot.tokensLeft)
        while slots.count <= ticket { slots.append(Slot()) }
        slots[ticket] = slot
        requests += 1
        return ticket
    }

    private mutating func enqueue(_ request: GenerationRequest, tokens: Int) -> Ticket {
        guard limits.prefixCaching else {
            return batcher.submit(promptTokens: request.prompt.count, priority: request.priority)
        }
        var known: [BlockName] = []
        if case .tokens(let prompt) = request.prompt {
            var names = BlockNames(salt: CacheSalt.number(of: request.cacheSalt), blockSize: limits.blockSize)
            while let name = names.next(of: prompt) { known.append(name) }
        }
        return batcher.submit(
            promptTokens: request.prompt.count, priority: request.priority, maxTokens: tokens, names: known)
    }

    /// A geometric length by inversion, as `RandomGenerator` has it.
    private func drawnLength() -> Int {
        guard meanOutputTokens > 1 else { return 1 }
        return 1 + Int(log(lengths.uniform(at: requests)) / log1p(-1 / meanOutputTokens))
    }

    mutating func cancel(_ ticket: Ticket) { batcher.cancel(ticket) }

    mutating func step(_ outcome: inout StepOutcome) -> Bool {
        outcome.removeAll()
        let plan = batcher.nextStep(limit: 1)
        guard !plan.isEmpty else {
            isIdle = true
            return false
        }
        for slot in batcher.admitted {
            let cached = limits.prefixCaching ? batcher.context(of: slot) : nil
            outcome.admitted.append(.init(ticket: slot, cachedTokens: cached))
        }
        outcome.preemptions = batcher.preempted.count
        outcome.prefillTokens = Int(plan.features.prefillTokens)
        outcome.decodeTokens = Int(plan.features.decodeSequences)
        producers.removeAll(keepingCapacity: true)
        batcher.forEachScheduled { slot, _, _, producesToken in if producesToken { producers.append(slot) } }

        // Work that comes to an idle engine starts a new count; otherwise a step begins where the last one ended.
        if isIdle { now = max(now, FineTime(MonotonicTime.now)) }
        isIdle = false
        now += clock.duration(of: plan.features, noise: factor(atStep: batcher.stepCount))
        MonotonicTime.sleep(until: now.instant)
        outcome.lateness = MonotonicTime.now - now.instant

        batcher.advance(steps: 1)
        for slot in producers { produce(slot, into: &outcome) }
        return true
    }

    private mutating func produce(_ slot: SequenceSlot, into outcome: inout StepOutcome) {
        let text = Filler.token(slots[slot].produced)
        slots[slot].produced += 1
        slots[slot].tokensLeft -= 1
        let isLast = slots[slot].tokensLeft == 0
        outcome.outputs.append(.init(ticket: slot, text: text, finish: isLast ? slots[slot].finish : nil))
        if isLast { batcher.finish(slot) }
    }

    /// As the simulator draws it: one factor for each window of steps.
    private func factor(atStep step: Int64) -> StepNoise {
        guard noiseDeviation > 0 else { return .none }
        let window = UInt64(step / StepNoise.window)
        return .lognormal(deviation: noiseDeviation, normal: noise.normal(at: window))
    }
}

/// What an emulated engine says: words of about four bytes, as a token has in English.
enum Filler {
    private static let words = [
        " the", " tide", " at", " the", " gate", " turns", " and", " ships", " go", " out", ".",
    ]

    static func token(_ index: Int) -> String { words[index % words.count] }
}
