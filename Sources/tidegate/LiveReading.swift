import Control
import FleetModel
import Formats
import Foundation
import Pricing
import Reporting
import Scaling
import Simulation
import Store
import Units

/// Reads the records of a live plane and makes a report's content of them.
struct LiveReading {
    private let folder: LiveStateFolder
    private var scenario: Scenario
    private let from: Instant?
    private let to: Instant?
    /// Those that reach into the period; the last one where none does.
    private let journals: [String]
    /// Of all files, as they were written.
    private var usage: [MachineUsage] = []
    private var sources: [LiveRecord.Source] = []
    private var warnings: [String] = []

    /// Reads what machines were used for, and which pools there were.
    ///
    /// - Parameters:
    ///   - from: Where the period begins; `nil` for where anything was billed first.
    ///   - to: Where it ends; `nil` for where anything was billed last.
    /// - Throws: `InputError`, `JournalError`, and a `LiveReadingError` when the records are not of this scenario.
    init(folder: LiveStateFolder, scenario: Scenario, from: Instant?, to: Instant?) throws {
        (self.folder, self.from, self.to) = (folder, from, to)
        self.scenario = scenario
        let begun = try Self.firstTicks(of: folder).reaching(from: from, to: to)
        journals = begun.isEmpty ? [folder.journals.last!] : begun.map(\.journal)
        var named: [(pool: PoolID, file: String)] = []
        for first in begun {
            for pool in first.pools where !named.contains(where: { $0.pool == pool }) {
                named.append((pool, first.journal))
            }
        }
        var billed: [PoolID] = []
        for (pool, file) in folder.usage {
            let records = try MachineUsageFile.read(path: folder.file(file))
            usage += records
            // A pool that had ended before, or began later, needs no place in the scenario.
            guard records.isEmpty || records.contains(where: { $0.record.reaches(from: from, to: to) }) else {
                continue
            }
            billed.append(PoolID(pool))
            named.append((PoolID(pool), file))
        }
        for (pool, file) in named where !scenario.pools.contains(where: { $0.id == pool }) {
            throw LiveReadingError.unknown("pool", pool.name, file: folder.file(file), scenario: scenario.name)
        }
        self.scenario.pools.removeAll { pool in !named.contains { $0.pool == pool.id } }
        for pool in self.scenario.pools where !billed.contains(pool.id) {
            warnings.append(
                "pool '\(pool.id)' has no record of machines and is in no bill: who rents them out bills what a command or "
                    + "Kubernetes resizes")
        }
    }

    private static func firstTicks(of folder: LiveStateFolder) throws -> [FirstTick] {
        var firsts: [FirstTick] = []
        for journal in folder.journals {
            _ = try JournalVerification.records(path: folder.file(journal)) { record in
                firsts.append(
                    FirstTick(journal: journal, time: record.time, pools: record.observation.pools.map(\.pool)))
                return false
            }
        }
        return firsts
    }

    /// Reads ledger and journal.
    ///
    /// - Throws: Besides what reading throws, a `LiveReadingError` when nothing was recorded in the period.
    mutating func content(command: String, console: Console) throws -> ReportContent {
        let (start, end) = try bounds()
        var period = LivePeriod(scenario, from: start, to: end, usage: usage)
        guard !period.usage.isEmpty else { throw nothing(from: start, to: end) }
        noteFiles(period)
        tellOfOpenMachines(before: end)
        console.say("reading \(folder.ledger)")
        try readLedger(into: &period, from: start, to: end)
        let policy = try readJournals(into: &period, from: start, to: end, console)
        period.warnings = warnings
        do throws(PricingError) {
            let result = try period.result(
                policy: label(of: policy), file: policy, record: LiveRecord(sources: sources))
            return ReportContent(
                scenario: scenario, result: result, version: Version.current, command: command,
                leftOut: ReportContent.liveLimits)
        } catch {
            throw LiveReadingError.pricing(error)
        }
    }

