import EngineModel
import FleetModel
import Units

/// Orders replicas for the demand expected when they will be ready.
///
/// Work is counted in replicas: a window's requests per second over the rate that one replica carries within the
/// targets, from the policy's own engine profile and the mean lengths seen (`ReplicaCapacity`). A damped trend forecasts
/// work at the cold-start horizon plus one window, because a count lags half a window and the next decision comes a
/// tick later. Head-room is a quantile of the policy's own past forecast errors.
///
/// *Up, at once*: the cheapest level that carries the forecast and works off, in `drainTime`, the backlog that will be
/// left when new replicas arrive. *Down*: the level that carries the peak between now and the horizon with
/// `scaleInMargin` to spare, held for `scaleInDelay`. By default that is the time a replaced replica would take to come
/// back: keeping an idle server as long as restarting it costs is the ski-rental rule, never worse than twice the best.
///
/// It holds without offered traffic, and never removes while the queue or a replica cannot be seen.
public struct LookaheadPolicy: ScalingPolicy, DescribedPolicy {
    /// Forecast state by pool name.
    public struct Memory: Codable, Sendable, Hashable {
        var pools: [String: PoolMemory] = [:]
        public init() {}
    }

    struct PoolMemory: Codable, Sendable, Hashable {
        var lengths: LengthEstimate
        var trend = DampedTrend()
        var residuals = ForecastResiduals()
        /// The head-room factor, as of the last window.
        var headroom = ForecastResiduals.prior
        /// Recommendations for scale-in.
        var peaks = TrailingMaximum()
        /// When the forecast first and last took in a window.
        var firstWindow: Instant?
        var lastWindow: Instant?
        /// Requests per second that one replica carries, as of that window; `nil` when no rate at all.
        var capacity: Double?
    }

    public static let name = "lookahead"
    public static let summary = "forecast of work at the cold-start horizon, capacity from an engine profile"
    public static let parameterDescriptions = LookaheadParameters.descriptions

    public let parameters: LookaheadParameters
    public private(set) var memory: Memory

    public init(parameters: LookaheadParameters, memory: Memory? = nil) {
        self.parameters = parameters
        self.memory = memory ?? Memory()
    }

    public mutating func decide(_ observation: FleetObservation) -> ScalingDecision {
        var verdicts: [PoolVerdict] = []
        var rejected: [Alternative] = []
        for pool in observation.pools { verdicts.append(decide(pool, at: observation.time, rejected: &rejected)) }
        return ScalingDecision(verdicts, rejected: rejected)
    }

    private mutating func decide(
        _ pool: PoolObservation, at now: Instant, rejected: inout [Alternative]
    ) -> PoolVerdict {
        guard let engine = parameters.engines[pool.pool.name] else { return .hold(.missingMetrics) }
        var state =
            memory.pools[pool.pool.name]
            ?? PoolMemory(
                lengths: LengthEstimate(
                    assumedPromptTokens: parameters.assumedPromptTokens,
                    assumedOutputTokens: parameters.assumedOutputTokens))
        defer { memory.pools[pool.pool.name] = state }

        guard let offered = pool.offered, offered.window > .zero else { return .hold(.missingMetrics) }
        let coldStart = parameters.horizon ?? pool.nextOffering?.expectedColdStart ?? Self.unknownColdStart
        let horizon = coldStart + offered.window
        takeIn(offered, of: pool, engine: engine, horizon: horizon, at: now, into: &state)
        guard let capacity = state.capacity else { return .hold(.missingMetrics) }

        let need = Need(
            state: state, parameters: parameters, pool: pool, capacity: capacity, horizon: horizon,
            window: offered.window)
        let wanted = pool.bounds.clamp(Need.level(need.ahead))
        let delay = parameters.scaleInDelay ?? max(coldStart, .minutes(2))
        let kept = pool.bounds.clamp(
            state.peaks.add(Need.level(need.peak / (1 - parameters.scaleInMargin)), at: now, window: delay))

        let current = pool.target
        let level: Int
        var hold = HoldReason.onTarget
        if wanted > current {
            level = wanted
        } else if kept < current {
            let isBlind = pool.queueDepth == nil || pool.missingReplicas > 0
            // A forecast younger than the delay has not seen what it would have to hold through.
            let isYoung = now - (state.firstWindow ?? now) < delay
            level = isBlind || isYoung ? current : kept
            hold = isBlind ? .missingMetrics : .stabilizing
        } else {
            level = current
            if wanted < current { hold = .stabilizing }
        }
        for other in Set([current, level - 1, level + 1]).sorted()
        where other != level && (other == current || pool.bounds.clamp(other) == other) {
            rejected.append(
                Alternative(
                    pool: pool.pool, replicas: other, costPerHour: pool.costPerHour(replicas: other),
                    risk: need.risk(of: other, keeping: level)))
        }
        guard level != current else { return .hold(hold) }
        return .resize(
            PoolTarget(pool: pool.pool, replicas: level, reason: need.reason(for: level, from: current, delay: delay)))
    }

    /// Assumed where no offering says how long a replica takes to start.
    private static let unknownColdStart = TimeSpan.minutes(5)

