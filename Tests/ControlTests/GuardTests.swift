import FleetModel
import Scaling
import Testing
import Units

@testable import Control

@Suite("Guards")
struct GuardTests {
    @Test("Levels stay within bounds", arguments: [(0, 1), (1, nil), (20, nil), (21, 20)])
    func boundsHold(proposed: Int, allowed: Int?) {
        #expect(GuardRules.bounds(seen(target: 5), proposed: proposed)?.allowed == allowed)
    }

    @Test("A tick adds and removes no more than its steps", arguments: [(20, 8), (8, nil), (4, nil), (1, 4)])
    func stepLimit(proposed: Int, allowed: Int?) {
        let limits = GuardLimits(maximumAdded: 2, maximumRemoved: 2)
        #expect(GuardRules.stepLimit(seen(target: 6), proposed: proposed, limits: limits)?.allowed == allowed)
        #expect(GuardRules.stepLimit(seen(target: 6), proposed: proposed, limits: GuardLimits()) == nil)
    }

    @Test("The disruption budget counts what drains already and lets starting replicas go")
    func disruptionBudget() {
        let limits = GuardLimits(maximumDraining: 2)
        func allowed(_ pool: PoolObservation, _ proposed: Int) -> Int? {
            GuardRules.disruptionBudget(pool, proposed: proposed, limits: limits)?.allowed
        }
        #expect(allowed(seen(target: 6), 3) == 4)
        #expect(allowed(seen(target: 6), 4) == nil)
        #expect(allowed(seen(target: 6, draining: 2), 5) == 6)
        #expect(allowed(seen(target: 6, starting: 3, draining: 2), 1) == 3)
        #expect(allowed(seen(target: 6), 9) == nil)
    }

    @Test("Nothing is removed on missing, partial or stale data, and adding is never hindered")
    func incompleteData() {
        let limits = GuardLimits(staleness: .seconds(45))
        let faults: [(inout PoolObservation) -> Void] = [
            { $0.missingReplicas = 1 }, { $0.queueDepth = nil }, { $0.runningSequences = nil },
            { $0.sampleAge = nil }, { $0.sampleAge = .seconds(46) },
        ]
        for fault in faults {
            var pool = seen(target: 5)
            #expect(GuardRules.incompleteData(pool, proposed: 3, limits: limits) == nil)
            fault(&pool)
            #expect(GuardRules.incompleteData(pool, proposed: 3, limits: limits)?.allowed == 5)
            #expect(GuardRules.incompleteData(pool, proposed: 7, limits: limits) == nil)
        }
        // An empty pool has no running sequences to report.
        var empty = seen(target: 2, starting: 2)
        empty.runningSequences = nil
        #expect(GuardRules.incompleteData(empty, proposed: 1, limits: limits) == nil)
    }

    @Test("Nothing is removed within the window after a restart", arguments: [(59, 5), (60, nil)])
    func restart(seconds: Int64, allowed: Int?) {
        let limits = GuardLimits(restartWindow: .seconds(60))
        let intervention = GuardRules.restart(
            seen(target: 5), proposed: 2, limits: limits, since: at(0), at: at(seconds))
        #expect(intervention?.allowed == allowed)
    }

    @Test("Increases are cut to the spending ceiling, the last pool's first; running replicas are not taken away")
    func spendingCeiling() {
        func allowed(_ pools: [PoolObservation], _ levels: [Int], _ ceiling: String) -> [Int] {
            var result = levels
            let limits = GuardLimits(spendingCeiling: USDPerHour(ceiling))
            for change in GuardRules.spendingCeiling(pools, proposed: levels, limits: limits) {
                if let index = pools.firstIndex(where: { $0.pool == change.pool }) { result[index] = change.allowed }
            }
            return result
        }
        let other = PoolID("code")
        let pools = [seen(target: 2), seen(other, target: 2)]
        #expect(allowed(pools, [4, 4], "80") == [4, 4])
        #expect(allowed(pools, [4, 4], "79.99") == [4, 3])
        #expect(allowed(pools, [4, 4], "50") == [3, 2])
        #expect(allowed(pools, [4, 4], "10") == [2, 2])
        #expect(allowed(pools, [1, 4], "50") == [1, 4])
        // Draining replicas are still paid for.
        #expect(allowed([seen(target: 2, draining: 2)], [4], "50") == [3])
        // Whole instances: two replicas on each.
        #expect(allowed([seen(target: 2, offerings: [offering(replicasPerInstance: 2)])], [5], "20") == [4])
        // What has no price cannot be shown to fit.
        #expect(allowed([seen(target: 2, offerings: [offering(price: nil)])], [5], "1000000") == [2])
        #expect(GuardRules.spendingCeiling(pools, proposed: [9, 9], limits: GuardLimits()).isEmpty)
    }

    @Test("Stabilisation removes no deeper than the highest level wanted of late", arguments: [(119, 5), (120, 3)])
    func stabilization(seconds: Int64, level: Int) {
        var guards = Guards(limits: GuardLimits(scaleInStabilization: .seconds(120), restartWindow: .zero))
        func apply(_ wanted: Int, _ time: Int64) -> Int {
            guards.apply(to: [wanted], observation: FleetObservation(time: at(time), pools: [seen(target: 6)])).levels[
                0]
        }
        #expect(apply(5, 0) == 5)
        #expect(apply(3, 15) == 5)
        #expect(apply(2, seconds) == level)
        #expect(apply(9, seconds + 1) == 9)
    }
}
