import FleetModel
import Scaling
import Serving
import Units
import Workload

@testable import Simulation

extension SmallFleet {
    /// The smallest fleet that still `fails`: without every request, pool and feature that the failure does not need.
    func shrunk(while fails: (SmallFleet) -> Bool) -> SmallFleet {
        var smallest = self
        var isSmaller = true
        while isSmaller {
            isSmaller = smallest.dropRequests(while: fails)
            for change in Self.simplifications {
                var simpler = smallest
                change(&simpler)
                guard simpler.text != smallest.text, fails(simpler) else { continue }
                smallest = simpler
                isSmaller = true
            }
        }
        return smallest
    }

    /// Takes away halves, quarters and so on down to single requests.
    private mutating func dropRequests(while fails: (SmallFleet) -> Bool) -> Bool {
        let before = requests.count
        var size = max(1, requests.count / 2)
        while true {
            var start = 0
            while start < requests.count {
                var smaller = self
                smaller.requests.removeSubrange(start..<min(start + size, requests.count))
                if fails(smaller) { self = smaller } else { start += size }
            }
            if size == 1 { return requests.count < before }
            size /= 2
        }
    }

    /// Each takes one thing away.
    private static var simplifications: [(inout SmallFleet) -> Void] {
        var changes: [(inout SmallFleet) -> Void] = [
            { $0.isWhimsical = false },
            { $0.fleet.sources.removeAll() },
            { $0.stopAfter = nil },
            { $0.plantFactor = 1 },
            { $0.fleet.duration = TimeSpan(nanoseconds: max(1, $0.fleet.duration.nanoseconds / 2)) },
            { $0.fleet.duration = TimeSpan(nanoseconds: max(1, $0.fleet.duration.nanoseconds * 7 / 8)) },
            { $0.fix(replicas: 0) },
            { $0.fix(replicas: 1) },
            { $0.fix(replicas: nil) },
            { $0.limits.spendingCeiling = nil },
            { ($0.limits.maximumAdded, $0.limits.maximumRemoved) = (nil, nil) },
            { $0.limits.maximumDraining = nil },
            { ($0.limits.scaleInStabilization, $0.limits.restartWindow) = (.zero, .zero) },
            { $0.fleet.control.scrape = $0.fleet.control.tick },
            { $0.requests = $0.requests.map { with($0) { $0.output = max(1, $0.output / 2) } } },
            { $0.requests = $0.requests.map { with($0) { $0.prompt = max(1, $0.prompt / 2) } } },
            {
                $0.requests = $0.requests.map { with($0) { $0.tenant = 0 } }
                $0.fleet.tenants = [$0.fleet.tenants[0]]
                for index in $0.fleet.sources.indices {
                    $0.fleet.sources[index].tenants = [TenantShare(tenant: 0, share: 1)]
                }
            },
            {
                $0.requests = $0.requests.map { with($0) { $0.sloClass = 0 } }
                $0.fleet.sloClasses = [$0.fleet.sloClasses[0]]
                for index in $0.fleet.sources.indices { $0.fleet.sources[index].sloClass = 0 }
            },
        ]
        for index in 0..<3 {
            changes.append { fleet in
                guard fleet.fleet.pools.count > 1, index < fleet.fleet.pools.count else { return }
                let gone = fleet.fleet.pools.remove(at: index)
                fleet.requests.removeAll { $0.pool == gone.id }
                fleet.fleet.sources.removeAll { $0.pool == gone.id }
            }
            changes.append { if index < $0.fleet.sources.count { $0.fleet.sources.remove(at: index) } }
            changes.append { if index < $0.fleet.sources.count { $0.fleet.sources[index].sharedPrefix = nil } }
            changes.append { if index < $0.fleet.sources.count { $0.fleet.sources[index].sessions = nil } }
            func ofClass(_ change: @escaping (inout SLOClass) -> Void) {
                changes.append { if index < $0.fleet.sloClasses.count { change(&$0.fleet.sloClasses[index]) } }
            }
            ofClass { $0.timeout = nil }
            ofClass { $0.priority = 0 }
            ofClass { ($0.ttft, $0.tpot, $0.e2e) = (nil, nil, nil) }
            func ofPool(_ change: @escaping (inout PoolConfiguration) -> Void) {
                changes.append { if index < $0.fleet.pools.count { change(&$0.fleet.pools[index]) } }
            }
            ofPool { $0.profile.noise = 0 }
            ofPool {
                $0.profile.stepTime.decode = .init(constant: 1e8, perSequence: 0, perContextToken: 0)
                $0.profile.stepTime.mixed = .init(constant: 1e8, perPrefillToken: 0)
                $0.profile.stepTime.hostOverhead = 0
            }
            ofPool { $0.batcher.prefixCaching = false }
            ofPool { $0.batcher.maxBatchedTokens = 1_000 }
            ofPool { $0.batcher.totalBlocks = 10_000 }
            ofPool { $0.router = .leastOutstanding }
            ofPool { $0.maxWaitingPerReplica = 1_000 }
            ofPool { $0.replicasPerInstance = 1 }
            ofPool { $0.drainDeadline = .minutes(10) }
            ofPool { $0.initialReplicas = max($0.bounds.minimum, $0.initialReplicas - 1) }
            ofPool { $0.bounds.maximum = max($0.bounds.minimum, $0.initialReplicas, $0.bounds.maximum - 1) }
            ofPool { $0.coldStart.provision = .zero }
            ofPool { $0.coldStart.pull = .zero }
            ofPool { $0.coldStart.load = .zero }
            ofPool { $0.coldStart.warmUp = .zero }
        }
        return changes
    }

