import Control
import EngineModel
import FleetModel
import Pricing
import Scaling
import Testing
import Units

@testable import Simulation

/// A simulation written down as a live plane would, and read back as a live period.
@Suite struct LivePeriodTests {
    private static let scenario = {
        var scenario = Fixture.scenario(rate: .steps(every: .minutes(3), values: [3, 9, 1]), timeout: .seconds(30))
        scenario.duration = .minutes(12)
        return scenario
    }()

    private struct Recording {
        var result: RunResult
        var ticks: [ControlRecord] = []
        var requests: [LiveRequest] = []
        var usage: [MachineUsage]
    }

    /// What gateway, controller and pool would have written.
    private func record() throws -> Recording {
        var scenario = Self.scenario
        scenario.pools[0].replicasPerInstance = 1
        scenario.pools[0].bounds = ReplicaBounds(minimum: 1, maximum: 4)
        let choice = PolicyChoice(
            label: "schedule", policy: "schedule",
            parameters: [
                "steps_by_pool": .map([
                    "toy": .list([
                        .map(["after": .text("0s"), "replicas": .number(4)]),
                        .map(["after": .text("6m"), "replicas": .number(2)]),
                    ])
                ])
            ])
        var options = RunOptions()
        let ticks = Kept<ControlRecord>()
        options.tap.tick = { record, _ in ticks.append(record) }
        var world = try FleetWorld(scenario, policy: choice, options: options)
        for index in world.pools.indices { world.pools[index].log = PoolLog() }
        world.run(progress: nil)
        let ends = world.pools[0].log!.ends
        let result = try world.result()
        // One replica to a machine, so the machine's number names it as well as its own would.
        func number(_ machine: String) -> Int { Int(machine.drop { $0 != "i" }.dropFirst())! }
        var recording = Recording(
            result: result, ticks: ticks.values,
            usage: result.usage.map { MachineUsage($0, replicas: [ReplicaID(number($0.instance))]) })
        for (end, machine) in ends where !end.outcome.isRejected && end.outcome != .unfinished {
            recording.requests.append(
                LiveRequest(
                    arrival: end.request.arrival, pool: 0, replica: machine.map(number), outcome: end.outcome,
                    firstToken: end.request.firstToken == .never ? nil : end.request.firstToken, ended: end.time))
        }
        return recording
    }

    private func period(
        _ recording: Recording, from: Instant? = nil, to: Instant? = nil
    ) throws -> RunResult {
        var scenario = Self.scenario
        scenario.pools[0].replicasPerInstance = 1
        let whole = recording.result
        var period = LivePeriod(
            scenario, from: from ?? whole.start, to: to ?? whole.start + whole.duration, usage: recording.usage)
        for tick in recording.ticks { period.take(tick) }
        for request in recording.requests { period.take(request) }
        return try period.result(policy: "schedule", file: whole.policyFile, record: LiveRecord(sources: []))
    }

    @Test func `a simulation that was written down comes back as itself`() throws {
        let recording = try record()
        let (whole, live) = (recording.result, try period(recording))
        #expect(live.bill == whole.bill && live.usage == whole.usage && !whole.usage.isEmpty)
        #expect(live.tenants.map(\.outputTokens) == whole.tenants.map(\.outputTokens))
        #expect(live.tenants.map(\.met) == whole.tenants.map(\.met))
        #expect(live.outcomes.completed == whole.outcomes.completed && live.outcomes.failed == whole.outcomes.failed)
        for share in [0.01, 0.5, 0.99] {
            #expect(live.ttft.quantile(share) == whole.ttft.quantile(share))
            #expect(live.tpot.quantile(share) == whole.tpot.quantile(share))
            #expect(live.e2e.quantile(share) == whole.e2e.quantile(share))
        }
        #expect(live.decisions == whole.decisions && live.scaling == whole.scaling && whole.scaling.changes == 2)
        #expect(live.pools[0].maxReplicas == whole.pools[0].maxReplicas)
        #expect(abs(live.pools[0].meanReplicas - whole.pools[0].meanReplicas) < 1e-9)
        #expect(live.sojournNanoseconds == live.requestNanoseconds)
        #expect(live.timeline.map(\.completed).reduce(0, +) == whole.timeline.map(\.completed).reduce(0, +))
        // The live row of the last tick goes on to the end. What a tick changes is seen at the next one.
        var changed = 0
        for (a, b) in zip(live.timeline.dropLast(), whole.timeline) {
            #expect((a.time, a.span, a.arrived, a.target) == (b.time, b.span, b.arrived, b.target))
            #expect((a.completed, a.met, a.firstTokens, a.ttftMax) == (b.completed, b.met, b.firstTokens, b.ttftMax))
            let isSame = (a.ready, a.starting, a.draining, a.costRate) == (b.ready, b.starting, b.draining, b.costRate)
            changed += isSame ? 0 : 1
        }
        #expect(changed <= 2 && live.timeline.count == whole.timeline.count - 1)
        for row in live.timeline {
            #expect(row.rejected == nil && row.utilization == nil && row.outputTokensOffered == nil)
        }
        #expect(live.warnings.isEmpty)
    }

    @Test(arguments: [1, 100_000_000_001, 401_234_567_891])
    func `two parts of a period cost what the whole does, but for the rounding of their lines`(after: Int64) throws {
        let recording = try record()
        let whole = try period(recording)
        let cut = whole.start + TimeSpan(nanoseconds: after)
        let parts = try [period(recording, to: cut), period(recording, from: cut)]
        let total = parts[0].bill.total + parts[1].bill.total
        // By the second, so that the second of the cut is charged once, in the part where it begins.
        #expect(abs(total.nanodollars - whole.bill.total.nanodollars) <= Int64(whole.bill.lines.count))
        #expect(parts[0].outcomes.arrived + parts[1].outcomes.arrived == whole.outcomes.arrived)
        for tenant in 0..<2 {
            func tokens(_ run: RunResult) -> Int64 { run.usage.map { $0.outputTokens[tenant] }.reduce(0, +) }
            #expect(tokens(parts[0]) + tokens(parts[1]) == tokens(whole))
        }
        for part in parts { #expect(part.bill.split.total == part.bill.total) }
    }

    @Test func `a folder that was used again has machines of the same name, told apart`() throws {
        var recording = try record()
        let later = TimeSpan.hours(2)
        recording.usage += recording.usage.map { machine in
            var copy = machine
            copy.record.launched += later
            copy.record.start += later
            copy.record.end += later
            return copy
        }
        let end = recording.result.start + later + recording.result.duration
        let live = try period(recording, to: end)
        #expect(live.bill.total.nanodollars == 2 * recording.result.bill.total.nanodollars)
        #expect(Set(live.usage.map(\.instance)).count == 2 * Set(recording.result.usage.map(\.instance)).count)
        #expect(live.warnings.contains { $0.hasPrefix("no tick was written for 2h") })
    }

    @Test func `usage that does not say who stood on a machine is on no tenant's account`() throws {
        var recording = try record()
        for index in recording.usage.indices { recording.usage[index].replicas = nil }
        let live = try period(recording)
        #expect(live.bill.total == recording.result.bill.total)
        #expect(live.bill.split.tenants.allSatisfy { $0 == .zero } && live.bill.split[.unattributed] > .zero)
        #expect(live.warnings.count == 2)
    }
}

/// What a closure that may run anywhere has heard.
private final class Kept<Value: Sendable>: @unchecked Sendable {
    // One run tells of its ticks one after the other.
    private(set) var values: [Value] = []
    func append(_ value: Value) { values.append(value) }
}
