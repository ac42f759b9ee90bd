import FleetModel
import Foundation
import Simulation
import Studies
import Testing
import Units

@testable import Reporting

@Suite("The report")
struct ReportPageTests {
    static let text = ReportPage(Fixture.content).text

    @Test("It loads nothing and runs nothing")
    func selfContained() {
        for forbidden in [
            "<script", "<link", "<img", "<iframe", "@import", "http:", "https:", "src=", " style=", "onload=",
        ] {
            #expect(!Self.text.contains(forbidden), "\(forbidden)")
        }
    }

    @Test("Its style sheet is the one that its security policy allows")
    func policy() throws {
        let style = try #require(Self.text.firstMatch(of: #/<style>([\s\S]*?)</style>/#)).1
        let hash = try #require(Self.text.firstMatch(of: #/style-src &#39;sha256-([A-Za-z0-9+/=]+)&#39;/#)).1
        let bytes = try #require(Data(base64Encoded: String(hash)))
        #expect(bytes.map { String(format: "%02x", $0) }.joined() == Digest(of: String(style)).hexadecimal)
        #expect(Self.text.contains("default-src &#39;none&#39;"))
    }

    @Test("Text cannot become markup")
    func escaping() {
        #expect(Self.text.contains("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;co&#39;, inc"))
        let hostile = "</td>\u{0}\u{1B}\u{85}é"
        let cell: HTML = "<td>\(hostile)</td>"
        #expect(cell.text == "<td>&lt;/td&gt;\u{FFFD}\u{FFFD}\u{FFFD}é</td>")
    }

    @Test("Every element is closed, in order")
    func wellFormed() {
        var open: [String] = []
        for match in Self.text.matches(of: #/<(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*?(/?)>/#) {
            let name = String(match.2)
            if ["meta"].contains(name) || match.3 == "/" { continue }
            if match.1 == "/" {
                #expect(open.popLast() == name)
            } else {
                open.append(name)
            }
        }
        #expect(open.isEmpty)
    }

    @Test("Every drawing has a name and a description, and its numbers are in a table")
    func accessibility() {
        let drawings = Self.text.matches(
            of: #/<svg [^>]*role="img"[^>]*>(?:<title>[^<]+</title>\s*<desc>[^<]+</desc>)?/#)
        #expect(drawings.count >= 10)
        for drawing in drawings { #expect(drawing.0.contains("<desc>")) }
        #expect(
            Self.text.matches(of: #/<svg /#).count
                == Self.text.matches(of: #/role="img"|aria-hidden="true"><(path|rect|circle|defs)/#).count)
        #expect(Self.text.matches(of: #/<details>/#).count >= 5)
    }

    @Test(
        "Panels",
        arguments: [
            "policies", "sensitivity", "uncertainty", "demand", "cost", "tenants", "latency", "queues", "decisions",
            "model", "provenance", "left-out",
        ])
    func panels(id: String) {
        #expect(Self.text.contains("<section id=\"\(id)\""))
        #expect(Self.text.contains("href=\"#\(id)\""))
    }

    @Test("A tornado has the field that moves its figure most on top, and shares are named")
    func whatIf() throws {
        let section = try #require(Self.text.firstMatch(of: #/<section id="sensitivity"[\s\S]*?</section>/#)).0
        let price = try #require(section.firstRange(of: "prices.x.usd_per_hour (−10%, +10%)"))
        let rate = try #require(section.firstRange(of: "traffic.a&lt;b&gt;.rate (−10%, +10%)"))
        #expect(price.lowerBound < rate.lowerBound)
        #expect(section.contains("Cost moves most with prices.x.usd_per_hour; TTFT p99 moves most with traffic.a"))
        #expect(section.contains("+$2.50") && section.contains("−150 ms"))
        #expect(Self.text.contains("50 % of the variance of cost is calibration"))
    }

    @Test("No line has more than 2,000 points, and the page stays under 600 kB")
    func size() {
        for path in Self.text.matches(of: #/ d="([^"]*)"/#) {
            #expect(path.1.matches(of: #/[MLHV]/#).count <= 2 * 2000)
        }
        #expect(Self.text.utf8.count < 600_000)
    }

    @Test("The same content gives the same bytes, and another seed does not")
    func deterministic() {
        #expect(ReportPage(Fixture.content).text == Self.text)
        var other = Fixture.content
        other.result = Fixture.runs[1]
        #expect(ReportPage(other).text != Self.text)
    }

    @Test("The verdict is the result's, in words and not by colour alone")
    func verdict() {
        #expect(Fixture.result.meetsSLO)
        #expect(Self.text.contains("</span> SLO met</span>"))
        var missed = Fixture.content
        missed.result.sloClasses[0].met = 0
        #expect(ReportPage(missed).text.contains("</span> SLO missed by interactive</span>"))
    }

    @Test("Only policies that meet the SLO have a rank")
    func ranking() {
        #expect(Self.text.contains(">1. lookahead</text>"))
        #expect(Self.text.contains(">hpa</text>"))
        #expect(Self.text.contains("1 of 4 miss it and are not ranked."))
    }

    @Test("A run of nothing still has a page")
    func nothing() throws {
        var scenario = Fixture.scenario
        for index in scenario.sources.indices { scenario.sources[index].rate = .constant(0) }
        let result = try Fixture.run(scenario)
        #expect(result.outcomes.arrived == 0)
        let page = ReportPage(ReportContent(scenario: scenario, result: result, version: "0", command: "c")).text
        #expect(page.contains("No request produced a token."))
        #expect(page.firstMatch(of: #/\b(nan|inf)\b/#) == nil)
        _ = RunSummary(result)
    }
}
