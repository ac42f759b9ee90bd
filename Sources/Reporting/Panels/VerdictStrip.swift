import FleetModel
import Simulation
import Studies
import Units

/// The top of the page: may this be run, and what does it cost.
struct VerdictStrip {
    private let content: ReportContent
    private var result: RunResult { content.result }

    init(_ content: ReportContent) { self.content = content }

    var html: HTML {
        """
        <header><p class="brand">\(Self.mark)Tidegate</p>
        <h1>\(content.scenario.name)</h1>
        <p class="question">\(content.scenario.question)</p>
        <div class="verdict">\(partial)\(pill)<p class="meta">\(meta)</p></div>
        <dl class="tiles">
        \(tiles)
        </dl>\(basis)</header>
        """
    }

    /// Which run a figure is of, where there are several.
    private var basis: HTML {
        guard let estimates = content.estimates else {
            return HTML(
                UncertaintyText.lines(content).map { line -> HTML in "<p class=\"small\">\(line)</p>" })
        }
        return """
            <p class="small">Figures with an interval are means over \(estimates.replications) replications \
            (varied: \(estimates.varied)); everything below without one is of replication 0.</p>
            """
    }

    private static let mark: HTML = """
        <svg viewBox="0 0 26 18" aria-hidden="true"><path class="line c1" d="M1 6c4-5 8-5 12 0s8 5 12 0"/>\
        <path class="line c5" d="M1 13c4-5 8-5 12 0s8 5 12 0"/></svg>
        """

    /// That the figures are not of what was asked for.
    private var partial: HTML {
        guard let partial = content.partial else { return "" }
        return "<span class=\"pill bad\"><span aria-hidden=\"true\">◐</span> Partial result: \(partial.text)</span>"
    }

    private var pill: HTML {
        if result.meetsSLO { return "<span class=\"pill good\"><span aria-hidden=\"true\">✔</span> SLO met</span>" }
        let missed = result.sloClasses.filter { !$0.isMet }.map(\.sloClass.name).joined(separator: ", ")
        return "<span class=\"pill bad\"><span aria-hidden=\"true\">✘</span> SLO missed by \(missed)</span>"
    }

    private var meta: String {
        let requests = "policy \(result.policy) · \(grouped(result.outcomes.arrived)) requests over "
        if result.record != nil {
            return requests + "\(spelled(result.duration)) from \(result.start.readable) UTC · live"
        }
        let runs = content.estimates.map { "\($0.replications) replications" } ?? "one run"
        return
            requests + "\(spelled(result.duration)) from \(result.start.day) · seed \(result.seed) · \(runs)"
    }

    private var tiles: [HTML] {
        let hours = result.duration.seconds / 3600
        let perHour = hours > 0 ? money(dollars: result.bill.total.dollars / hours) + " an hour" : ""
        let perMillion = result.bill.total.per(result.outputTokens, scale: 1_000_000)
        let overhead = result.bill.total > .zero ? result.bill.overhead.dollars / result.bill.total.dollars : 0
        let targets = result.sloClasses.map {
            "\(trimmed(attainmentText($0.sloClass.attainment))) for \($0.sloClass.name)"
        }
        let ttftTargets = result.sloClasses.compactMap { each in
            each.sloClass.ttft.map { "\(spelled($0)) for \(each.sloClass.name)" }
        }
        return [
            tile(
                "Cost", money(result.bill.total), ["cost", "total_usd"], or: perHour
            ) { money(dollars: $0) },
            tile(
                "Per million output tokens", perMillion.map { money($0) } ?? "–",
                ["cost", "usd_per_million_output_tokens"], or: "the whole bill over all output"
            ) { money(dollars: $0) },
            tile(
                "Requests within SLO", attainmentText(result.attainment), ["slo", "attainment"],
                or: "required: " + targets.joined(separator: ", ")
            ) { attainmentText(min($0, 1)) },
            tile(
                "TTFT p99", latency(result.ttft.quantile(0.99)), ["ttft_ms", "p99"],
                or: ttftTargets.isEmpty ? "no target" : "target: " + ttftTargets.joined(separator: ", ")
            ) { latency(milliseconds: $0) },
            tile("Overhead share of the bill", percent(overhead), [], or: money(result.bill.overhead)) {
                threeDigits($0)
            },
        ]
    }

    /// A figure with its interval where one is known: then the figure is the mean over replications.
    private func tile(
        _ name: String, _ figure: String, _ path: [String], or aside: String, text: (Double) -> String
    ) -> HTML {
        let estimate = content.estimates?.entries.first { $0.path == path }?.estimate
        let shown = estimate.map { text($0.value) } ?? figure
        let alone = estimate == nil ? content.batches?.estimate(at: path) : nil
        let bounds =
            estimate?.ci95.map { "95 % CI \(interval($0, text))" }
            ?? alone?.ci95.map { "95 % CI \(interval($0, text)), \(BatchEstimates.varied)" }
        let lines = [bounds, aside].compactMap { $0 }.filter { !$0.isEmpty }
        return """
            <div class="tile"><dt>\(name)</dt><dd><span class="figure">\(shown)</span>\
            \(lines.map { line -> HTML in "<span class=\"aside\">\(line)</span>" })</dd></div>
            """
    }
}
