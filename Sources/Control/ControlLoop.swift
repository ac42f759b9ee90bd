import FleetModel
import Scaling
import Units

/// Observe, decide, guard: the loop that both worlds run, without a clock or an effect.
///
///     loop.ingest(sample)                        // as samples come
///     let record = loop.tick(at: now)            // once per control interval
///     for target in record.targets { … }         // the world applies levels, and reports their generation
public struct ControlLoop: Sendable {
    public private(set) var policy: any ScalingPolicy
    private var observer: Observer
    private var guards: Guards
    /// The number of the last decision that was sent; continues from what the pools report.
    private var generation = 0
    private var ticks = 0

    public var limits: GuardLimits { guards.limits }

    public init(observer: Observer, policy: any ScalingPolicy, limits: GuardLimits) {
        self.observer = observer
        self.policy = policy
        guards = Guards(limits: limits)
    }

    /// The same loop with other eyes: what it remembers stays, what it saw is gone.
    func observing(by observer: Observer) -> ControlLoop {
        var loop = self
        loop.observer = observer
        return loop
    }

    /// All that it remembers beside what it saw: enough to go on in another process.
    public struct Memory: Hashable, Sendable, Codable {
        var policy: ParameterValue
        var guards: Guards.Memory
        var generation: Int
        var ticks: Int
    }

    /// - Throws: `EncodingError` when the policy remembers what is not finite.
    public var memory: Memory {
        get throws {
            Memory(
                policy: try ParameterValue(encoding: policy.memory), guards: guards.memory, generation: generation,
                ticks: ticks)
        }
    }

    /// Goes on where another loop stopped.
    ///
    /// - Parameter policy: The same one, with that loop's memory.
    mutating func resume(_ memory: Memory, with policy: any ScalingPolicy) {
        self.policy = policy
        (guards.memory, generation, ticks) = (memory.guards, memory.generation, memory.ticks)
    }

    public mutating func ingest(_ sample: ReplicaSample) { observer.ingest(sample) }
    public mutating func ingest(_ sample: GatewaySample) { observer.ingest(sample) }
    public mutating func ingest(_ failure: ScrapeFailure) { observer.ingest(failure) }
    public mutating func ingest(_ status: PoolStatus) { observer.ingest(status) }

    /// Decides, and numbers what is to be applied.
    ///
    /// - Parameter context: What the record is to say of a live controller; `nil` in simulations.
    /// - Precondition: `now` is later than at the tick before.
    public mutating func tick(at now: Instant, in context: TickContext? = nil) -> ControlRecord {
        tick(on: observer.observation(at: now), in: context)
    }

    /// The same on an observation that was made elsewhere, such as a journal's.
    mutating func tick(on observation: FleetObservation, in context: TickContext?) -> ControlRecord {
        let now = observation.time
        // A loop that starts again has seen nothing yet, whatever it remembers.
        if context?.restarted == true { guards.restart() }
        let decision = policy.decide(observation)
        ticks += 1
        generation = observation.pools.reduce(generation) { max($0, $1.appliedGeneration) }

        var reasons = [String?](repeating: nil, count: observation.pools.count)
        var wanted = observation.pools.map(\.target)
        if case .resize(let targets) = decision.action {
            for target in targets {
                guard let index = observation.pools.firstIndex(where: { $0.pool == target.pool }) else { continue }
                wanted[index] = target.replicas
                reasons[index] = target.reason
            }
        }
        let (levels, interventions) = guards.apply(to: wanted, observation: observation)

        var targets: [AppliedTarget] = []
        for (index, pool) in observation.pools.enumerated()
        where levels[index] != pool.target && !guards.isUnderWay(levels[index], in: pool, at: now) {
            let guardReason = interventions.last { $0.pool == pool.pool }?.reason
            targets.append(
                AppliedTarget(
                    pool: pool.pool, replicas: levels[index], generation: generation + 1,
                    reason: reasons[index] ?? guardReason ?? ""))
        }
        if !targets.isEmpty { generation += 1 }
        for target in targets {
            guards.recordSent(target.replicas, generation: target.generation, to: target.pool, at: now)
        }
        return ControlRecord(
            sequence: ticks, time: now, observation: observation, decision: decision, interventions: interventions,
            targets: targets, context: context)
    }
}

/// What one tick saw, wanted and did.
public struct ControlRecord: Hashable, Sendable, Codable {
    /// Ticks of this loop so far: 1 for the first.
    public var sequence: Int
    public var time: Instant
    public var observation: FleetObservation
    /// As the policy spoke, before the guards.
    public var decision: ScalingDecision
    /// In the order in which they were made.
    public var interventions: [GuardIntervention]
    /// What is to be applied: only pools whose level changes.
    public var targets: [AppliedTarget]
    /// Of a live controller; `nil` in simulations.
    public var context: TickContext?
}

extension ControlRecord {
    /// The level that a pool should have after this tick, guards included, whoever brings it there; `nil` for a pool that was
    /// not observed.
    public func level(of pool: PoolID) -> Int? {
        guard let observed = observation.pools.first(where: { $0.pool == pool }) else { return nil }
        if let last = interventions.last(where: { $0.pool == pool }) { return last.allowed }
        if case .resize(let targets) = decision.action, let target = targets.last(where: { $0.pool == pool }) {
            return target.replicas
        }
        return observed.target
    }
}

/// How a live controller stood when it decided: part of the record, because the guards heed it.
public struct TickContext: Hashable, Sendable, Codable {
    /// The term of its leadership.
    public var epoch: Int
    /// Whether this is its first tick since it started.
    public var restarted: Bool
    /// Why the targets are not applied; `nil` where they are.
    public var withheld: Withholding?

    public init(epoch: Int, restarted: Bool = false, withheld: Withholding? = nil) {
        self.epoch = epoch
        self.restarted = restarted
        self.withheld = withheld
    }
}

/// Why a controller decides and does not act.
public enum Withholding: String, Hashable, Sendable, Codable {
    /// It only watches.
    case shadow
    /// An operator has paused it.
    case paused
}

/// A level to apply, numbered.
public struct AppliedTarget: Hashable, Sendable, Codable {
    public var pool: PoolID
    public var replicas: Int
    /// The number of the decision; the pool reports it as applied, and as reached when the level is there.
    public var generation: Int
    public var reason: String
}
