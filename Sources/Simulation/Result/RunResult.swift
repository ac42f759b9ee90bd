import FleetModel
import Pricing
import Scaling
import Serving
import Statistics
import Units

/// What one run of one policy did, or one live period. A value: reports, stores and studies read it and nothing else.
public struct RunResult: Sendable {
    public var scenario: String
    /// The label of the policy in the scenario.
    public var policy: String
    /// What a controller needs to run the very same policy: name, parameters and their digest.
    public var policyFile: PolicyFile
    public var seed: UInt64
    /// 0 for the scenario's own traffic; a higher number is another draw of it.
    public var replication: Int
    /// The fleet's step times over those of the profile that policies know.
    public var plantFactor: Double
    public var start: Instant
    /// The billed span: the scenario's duration, or less of it when the run was stopped.
    public var duration: TimeSpan
    /// When the run was stopped; `nil` for a whole one. A partial result is that of traffic which ended at this moment.
    public var stoppedAt: Instant?
    /// The scenario's duration.
    public var planned: TimeSpan
    /// When the last request ended, after `start`.
    public var lastEnd: TimeSpan
    public var outcomes: OutcomeCounts
    /// By tenant and by SLO class, in the scenario's order.
    public var tenants: [TenantResult]
    public var sloClasses: [SLOClassResult]
    /// Tokens of completed requests.
    public var promptTokens: Int64
    public var outputTokens: Int64
    /// Over completed requests; ITL over all gaps between tokens of all requests.
    public var ttft: LatencyHistogram
    public var itl: LatencyHistogram
    public var tpot: LatencyHistogram
    public var e2e: LatencyHistogram
    /// From arrival until a sequence first enters a batch.
    public var queueWait: LatencyHistogram
    /// The run by slices of time, for what it says of its own uncertainty.
    public var batches: RunBatches
    /// Sequences that lost their KV blocks and were recomputed; `nil` where nobody counted them.
    public var preemptions: Int64?
    public var pools: [PoolResult]
    public var scaling: ScalingCounts
    /// The first `keptDecisions` decisions that changed a target or were changed by a guard, in order; those after them
    /// and holds are counted only.
    public var decisions: [DecisionEntry]
    /// Some 600 bytes each with their alternatives. A report lists fewer; a journal has them all.
    public static let keptDecisions = 10_000
    /// At most `Timeline.capacity` rows, in order of time, then pool.
    public var timeline: [TimelineRow]
    public var usage: [UsageRecord]
    public var bill: Bill
    /// Little's law, exactly: ∫ N(t) dt over the run, and the sum of all sojourn times. Nanoseconds.
    public var requestNanoseconds: Int128
    public var sojournNanoseconds: Int128
    /// Hash of outcomes, phase changes, decisions and bill lines, with a trail to find where two runs part.
    public var fingerprint: String
    public var checkpoints: [Checkpoint]
    /// What a live period was read from; `nil` for a simulated run. Seed, replication and plant factor are then 0, 0 and 1, and
    /// mean nothing.
    public var record: LiveRecord?
    /// What a reader must know, such as steps outside the profile's valid range.
    public var warnings: [String]
}

/// Requests by how they ended.
public struct OutcomeCounts: Hashable, Sendable, Codable {
    public var arrived: Int64 = 0
    public var completed: Int64 = 0
    public var rejectedQueueFull: Int64 = 0
    public var rejectedTooLong: Int64 = 0
    public var failedTimeout: Int64 = 0
    public var failedReplicaLost: Int64 = 0
    public var unfinished: Int64 = 0
    /// In live periods alone: the client hung up, or no replica answered.
    public var failedOtherwise: Int64 = 0

    public init() {}

    public var rejected: Int64 { rejectedQueueFull + rejectedTooLong }
    public var failed: Int64 { failedTimeout + failedReplicaLost + failedOtherwise }

