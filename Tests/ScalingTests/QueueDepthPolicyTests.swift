import FleetModel
import Scaling
import Testing
import Units

@Suite("Queue depth")
struct QueueDepthPolicyTests {
    static func observe(
        _ replicas: Int, starting: Int = 0, waiting: Double?, at seconds: Int64, missing: Int = 0
    ) -> FleetObservation {
        FleetObservation(
            time: .epoch + .seconds(seconds),
            pools: [
                PoolObservation(
                    pool: ToyPool.id, ready: replicas - starting, starting: starting, draining: 0, target: replicas,
                    bounds: ReplicaBounds(minimum: 2, maximum: 10), queueDepth: waiting, missingReplicas: missing)
            ])
    }

    @Test(
        "A queue above the target grows the pool at once, to a level within bounds",
        arguments: [
            (20.0, nil), (21.0, 5), (50.0, 10), (1e12, 10),
        ])
    func up(waiting: Double, expected: Int?) {
        var policy = QueueDepthPolicy(parameters: .init(targetWaiting: 5))
        #expect(policy.decide(Self.observe(4, waiting: waiting, at: 0)).level == expected)
    }

    @Test("Replicas that are starting are not ordered again")
    func pending() {
        var policy = QueueDepthPolicy(parameters: .init(targetWaiting: 5))
        #expect(policy.decide(Self.observe(4, waiting: 35, at: 0)).level == 7)
        #expect(policy.decide(Self.observe(7, starting: 3, waiting: 35, at: 15)).level == nil)
    }

    @Test("A quiet pool loses one replica per delay, at the end of it", arguments: [299, 300])
    func down(seconds: Int64) {
        var policy = QueueDepthPolicy(parameters: .init())
        #expect(policy.decide(Self.observe(4, waiting: 1, at: 0)).hold == .stabilizing)
        let decision = policy.decide(Self.observe(4, waiting: 0, at: seconds))
        if seconds < 300 {
            #expect(decision.hold == .stabilizing)
        } else {
            #expect(decision.level == 3)
            #expect(policy.decide(Self.observe(3, waiting: 0, at: 599)).hold == .stabilizing)
            #expect(policy.decide(Self.observe(3, waiting: 0, at: 899)).level == 2)
            #expect(policy.decide(Self.observe(2, waiting: 0, at: 2000)).hold == .onTarget)
        }
    }

    @Test("Noise between the two thresholds, a lost scrape or a missing replica starts the delay again")
    func quietnessIsBroken() {
        let interruptions = [
            Self.observe(4, waiting: 10, at: 150), Self.observe(4, waiting: nil, at: 150),
            Self.observe(4, waiting: 0, at: 150, missing: 1), Self.observe(4, starting: 1, waiting: 0, at: 150),
        ]
        for interruption in interruptions {
            var policy = QueueDepthPolicy(parameters: .init())
            _ = policy.decide(Self.observe(4, waiting: 0, at: 0))
            #expect(policy.decide(interruption).level == nil)
            #expect(policy.decide(Self.observe(4, waiting: 0, at: 300)).hold == .stabilizing)
            #expect(policy.decide(Self.observe(4, waiting: 0, at: 600)).level == 3)
        }
    }
}
