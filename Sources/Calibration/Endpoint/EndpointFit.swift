import EngineModel
import Formats
import Statistics
import Units

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What was measured of a server from outside, and the limits of its scheduler.
public struct EndpointObservation: Sendable {
    public var engine: MeasuredRun.Engine
    /// One request at a time.
    public var singles: [[EndpointAnswer]] = []
    /// Many at a time, without and with prompts that come in between.
    public var bursts: [[EndpointAnswer]] = []
    /// The loads that are fitted: one that the server can carry, one that it cannot.
    public var loads: [[EndpointAnswer]] = []
    /// Mean TTFT of the single requests by the server's own clock, in seconds; `nil` where it does not tell.
    public var serverTTFT: Double?

    public init(engine: MeasuredRun.Engine) { self.engine = engine }
}

/// Step times of a server from outside: steps told from its answers are fitted, then scaled until simulated latencies of
/// its loads agree with the measured ones.
///
///     var fit = try EndpointFit(observation, profile: blank)
///     try fit.refine()                         // on the observation's loads
///     try fit.validation(of: heldOut).error    // on a load that was not fitted
public struct EndpointFit: Sendable {
    public private(set) var steps: StepTimeFit
    /// Profile with the fitted coefficients.
    public private(set) var profile: EngineProfile
    /// What the refinement multiplied the coefficients of decode-only and of mixed steps by.
    public private(set) var decodeScale = 1.0
    public private(set) var mixedScale = 1.0
    private var observation: EndpointObservation

    /// The most steps that are fitted.
    private static let mostSteps = 3000
    /// Steps of a load from which its pace can be told.
    private static let leastPaced = 30
    /// How far the refinement may scale a regime.
    private static let largestScale = 1.5
    // Deviations of what the refinement weighs. Measured on our core, whose own clock told the truth: steps told from outside were
    // off by 1 % in the mean, and a spell of 30 seconds on a slower machine made a load's TTFT 8 % longer than its mean steps say.
    private static let scaleSpread = 0.01
    private static let loadSpread = 0.10

    /// - Parameter profile: With all that is known before the fit: names, KV capacity, context.
    public init(_ observation: EndpointObservation, profile: EngineProfile) throws(EndpointCalibrationError) {
        self.observation = observation
        let runs = observation.singles + observation.bursts + observation.loads
        let samples = Self.samples(of: runs, observation.engine)
        let whole = runs.joined().count { $0.isTokenByToken }
        guard !samples.isEmpty else { throw .heldBack(answers: runs.joined().count, ofWhich: whole) }
        do throws(StepTimeFitError) { steps = try StepTimeFit(samples) } catch { throw .fit(error) }
        steps.findStairs(among: samples)
        steps.meetMeans(of: samples)
        self.profile = profile
        self.profile.stepTime = steps.coefficients
        self.profile.validRange = steps.validRange
        self.profile.noise = steps.noise(of: samples.filter(\.features.isDecodeOnly))
        self.profile.requestOverhead = overhead
    }

    /// Steps of loads, thinned evenly where they are very many.
    static func samples(of runs: [[EndpointAnswer]], _ engine: MeasuredRun.Engine) -> [StepSample] {
        let samples = StepReconstruction.plausible(
            runs.flatMap {
                StepReconstruction(
                    $0, maxSequences: engine.maxSequences, maxBatchedTokens: engine.maxBatchedTokens
                ).samples
            })
        guard samples.count > mostSteps else { return samples }
        return (0..<mostSteps).map { samples[$0 * samples.count / mostSteps] }
    }

    /// What a lonely request spends beside its steps: by the server's clock where there is one, by the profile's steps
    /// elsewhere.
    private var overhead: TimeSpan {
        let singles = observation.singles.joined()
        guard !singles.isEmpty else { return .zero }
        if let server = observation.serverTTFT {
            return .estimate(seconds: max(0, singles.reduce(0) { $0 + $1.ttft } / Double(singles.count) - server))
        }
        let clock = StepClock(profile.stepTime)
        let excesses = singles.map { answer -> Double in
            if let server = answer.serverPrefill { return answer.ttft - server }
            var features = StepFeatures()
            features.addChunk(tokens: Int64(answer.promptTokens), context: 0)
            return answer.ttft - clock.duration(of: features, noise: .none).seconds
        }.sorted()
        return .estimate(seconds: max(0, quantile(of: excesses, 0.5) ?? 0))
    }

    // MARK: - Refinement

    /// Scales both regimes so that the loads' simulated TTFT and ITL agree with the measured ones in mean and quantiles. The
    /// overhead of a request stays what requests alone show: in a queue a step's error could pass for it.
    ///
    /// Steps that are told from outside are late by what a client is late, and those that cannot be told may differ from
    /// the others; so the distributions have a say. That the machine was faster or slower while a load ran says nothing
    /// of that, and a queue would magnify it: each load is simulated at the pace of its own steps.
    public mutating func refine() throws(EndpointCalibrationError) {
        let loads = observation.loads.map { answers in
            let run = self.run(of: answers, name: "a fitted load")
            return (run: run, measured: LatencySet(run.latencies(), gaps: run.gaps), pace: pace(of: answers))
        }
        func loss(_ scales: [Double]) throws(EndpointCalibrationError) -> Double {
            guard scales.allSatisfy({ $0.magnitude <= log(Self.largestScale) }) else { return .infinity }
            // The steps and the loads each count by what they are worth.
            var sum = scales.reduce(0) { $0 + $1 * $1 } / (Self.scaleSpread * Self.scaleSpread)
            for load in loads {
                let profile = scaled(decode: scales[0] + load.pace.decode, mixed: scales[1] + load.pace.mixed)
                sum +=
                    Self.distance(try Self.latencies(load.run, profile), load.measured)
                    / (Self.loadSpread * Self.loadSpread)
            }
            return sum
        }
        let best = try Self.minimum(of: loss, from: [0, 0], move: 0.04)
        (decodeScale, mixedScale) = (exp(best[0]), exp(best[1]))
        profile = scaled(decode: best[0], mixed: best[1])
        profile.requestOverhead = overhead
    }

