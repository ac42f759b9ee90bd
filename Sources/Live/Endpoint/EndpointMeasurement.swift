import Calibration
import EngineModel
import Formats
import Units

/// Everything that a calibration from outside measures, phase by phase.
///
///     var measurement = EndpointMeasurement(meter, inquiry: inquiry, design: design, facts: facts, findsSequences: false)
///     let measured = try await measurement.run { … }
///
/// Requests alone, requests together, prompts among decoding sequences, then three loads: two to fit, of which one is more
/// than the server can carry, and one to judge by. The loads' rates come from a first fit of what was measured before.
public struct EndpointMeasurement: Sendable {
    public struct Result: Sendable {
        public var observation: EndpointObservation
        /// The load that must not be fitted, and its shape.
        public var heldOut: [EndpointAnswer]
        public var heldOutRate: Double
        /// With the number of sequences that was found, where nobody told it.
        public var facts: EndpointFacts
        /// How fast the server was at most, in a sentence.
        public var story: String
    }

    /// What is under way, and how far all of it has come.
    public struct Standing: Sendable {
        public var phase: String
        public var share: Double
    }

    private let meter: EndpointMeter
    private let inquiry: EndpointInquiry
    private let design: EndpointDesign
    private var facts: EndpointFacts
    private let findsSequences: Bool
    private var observation: EndpointObservation
    /// Requests alone by the server's own clock, and their TTFT in all.
    private var ownTTFT = (count: 0.0, seconds: 0.0)
    /// Counts on from the time of day: a second calibration must not find the prompts of the first in the server's cache.
    private var serial = UInt64(WallTime.seconds) << 24

    /// The share of the estimated capacity that the loads ask for.
    private static let fittedShare = 0.7
    /// In a queue that grows an error of a step adds up, so this load tells full batches best.
    private static let saturatingShare = 1.3
    private static let heldOutShare = 0.6

    /// - Parameter findsSequences: Whether the most sequences at a time are found, because nobody told them.
    public init(
        _ meter: EndpointMeter, inquiry: EndpointInquiry, design: EndpointDesign, facts: EndpointFacts,
        findsSequences: Bool
    ) {
        self.meter = meter
        self.inquiry = inquiry
        self.design = design
        self.facts = facts
        self.findsSequences = findsSequences
        observation = EndpointObservation(engine: facts.limits)
    }

    /// - Parameter onProgress: Told of each phase; `false` ends the measurement.
    /// - Throws: `LoadError`, `EndpointCalibrationError`, `CancellationError`.
    public mutating func run(onProgress: @Sendable (Standing) -> Bool) async throws -> Result {
        // The first answers of a server are slow for reasons that no later one has.
        for burst in design.singles.suffix(2) { _ = try await play(burst, "warming up", 0, onProgress) }
        try await measureSingles(0, onProgress)
        var (widest, saturation) = (1, 0.0)
        let lonely = observation.singles.joined().compactMap(\.tpot).sorted().first ?? 0.001
        var step = lonely
        observation.bursts.append(
            try await play(
                design.intrusions(width: 1, step: step, prefill: ttft), "prompts beside a decoding sequence", 0.15,
                onProgress))
        for (index, width) in design.widths.enumerated() {
            let share = 0.15 + 0.3 * Double(index) / Double(design.widths.count)
            for burst in design.bursts(width: width) {
                let answers = try await play(burst, "\(width) requests at a time", share, onProgress)
                observation.bursts.append(answers)
                widest = max(widest, Self.concurrency(of: answers))
                saturation = max(saturation, Self.throughput(of: answers))
                step = max(step, answers.compactMap(\.tpot).sorted().first ?? step)
            }
            let mixed = design.intrusions(width: width, step: step, prefill: ttft)
            observation.bursts.append(
                try await play(mixed, "prompts among \(width) decoding sequences", share, onProgress))
        }
        note(widest: widest)
        try await measureSingles(0.47, onProgress)
        let rates = try capacity()
        let fitted = design.fittedLoad("fitted-load", rate: Self.fittedShare * rates.fitted)
        let saturating = design.fittedLoad("saturating-load", rate: Self.saturatingShare * rates.fitted)
        observation.loads = [
            try await play(fitted, "a load to fit", 0.5, spanning: 0.2, onProgress),
            try await play(saturating, "a load to fit", 0.7, spanning: 0.1, onProgress),
        ]
        try await measureSingles(0.79, onProgress)
        let heldOutRate = Self.heldOutShare * rates.heldOut
        let heldOut = try await play(
            design.heldOutLoad(rate: heldOutRate, apart: max(.milliseconds(20), .estimate(seconds: 2 * lonely))),
            "a load to judge by", 0.8, spanning: 0.2, onProgress)
        return Result(
            observation: observation, heldOut: heldOut, heldOutRate: heldOutRate, facts: facts,
            story: "With \(widest) sequences at a time, the most that was tried or that ran, the server made "
                + "\(Int(saturation.rounded())) tokens a second at best.")
    }

