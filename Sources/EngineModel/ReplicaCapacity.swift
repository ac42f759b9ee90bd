import Units

#if canImport(Glibc)
    import Glibc
#endif

/// What bounds one replica's batch.
public struct ReplicaLimits: Hashable, Sendable, Codable {
    /// Tokens of KV cache.
    public var kvTokens: Int64
    /// Sequences that may run at once (`max_num_seqs`).
    public var maxSequences: Int64
    /// Tokens that one step may compute (`max_num_batched_tokens`).
    public var maxBatchedTokens: Int64

    public init(kvTokens: Int64, maxSequences: Int64, maxBatchedTokens: Int64) {
        self.kvTokens = kvTokens
        self.maxSequences = maxSequences
        self.maxBatchedTokens = maxBatchedTokens
    }
}

/// The analytic steady state of one replica under continuous batching with chunked prefill.
///
///     let capacity = ReplicaCapacity(
///         stepTime: profile.stepTime, limits: limits, promptTokens: 1155, outputTokens: 211)
///     capacity.largestRate(ttft: .seconds(2), tpot: .milliseconds(100))   // requests/s that one replica carries
///     capacity.meanTPOT(rate: 1.5)                                        // seconds, nil when it cannot keep up
///
/// Everything hangs on x, the mean number of requests that enter per step. A request brings I prompt tokens and O
/// output tokens, the first of which comes out of its prefill, so a step decodes D = x·(O − 1) sequences and prefills
/// x·I tokens, whatever its duration s; hence the rate is x / s(x), and no fixed point has to be iterated.
///
/// Approximations:
/// - all requests have the mean lengths; the spread of lengths enters only through `deviations`;
/// - requests that enter in one step are Poisson, so a share max(1 − e⁻ˣ, x·I / budget) of steps carries prefill, and
///   s is the average of the two kinds of step, weighted with that share;
/// - a decoding sequence has produced half its output; its context is I + (O − 2) / 2;
/// - the batch varies as in a system whose steps grow with it, linearised around the mean;
/// - waiting for the token budget is that of an M/D/1 queue served one chunk a step; its tail is exponential.
///
/// A varying batch makes the true means larger, the more so near saturation. Measured against the simulator, for an
/// invented engine and requests of 1155 + 211 tokens, fixed and lognormal: mean TPOT came out 1 % too low at 0.3 of
/// `largestRate`, 2 and 6 % at 0.8, 4 and 10 % at 1.0; mean TTFT 7 to 48 %. Of a single replica's requests 99 and 95 %
/// met their TPOT at 0.9 of that rate; a fleet behind one router varies less than one replica.
///
/// - Source: the state-dependent service rate of continuous batching follows the queueing model of llm-d's variant
///   autoscaler ("inferno"); the two-regime step time is `StepTimeCoefficients`.
public struct ReplicaCapacity: Hashable, Sendable {
    public let stepTime: StepTimeCoefficients
    public let limits: ReplicaLimits
    /// Mean prompt tokens of a request. At least 1.
    public let promptTokens: Double
    /// Mean output tokens of a request, the first one included. At least 1.
    public let outputTokens: Double
    /// The load with the highest rate among those the limits allow on average.
    private let busiest: Double

    /// - Precondition: limits are positive and mean lengths are finite. Lengths below 1 count as 1.
    public init(stepTime: StepTimeCoefficients, limits: ReplicaLimits, promptTokens: Double, outputTokens: Double) {
        precondition(
            limits.kvTokens > 0 && limits.maxSequences > 0 && limits.maxBatchedTokens > 0, "limits \(limits)")
        precondition(promptTokens.isFinite && outputTokens.isFinite, "lengths \(promptTokens), \(outputTokens)")
        self.stepTime = stepTime
        self.limits = limits
        self.promptTokens = max(1, promptTokens)
        self.outputTokens = max(1, outputTokens)
        var busiest = 0.0
        let state = SteadyState(stepTime, limits, self.promptTokens, self.outputTokens)
        let top = state.largestLoad { state.fits($0, deviations: 0) }
        var best = 0.0
        for i in 1...Self.gridPoints {
            let load = top * Double(i) / Double(Self.gridPoints)
            let rate = load / state.meanStep(load)
            // Strictly faster: where the rate is flat, the smaller batch is the state a replica settles in.
            if rate > best * (1 + 1e-9) { (best, busiest) = (rate, load) }
        }
        self.busiest = busiest
    }