    /// Logarithms of how long the steps told from some answers took, as a share of what the fit says of them; 0 where few
    /// can be told.
    private func pace(of answers: [EndpointAnswer]) -> (decode: Double, mixed: Double) {
        let samples = Self.samples(of: [answers], observation.engine)
        func pace(_ samples: [StepSample]) -> Double {
            guard samples.count >= Self.leastPaced else { return 0 }
            let took = samples.reduce(0) { $0 + $1.seconds }
            return log(took / samples.reduce(0) { $0 + steps.predicted($1.features) })
        }
        return (pace(samples.filter(\.features.isDecodeOnly)), pace(samples.filter { !$0.features.isDecodeOnly }))
    }

    /// - Parameters: Logarithms of what the regimes' steps are multiplied by.
    private func scaled(decode: Double, mixed: Double) -> EngineProfile {
        var copy = profile
        copy.stepTime.decode = profile.stepTime.scaled(by: exp(decode)).decode
        copy.stepTime.mixed = profile.stepTime.scaled(by: exp(mixed)).mixed
        return copy
    }

    private static func latencies(
        _ run: MeasuredRun, _ profile: EngineProfile
    ) throws(EndpointCalibrationError) -> LatencySet {
        do throws(ValidationError) {
            let outcome = try MeasuredReplay(run, profile: profile).outcome()
            return LatencySet(run.latencies(of: outcome), gaps: run.knowsGaps ? outcome.gaps : [])
        } catch {
            throw .replay(error)
        }
    }

    /// Squared logarithms of how far the figures are apart; the mean counts twice, the last percentile half.
    private static func distance(_ simulated: LatencySet, _ measured: LatencySet) -> Double {
        let figures: [(KeyPath<LatencyFigures, Double>, Double)] = [
            (\.mean, 2), (\.p50, 1), (\.p90, 1), (\.p99, 0.5),
        ]
        var sum = 0.0
        for latency in [\LatencySet.ttft, \.itl] {
            for (figure, weight) in figures {
                let (a, b) = (simulated[keyPath: latency][keyPath: figure], measured[keyPath: latency][keyPath: figure])
                guard a > 0, b > 0 else { continue }
                let apart = log(a / b)
                sum += weight * apart * apart
            }
        }
        return sum
    }

    /// Moves one coordinate at a time, as far as it helps, and halves the moves when none does: the loss has jumps where a
    /// step more or less makes another schedule, so nothing is gained from slopes.
    ///
    /// - Source: Hooke, Jeeves, "Direct search solution of numerical and statistical problems", JACM 8 (1961).
    private static func minimum(
        of loss: ([Double]) throws(EndpointCalibrationError) -> Double, from start: [Double], move: Double
    ) throws(EndpointCalibrationError) -> [Double] {
        var (best, move) = (start, move)
        var least = try loss(best)
        for _ in 0..<6 {
            var improved = true
            var rounds = 0
            while improved, rounds < 8 {
                (improved, rounds) = (false, rounds + 1)
                for index in best.indices {
                    for sign in [1.0, -1.0] {
                        var point = best
                        point[index] += sign * move
                        let value = try loss(point)
                        if value < least { (best, least, improved) = (point, value, true) }
                    }
                }
            }
            move /= 2
        }
        return best
    }

    // MARK: - Judgement

    /// Answers as a run that can be simulated.
    public func run(of answers: [EndpointAnswer], name: String) -> MeasuredRun {
        MeasuredRun(engine: observation.engine, answers: answers, name: name)
    }

    /// A load beside its simulation.
    public func validation(of answers: [EndpointAnswer], name: String) throws(EndpointCalibrationError) -> Validation {
        do throws(ValidationError) {
            return try Validation(run(of: answers, name: name), profile: profile)
        } catch {
            throw .replay(error)
        }
    }

    /// How far the refined steps lie from those told of a load that was not fitted; `nil` where none can be told.
    public func stepErrors(on answers: [EndpointAnswer]) -> PredictionErrors? {
        let samples = Self.samples(of: [answers], observation.engine)
        guard !samples.isEmpty else { return nil }
        var refined = steps
        refined.coefficients = profile.stepTime
        return refined.errors(on: samples)
    }
}

extension MeasuredRun {
    /// Answers by their client's clock, in the order in which they were sent.
    public init(engine: Engine, answers: [EndpointAnswer], name: String) {
        let sorted = answers.enumerated().sorted {
            ($0.element.sent, $0.offset) < ($1.element.sent, $1.offset)
        }.map(\.element)
        let start = sorted.first?.sent ?? .epoch
        func since(_ time: Instant) -> Instant { .epoch + (time - start) }
        // Gaps are those of tokens only where nearly all came one by one.
        let whole = sorted.count(where: \.isTokenByToken)
        let knowsGaps = whole * 20 >= sorted.count * 19
        self.init(
            folder: name, engine: engine,
            requests: sorted.map { answer in
                Request(
                    promptTokens: answer.promptTokens, outputTokens: max(1, answer.outputTokens),
                    arrival: since(answer.sent), queued: since(answer.sent),
                    firstToken: since(answer.times.first ?? answer.sent),
                    lastToken: since(answer.times.last ?? answer.sent), blockNames: [],
                    tokenTimes: knowsGaps ? answer.times.map(since) : [])
            }, assumptions: [], clock: .client)
    }
}
