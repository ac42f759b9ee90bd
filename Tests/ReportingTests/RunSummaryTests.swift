import Formats
import Foundation
import Simulation
import Studies
import Testing
import Units

@testable import Reporting

@Suite("summary.json")
struct RunSummaryTests {
    static func object(_ summary: RunSummary) throws -> [String: Any] {
        let text = try CanonicalJSON.encode(summary)
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test("It has the keys that scripts rely on")
    func keys() throws {
        let object = try Self.object(RunSummary(Fixture.result))
        let expected: [String: [String]] = [
            "requests": ["arrived", "completed", "rejected", "failed"], "tokens": ["prompt", "output"],
            "ttft_ms": ["mean", "p50", "p90", "p99"], "itl_ms": ["mean", "p50", "p90", "p99"],
            "tpot_ms": ["mean", "p50", "p90", "p99"], "e2e_ms": ["mean", "p50", "p90", "p99"],
            "slo": ["attainment", "by_class", "met"],
            "cost": ["total_usd", "usd_per_million_output_tokens", "by_capacity_type", "overhead_usd", "by_tenant"],
            "replicas": ["mean", "max"], "scaling": ["decisions", "changes", "reversals"],
        ]
        for (key, inner) in expected {
            let part = try #require(object[key] as? [String: Any], "\(key)")
            for name in inner { #expect(part[name] != nil, "\(key).\(name)") }
        }
        for key in ["scenario", "policy", "seed", "replications", "fingerprint", "simulated_seconds", "warnings"] {
            #expect(object[key] != nil, "\(key)")
        }
        #expect(object["run"] == nil && object["ci95"] == nil && object["varied"] == nil)
    }

    @Test("A partial result says what it lacks, and a whole one does not speak of it")
    func partial() throws {
        let result = Fixture.stopped
        let partial = PartialRun(result, runs: Interruption(ended: 0, planned: 3))
        let object = try Self.object(RunSummary(result, partial: partial))
        let said = try #require(object["partial"] as? [String: Any])
        #expect(said["stopped_at"] as? String == "\(result.stoppedAt!)")
        #expect(said["simulated_seconds"] as? Double == result.duration.seconds)
        #expect(object["simulated_seconds"] as? Double == result.duration.seconds)
        #expect(said["planned_seconds"] as? Double == 3600)
        #expect(said["runs_ended"] as? Int == 0 && said["runs_planned"] as? Int == 3)
        #expect(try Self.object(RunSummary(Fixture.result))["partial"] == nil)
        // The run that is shown went to its end, and others are missing.
        let whole = PartialRun(Fixture.result, runs: Interruption(ended: 1, planned: 3))
        let missing = try #require(
            try Self.object(RunSummary(Fixture.result, partial: whole))["partial"] as? [String: Any])
        #expect(missing["stopped_at"] == nil)
        #expect(whole.text == "stopped: 1 of 3 runs went to their end")
    }

    @Test("A partial report says so in its title, beside the verdict and where it came from")
    func partialReport() {
        var content = Fixture.content
        #expect(!ReportPage(content).text.lowercased().contains("partial"))
        content.result = Fixture.stopped
        content.partial = PartialRun(Fixture.stopped, runs: Interruption(ended: 0, planned: 1))
        let text = ReportPage(content).text
        #expect(text.contains("<title>Partial: "))
        #expect(text.contains("Partial result: stopped at \(Fixture.stopped.stoppedAt!), after "))
        #expect(text.contains("This result is partial. The command gives the whole one"))
        #expect(text.contains(", after 20 min of 1 h"))
    }

    @Test("Money is a decimal string that reads back to the bill, and tenants and overhead sum to it")
    func money() throws {
        let cost = try #require(try Self.object(RunSummary(Fixture.result))["cost"] as? [String: Any])
        let total = try #require(USD(cost["total_usd"] as? String ?? ""))
        #expect(total == Fixture.result.bill.total)
        let tenants = try #require(cost["by_tenant"] as? [String: String]).values.compactMap(USD.init)
        #expect(tenants.count == 3)
        #expect(tenants.reduce(.zero, +) + USD(cost["overhead_usd"] as! String)! == total)
        let types = try #require(cost["by_capacity_type"] as? [String: String]).values.compactMap(USD.init)
        #expect(types.reduce(.zero, +) == total)
    }

    @Test("With replications, mean and ci95 repeat the key paths, and the interval holds the mean")
    func replications() throws {
        let object = try Self.object(RunSummary(Fixture.result, estimates: Fixture.estimates))
        #expect(object["replications"] as? Int == 3)
        #expect(object["varied"] as? String == "arrivals, lengths and step noise")
        func leaf(_ root: String, _ path: [String]) -> Any? {
            path.reduce(object[root]) { ($0 as? [String: Any])?[$1] }
        }
        for measurement in Fixture.result.measurements where measurement.quantity != .absent {
            let path = measurement.path
            if case .money = measurement.quantity {
                let ends = try #require(leaf("ci95", path) as? [String], "\(path)").map { USD($0)! }
                let mean = try #require(USD(leaf("mean", path) as? String ?? ""), "\(path)")
                #expect(ends[0] <= mean && mean <= ends[1], "\(path)")
            } else {
                let ends = try #require(leaf("ci95", path) as? [Double], "\(path)")
                let mean = try #require(leaf("mean", path) as? Double, "\(path)")
                #expect(ends[0] <= mean && mean <= ends[1], "\(path)")
            }
        }
    }

    @Test("An estimate is the mean of its runs with Student's interval")
    func estimates() throws {
        let runs = [10.0, 12, 14].map { [Measurement(["a", "b"], .number($0)), Measurement(["c"], .absent)] }
        let estimates = RunEstimates(runs, varied: "x")
        let estimate = try #require(estimates["a", "b"])
        #expect(estimate.value == 12)
        // t(0.975, 2) = 4.302653, deviation 2, √3 runs.
        #expect(abs(estimate.ci95!.upper - (12 + 4.302653 * 2 / 3.0.squareRoot())) < 1e-5)
        #expect(estimates["c"] == nil)
    }

    @Test("The speed of the run is shown where it is given, and only there")
    func speed() throws {
        var summary = RunSummary(Fixture.result)
        summary.run = RunSpeed(wallSeconds: 2.5, requestsPerWallSecond: 4000)
        let run = try #require(try Self.object(summary)["run"] as? [String: Double])
        #expect(run == ["wall_seconds": 2.5, "requests_per_wall_second": 4000])
    }
}