    /// Rate against load has one peak for a convex step time; this many points find it to a percent.
    private static let gridPoints = 128

    private var state: SteadyState { SteadyState(stepTime, limits, promptTokens, outputTokens) }

    /// The highest rate at which the queue of a replica does not grow without end, in requests per second.
    ///
    /// No latency target; 0 when not even one request of this size fits.
    public var saturationRate: Double { busiest > 0 ? busiest / state.meanStep(busiest) : 0 }

    /// The mean duration of a step at `rate` requests per second, in seconds; `nil` above the saturation rate.
    public func meanStepTime(rate: Double) -> Double? {
        guard let load = load(rate: rate) else { return nil }
        return state.meanStep(load)
    }

    /// The mean time per output token after the first at `rate`, in seconds: a decoding sequence gets one token a step.
    public func meanTPOT(rate: Double) -> Double? { meanStepTime(rate: rate) }

    /// The mean time to first token at `rate`, in seconds: what is left of the running step, the wait for budget, and
    /// the prefill itself. `nil` above the saturation rate.
    public func meanTTFT(rate: Double) -> Double? {
        guard let load = load(rate: rate) else { return nil }
        let state = state
        return state.meanStep(load) / 2 + state.meanWait(load) + state.prefillTime(load)
    }

    /// Sequences in decode on average at `rate`; `nil` above the saturation rate.
    public func meanDecodeSequences(rate: Double) -> Double? { load(rate: rate).map { $0 * (outputTokens - 1) } }

    /// The largest rate that one replica carries within its limits and the targets, in requests per second.
    ///
    /// The batch is taken `deviations` standard deviations above its mean: a target met only by the mean batch is
    /// missed half of the time. 0 when an idle replica already misses a target.
    ///
    /// - Parameters:
    ///   - ttft: Longest time to first token, met by the 99th percentile of the wait; `nil` promises nothing.
    ///   - tpot: Longest mean time per output token after the first; `nil` promises nothing.
    ///   - deviations: Head-room for the varying batch. At least 0.
    public func largestRate(ttft: TimeSpan?, tpot: TimeSpan?, deviations: Double = 2) -> Double {
        let state = state
        let load = state.largestLoad(atMost: busiest) { load in
            let high = state.raised(load, deviations: deviations)
            guard state.fits(load, deviations: deviations) else { return false }
            if let tpot, state.meanStep(high) > tpot.seconds { return false }
            if let ttft {
                // An exponential wait has its 99th percentile at ln 100 = 4.6 times its mean.
                let slow = state.meanStep(high) + 4.605 * state.meanWait(load) + state.prefillTime(high)
                if slow > ttft.seconds { return false }
            }
            return true
        }
        return load > 0 ? load / state.meanStep(load) : 0
    }

    /// The smallest load that gives `rate`; `nil` when none does.
    private func load(rate: Double) -> Double? {
        guard rate >= 0, rate <= saturationRate else { return nil }
        let state = state
        return state.largestLoad(atMost: busiest) { $0 <= rate * state.meanStep($0) }
    }
}

/// The formulas of `ReplicaCapacity`, as functions of the load x: requests that enter per step.
private struct SteadyState {
    let coefficients: StepTimeCoefficients
    let limits: ReplicaLimits
    let prompt: Double
    let output: Double

    init(_ coefficients: StepTimeCoefficients, _ limits: ReplicaLimits, _ prompt: Double, _ output: Double) {
        self.coefficients = coefficients
        self.limits = limits
        self.prompt = prompt
        self.output = output
    }