    /// - Parameter outcome: `nil` for an end that only the live world has.
    public mutating func count(_ outcome: RequestOutcome?) {
        switch outcome {
        case nil: failedOtherwise += 1
        case .completed: completed += 1
        case .rejectedQueueFull: rejectedQueueFull += 1
        case .rejectedTooLong: rejectedTooLong += 1
        case .failedTimeout: failedTimeout += 1
        case .failedReplicaLost: failedReplicaLost += 1
        case .unfinished: unfinished += 1
        }
    }
}

/// One tenant's traffic.
public struct TenantResult: Hashable, Sendable, Codable {
    public var name: String
    public var outcomes = OutcomeCounts()
    public var promptTokens: Int64 = 0
    public var outputTokens: Int64 = 0
    /// Requests that met every target of their class.
    public var met: Int64 = 0

    public init(name: String) { self.name = name }
}

/// One SLO class: requests that met every target, over all that arrived.
public struct SLOClassResult: Sendable {
    public var sloClass: SLOClass
    public var arrived: Int64 = 0
    public var met: Int64 = 0
    public var ttft = LatencyHistogram()
    public var tpot = LatencyHistogram()

    public init(sloClass: SLOClass) { self.sloClass = sloClass }

    /// Rejected and failed requests count as missed. 1 when nothing arrived.
    public var attainment: Double { arrived == 0 ? 1 : Double(met) / Double(arrived) }
    public var isMet: Bool { attainment >= sloClass.attainment }
}

/// One pool over the billed span.
public struct PoolResult: Hashable, Sendable, Codable {
    public var id: PoolID
    /// Replicas starting on a machine that has been handed over, ready or draining: what is paid for, averaged over time,
    /// and at its most. Replicas that wait for a machine are on no bill.
    public var meanReplicas: Double
    public var maxReplicas: Int
    /// `nil` where nobody counted them.
    public var steps: Int64?
    public var busy: TimeSpan
    /// What prompts found in the prefix caches; `nil` for a pool without.
    public var prefixCache: PrefixCacheCounts?

    public init(
        id: PoolID, meanReplicas: Double, maxReplicas: Int, steps: Int64?, busy: TimeSpan,
        prefixCache: PrefixCacheCounts? = nil
    ) {
        self.id = id
        self.meanReplicas = meanReplicas
        self.maxReplicas = maxReplicas
        self.steps = steps
        self.busy = busy
        self.prefixCache = prefixCache
    }
}

/// How often the policy spoke and what came of it.
public struct ScalingCounts: Hashable, Sendable, Codable {
    /// Control ticks.
    public var decisions: Int64 = 0
    /// Ticks that changed a pool's target.
    public var changes: Int64 = 0
    /// Changes against the direction of the same pool's change before, within 30 minutes: flapping.
    public var reversals: Int64 = 0
    /// Decisions that changed a target or were changed by a guard, and of them the latter.
    public var noted: Int64 = 0
    public var guarded: Int64 = 0

    public init() {}
}

/// One decision as a report shows it.
public struct DecisionEntry: Hashable, Sendable, Codable {
    public var time: Instant
    public var pool: PoolID
    public var from: Int
    /// What the policy wanted, and what the guards let through.
    public var wanted: Int
    public var applied: Int
    public var reason: String
    public var guardReasons: [String]
    public var rejected: [Alternative]

    public init(
        time: Instant, pool: PoolID, from: Int, wanted: Int, applied: Int, reason: String, guardReasons: [String],
        rejected: [Alternative]
    ) {
        self.time = time
        self.pool = pool
        self.from = from
        self.wanted = wanted
        self.applied = applied
        self.reason = reason
        self.guardReasons = guardReasons
        self.rejected = rejected
    }
}

/// The run's hash up to a point in time.
public struct Checkpoint: Hashable, Sendable, Codable {
    public var time: Instant
    public var fingerprint: String

    public init(time: Instant, fingerprint: String) {
        self.time = time
        self.fingerprint = fingerprint
    }
}
