import Pricing
import Scaling
import Simulation
import Statistics
import Units

/// What is needed to get the same result again, and to see that it is the same.
struct ProvenancePanel {
    private let content: ReportContent

    init(_ content: ReportContent) { self.content = content }

    var panel: Panel {
        Panel(
            id: "provenance", title: "Provenance",
            lead: lead,
            body: """
                <pre><code>\(content.command)</code></pre>
                \(facts.html)
                \(records)\(files.html)
                \(prices.html)
                """)
    }

    private var lead: String {
        if content.isLive { return "The same version, records, files and period give the same bytes." }
        return content.partial == nil
            ? "The same version, files and seed give the same bytes."
            : "This result is partial. The command gives the whole one, the same bytes each time."
    }

    /// What a live period was read from; nothing for a simulation.
    private var records: HTML {
        guard let record = content.result.record else { return "" }
        var table = Table("Records read", header: ["File", "Records in the period", "Hash"], textColumns: [0, 2])
        for source in record.sources {
            table.add([
                HTML(escaping: source.name), "\(grouped(Int64(source.records)))",
                source.hash.map { hash -> HTML in "<code>\(hash)</code>" } ?? "–",
            ])
        }
        return table.wrapping([2]).html
    }

    private var facts: Facts {
        let result = content.result
        let end: Instant = result.start + result.duration
        let run: [(String, HTML)] =
            content.isLive
            ? [("Period", HTML(escaping: "\(result.start) to \(end)"))]
            : [
                ("Seed", "\(String(result.seed))"), ("Replications", "\(replications)"),
                ("Warm-up", "\(content.batches.map { UncertaintyText.sentence($0.warmUp) } ?? "not looked for")"),
            ]
        return Facts(
            html: [("Version", "Tidegate \(content.version)")] + run + [
                ("Quantiles", "\(Self.sketch)"),
                ("Policy", "\(result.policy) (\(result.policyFile.name))"),
                ("Policy digest", "<code>\(result.policyFile.digest)</code>"), ("Parameters", parameters),
                ("Fingerprint", "<code>\(result.fingerprint)</code>"),
            ])
    }

    /// One line for each; a policy's own engine profile is long and opens on demand.
    private var parameters: HTML {
        guard case .map(let values) = content.result.policyFile.parameters, !values.isEmpty else { return "none" }
        let lines = values.sorted { $0.key < $1.key }.map { name, value -> HTML in
            let text = value.canonicalJSON
            return text.utf8.count <= 100
                ? "<li><code>\(name): \(text)</code></li>"
                : "<li><details><summary><code>\(name)</code></summary><code>\(text)</code></details></li>"
        }
        return "<ul class=\"plain\">\(lines)</ul>"
    }

    private var replications: String {
        guard let estimates = content.estimates else {
            return content.batches == nil
                ? "1: the figures have no intervals"
                : "1; intervals are of long-run values, from the batches of the run"
        }
        let rule = content.precision.map {
            "; added one by one until intervals were within \(trimmed(percent($0.asked.share, 2))) (Law and Kelton's rule), "
                + ($0.isReached ? "which they are" : "which they are not")
        }
        return "\(estimates.replications); varied: \(estimates.varied)\(rule ?? "")"
    }

    /// What a quantile is read from, and how far it may be off.
    private static var sketch: String {
        "from mergeable histograms (HdrHistogram), within \(trimmed(percent(LatencyHistogram.relativeError, 3))) of the exact "
            + "ones; from batches of a run whose warm-up is cut, within \(trimmed(percent(CompactHistogram.cellWidth, 1)))"
    }

    private var files: Table {
        var table = Table("Files read", header: ["File", "SHA-256"], textColumns: [0, 1])
        for file in content.scenario.files {
            table.add([HTML(escaping: file.name), "<code>\(file.digest)</code>"])
        }
        return table.wrapping([1])
    }

    /// The prices that were charged, not the whole book.
    private var prices: Table {
        var table = Table(
            "Prices charged",
            header: ["Offering", "USD per hour", "Billed by", "Minimum", "Read on", "Source"], textColumns: [0, 4, 5])
        let book = content.scenario.priceBook
        for price in book.prices where content.scenario.pools.contains(where: { $0.offering == price.offering }) {
            table.add([
                price.offering.description, price.rate.description, price.billing.increment.description,
                price.billing.minimum.description, price.date, price.source,
            ])
        }
        return table.wrapping([5])
    }
}
