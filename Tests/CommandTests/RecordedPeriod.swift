import Control
import FleetModel
import Formats
import Foundation
import Scaling
import Store
import Units

/// Twelve minutes of a live plane in a folder of state, written as gateway, controller and pool write it.
///
/// A machine costs 0.1 USD an hour, so 36 seconds of it cost a million nanodollars, and every span here is whole in that:
///
/// | machine | period | cost, in millions | in steps | tenants served |
/// | --- | --- | --- | --- | --- |
/// | chat-i0, r0 | 0–360 s | 10 | half | app |
/// | chat-i0, r0 | 360–720 s | 10 | half | app and agents, the same weight of tokens |
/// | chat-i1, r1 | 72–360 s | 8 | 126 s of 288 s; starting 36 s | agents |
/// | chat-i1, r1 | 360–504 s, given back | 4 | half; draining a quarter | agents |
///
/// Of 40 requests 37 completed, two of them answered as a whole.
final class RecordedPeriod {
    static let ticks = 72

    /// What the controller of the period decides by, and how it keeps its journal.
    struct Control {
        var policy: any ScalingPolicy = StaticPolicy(parameters: .init(replicas: 2))
        /// Whether it only watches.
        var isShadow = false
        var isDaily = false
        var limits = GuardLimits()
        /// Of an hour before the period, with one tick and without limits of its own.
        var earlier: (any ScalingPolicy)?
    }

    let start: Instant
    let folder: String
    var journal: String { folder + "/journal.jsonl" }
    var ledgerPath: String { folder + "/gateway/ledger.sqlite" }
    var usagePath: String { folder + "/pools/chat/usage.jsonl" }
    private let pool = PoolID("chat")
    private static let offering = Offering(
        provider: "local", instanceType: "this-machine", zone: "here", capacityType: .onDemand)

