import EngineModel
import FleetModel
import Testing
import Units

@testable import Control

struct AlarmTests {
    @Test("A day at this hour's cost is held against the budget, and the hour against the ceiling")
    func spendBurn() {
        let cost = USD("10")!
        #expect(AlarmRules.spendBurn(costPerHour: cost, dailyBudget: USD("240"), ceiling: nil) == nil)
        #expect(AlarmRules.spendBurn(costPerHour: cost, dailyBudget: USD("239.99"), ceiling: nil)?.kind == .spendBurn)
        #expect(AlarmRules.spendBurn(costPerHour: cost, dailyBudget: nil, ceiling: USDPerHour("11.12")) == nil)
        #expect(AlarmRules.spendBurn(costPerHour: cost, dailyBudget: nil, ceiling: USDPerHour("11.11")) != nil)
        #expect(AlarmRules.spendBurn(costPerHour: nil, dailyBudget: .zero, ceiling: nil) == nil)
    }

    @Test("A cold start half as long again as expected is told", arguments: [(90, false), (91, true)])
    func coldStart(seconds: Int64, isTold: Bool) {
        let alarm = AlarmRules.coldStartDrift(
            chat, replica: ReplicaID(3), took: .seconds(seconds), expected: .seconds(60), isReady: true, share: 0.5)
        #expect((alarm?.kind == .coldStartDrift) == isTold)
        #expect(
            AlarmRules.coldStartDrift(
                chat, replica: ReplicaID(3), took: .seconds(seconds), expected: .zero, isReady: true, share: 0.5) == nil
        )
    }

    @Test("A queue diverges when it grows tick after tick and no more can be asked for")
    func queue() {
        func pools(_ depths: [Double?], target: Int = 20, starting: Int = 0) -> [PoolObservation] {
            depths.map { depth in
                var pool = seen(target: target, starting: starting)
                pool.queueDepth = depth
                return pool
            }
        }
        #expect(AlarmRules.queueDivergence(pools([0, 1, 2, 3]), ticks: 3)?.kind == .queueDivergence)
        #expect(AlarmRules.queueDivergence(pools([9, 0, 1, 2, 3]), ticks: 3) != nil)
        #expect(AlarmRules.queueDivergence(pools([0, 1, 1, 3]), ticks: 3) == nil)
        #expect(AlarmRules.queueDivergence(pools([0, 1, nil, 3]), ticks: 3) == nil)
        #expect(AlarmRules.queueDivergence(pools([1, 2, 3]), ticks: 3) == nil)
        #expect(AlarmRules.queueDivergence(pools([0, 1, 2, 3], target: 5), ticks: 3) == nil)
        #expect(AlarmRules.queueDivergence(pools([0, 1, 2, 3], target: 5, starting: 2), ticks: 3) != nil)
    }

    @Test("A median gap far above the profile's step at the running batch is told")
    func latency() {
        // 10 ms and 1 ms a sequence: ten sequences on one replica step in 20 ms.
        let stepTime = StepTimeCoefficients(
            decode: .init(constant: 10e6, perSequence: 1e6, perContextToken: 0),
            mixed: .init(constant: 10e6, perPrefillToken: 0))
        func pool(p50: Double, running: Double = 10, count: Double = 1000) -> PoolObservation {
            var pool = seen(target: 1)
            pool.runningSequences = running
            pool.itl = LatencyQuantiles(p50: p50, p90: p50, p99: p50, count: count)
            pool.offered = OfferedTraffic(window: .seconds(60), requests: 60, promptTokens: 6000, outputTokens: 3000)
            return pool
        }
        #expect(AlarmRules.latencyDrift(pool(p50: 0.049), stepTime: stepTime, factor: 2.5) == nil)
        #expect(AlarmRules.latencyDrift(pool(p50: 0.051), stepTime: stepTime, factor: 2.5)?.kind == .latencyDrift)
        #expect(AlarmRules.latencyDrift(pool(p50: 0.051, running: 12), stepTime: stepTime, factor: 2.5) == nil)
        #expect(AlarmRules.latencyDrift(pool(p50: 0.051, count: 99), stepTime: stepTime, factor: 2.5) == nil)
        // What no fleet has is no end of the controller.
        #expect(AlarmRules.latencyDrift(pool(p50: 0.051, running: 1e300), stepTime: stepTime, factor: 2.5) == nil)
    }
}