    /// Fewer than came at once is as many as the engine takes.
    private mutating func note(widest: Int) {
        guard findsSequences else { return }
        if widest < design.limits.concurrency {
            facts.scheduler.maxNumSeqs = Int64(widest)
        } else {
            facts.scheduler.source += " No limit was met up to \(widest) sequences."
        }
        observation.engine = facts.limits
    }

    /// One round of requests alone, before, between and after the others: a machine that is slow for seconds is so in one round,
    /// and the median of three is not bent by it.
    private mutating func measureSingles(
        _ share: Double, _ onProgress: @Sendable (Standing) -> Bool
    ) async throws {
        let before = await inquiry.metrics()?.ttft
        for burst in design.singles {
            observation.singles.append(try await play(burst, "one request at a time", share, onProgress))
        }
        guard let before, let after = await inquiry.metrics()?.ttft else { return }
        ownTTFT.count += after.count - before.count
        ownTTFT.seconds += after.seconds - before.seconds
        // Another's requests among these would spoil the mean.
        let sent = Double(observation.singles.joined().count)
        observation.serverTTFT = ownTTFT.count == sent ? ownTTFT.seconds / sent : nil
    }

    /// - Parameters:
    ///   - share: How far all of it has come before.
    ///   - span: The part that this one is of it: only the loads take long enough to show how far they have come.
    private mutating func play(
        _ burst: EndpointDesign.Burst, _ phase: String, _ share: Double, spanning span: Double = 0,
        _ onProgress: @Sendable (Standing) -> Bool
    ) async throws -> [EndpointAnswer] {
        let arrivals = burst.arrivals(serial: &serial)
        let count = Double(arrivals.count)
        return try await meter.answers(to: arrivals) { progress in
            onProgress(Standing(phase: phase, share: share + span * Double(progress.ended) / count))
        }
    }

    /// Seconds of a lonely prompt's TTFT, between the measured lengths.
    private func ttft(_ tokens: Int) -> Double {
        let known = Dictionary(grouping: observation.singles.joined(), by: \.promptTokens)
            .map { (tokens: $0.key, seconds: $0.value.map(\.ttft).sorted()[$0.value.count / 2]) }
            .sorted { $0.tokens < $1.tokens }
        guard let above = known.first(where: { $0.tokens >= tokens }) else { return known.last?.seconds ?? 0.1 }
        guard let below = known.last(where: { $0.tokens < tokens }) else { return above.seconds }
        let share = Double(tokens - below.tokens) / Double(above.tokens - below.tokens)
        return below.seconds + share * (above.seconds - below.seconds)
    }

    /// Requests a second that the server can carry of each load, by the steps measured so far.
    private func capacity() throws(EndpointCalibrationError) -> (fitted: Double, heldOut: Double) {
        let profile = try EndpointFit(observation, profile: facts.blank(date: "")).profile
        let sequences = min(observation.engine.maxSequences, design.limits.concurrency)
        let limits = ReplicaLimits(
            kvTokens: profile.kvTokens, maxSequences: Int64(sequences),
            maxBatchedTokens: Int64(observation.engine.maxBatchedTokens))
        func rate(_ lengths: (prompt: Double, output: Double)) -> Double {
            ReplicaCapacity(
                stepTime: profile.stepTime, limits: limits, promptTokens: lengths.prompt, outputTokens: lengths.output
            ).saturationRate
        }
        return (max(rate(design.fittedLengths), 1e-3), max(rate(design.heldOutLengths), 1e-3))
    }

    /// The most answers that had had their first token and not yet their last.
    private static func concurrency(of answers: [EndpointAnswer]) -> Int {
        let edges =
            answers.compactMap(\.times.first).map { ($0, 1) } + answers.compactMap(\.times.last).map { ($0, -1) }
        var (open, most) = (0, 0)
        for edge in edges.sorted(by: { ($0.0, $0.1) < ($1.0, $1.1) }) {
            open += edge.1
            most = max(most, open)
        }
        return most
    }

    private static func throughput(of answers: [EndpointAnswer]) -> Double {
        guard let start = answers.map(\.sent).min(), let end = answers.compactMap(\.times.last).max(), end > start
        else {
            return 0
        }
        return Double(answers.reduce(0) { $0 + $1.outputTokens }) / (end - start).seconds
    }
}
