import Control
import FleetModel
import Formats
import Foundation
import Scaling
import Store
import Testing
import Units

@Suite struct ReportCommandTests {
    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
    }

    private func leaf(_ object: [String: Any], _ keys: String...) -> Any? {
        keys.reduce(object as Any?) { ($0 as? [String: Any])?[$1] }
    }

    private func usd(_ value: Any?) -> USD? { (value as? String).flatMap { USD($0) } }

    /// Rows of a table whose fields need no quotes, by column.
    private func table(_ text: String) -> [[String: Substring]] {
        let lines = text.split(whereSeparator: \.isNewline).map {
            $0.split(separator: ",", omittingEmptySubsequences: false)
        }
        return lines.dropFirst().map { fields in
            Dictionary(zip(lines[0].map(String.init), fields)) { first, _ in first }
        }
    }

    private func sum(_ rows: [[String: Substring]], _ column: String) -> Int {
        var sum = 0
        for row in rows { sum += row[column].flatMap { Int($0) } ?? 0 }
        return sum
    }

    @Test func `a period is billed to the nanodollar, and tenants pay by the tokens they were served`() throws {
        let period = try RecordedPeriod()
        // A gateway that still writes.
        let gateway = try UsageLedger(path: period.ledgerPath)
        let (text, code) = try period.report()
        #expect(code == 0, "\(text)")
        let summary = try object(text)
        #expect(usd(leaf(summary, "cost", "total_usd")) == USD(nanodollars: 32_000_000))
        #expect(usd(leaf(summary, "cost", "by_tenant", "app")) == USD(nanodollars: 7_500_000))
        #expect(usd(leaf(summary, "cost", "by_tenant", "agents")) == USD(nanodollars: 8_000_000))
        #expect(usd(leaf(summary, "cost", "overhead_usd")) == USD(nanodollars: 16_500_000))

        let bill = table(try period.written("bill.csv").replacing(#/"[^"]*"/#, with: ""))
        let billed: [USD] = bill.compactMap { USD(String($0["BilledCost"]!)) }
        #expect(billed.reduce(.zero, +) == USD(nanodollars: 32_000_000) && billed.count == bill.count)
        #expect(sum(bill, "x_OutputTokens") == 16 * 100 + 21 * 50)
        #expect(sum(bill, "x_Requests") == 39)
        let invoices: Set<Substring> = Set(bill.compactMap { $0["InvoiceId"] })
        #expect(invoices == ["laptop-burst/live/2026-11-02T10:30:00Z"])

        #expect(try gateway.rows(from: .epoch, to: .never).count == 40)
        try gateway.close()
    }

    @Test func `requests and levels are those recorded, and what nobody measured is empty, not zero`() throws {
        let period = try RecordedPeriod()
        let (text, code) = try period.report()
        #expect(code == 0, "\(text)")
        let summary = try object(text)
        for (key, count) in [("arrived", 40), ("completed", 37), ("failed", 3)] {
            #expect(leaf(summary, "requests", key) as? Int == count, "\(key)")
        }
        for (key, inner) in ["requests": "rejected", "itl_ms": "p50", "queue_wait_ms": "mean"] {
            #expect(leaf(summary, key, inner) is NSNull, "\(key)")
        }
        #expect(leaf(summary, "requests", "unfinished") is NSNull)
        #expect(summary["preemptions"] is NSNull && summary["seed"] == nil && summary["simulated_seconds"] == nil)
        #expect(summary["period_seconds"] as? Double == 720)
        // chat-i0 was held all the time, chat-i1 from 72 s to 504 s.
        let means: [String: Double] = ["ttft_ms": 300, "e2e_ms": 2000, "replicas": Double(720 + 432) / 720]
        for (key, mean) in means {
            let found = leaf(summary, key, "mean") as? Double ?? .nan
            #expect(abs(found - mean) < 1e-6, "\(key)")
        }
        #expect(leaf(summary, "replicas", "max") as? Int == 2)
        #expect(leaf(summary, "scaling", "decisions") as? Int == RecordedPeriod.ticks)
        #expect(leaf(summary, "scaling", "changes") as? Int == 1)

        let rows = table(try period.written("timeline.csv"))
        #expect(rows.count == RecordedPeriod.ticks)
        let sums = ["arrived_requests": 40, "completed_requests": 37, "failed_requests": 3, "first_tokens": 37]
        for (column, sum) in sums {
            #expect(self.sum(rows, column) == sum, "\(column)")
        }
        for column in ["rejected_requests", "offered_output_tokens", "utilization_ratio", "queue_depth_requests"] {
            #expect(rows.allSatisfy { $0[column] == "" }, "\(column)")
        }
        let ready: [Substring?] = rows.map { $0["ready_replicas"] }
        #expect(ready[6] == "1" && ready[7] == "2" && ready.last == "1")
        let rates: Set<Substring> = Set(rows.compactMap { $0["cost_rate_usd_per_hour"] })
        #expect(rates == ["0.10", "0.20"])

        let page = try period.written("report.html")
        let policy = try object(try period.written("policy.json"))
        #expect(page.contains(try #require(policy["digest"] as? String)))
        for words in ["not measured", "have no first token", "2026-11-02 10:30:10", "1 → 2", "gateway/ledger.sqlite"] {
            #expect(page.contains(words), "\(words)")
        }
        #expect(!page.contains("Seed") && page.firstMatch(of: #/\b(nan|inf)\b/#) == nil)
    }

    @Test func `a shorter period is billed by its own time, and its parts are the whole`() throws {
        let period = try RecordedPeriod()
        func total(_ from: Int64, _ to: Int64) throws -> USD? {
            let (text, code) = try period.report(
                "--from", "\(period.at(from))", "--to", "\(period.at(to))")
            #expect(code == 0, "\(text)")
            return usd(leaf(try object(text), "cost", "total_usd"))
        }
        #expect(try total(144, 612) == USD(nanodollars: 23_000_000))
        #expect(try period.written("report.html").contains("charge periods of machines reach beyond this period"))
        // Four requests of app and two of agents came before.
        let summary = try object(try period.written("summary.json"))
        #expect(leaf(summary, "requests", "arrived") as? Int == 40 - 4 - 2)
        let parts = [try total(0, 144), try total(144, 612), try total(612, 720)].compactMap { $0 }
        #expect(parts.reduce(.zero, +) == USD(nanodollars: 32_000_000) && parts.count == 3)
    }

    @Test func `a controller that only watches is told as one`() throws {
        let period = try RecordedPeriod(.init(isShadow: true))
        let (text, code) = try period.report()
        #expect(code == 0, "\(text)")
        let summary = try object(text)
        #expect(leaf(summary, "scaling", "changes") as? Int == 0)
        #expect((summary["warnings"] as? [String])?.contains { $0.hasPrefix("in 72 of 72 ticks") } == true)
        let page = try period.written("report.html")
        #expect(page.contains("1 → 1 (wanted 2)") && page.contains("not done: the controller only watches"))
    }

    @Test func `machines whose charge period goes on are told of`() throws {
        let period = try RecordedPeriod()
        try period.holdMachine(since: period.at(700))
        let (text, code) = try period.report()
        #expect(code == 0, "\(text)")
        let warnings = try #require(try object(text)["warnings"] as? [String])
        #expect(warnings.contains { $0.hasPrefix("the charge periods of 1 machines go on since 2026-11-02T10:41:40Z") })
    }

    @Test func `a line that is being written is left out`() throws {
        let period = try RecordedPeriod()
        for path in [period.journal, period.usagePath] {
            let whole = try String(contentsOfFile: path, encoding: .utf8)
            let last = whole.split(separator: "\n").last!
            try (whole + last.dropLast(40)).write(toFile: path, atomically: false, encoding: .utf8)
        }
        let (text, code) = try period.report()
        #expect(code == 0, "\(text)")
        #expect(usd(leaf(try object(text), "cost", "total_usd")) == USD(nanodollars: 32_000_000))
    }

    @Test(arguments: [1, 2, 40, 73])
    func `one byte of the journal that is another is found at its line, and nothing is written`(line: Int) throws {
        let period = try RecordedPeriod()
        var lines = try String(contentsOfFile: period.journal, encoding: .utf8).split(separator: "\n").map(String.init)
        var bytes = Array(lines[line - 1].utf8)
        let digit = try #require(bytes.lastIndex { (48...57).contains($0) })
        bytes[digit] = bytes[digit] == 49 ? 50 : 49
        lines[line - 1] = String(decoding: bytes, as: UTF8.self)
        try (lines.joined(separator: "\n") + "\n").write(toFile: period.journal, atomically: false, encoding: .utf8)
        let (text, code) = try period.report()
        #expect(code == 65 && text.contains("journal.jsonl:\(line): error: "), "\(text)")
        #expect(!period.hasOutput)
    }

    @Test func `verify takes a folder of state, whose journals must follow one another`() throws {
        let period = try RecordedPeriod()
        func verify(_ path: String) throws -> (text: String, code: Int32) { try Program.run(["verify", path]) }
        let whole = try verify(period.folder)
        #expect(whole.code == 0 && whole.text.contains("\(period.folder): verified: 72 ticks in 1 file\n"), "\(whole)")
        // Put aside under a number, it is before the other, which does not go on after it.
        try FileManager.default.copyItem(atPath: period.journal, toPath: period.folder + "/journal.1.jsonl")
        let twice = try verify(period.folder)
        #expect(twice.code == 65 && twice.text.contains("/journal.jsonl:1: error: the chain is broken"), "\(twice)")
        let none = try verify(period.folder + "/pools")
        #expect(none.code == 66 && none.text.contains("there is no journal.jsonl in this folder"), "\(none)")
    }

    // MARK: - Journals of several files

    /// Midnight is in its middle, at the end of a charge period: 18 million nanodollars before it, 14 after.
    private func overMidnight(isDaily: Bool) throws -> RecordedPeriod {
        let steps = [
            SchedulePolicy.Step(after: .zero, replicas: 2), SchedulePolicy.Step(after: .seconds(400), replicas: 3),
        ]
        let policy = SchedulePolicy(parameters: .init(stepsByPool: ["chat": steps]))
        return try RecordedPeriod(
            start: Instant("2026-11-02T23:54:00Z")!, .init(policy: policy, isDaily: isDaily))
    }

    /// What `live` of a summary lists of the journals: their names and how many ticks were taken of each.
    private func journals(_ summary: [String: Any]) -> [String: Int] {
        let sources = summary["live"] as? [[String: Any]] ?? []
        let pairs = sources.compactMap { source -> (String, Int)? in
            guard let file = source["file"] as? String, file.hasPrefix("journal") else { return nil }
            return (file, source["records"] as? Int ?? -1)
        }
        return Dictionary(pairs) { first, _ in first }
    }

    @Test func `a period of two days has the report that it would have from one journal`() throws {
        let (daily, single) = (try overMidnight(isDaily: true), try overMidnight(isDaily: false))
        var summaries: [Data] = []
        let files = [["journal.1.jsonl": 36, "journal.jsonl": 36], ["journal.jsonl": 72]]
        for (period, files) in zip([daily, single], files) {
            let (text, code) = try period.report()
            #expect(code == 0, "\(text)")
            var summary = try object(text)
            #expect(journals(summary) == files)
            summary["live"] = nil
            summaries.append(try JSONSerialization.data(withJSONObject: summary, options: .sortedKeys))
        }
        #expect(summaries[0] == summaries[1])
        for name in ["bill.csv", "timeline.csv", "policy.json"] {
            #expect(try daily.written(name) == single.written(name), "\(name)")
        }
        let page = try daily.written("report.html")
        for words in ["2026-11-02 23:54:10", "1 → 2", "2026-11-03 00:00:50", "2 → 3", "journal.1.jsonl"] {
            #expect(page.contains(words), "\(words)")
        }
        #expect(!page.contains("does not name the last hash"))
    }

    @Test func `each of two days is reported by itself, and they cost what both do`() throws {
        let period = try overMidnight(isDaily: true)
        let days = [("2026-11-02", "2026-11-03", 18), ("2026-11-03", "2026-11-04", 14)]
        var requests = 0
        for (from, to, millions) in days {
            let (text, code) = try period.report("--from", from, "--to", to)
            #expect(code == 0, "\(text)")
            let summary = try object(text)
            #expect(usd(leaf(summary, "cost", "total_usd")) == USD(nanodollars: Int64(millions) * 1_000_000))
            #expect(leaf(summary, "scaling", "changes") as? Int == 1)
            requests += leaf(summary, "requests", "arrived") as? Int ?? 0
        }
        #expect(requests == 40)
    }

    @Test func `a controller that died between the two names of its journal leaves a report`() throws {
        let period = try overMidnight(isDaily: true)
        try FileManager.default.moveItem(atPath: period.journal, toPath: period.folder + "/journal.2.jsonl")
        let (text, code) = try period.report()
        #expect(code == 0, "\(text)")
        let summary = try object(text)
        #expect(journals(summary) == ["journal.1.jsonl": 36, "journal.2.jsonl": 36])
        #expect(usd(leaf(summary, "cost", "total_usd")) == USD(nanodollars: 32_000_000))
    }

    @Test(arguments: [5, 2])
    func `a policy or limits that others replaced before the period are no change in it`(replicas: Int) throws {
        // Of two replicas as in the period, where only the limits differ.
        let limits = replicas == 2 ? GuardLimits(maximumAdded: 3) : GuardLimits()
        let period = try RecordedPeriod(
            .init(limits: limits, earlier: StaticPolicy(parameters: .init(replicas: replicas))))
        func isTold(_ arguments: String...) throws -> Bool? {
            let (text, code) = try period.report(arguments)
            #expect(code == 0, "\(text)")
            let warnings = try object(text)["warnings"] as? [String]
            return warnings?.contains { $0.hasPrefix("the policy or its limits changed") }
        }
        #expect(try isTold() == false)
        #expect(try isTold("--from", "\(period.at(-7200))") == true)
    }

    @Test func `a pool that had ended before the period needs no place in the scenario`() throws {
        let period = try overMidnight(isDaily: true)
        let lines = try String(contentsOfFile: period.usagePath, encoding: .utf8).split(separator: "\n")
        let old = period.folder + "/pools/old"
        try FileManager.default.createDirectory(atPath: old, withIntermediateDirectories: true)
        // It stood on a machine up to midnight.
        let line = lines[0].replacing("\"chat\"", with: "\"old\"").replacing("chat-i0", with: "old-i0") + "\n"
        try line.write(toFile: old + "/usage.jsonl", atomically: false, encoding: .utf8)
        let whole = try period.report()
        #expect(whole.code == 65 && whole.text.contains("pool 'old' is not in the scenario"), "\(whole)")
        let (text, code) = try period.report("--from", "2026-11-03")
        #expect(code == 0, "\(text)")
        #expect(usd(leaf(try object(text), "cost", "total_usd")) == USD(nanodollars: 14_000_000))
    }

    @Test func `records that are missing, broken or of another scenario are errors that say so`() throws {
        let period = try RecordedPeriod()
        func expect(_ code: Int32, _ words: String, _ arguments: String..., scenario: String = "laptop-burst") throws {
            let path = Program.repository.appending(path: "Scenarios/\(scenario)").path
            let found = try Program.run(
                ["report", period.folder, "--scenario", path, "--output", period.folder + "/out"] + arguments)
            #expect(found.code == code && found.text.contains(words), "\(found)")
            #expect(!period.hasOutput)
        }
        try expect(66, "no machine was held from 2026-11-03T00:00:00Z", "--from", "2026-11-03", "--to", "2026-11-04")
        try expect(64, "is not before", "--from", "2026-11-03", "--to", "2026-11-02")
        try expect(65, "pool 'chat' is not in the scenario 'laptop'", scenario: "laptop")

        let usage = try String(contentsOfFile: period.usagePath, encoding: .utf8)
        try ("{\"instance\":7}\n" + usage).write(toFile: period.usagePath, atomically: false, encoding: .utf8)
        try expect(65, "usage.jsonl:1:1: error: line '{\"instance\":7}' is not a usage record")
        try usage.replacing("this-machine", with: "that-machine")
            .write(toFile: period.usagePath, atomically: false, encoding: .utf8)
        try expect(65, "'local that-machine here on-demand' is priced in no price book")
        try usage.write(toFile: period.usagePath, atomically: false, encoding: .utf8)

        let ledger = try UsageLedger(path: period.ledgerPath)
        var row = try #require(ledger.rows(from: .epoch, to: .never).first)
        (row.request, row.tenant) = ("another", "who<script>")
        try ledger.append([row])
        try ledger.close()
        try expect(65, "tenant 'who<script>' is not in the scenario 'laptop-burst'")
        try FileManager.default.removeItem(atPath: period.ledgerPath)
        try expect(66, "there is no ledger.sqlite in this folder of state")
        try "no database".write(toFile: period.ledgerPath, atomically: false, encoding: .utf8)
        try expect(65, "this is no store of tidegate, or it is damaged")
        try FileManager.default.removeItem(atPath: period.usagePath)
        try expect(66, "there is no usage of machines to bill")
        try period.holdMachine(since: period.at(36))
        try expect(66, "no charge period has ended yet: machines are held since 2026-11-02T10:30:36Z")
        try FileManager.default.removeItem(atPath: period.journal)
        try expect(66, "there is no journal.jsonl in this folder of state")
    }
}
