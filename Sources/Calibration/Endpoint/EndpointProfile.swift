import EngineModel
import Formats
import Units

/// What a server says of itself, or its user for it, before anything is measured.
public struct EndpointFacts: Hashable, Sendable {
    public var target: String
    public var model: String
    /// Such as `vLLM`, by the names on its metrics page; `nil` where nothing tells.
    public var engine: String?
    public var hardware: String
    public var accelerators: Int
    public var maxContext: Int
    public var kvTokens: Int
    /// Where the KV capacity comes from.
    public var kvSource: String
    public var scheduler: MeasuredScheduler
    public var coldStart: ColdStartProfile

    public init(
        target: String, model: String, engine: String?, hardware: String, accelerators: Int, maxContext: Int,
        kvTokens: Int, kvSource: String, scheduler: MeasuredScheduler, coldStart: ColdStartProfile
    ) {
        self.target = target
        self.model = model
        self.engine = engine
        self.hardware = hardware
        self.accelerators = accelerators
        self.maxContext = maxContext
        self.kvTokens = kvTokens
        self.kvSource = kvSource
        self.scheduler = scheduler
        self.coldStart = coldStart
    }

    /// The scheduler, as a replay wants it.
    public var limits: MeasuredRun.Engine {
        MeasuredRun.Engine(
            model: model, vllmVersion: engine ?? "unknown", device: hardware, maxSequences: Int(scheduler.maxNumSeqs),
            maxBatchedTokens: Int(scheduler.maxNumBatchedTokens), maxContext: nil, blockSize: 16, kvBlocks: nil,
            prefixCaching: false, asyncScheduling: scheduler.asyncScheduling ?? false, tensorParallel: accelerators,
            dataParallel: 1, expertParallel: false)
    }

    /// A profile without measurements.
    public func blank(date: String) -> EngineProfile {
        var profile = EngineProfile(
            name: "\(model) at \(target)", model: model, hardware: hardware, acceleratorsPerReplica: accelerators,
            engine: engine ?? "an OpenAI-compatible server", date: date,
            source: "Measured from outside by 'tidegate calibrate endpoint'.",
            stepTime: StepTimeCoefficients(
                decode: .init(constant: 0, perSequence: 0, perContextToken: 0),
                mixed: .init(constant: 0, perPrefillToken: 0)), noise: 0, kvTokens: Int64(kvTokens),
            maxContext: Int64(maxContext), coldStart: coldStart,
            validRange: ValidRange(decodeSequences: 0, decodeContext: 0, prefillTokens: 0, prefillContext: 0),
            fit: FitQuality(
                fitted: 0, heldOut: 0, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "none"),
            notes: [])
        profile.scheduler = scheduler
        profile.hostOverheadSource = "inside the measured steps: from outside the two cannot be told apart"
        return profile
    }
}

/// A calibration from outside: the profile, and how the load that was not fitted compares.
public struct EndpointCalibration: Sendable {
    public var profile: EngineProfile
    public var validation: Validation

    /// Fits, refines and judges.
    ///
    /// - Parameters:
    ///   - heldOut: A load of another shape than the observation's.
    ///   - heldOutStory: That shape, in words.
    ///   - remarks: More notes, one sentence each.
    public init(
        _ observation: EndpointObservation, heldOut: [EndpointAnswer], heldOutStory: String, facts: EndpointFacts,
        date: String, remarks: [String]
    ) throws(EndpointCalibrationError) {
        var fit = try EndpointFit(observation, profile: facts.blank(date: date))
        try fit.refine()
        let validation = try fit.validation(of: heldOut, name: facts.target)
        var profile = fit.profile
        let steps = fit.stepErrors(on: heldOut)
        profile.fit = FitQuality(
            fitted: fit.steps.fittedCount, heldOut: steps?.count ?? 0, medianAbsoluteError: steps?.median ?? 0,
            p90AbsoluteError: steps?.p90 ?? 0, bias: steps?.bias ?? 0,
            heldOutDescription: "Steps told from the answers of a load that was not fitted: \(heldOutStory).",
            standardErrors: fit.steps.standardErrors, covariance: fit.steps.covariance)
        profile.heldOutLoad = HeldOutLoad(
            description: heldOutStory, requests: heldOut.count, errorPercent: validation.error.byName)
        profile.notes =
            Self.notes(fit, facts) + Self.curves(observation) + remarks
        self.profile = profile
        self.validation = validation
    }

    private static func notes(_ fit: EndpointFit, _ facts: EndpointFacts) -> [String] {
        func percent(_ scale: Double) -> String {
            let value = ((scale - 1) * 1000).rounded() / 10
            return value < 0 ? "\(value) %" : "+\(value) %"
        }
        var notes = [
            "Steps are told from the times at which tokens came to a client: they hold the engine's host overhead.",
            "Then scaled so that simulated latencies of loads agree with the measured ones: decode-only steps by "
                + "\(percent(fit.decodeScale)), mixed ones by \(percent(fit.mixedScale)).",
            "KV capacity: \(facts.kvSource).",
        ]
        if !fit.steps.undetermined.isEmpty {
            notes.append(
                "These coefficients are 0 because no step tells them: \(fit.steps.undetermined.joined(separator: ", "))."
            )
        }
        return notes + fit.steps.remarks
    }

    /// Latencies against what they were measured against, as sentences.
    private static func curves(_ observation: EndpointObservation) -> [String] {
        func milliseconds(_ seconds: Double) -> String { "\((seconds * 10_000).rounded() / 10) ms" }
        let lengths = Dictionary(grouping: observation.singles.joined(), by: \.promptTokens).sorted { $0.key < $1.key }
        let ttft = lengths.map { length, answers in
            "\(length): \(milliseconds(answers.map(\.ttft).sorted()[answers.count / 2]))"
        }
        let itl = observation.bursts.compactMap { answers -> String? in
            let gaps = answers.compactMap(\.tpot).sorted()
            guard let longest = answers.map(\.promptTokens).max(), !gaps.isEmpty else { return nil }
            return "\(answers.count) × \(longest): \(milliseconds(gaps[gaps.count / 2]))"
        }
        return [
            "Median TTFT of one request alone, by prompt tokens: \(ttft.joined(separator: ", ")).",
            "Median ITL by requests at a time × longest prompt: \(itl.joined(separator: ", ")).",
        ]
    }
}

extension LatencySet {
    /// `ttft`, `tpot`, `itl` and `e2e`, each with `mean`, `p50`, `p90` and `p99`.
    var byName: [String: [String: Double]] {
        [("ttft", ttft), ("tpot", tpot), ("itl", itl), ("e2e", e2e)].reduce(into: [:]) { result, entry in
            let figures = entry.1
            result[entry.0] = ["mean": figures.mean, "p50": figures.p50, "p90": figures.p90, "p99": figures.p99]
        }
    }
}