    /// Takes a static policy in place of another kind.
    private mutating func fix(replicas: Int?) {
        guard policy.policy != "static" else { return }
        let parameters = replicas.map { ["replicas": ParameterValue.number(Double($0))] } ?? [:]
        policy = PolicyChoice(label: "static", policy: "static", parameters: parameters)
    }

    /// The fleet in words, to play it by hand.
    var text: String {
        let control = fleet.control
        var lines = [
            "seed \(seed), start \(fleet.start), duration \(fleet.duration), plant × \(plantFactor), "
                + "stop after tick \(stopAfter.map(String.init) ?? "never"), \(fleet.tenants.count) tenants",
            "policy \(isWhimsical ? "whim" : policy.policy) \(policy.parameters.sorted { $0.key < $1.key })",
            "tick \(control.tick), scrape \(control.scrape), window \(control.window)", "\(limits)",
        ]
        for (index, sloClass) in fleet.sloClasses.enumerated() {
            lines.append(
                "class \(index): priority \(sloClass.priority), timeout \(span(sloClass.timeout)), "
                    + "ttft \(span(sloClass.ttft)), tpot \(span(sloClass.tpot)), e2e \(span(sloClass.e2e))")
        }
        for pool in fleet.pools {
            lines += [
                "pool \(pool.id): \(pool.initialReplicas) replicas of \(pool.bounds.minimum)...\(pool.bounds.maximum), "
                    + "\(pool.replicasPerInstance) per instance, \(pool.router.rawValue), "
                    + "\(pool.maxWaitingPerReplica) may wait, drain deadline \(pool.drainDeadline)",
                "  \(pool.batcher)", "  \(pool.coldStart)", "  \(pool.profile.stepTime), noise \(pool.profile.noise)",
            ]
        }
        for source in fleet.sources { lines.append("\(source)") }
        for request in requests {
            lines.append(
                "request to \(request.pool) at +\(request.offset.nanoseconds) ns: prompt \(request.prompt), "
                    + "output \(request.output), tenant \(request.tenant), class \(request.sloClass)")
        }
        return lines.joined(separator: "\n")
    }

    private func span(_ span: TimeSpan?) -> String { span.map { "\($0)" } ?? "none" }
}

private func with<Value>(_ value: Value, _ change: (inout Value) -> Void) -> Value {
    var copy = value
    change(&copy)
    return copy
}