    /// As asked for; what was billed where nothing was.
    private func bounds() throws(LiveReadingError) -> (Instant, Instant) {
        let first = from ?? usage.map(\.record.start).min()
        let last = to ?? usage.map(\.record.end).max()
        guard let first, let last else {
            throw .noUsage(folder: folder.path, open: folder.openMachines.map(\.periodStart).min())
        }
        guard first < last else { throw nothing(from: first, to: last) }
        return (first, last)
    }

    private func nothing(from start: Instant, to end: Instant) -> LiveReadingError {
        let known = usage.map(\.record)
        guard let first = known.map(\.start).min(), let last = known.map(\.end).max() else {
            return .noUsage(folder: folder.path, open: folder.openMachines.map(\.periodStart).min())
        }
        return .nothing(folder: folder.path, from: start, to: end, first: first, last: last)
    }

    private mutating func noteFiles(_ period: LivePeriod) {
        for (pool, file) in folder.usage {
            let records = period.usage.count { $0.record.pool.name == pool }
            let digest = FileManager.default.contents(atPath: folder.file(file)).map { Digest(of: $0).hexadecimal }
            sources.append(LiveRecord.Source(name: file, records: records, hash: digest))
        }
    }

    private mutating func tellOfOpenMachines(before end: Instant) {
        let open = folder.openMachines.filter { $0.periodStart < end }
        guard let first = open.map(\.periodStart).min() else { return }
        warnings.append(
            "the charge periods of \(open.count) machines go on since \(first): what they cost from then on is in no record yet"
        )
    }

    // MARK: - Requests

    private mutating func readLedger(
        into period: inout LivePeriod, from start: Instant, to end: Instant
    ) throws {
        let path = folder.file(folder.ledger)
        let names = LedgerNames(scenario)
        let ledger = try UsageLedger(reading: path)
        var unknown: (String, String)?
        try ledger.forEachRow(from: start, to: end) { row in
            switch names.request(row) {
            case .request(let request): period.take(request)
            case .unknown(let kind, let name): unknown = unknown ?? (kind, name)
            }
        }
        try ledger.close()
        if let (kind, name) = unknown {
            throw LiveReadingError.unknown(kind, name, file: path, scenario: scenario.name)
        }
        sources.append(LiveRecord.Source(name: folder.ledger, records: period.requestCount, hash: nil))
    }

    // MARK: - Decisions

    /// - Returns: The policy that was live last in the period.
    private mutating func readJournals(
        into period: inout LivePeriod, from start: Instant, to end: Instant, _ console: Console
    ) throws -> PolicyFile {
        var before: JournalSummary?
        /// Of the journals with ticks in the period, where policy or limits are others than before.
        var headers: [JournalHeader] = []
        for journal in journals {
            console.say("reading \(journal)")
            let known = period.tickCount
            let summary = try JournalVerification.records(path: folder.file(journal)) { record in
                period.take(record)
                return true
            }
            let taken = period.tickCount - known
            sources.append(LiveRecord.Source(name: journal, records: taken, hash: summary.hash))
            if let before, !summary.header.origin.contains(before.hash) {
                warnings.append("\(journal) does not name the last hash of the journal before it")
            }
            before = summary
            let header = summary.header
            if taken > 0, headers.last.map({ $0.policy != header.policy || $0.limits != header.limits }) ?? true {
                headers.append(header)
            }
        }
        if headers.count > 1 {
            let names = headers.map { "\($0.policy.name) (\($0.policy.digest.prefix(12)))" }
                .joined(separator: ", then ")
            warnings.append("the policy or its limits changed in this period: \(names); the last is shown")
        }
        return (headers.last ?? before!.header).policy
    }

    /// What the scenario calls the policy; its own name where the scenario has another.
    private func label(of file: PolicyFile) -> String {
        let choice = scenario.policies.first { choice in
            guard let policy = try? scenario.policy(choice) else { return false }
            return (try? PolicyFile(policy))?.digest == file.digest
        }
        return choice?.label ?? file.name
    }
}

