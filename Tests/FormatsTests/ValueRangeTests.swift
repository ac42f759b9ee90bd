import Testing

@testable import Formats

@Suite("Ranges of values")
struct ValueRangeTests {
    private func texts(_ range: String, at shares: [Double]) throws -> [String] {
        guard case .between(let ends) = try ValueRange(range) else { return [] }
        return shares.map { ends.text(at: $0) }
    }

    @Test(
        "Between two ends a value has their unit; the ends are as written",
        arguments: [
            ("2/s..8/s", ["2/s", "3.5/s", "5/s", "8/s"]), ("16..128", ["16", "44", "72", "128"]),
            ("1.0..2", ["1.0", "1.25", "1.5", "2"]), ("30s..5m", ["30s", "1m37s500ms", "2m45s", "5m"]),
            ("10%..30%", ["10%", "15%", "20%", "30%"]),
            ("100 USD/h..200 USD/h", ["100 USD/h", "125 USD/h", "150 USD/h", "200 USD/h"]),
            ("x0.5..x2", ["x0.5", "x0.875", "x1.25", "x2"]), ("±10%", ["x0.9", "x0.95", "x1", "x1.1"]),
            ("-0.5..0.5", ["-0.5", "-0.25", "0", "0.5"]),
        ])
    func between(range: String, expected: [String]) throws {
        #expect(try texts(range, at: [0, 0.25, 0.5, 1]) == expected)
    }

    @Test("Every whole number has an equal part of the way, the ends too")
    func wholeNumbers() throws {
        let shares = (0..<4000).map { (Double($0) + 0.5) / 4000 }
        let counts = try texts("1..4", at: shares).reduce(into: [:]) { $0[$1, default: 0] += 1 }
        #expect(counts == ["1": 1000, "2": 1000, "3": 1000, "4": 1000])
    }

    @Test("A value has no more digits than the range asks for")
    func digits() throws {
        #expect(try texts("1.0..2.0", at: [1.0 / 3]) == ["1.333333"])
        #expect(try texts("1000.5..900000.5", at: [1.0 / 3]) == ["300667.2"])
        #expect(try texts("1h..2h", at: [1.0 / 3]) == ["1h20m"])
        #expect(try texts("0.000001..0.000002", at: [1.0 / 3]) == ["0.000001333"])
    }

    @Test("A list keeps its texts")
    func list() throws {
        #expect(try ValueRange("8, 16 ,hpa") == .listed(["8", "16", "hpa"]))
        #expect(try ValueRange("[1, 2], {a: 1..2}") == .listed(["[1, 2]", "{a: 1..2}"]))
        #expect(try ValueRange("7") == .listed(["7"]))
    }

    @Test(
        "What is no range is refused with a way out",
        arguments: [
            "8..", "..8", "a..b", "8..4", "8..8", "2/s..8", "x1..2", "±10", "±0%", "±100%", "30s..5", "1,,2", "", "1,1",
        ])
    func refused(range: String) { #expect(throws: ValueRange.Refusal.self) { try ValueRange(range) } }

    @Test("A multiple scales the field, any other text takes its place")
    func edits() {
        #expect(ScenarioEdit(path: "a", value: "x0.5") == .scale("a", by: 0.5))
        #expect(ScenarioEdit(path: "a", value: "xenon") == .set("a", to: "xenon"))
        #expect(ScenarioEdit(path: "a", value: "0.5") == .set("a", to: "0.5"))
    }
}
