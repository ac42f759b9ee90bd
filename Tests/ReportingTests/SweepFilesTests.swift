import Foundation
import Simulation
import Testing

@testable import Formats
@testable import Reporting
@testable import Studies

@Suite struct SweepFilesTests {
    private static func plan(replications: Int) -> SweepPlan {
        SweepPlan(
            scenario: .init(name: "two-pools", path: "../two-pools", files: Fixture.scenario.files), design: "grid",
            seed: 7, replications: replications, varied: "arrivals", policies: ["hpa"],
            fields: [.init(path: "tenants.<b>", range: "1..2")], points: [["1"], ["2"]], version: "0.1.0")
    }

    private static func outcomes(_ replications: Int) -> [SweepOutcome] {
        [SweepOutcome(Array(Fixture.runs.prefix(replications)))]
    }

    private func folder(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "sweep-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test func `a result is verified before it counts as done`() throws {
        try folder { path in
            let plan = Self.plan(replications: 1)
            let results = SweepResultFolder(path: path, plan: plan, planDigest: "p")
            guard case .missing = results.state(of: 0) else {
                Issue.record("nothing is there yet")
                return
            }
            try results.write(Self.outcomes(1), of: 0)
            guard case .done(let result) = results.state(of: 0) else {
                Issue.record("\(results.state(of: 0))")
                return
            }
            #expect(result.point == 0 && result.values == ["1"])
            let file = path + "/point-000000.json"
            let bytes = try Data(contentsOf: URL(filePath: file))

            func reason(_ results: SweepResultFolder, _ point: Int) -> String? {
                if case .unusable(let reason) = results.state(of: point) { reason } else { nil }
            }
            let other = SweepResultFolder(path: path, plan: plan, planDigest: "q")
            #expect(reason(other, 0)?.contains("another plan") == true)
            let more = SweepResultFolder(path: path, plan: Self.plan(replications: 2), planDigest: "p")
            #expect(reason(more, 0)?.contains("replications") == true)
            try bytes.write(to: URL(filePath: path + "/point-000001.json"))
            #expect(reason(results, 1)?.contains("point 0") == true)
            try bytes.dropLast(100).write(to: URL(filePath: file))
            #expect(reason(results, 0)?.contains("damaged") == true)
            try results.write(Self.outcomes(1), of: 0)
            #expect(try Data(contentsOf: URL(filePath: file)) == bytes)
        }
    }

    private static func table(replications: Int, points: [Int]) -> SweepTable {
        let plan = plan(replications: replications)
        let outcomes = outcomes(replications)
        return SweepTable(
            plan: plan, planDigest: "p",
            results: points.map { SweepResult(plan: "p", point: $0, values: plan.points[$0], policies: outcomes) })
    }

    @Test(arguments: [1, 3])
    func `the CSV has a row for each point and policy and no ragged line`(replications: Int) throws {
        let table = Self.table(replications: replications, points: [0, 1])
        let text = SweepTableFile(table).text
        #expect(text.hasPrefix("point,tenants.<b>,policy,meets_slo,replications,requests.arrived,"))
        let lines = text.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[2].hasPrefix("1,2,hpa,"))
        #expect(lines[0].contains("cost.total_usd.low") == (replications > 1))
        // Commas in quotes, as in a tenant's name, separate nothing.
        let fields = lines.map { line in
            line.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
                .filter { $0.offset % 2 == 0 }.reduce(1) { $0 + $1.element.count(where: { $0 == "," }) }
        }
        #expect(Set(fields) == [5 + table.paths.count * (replications > 1 ? 3 : 1)])
        let bill = try Fixture.run(Fixture.scenario).bill.total.description
        #expect(lines[1].contains(",\(bill),") || replications > 1)
    }

    @Test func `the JSON holds every mean and interval under its path`() throws {
        let table = Self.table(replications: 3, points: [1])
        let text = try CanonicalJSON.encode(SweepSummary(table))
        let root = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(root["missing_points"] as? [Int] == [0])
        let row = try #require((root["rows"] as? [[String: Any]])?.first)
        #expect(row["values"] as? [String: String] == ["tenants.<b>": "2"])
        #expect((row["mean"] as? [String: Any])?.count == table.rows[0].cells.count)
        // In the text: a parser of JSON need not keep the last bit.
        let cell = try #require(table.rows[0]["ttft_ms.p99"])
        let bounds = try #require(cell.estimate.ci95)
        #expect(text.contains("\"ttft_ms.p99\" : \(cell.estimate.value)"))
        let interval = "\"ttft_ms.p99\" : [\n          \(bounds.lower),\n          \(bounds.upper)\n"
        #expect(text.contains(interval))
    }

    @Test func `the page names the cheapest point and the gaps, and escapes what it is given`() throws {
        let page = SweepPage(Self.table(replications: 1, points: [1])).text
        #expect(!page.contains("tenants.<b>"))
        #expect(page.contains("tenants.&lt;b&gt;"))
        #expect(page.contains("1 of 2 points"))
        #expect(!page.contains("<script"))
    }
}