/// A journal's first tick.
private struct FirstTick {
    var journal: String
    var time: Instant
    var pools: [PoolID]
}

extension [FirstTick] {
    /// Those of journals that reach into a period: each goes to the first tick of the next.
    fileprivate func reaching(from: Instant?, to: Instant?) -> [FirstTick] {
        indices.filter { index in
            if let to, self[index].time > to { return false }
            guard let from, index + 1 < count else { return true }
            return self[index + 1].time > from
        }.map { self[$0] }
    }
}

extension UsageRecord {
    fileprivate func reaches(from: Instant?, to: Instant?) -> Bool {
        (to.map { start < $0 } ?? true) && (from.map { end > $0 } ?? true)
    }
}

/// Names of a scenario as a ledger has them, with their indices.
private struct LedgerNames {
    private let pools: [String: Int]
    private let tenants: [String: Int]
    private let classes: [String: Int]

    init(_ scenario: Scenario) {
        func index(_ names: [String]) -> [String: Int] {
            Dictionary(names.enumerated().map { ($1, $0) }) { first, _ in first }
        }
        pools = index(scenario.pools.map(\.id.name))
        tenants = index(scenario.tenants.map(\.name))
        classes = index(scenario.sloClasses.map(\.name))
    }

    enum Found {
        case request(LiveRequest)
        /// What is in the ledger and not in the scenario: its kind, and its name.
        case unknown(String, String)
    }

    func request(_ row: UsageRow) -> Found {
        guard let pool = pools[row.pool] else { return .unknown("pool", row.pool) }
        guard let tenant = tenants[row.tenant] else { return .unknown("tenant", row.tenant) }
        guard let sloClass = classes[row.sloClass] else { return .unknown("SLO class", row.sloClass) }
        return .request(
            LiveRequest(
                arrival: Arrival(
                    time: row.arrivedAt, promptTokens: Int32(clamping: row.promptTokens),
                    outputTokens: Int32(clamping: row.outputTokens), tenant: Int32(tenant), sloClass: Int32(sloClass)),
                pool: pool, replica: row.replica, outcome: row.outcome.simulated, firstToken: row.firstTokenAt,
                ended: row.endedAt))
    }
}

extension UsageOutcome {
    /// The outcome that a simulation has for it; `nil` when it has none.
    fileprivate var simulated: RequestOutcome? {
        switch self {
        case .completed: .completed
        case .timedOut: .failedTimeout
        case .replicaLost: .failedReplicaLost
        case .clientGone, .refusedByWorker, .failed: nil
        }
    }
}

/// Why records of a live plane make no report.
enum LiveReadingError: Error, CustomStringConvertible {
    /// A pool, tenant or class that the scenario does not have.
    case unknown(String, String, file: String, scenario: String)
    case pricing(PricingError)
    /// No charge period has ended yet; since when machines are held, where some are.
    case noUsage(folder: String, open: Instant?)
    case nothing(folder: String, from: Instant, to: Instant, first: Instant, last: Instant)

    /// Whether something is not there, rather than wrong.
    var isAbsence: Bool {
        switch self {
        case .unknown, .pricing: false
        case .noUsage, .nothing: true
        }
    }

    var description: String {
        switch self {
        case .unknown(let kind, let name, let file, let scenario):
            "\(file): error: \(kind) '\(name)' is not in the scenario '\(scenario)'\n    name the scenario that was live"
        case .pricing(let error): "error: \(error)"
        case .noUsage(let folder, let open?):
            "\(folder): error: no charge period has ended yet: machines are held since \(open)\n"
                + "    their usage is written at the next full hour of UTC, and when they are given back"
        case .noUsage(let folder, nil):
            "\(folder): error: there is no usage of machines to bill (pools/POOL/usage.jsonl)\n"
                + "    pools of local processes write it; who rents machines out bills those of a command or of Kubernetes"
        case .nothing(let folder, let from, let to, let first, let last):
            "\(folder): error: no machine was held from \(from) to \(to)\n    usage is recorded from \(first) to \(last)"
        }
    }
}