    /// The largest load for which `holds` is true, by bisection; 0 when there is none.
    ///
    /// - Precondition: `holds` is true up to some load and false beyond it.
    func largestLoad(atMost top: Double? = nil, _ holds: (Double) -> Bool) -> Double {
        // Each entering request brings at least one token, so no load can exceed the budget of a step.
        var high = top ?? Double(limits.maxBatchedTokens)
        if high > 0, holds(high) { return high }
        var low = 0.0
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if holds(middle) { low = middle } else { high = middle }
        }
        return low
    }

    func decodeSequences(_ load: Double) -> Double { load * (output - 1) }

    /// Tokens a step has left for prompts.
    func budget(_ load: Double) -> Double { max(1, Double(limits.maxBatchedTokens) - decodeSequences(load)) }

    /// Steps that one prompt takes when nothing else is in prefill.
    func chunks(_ load: Double) -> Double { (prompt / budget(load)).rounded(.up) }

    /// The share of steps that carry prefill.
    func prefillShare(_ load: Double) -> Double {
        min(1, max(1 - exp(-load), load * prompt / budget(load)))
    }

    /// Variance of the batch over its mean.
    ///
    /// A larger batch makes longer steps and stays longer: where the mean is n, arrivals come at λ and leave at
    /// n / (O·s(n)), so small deviations die out at (1 − ε) / (O·s) with ε = n·s′(n) / s, and the variance is n / (1 − ε).
    /// Without the feedback that is M/G/∞ and its Poisson batch; towards saturation it grows without end.
    private func overdispersion(_ load: Double) -> Double {
        let step = 0.01
        let elasticity = (meanStep(load * (1 + step)) / meanStep(load) - 1) / step
        return 1 / (1 - min(max(0, elasticity), 0.95))
    }

    /// The load whose batch is `deviations` standard deviations of the batch larger.
    func raised(_ load: Double, deviations: Double) -> Double {
        let decoding = decodeSequences(load)
        guard decoding > 0 else { return load }
        return load * (1 + deviations * (overdispersion(load) / decoding).squareRoot())
    }

    /// Whether the batch, `deviations` above its mean, respects sequences, KV tokens and the budget of a step.
    func fits(_ load: Double, deviations: Double) -> Bool {
        guard prompt + output <= Double(limits.kvTokens),
            load * (prompt + output - 1) <= Double(limits.maxBatchedTokens)
        else { return false }
        let decoding = decodeSequences(load)
        let prefilling = load * chunks(load)
        let running = decoding + prefilling
        // Below one sequence it is the queue that varies and not the batch: one that fits alone can always run.
        guard running > 0.5 else { return true }
        let high = running + deviations * (overdispersion(load) * running).squareRoot()
        return high <= Double(limits.maxSequences)
            && high * context(decoding: decoding, prefilling: prefilling) <= Double(limits.kvTokens)
    }

    /// KV tokens of the average running sequence; admission reserves the whole prompt.
    private func context(decoding: Double, prefilling: Double) -> Double {
        (decoding * meanContext + prefilling * prompt) / (decoding + prefilling)
    }

    private var meanContext: Double { prompt + max(0, output - 2) / 2 }

    /// Mean duration of a step that carries no prefill, in seconds.
    private func decodeStep(_ load: Double) -> Double {
        let d = coefficients.decode
        let sequences = decodeSequences(load)
        let nanoseconds =
            d.cost(ofSequences: sequences) + d.perContextToken * sequences * meanContext + coefficients.hostOverhead
        return max(1, nanoseconds) / 1e9
    }

    /// Mean duration of a step that carries prefill, in seconds.
    ///
    /// A prompt of I tokens has the area I² / 2 however it is cut, and n equal chunks have I·(n − 1) / 2 tokens behind
    /// them in all.
    private func mixedStep(_ load: Double) -> Double {
        let m = coefficients.mixed
        let sequences = decodeSequences(load)
        // As the load goes to 0 a mixed step carries exactly one chunk.
        let share = prefillShare(load)
        let prompts = share > 1e-9 ? load / share : 1 / chunks(load)
        let tokens = min(prompts * prompt, budget(load))
        let all = tokens + sequences
        let nanoseconds =
            m.constant + m.perPrefillToken * tokens
            + m.perTokenBeyondFirstHinge * max(0, all - Double(m.firstHinge))
            + m.perTokenBeyondSecondHinge * max(0, all - Double(m.secondHinge))
            + m.perContextToken * sequences * meanContext + m.perPrefillArea * prompts * prompt * prompt / 2
            + m.perPrefillContextToken * prompts * prompt * (chunks(load) - 1) / 2 + m.perSequence * sequences
            + coefficients.hostOverhead
        // The regimes are fitted apart; a step that does more can still not take less time.
        return max(nanoseconds / 1e9, decodeStep(load))
    }

    func meanStep(_ load: Double) -> Double {
        let share = prefillShare(load)
        return share * mixedStep(load) + (1 - share) * decodeStep(load)
    }

    /// The prefill of one prompt, in seconds.
    func prefillTime(_ load: Double) -> Double { chunks(load) * mixedStep(load) }

    /// Mean wait for the token budget, in seconds: M/D/1 with a chunk's time as service.
    func meanWait(_ load: Double) -> Double {
        let utilization = min(0.999, load * prompt / budget(load))
        return utilization / (2 * (1 - utilization)) * (prompt / budget(load)) * mixedStep(load)
    }
}