    init(start: Instant = Instant("2026-11-02T10:30:00Z")!, _ control: Control = Control()) throws {
        self.start = start
        folder = FileManager.default.temporaryDirectory.appending(path: "report-\(UUID().uuidString)").path
        for part in ["gateway", "pools/chat"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
        }
        try writeUsage()
        let ledger = try UsageLedger(path: ledgerPath)
        try ledger.append(rows)
        try ledger.close()
        try writeJournal(control)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Runs `tidegate report` on it, into `out`.
    func report(_ arguments: String..., scenario: String = "laptop-burst") throws -> (text: String, code: Int32) {
        try report(arguments, scenario: scenario)
    }

    func report(_ arguments: [String], scenario: String = "laptop-burst") throws -> (text: String, code: Int32) {
        let path = Program.repository.appending(path: "Scenarios/\(scenario)").path
        return try Program.run(
            ["report", folder, "--scenario", path, "--output", folder + "/out", "--json", "--quiet"] + arguments)
    }

    func written(_ name: String) throws -> String {
        try String(contentsOfFile: "\(folder)/out/\(name)", encoding: .utf8)
    }

    var hasOutput: Bool { FileManager.default.fileExists(atPath: folder + "/out") }

    /// Writes the pool's state as it is while a machine is held.
    func holdMachine(since start: Instant) throws {
        struct State: Encodable { var machines: MachineBook }
        var book = MachineBook(pool: pool, offering: Self.offering, slots: 1, tenantCount: 2)
        _ = book.place(handedOver: start)
        let text = try JSONEncoder().encode(State(machines: book))
        try text.write(to: URL(filePath: folder + "/pools/chat/workers.json"))
    }

    func at(_ seconds: Int64) -> Instant { start + .seconds(seconds) }

    private func writeUsage() throws {
        var book = MachineBook(pool: pool, offering: Self.offering, slots: 1, tenantCount: 2)
        let (ready, load) = (ReplicaPhase.ready(since: start), ReplicaPhase.starting(.load, since: start))
        let draining = ReplicaPhase.draining(since: start, deadline: at(720))
        _ = book.place(handedOver: start)
        _ = book.place(handedOver: at(72))
        book.machines[0]!.tally.charge(.seconds(360), steps: .seconds(180), in: ready)
        book.machines[1]!.tally.charge(.seconds(36), steps: .zero, in: load)
        book.machines[1]!.tally.charge(.seconds(252), steps: .seconds(126), in: ready)
        let hour = book.closePeriod(at: at(360))
        book.machines[1]!.tally.charge(.seconds(108), steps: .seconds(72), in: ready)
        book.machines[1]!.tally.charge(.seconds(36), steps: .zero, in: draining)
        let givenBack = book.leave(1, at: at(504))!
        book.machines[0]!.tally.charge(.seconds(360), steps: .seconds(180), in: ready)
        for record in hour + [givenBack] + book.closePeriod(at: at(720)) {
            let replica = ReplicaID(record.instance == "chat-i0" ? 0 : 1)
            try MachineUsageFile.append([MachineUsage(record, replicas: [replica])], to: usagePath)
        }
    }

    private var rows: [UsageRow] {
        var rows: [UsageRow] = []
        for index in 0..<10 { rows.append(row("app", at: 30 + 30 * index, replica: 0)) }
        for index in 0..<5 {
            rows.append(row("app", at: 400 + 20 * index, replica: 0))
            rows.append(row("agents", at: 410 + 20 * index, replica: 0))
        }
        for index in 0..<10 { rows.append(row("agents", at: 120 + 20 * index, replica: 1)) }
        for index in 0..<5 { rows.append(row("agents", at: 370 + 10 * index, replica: 1)) }
        rows.append(row("app", at: 200, replica: 0, outcome: .timedOut, lasting: 60))
        rows.append(row("agents", at: 210, replica: nil, outcome: .failed))
        rows.append(row("app", at: 220, replica: 0, outcome: .clientGone))
        for (index, tenant) in ["app", "agents"].enumerated() {
            rows.append(row(tenant, at: 600 + 10 * index, replica: 0, isStreamed: false))
        }
        return rows
    }

    /// Tokens of both tenants weigh 500: 100 + 4 × 100, and 300 + 4 × 50.
    private func row(
        _ tenant: String, at seconds: Int, replica: Int?, outcome: UsageOutcome = .completed, lasting: Int64 = 2,
        isStreamed: Bool = true
    ) -> UsageRow {
        let arrived = at(Int64(seconds))
        let (prompt, output) = tenant == "app" ? (100, 100) : (300, 50)
        return UsageRow(
            request: "req-\(tenant)-\(seconds)-\(replica ?? -1)", tenant: tenant, pool: "chat",
            sloClass: "interactive", replica: replica, arrivedAt: arrived,
            firstTokenAt: isStreamed && outcome != .failed ? arrived + .milliseconds(300) : nil,
            endedAt: arrived + .seconds(lasting), promptTokens: outcome == .failed ? 0 : prompt,
            outputTokens: outcome == .failed ? 0 : output, outcome: outcome, cost: .zero, precharge: .zero)
    }

    private func writeJournal(_ control: Control) throws {
        if let earlier = control.earlier {
            var opened = try open(earlier, GuardLimits(), control)
            opened.loop.ingest(status(at: at(-3600), target: 1, generation: 0))
            try opened.journal.append(opened.loop.tick(at: at(-3600)), of: opened.loop)
        }
        var opened = try open(control.policy, control.limits, control)
        var target = 1
        var generation = 0
        for tick in 1...Self.ticks {
            let now = at(Int64(tick) * 10)
            opened.loop.ingest(status(at: now, target: target, generation: generation))
            let context = TickContext(epoch: 1, withheld: control.isShadow ? .shadow : nil)
            let record = opened.loop.tick(at: now, in: context)
            if !control.isShadow, let sent = record.targets.first {
                (target, generation) = (sent.replicas, sent.generation)
            }
            try opened.journal.append(record, of: opened.loop)
        }
    }

    private func open(
        _ policy: any ScalingPolicy, _ limits: GuardLimits, _ control: Control
    ) throws -> JournalAppender.Opened {
        let observed = ObservedPool(id: pool, bounds: ReplicaBounds(minimum: 1, maximum: 9))
        return try JournalAppender.open(
            path: journal, origin: "a test", policy: policy, limits: limits,
            observer: Observer(pools: [observed], window: .seconds(20), staleness: .seconds(20)),
            isDaily: control.isDaily)
    }

    private func status(at now: Instant, target: Int, generation: Int) -> PoolStatus {
        let isHeld = now > at(72) && now <= at(504)
        return PoolStatus(
            pool: pool, time: now, readyReplicas: isHeld ? [ReplicaID(0), ReplicaID(1)] : [ReplicaID(0)], starting: 0,
            draining: 0, appliedGeneration: generation, reachedGeneration: generation, target: target, offerings: [])
    }
}
