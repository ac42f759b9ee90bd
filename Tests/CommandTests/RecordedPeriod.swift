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
    static let start = Instant("2026-11-02T10:30:00Z")!
    static let end = start + .seconds(720)
    static let ticks = 72

    let folder: String
    var journal: String { folder + "/journal.jsonl" }
    var ledgerPath: String { folder + "/gateway/ledger.sqlite" }
    var usagePath: String { folder + "/pools/chat/usage.jsonl" }
    private let pool = PoolID("chat")
    private static let offering = Offering(
        provider: "local", instanceType: "this-machine", zone: "here", capacityType: .onDemand)

    /// - Parameter isShadow: Whether the controller only watches.
    init(isShadow: Bool = false) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "report-\(UUID().uuidString)").path
        for part in ["gateway", "pools/chat"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
        }
        try writeUsage()
        let ledger = try UsageLedger(path: ledgerPath)
        try ledger.append(Self.rows)
        try ledger.close()
        try writeJournal(isShadow: isShadow)
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

    static func at(_ seconds: Int64) -> Instant { start + .seconds(seconds) }

    private func writeUsage() throws {
        var book = MachineBook(pool: pool, offering: Self.offering, slots: 1, tenantCount: 2)
        let (ready, load) = (ReplicaPhase.ready(since: Self.start), ReplicaPhase.starting(.load, since: Self.start))
        let draining = ReplicaPhase.draining(since: Self.start, deadline: Self.end)
        _ = book.place(handedOver: Self.start)
        _ = book.place(handedOver: Self.at(72))
        book.machines[0]!.tally.charge(.seconds(360), steps: .seconds(180), in: ready)
        book.machines[1]!.tally.charge(.seconds(36), steps: .zero, in: load)
        book.machines[1]!.tally.charge(.seconds(252), steps: .seconds(126), in: ready)
        let hour = book.closePeriod(at: Self.at(360))
        book.machines[1]!.tally.charge(.seconds(108), steps: .seconds(72), in: ready)
        book.machines[1]!.tally.charge(.seconds(36), steps: .zero, in: draining)
        let givenBack = book.leave(1, at: Self.at(504))!
        book.machines[0]!.tally.charge(.seconds(360), steps: .seconds(180), in: ready)
        for record in hour + [givenBack] + book.closePeriod(at: Self.end) {
            let replica = ReplicaID(record.instance == "chat-i0" ? 0 : 1)
            try MachineUsageFile.append([MachineUsage(record, replicas: [replica])], to: usagePath)
        }
    }

    private static let rows: [UsageRow] = {
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
    }()

    /// Tokens of both tenants weigh 500: 100 + 4 × 100, and 300 + 4 × 50.
    private static func row(
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

    /// Writes the journal of another policy that was live ten minutes before.
    func writeEarlierJournal() throws {
        var opened = try open("\(folder)/journal.1.jsonl", replicas: 5)
        let record = opened.loop.tick(at: Self.at(-600), in: TickContext(epoch: 1))
        try opened.journal.append(record, of: opened.loop)
    }

    private func open(_ path: String, replicas: Int) throws -> JournalAppender.Opened {
        let observed = ObservedPool(id: pool, bounds: ReplicaBounds(minimum: 1, maximum: 9))
        return try JournalAppender.open(
            path: path, origin: "a test", policy: StaticPolicy(parameters: .init(replicas: replicas)),
            limits: GuardLimits(), observer: Observer(pools: [observed], window: .seconds(20), staleness: .seconds(20)))
    }

    private func writeJournal(isShadow: Bool) throws {
        var opened = try open(journal, replicas: 2)
        var target = 1
        var generation = 0
        for tick in 1...Self.ticks {
            let now = Self.at(Int64(tick) * 10)
            let isHeld = now > Self.at(72) && now <= Self.at(504)
            opened.loop.ingest(
                PoolStatus(
                    pool: pool, time: now, readyReplicas: isHeld ? [ReplicaID(0), ReplicaID(1)] : [ReplicaID(0)],
                    starting: 0, draining: 0, appliedGeneration: generation, reachedGeneration: generation,
                    target: target, offerings: []))
            let record = opened.loop.tick(at: now, in: TickContext(epoch: 1, withheld: isShadow ? .shadow : nil))
            if !isShadow, let sent = record.targets.first { (target, generation) = (sent.replicas, sent.generation) }
            try opened.journal.append(record, of: opened.loop)
        }
    }
}
