import FleetModel
import Scaling
import Testing
import Units

@Suite("Kubernetes HPA")
struct HorizontalPodAutoscalerTests {
    /// One sync after a quiet eternity, so that no window holds anything back.
    struct Vector: CustomTestStringConvertible, Sendable {
        var ready: Int
        var starting = 0
        var missing = 0
        /// Sum over the replicas that report.
        var load: Double
        var expected: Int?
        var why: String
        var testDescription: String { why }
    }

    static func pool(_ vector: Vector, bounds: ReplicaBounds = ReplicaBounds(minimum: 1, maximum: 1000))
        -> PoolObservation
    {
        PoolObservation(
            pool: ToyPool.id, ready: vector.ready, starting: vector.starting, draining: 0,
            target: vector.ready + vector.starting, bounds: bounds, queueDepth: vector.load / 4,
            runningSequences: vector.load * 3 / 4, sampleAge: .zero, missingReplicas: vector.missing)
    }

    @Test(
        "The level follows the algorithm of replica_calculator.go, with a target of 10 and no stabilisation",
        arguments: [
            Vector(ready: 3, load: 60, expected: 6, why: "mean 20 of 10: ceil(2.0 × 3)"),
            Vector(ready: 3, load: 30, expected: nil, why: "on target"),
            Vector(ready: 10, load: 109.9, expected: nil, why: "9.9 % above is within the tolerance"),
            Vector(ready: 10, load: 111, expected: 12, why: "11 % above: ceil(1.11 × 10)"),
            Vector(ready: 10, load: 90.1, expected: nil, why: "9.9 % below is within the tolerance"),
            Vector(ready: 10, load: 89, expected: 9, why: "11 % below: ceil(0.89 × 10)"),
            Vector(ready: 5, load: 20, expected: 2, why: "mean 4: ceil(0.4 × 5)"),
            Vector(ready: 4, load: 0, expected: 1, why: "no load: the minimum"),
            Vector(ready: 3, starting: 1, load: 60, expected: 6, why: "up: unready pods count as 0, 60 / 4 = 15: 6"),
            Vector(ready: 3, starting: 2, load: 54, expected: nil, why: "up: 54 / 5 = 10.8 is within the tolerance"),
            Vector(ready: 3, starting: 3, load: 54, expected: nil, why: "up: 54 / 6 = 9 turns the direction"),
            Vector(ready: 4, starting: 2, load: 20, expected: 2, why: "down: unready pods are left out, ceil(0.5 × 4)"),
            Vector(ready: 4, missing: 1, load: 15, expected: 3, why: "down: the missing pod is at target, 25 / 4: 3"),
            Vector(ready: 4, missing: 3, load: 5, expected: nil, why: "down: 35 / 4 rounds up to no change"),
            Vector(
                ready: 4, missing: 2, load: 36, expected: nil, why: "up: missing pods idle, 36 / 4 turns the direction"),
            Vector(ready: 4, missing: 1, load: 60, expected: 6, why: "up: the missing pod is idle, 60 / 4 = 15: 6"),
            Vector(ready: 3, missing: 3, load: 0, expected: nil, why: "no pod reports: no change"),
        ])
    func replicaCalculator(vector: Vector) {
        var policy = HorizontalPodAutoscaler(
            parameters: .init(targetPerReplica: 10, scaleDownStabilization: .zero))
        let decision = policy.decide(FleetObservation(time: .epoch, pools: [Self.pool(vector)]))
        #expect(decision.level == vector.expected)
    }

    static func observe(_ replicas: Int, load: Double, at seconds: Int64) -> FleetObservation {
        FleetObservation(
            time: .epoch + .seconds(seconds), pools: [pool(Vector(ready: replicas, load: load, why: ""))])
    }

