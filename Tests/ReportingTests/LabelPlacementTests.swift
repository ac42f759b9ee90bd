import Foundation
import Testing

@testable import Reporting

@Suite struct LabelPlacementTests {
    /// Where the texts of drawn names lie.
    private func boxes(_ drawn: [HTML]) throws -> [LabelBox] {
        let pattern = try Regex(#"<text class="note (\w+)" x="([-\d.]+)" y="([-\d.]+)">([^<]*)</text>"#)
        return drawn.flatMap { html in
            html.text.matches(of: pattern).map { match in
                LabelBox(
                    String(match[4].substring!), anchor: String(match[1].substring!),
                    x: Double(match[2].substring!)!, y: Double(match[3].substring!)!)
            }
        }
    }

    private func collide(_ boxes: [LabelBox]) -> Bool {
        boxes.indices.contains { index in boxes[..<index].contains { $0.overlaps(boxes[index]) } }
    }

    @Test func `names of dots that lie close under a limit meet neither each other nor the limit`() throws {
        // The dots of chat-day's report: two at one place, all between 99 % and 100 %.
        let dots = [(312.0, 146.0), (430, 141), (430, 141), (502, 140), (574, 153), (798, 250)]
        let names = ["1. lookahead-tuned", "2. hpa", "3. hpa-tuned", "4. lookahead", "5. static", "queue-depth"]
        var labels = LabelPlacement(width: 900, height: 320)
        let limit = LabelBox(x0: 62, x1: 886, y0: 160, y1: 162)
        labels.occupy(limit)
        for dot in dots { labels.occupy(x: dot.0, y: dot.1) }
        let drawn = zip(names, dots).map { labels.place($0, x: $1.0, y: $1.1) }
        let placed = try boxes(drawn)
        #expect(placed.count == names.count)
        #expect(!collide(placed + [limit]))
        // Nor does a line to a dot lead across a name.
        let pattern = try Regex(#"<line class="leader" x1="([-\d.]+)" x2="([-\d.]+)" y1="([-\d.]+)" y2="([-\d.]+)"/>"#)
        for (own, html) in drawn.enumerated() {
            guard let match = html.text.firstMatch(of: pattern) else { continue }
            let at = (1...4).map { Double(match[$0].substring!)! }
            #expect(
                !placed.enumerated().contains { $0 != own && $1.isCrossed(from: (at[0], at[2]), to: (at[1], at[3])) })
        }
        for dot in dots {
            let round = LabelBox(x0: dot.0 - 6, x1: dot.0 + 6, y0: dot.1 - 6, y1: dot.1 + 6)
            #expect(!placed.contains { $0.overlaps(round) })
        }
    }

    @Test func `names of many dots at one place are led to it, and none lies on another`() throws {
        var labels = LabelPlacement(width: 900, height: 320)
        labels.occupy(x: 430, y: 141)
        let drawn = (1...16).map { labels.place("policy \($0)", x: 430, y: 141) }
        let placed = try boxes(drawn)
        #expect(placed.count == 16 && !collide(placed))
        #expect(drawn.contains { $0.text.contains("class=\"leader\"") })
    }

    @Test func `names of two limits that are close do not meet, nor a curve where there is room`() throws {
        var chart = Chart(
            "t", summary: "", x: .linear(from: 0, to: 100) { "\($0)" }, y: .linear(from: 0, to: 100) { "\($0)" },
            yTitle: "y", width: 470, height: 280)
        // Above the first limit at its right end and below it at both.
        let curve = [Chart.Point(x: 0, y: 46), Chart.Point(x: 60, y: 48), Chart.Point(x: 100, y: 54)]
        let first = chart.rule(y: 50, "interactive: TPOT 100 ms", avoiding: [curve])
        let second = chart.rule(y: 52, "batch: TPOT 105 ms", avoiding: [curve])
        #expect(first.count == 2 && second.count == 2 && !first[0].overlaps(second[0]))
        for box in [first[0]] {
            let points = curve.map { (x: chart.px($0.x), y: chart.py($0.y)) }
            #expect(!zip(points, points.dropFirst()).contains { box.isCrossed(from: $0, to: $1) })
        }
    }

    @Test func `a line crosses a box or passes it by`() {
        let box = LabelBox(x0: 0, x1: 10, y0: 0, y1: 10)
        #expect(box.isCrossed(from: (-5, 5), to: (15, 5)) && box.isCrossed(from: (2, 2), to: (3, 3)))
        #expect(!box.isCrossed(from: (-5, 11), to: (15, 11)) && !box.isCrossed(from: (-5, 5), to: (-1, 5)))
        #expect(!box.isCrossed(from: (8, 15), to: (15, 8)))
    }
}