    /// Updates lengths, capacity and forecast, once per window: windows that overlap would count traffic twice.
    private func takeIn(
        _ offered: OfferedTraffic, of pool: PoolObservation, engine: PoolModel, horizon: TimeSpan, at now: Instant,
        into state: inout PoolMemory
    ) {
        if let last = state.lastWindow {
            guard now - last >= offered.window else { return }
            if now - last > offered.window * 3 {
                state.trend.forgetSlope()
                state.residuals.forgetPending()
            }
        }
        state.lastWindow = now
        if state.firstWindow == nil { state.firstWindow = now }
        let isCongested = (pool.queueDepth ?? 0) > Double(max(1, pool.ready))
        state.lengths.observe(offered, isCongested: isCongested)
        let capacity = ReplicaCapacity(
            stepTime: engine.stepTime, limits: engine.limits, promptTokens: state.lengths.meanPrompt,
            outputTokens: state.lengths.meanOutput)
        let carried = capacity.largestRate(ttft: engine.ttft, tpot: engine.tpot, deviations: parameters.deviations)
        // Targets that even an idle replica misses cannot be met by more replicas: plan for throughput then.
        let usable = carried > 0 ? carried : capacity.saturationRate * Self.usableShare
        guard usable > 0 else {
            state.capacity = nil
            return
        }
        // The work counted so far is in the old measure of a replica. It moves slowly enough to be left alone.
        state.capacity = usable
        let work = offered.requests / offered.window.seconds / usable
        state.residuals.observe(work, at: now)
        state.headroom = state.residuals.factor(quantile: parameters.quantile)
        state.trend.observe(
            work, levelGain: parameters.levelGain, trendGain: parameters.trendGain, damping: parameters.damping)
        if let ahead = state.trend.forecast(
            steps: horizon.seconds / offered.window.seconds, damping: parameters.damping)
        {
            state.residuals.expect(ahead, at: now + horizon)
        }
    }

    /// Of the saturation rate, where no target can be met: beyond it queues grow long.
    private static let usableShare = 0.8
}

/// What the forecast asks for, in replicas.
private struct Need {
    /// Work forecast for the horizon, and the head-room factor it was raised by.
    let forecast: Double
    let factor: Double
    let backlog: Double
    let horizon: TimeSpan
    let capacity: Double
    let drainTime: TimeSpan
    /// Replicas needed at the horizon, and at most until then.
    let ahead: Double
    let peak: Double

    init(
        state: LookaheadPolicy.PoolMemory, parameters: LookaheadParameters, pool: PoolObservation, capacity: Double,
        horizon: TimeSpan, window: TimeSpan
    ) {
        let steps = horizon.seconds / window.seconds
        let forecast = max(0, state.trend.forecast(steps: steps, damping: parameters.damping) ?? 0)
        let now = max(0, state.trend.level ?? 0)
        let factor = state.headroom
        // What a batch takes in at its next step is no backlog: about one request per ready replica.
        let waiting = max(0, (pool.queueDepth ?? 0) - Double(pool.ready))
        // Until new replicas arrive the queue grows or shrinks; those starting now arrive half way on average.
        let serving = Double(pool.ready) + Double(pool.starting) / 2
        let growth = ((now + forecast) / 2 - serving) * capacity * horizon.seconds
        let left = waiting > 0 ? max(0, waiting + growth) : 0
        self.forecast = forecast
        self.factor = factor
        self.horizon = horizon
        self.capacity = capacity
        backlog = left
        drainTime = parameters.drainTime
        let draining = left / (capacity * parameters.drainTime.seconds)
        // A pool without any traffic needs nothing, not even head-room.
        func raised(_ work: Double) -> Double {
            work < 0.01 ? 0 : ForecastResiduals.raised(work, by: factor)
        }
        ahead = raised(forecast) + draining
        peak = max(raised(forecast), raised(now)) + draining
    }

    /// The smallest whole level that carries `need`: with one price per instance also the cheapest.
    static func level(_ need: Double) -> Int { Int(min(max(0, need - 1e-9).rounded(.up), 1e9)) }

    func reason(for level: Int, from current: Int, delay: TimeSpan) -> String {
        let basis =
            "\(decimal(forecast, places: 2)) replicas of work in \(horizon), × \(decimal(factor, places: 2)) head-room"
        if level < current {
            return "at most \(decimal(peak, places: 2)) needed for \(delay): \(basis)"
        }
        guard backlog >= 1 else { return basis + ", at \(decimal(capacity, places: 2)) requests/s each" }
        return basis + ", + \(decimal(backlog, places: 0)) waiting to be worked off in \(drainTime)"
    }

    func risk(of other: Int, keeping level: Int) -> String {
        guard other > 0 else { return ahead > 0 ? "nothing would serve the traffic" : "a cold start before any answer" }
        let load = decimal(100 * ahead / Double(other), places: 0)
        if Double(other) < ahead { return "loaded to \(load) % of its capacity in \(horizon)" }
        if other > level { return "idle capacity: loaded to \(load) % in \(horizon)" }
        return "no reserve for a peak before the scale-in delay has passed: \(load) % in \(horizon)"
    }
}