    @Test("Scale-down takes the highest recommendation younger than 300 s", arguments: [299, 300, 301])
    func downscaleStabilization(seconds: Int64) {
        var policy = HorizontalPodAutoscaler(parameters: .init(targetPerReplica: 10))
        #expect(policy.decide(Self.observe(8, load: 80, at: 0)).hold == .withinTolerance)
        #expect(policy.decide(Self.observe(8, load: 40, at: 15)).hold == .stabilizing)
        // A recommendation exactly as old as the window has left it.
        let decision = policy.decide(Self.observe(8, load: 20, at: seconds))
        if seconds < 300 { #expect(decision.hold == .stabilizing) } else { #expect(decision.level == 4) }
    }

    @Test("A fresh controller is seeded with the current level and removes nothing for one window")
    func seeded() {
        var policy = HorizontalPodAutoscaler(parameters: .init(targetPerReplica: 10))
        for seconds in stride(from: Int64(0), to: 300, by: 15) {
            #expect(policy.decide(Self.observe(8, load: 10, at: seconds)).hold == .stabilizing)
        }
        #expect(policy.decide(Self.observe(8, load: 10, at: 300)).level == 1)
    }

    @Test("An upscale window takes the lowest recommendation in it")
    func upscaleStabilization() {
        var policy = HorizontalPodAutoscaler(
            parameters: .init(targetPerReplica: 10, scaleUpStabilization: .seconds(60)))
        #expect(policy.decide(Self.observe(4, load: 40, at: 0)).hold == .withinTolerance)
        #expect(policy.decide(Self.observe(4, load: 60, at: 30)).hold == .stabilizing)
        #expect(policy.decide(Self.observe(4, load: 80, at: 60)).level == 6)
    }

    @Test(
        "A period adds at most the larger of 4 pods and 100 %",
        arguments: [(1, 5), (3, 7), (4, 8), (5, 10), (10, 20)])
    func scaleUpRate(from: Int, to: Int) {
        var policy = HorizontalPodAutoscaler(parameters: .init(targetPerReplica: 10))
        #expect(policy.decide(Self.observe(from, load: 100_000, at: 0)).level == to)
        // Still within 15 s of the first step, the period started at `from`.
        #expect(policy.decide(Self.observe(to, load: 100_000, at: 14)).level == nil)
        #expect(policy.decide(Self.observe(to, load: 100_000, at: 15)).level == max(to + 4, 2 * to))
    }

    @Test("A percent limit on scale-down truncates")
    func scaleDownRate() {
        var policy = HorizontalPodAutoscaler(
            parameters: .init(
                targetPerReplica: 10, scaleDownStabilization: .zero, scaleDownPercent: 10,
                scaleDownPeriod: .seconds(60)))
        #expect(policy.decide(Self.observe(15, load: 10, at: 0)).level == 13)  // trunc(15 × 0.9)
        #expect(policy.decide(Self.observe(13, load: 10, at: 59)).hold == .stabilizing)
        #expect(policy.decide(Self.observe(13, load: 10, at: 60)).level == 11)  // trunc(13 × 0.9)
    }

    @Test("Bounds come first, and a workload switched off by hand stays off")
    func bounds() {
        var policy = HorizontalPodAutoscaler(parameters: .init(targetPerReplica: 10))
        var pool = Self.pool(
            Vector(ready: 12, load: 500, why: ""), bounds: ReplicaBounds(minimum: 2, maximum: 9))
        #expect(policy.decide(FleetObservation(time: .epoch, pools: [pool])).level == 9)
        pool.target = 1
        pool.ready = 1
        #expect(policy.decide(FleetObservation(time: .epoch + .seconds(15), pools: [pool])).level == 2)
        pool.target = 0
        pool.ready = 0
        #expect(policy.decide(FleetObservation(time: .epoch + .seconds(30), pools: [pool])).hold == .fixed)
    }

    @Test("Without a metric nothing changes, whichever half of it is missing")
    func missingMetrics() {
        var policy = HorizontalPodAutoscaler(parameters: .init(targetPerReplica: 10))
        var pool = Self.pool(Vector(ready: 3, load: 300, why: ""))
        pool.queueDepth = nil
        #expect(policy.decide(FleetObservation(time: .epoch, pools: [pool])).hold == .missingMetrics)
        pool.queueDepth = 300
        pool.runningSequences = nil
        #expect(policy.decide(FleetObservation(time: .epoch + .seconds(15), pools: [pool])).hold == .missingMetrics)
    }
}
