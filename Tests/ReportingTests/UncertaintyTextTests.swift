import Foundation
import Studies
import Testing

@testable import Reporting

@Suite("What is said of differences and intervals")
struct UncertaintyTextTests {
    private func difference(
        _ headline: Headline, _ verdict: PolicyDifference.Verdict, ratio: Estimate? = nil, points: Estimate? = nil
    ) -> PolicyDifference {
        PolicyDifference(
            policy: "hpa-tuned", reference: "static", headline: headline, difference: points, ratio: ratio,
            verdict: verdict)
    }

    private func sentence(_ differences: [PolicyDifference]) -> String {
        var comparison = Fixture.comparison
        comparison.differences = differences
        return DifferenceText.sentences(comparison)[0]
    }

    @Test("A real difference has its size and interval, the others are named as not distinguishable")
    func real() {
        let text = sentence([
            difference(.cost, .different(jointly: true), ratio: Estimate(0.87, ci95: .init(lower: 0.83, upper: 0.91))),
            difference(
                .attainment, .different(jointly: true), points: Estimate(0.012, ci95: .init(lower: 0.005, upper: 0.019))
            ),
            difference(.ttftP99, .indistinguishable), difference(.itlP99, .indistinguishable),
        ])
        #expect(
            text == "hpa-tuned costs 13 % less than static, 95 % interval 9 to 17 %; "
                + "SLO attainment 1.2 points higher, 95 % interval 0.5 to 1.9; "
                + "TTFT p99 and ITL p99 not distinguishable")
    }

    @Test("Doubt, sameness and missing intervals are said")
    func doubt() {
        let text = sentence([
            difference(.cost, .indistinguishable, ratio: Estimate(1.01, ci95: .init(lower: 0.97, upper: 1.05))),
            difference(.attainment, .same), difference(.itlP99, .unknown("no batches")),
            difference(.ttftP99, .different(jointly: false), ratio: Estimate(1.4, ci95: .init(lower: 1.1, upper: 1.7))),
        ])
        #expect(
            text == "the costs of hpa-tuned and static are not distinguishable, 95 % interval −3 to 5 %; "
                + "TTFT p99 40 % longer, 95 % interval 10 to 70 %, which may be chance among so many comparisons; "
                + "SLO attainment the same; no interval for ITL p99: no batches")
        #expect(
            sentence([difference(.cost, .unknown("few"))])
                == "hpa-tuned costs 36.2 % less than static; no interval for cost: few")
    }

    @Test("The page has the sentences, the warm-up and the error of its quantiles")
    func page() {
        var content = Fixture.content
        content.comparison?.differences = [
            difference(.cost, .different(jointly: true), ratio: Estimate(0.87, ci95: .init(lower: 0.83, upper: 0.91)))
        ]
        content.batches = BatchEstimates(content.result, of: content.scenario)
        let text = ReportPage(content).text
        #expect(text.contains("hpa-tuned costs 13 % less than static, 95 % interval 9 to 17 %"))
        #expect(text.contains("MSER-5 on mean TTFT"))
        #expect(text.contains("within 0.098 % of the exact"))
    }

    @Test("The summary of one run has its batch means, each with an interval or a reason, and its warm-up")
    func summary() throws {
        let batches = BatchEstimates(Fixture.result, of: Fixture.scenario)
        let object = try RunSummaryTests.object(RunSummary(Fixture.result, batches: batches))
        let part = try #require(object["batch_means"] as? [String: Any])
        #expect(part["varied"] as? String == "batches of one run")
        func leaf(_ root: String, _ path: [String]) -> Any? {
            path.reduce(part[root]) { ($0 as? [String: Any])?[$1] }
        }
        for headline in Headline.allCases {
            let hasInterval = leaf("ci95", headline.path) != nil
            #expect(hasInterval == (leaf("mean", headline.path) != nil))
            #expect(hasInterval != (leaf("no_interval", headline.path) is String), "\(headline)")
        }
        let warmUp = try #require(object["warm_up"] as? [String: Any])
        #expect(warmUp["method"] as? String == "MSER-5")
        let replicated = try RunSummaryTests.object(
            RunSummary(Fixture.result, estimates: Fixture.estimates, batches: batches))
        #expect(replicated["batch_means"] == nil && replicated["warm_up"] != nil)
        #expect(BatchEstimates(Fixture.stopped, of: Fixture.scenario) == nil)
    }
}
