import FleetModel
import Scaling
import Units

@testable import Control

let chat = PoolID("chat")
let bounds = ReplicaBounds(minimum: 1, maximum: 20)

/// Seconds after the epoch.
func at(_ seconds: Int64) -> Instant { .epoch + .seconds(seconds) }

func offering(price: String? = "10.00", replicasPerInstance: Int = 1) -> OfferingObservation {
    OfferingObservation(
        offering: Offering(provider: "test", instanceType: "gpu", zone: "a", capacityType: .onDemand),
        price: price.flatMap { USDPerHour($0) }, replicasPerInstance: replicasPerInstance, available: true,
        expectedColdStart: .minutes(4))
}

/// A pool that can be seen in full.
func seen(
    _ pool: PoolID = chat, target: Int, starting: Int = 0, draining: Int = 0, applied: Int = 0,
    offerings: [OfferingObservation] = [offering()]
) -> PoolObservation {
    PoolObservation(
        pool: pool, ready: target - starting, starting: starting, draining: draining, target: target, bounds: bounds,
        appliedGeneration: applied, reachedGeneration: applied, queueDepth: 0, runningSequences: 10,
        sampleAge: .seconds(5), missingReplicas: 0, offerings: offerings)
}

func status(
    _ time: Int64, ready: [Int], starting: Int = 0, target: Int? = nil, applied: Int = 0, pool: PoolID = chat
) -> PoolStatus {
    PoolStatus(
        pool: pool, time: at(time), readyReplicas: ready.map { ReplicaID($0) }, starting: starting, draining: 0,
        appliedGeneration: applied, reachedGeneration: applied, target: target ?? ready.count + starting,
        offerings: [offering()])
}

func sample(
    _ time: Int64, replica: Int = 1, running: Double? = 3, waiting: Double? = 1, kv: Double? = nil,
    ttft: [Double]? = nil
) -> ReplicaSample {
    ReplicaSample(
        pool: chat, replica: ReplicaID(replica), time: at(time), runningSequences: running, waitingRequests: waiting,
        kvUtilization: kv, ttft: ttft.map { BucketCounts(upperBounds: [0.1, 0.5, 1], cumulative: $0) })
}

func gateway(
    _ time: Int64, requests: Double, prompt: Double = 0, output: Double = 0, held: Double = 0
) -> GatewaySample {
    GatewaySample(
        pool: chat, time: at(time), arrivedRequests: requests, arrivedPromptTokens: prompt, streamedTokens: output,
        rejectedRequests: 0, heldRequests: held)
}

/// A policy that wants what a list says, tick by tick, and then its last entry.
struct Scripted: ScalingPolicy {
    struct Parameters: Codable, Sendable, Hashable { var levels: [Int] }
    struct Memory: Codable, Sendable, Hashable { var ticks = 0 }
    static let name = "scripted"
    let parameters: Parameters
    var memory: Memory

    init(parameters: Parameters, memory: Memory?) {
        self.parameters = parameters
        self.memory = memory ?? Memory()
    }

    init(_ levels: Int...) { self.init(parameters: Parameters(levels: levels), memory: nil) }

    mutating func decide(_ observation: FleetObservation) -> ScalingDecision {
        let level = parameters.levels[min(memory.ticks, parameters.levels.count - 1)]
        memory.ticks += 1
        return ScalingDecision(
            .resize(observation.pools.map { PoolTarget(pool: $0.pool, replicas: level, reason: "scripted") }))
    }
}
