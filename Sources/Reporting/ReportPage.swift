import Units

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// `report.html`: one file that opens from disk, without script or network, the same bytes for the same run.
public struct ReportPage: Sendable {
    public let text: String

    public init(_ content: ReportContent) {
        let panels = [
            content.comparison.map { ComparisonPanel($0, chosen: content.result.policy).panel },
            content.sensitivity.map { SensitivityPanel($0).panel },
            content.uncertainty.map { UncertaintyPanel($0).panel },
            DemandPanel(content).panel, CostPanel(content).panel, TenantPanel(content).panel,
            LatencyPanel(content).panel, QueuePanel(content).panel, DecisionPanel(content).panel,
            ModelCard(content).panel, ProvenancePanel(content).panel, Self.limits(content),
        ].compactMap { $0 }
        let page: HTML = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="\(Self.securityPolicy)">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="generator" content="Tidegate \(content.version)">
            <title>\(content.partial == nil ? "" : "Partial: ")\(content.result.scenario) · \(content.result.policy) · Tidegate</title>
            <style>\(Stylesheet.html)</style></head>
            <body>\(Legend.patterns)
            \(VerdictStrip(content).html)
            <nav aria-label="Sections"><ul>\(panels.map(\.link))</ul></nav>
            <main>
            \(panels.map(\.html))
            </main>
            <footer>Tidegate \(content.version) · fingerprint \(content.result.fingerprint)</footer>
            </body></html>

            """
        text = page.text
    }

    /// Nothing loads, nothing runs, nothing leaves: only the page's own style sheet applies, by its hash.
    static var securityPolicy: String {
        let digest = Digest(of: Stylesheet.css).hexadecimal
        var bytes: [UInt8] = []
        var rest = digest[...]
        while !rest.isEmpty {
            bytes.append(UInt8(rest.prefix(2), radix: 16)!)
            rest = rest.dropFirst(2)
        }
        let hash = Data(bytes).base64EncodedString()
        return "default-src 'none'; style-src 'sha256-\(hash)'; base-uri 'none'; form-action 'none'"
    }

    private static func limits(_ content: ReportContent) -> Panel {
        let items = content.leftOut.map { line -> HTML in "<li>\(line)</li>" }
        let warnings: HTML =
            content.result.warnings.isEmpty
            ? ""
            : """
            <h3>Warnings of this \(content.isLive ? "period" : "run")</h3><ul class="prose">\
            \(content.result.warnings.map { line -> HTML in "<li>\(line)</li>" })</ul>
            """
        return Panel(
            id: "left-out", title: "What this leaves out",
            lead: content.isLive
                ? "The records of a live period tell only what was written down."
                : "A simulation answers only what it contains.",
            body: "<ul class=\"prose\">\(items)</ul>\(warnings)")
    }
}

/// One section of the page: a title, the finding in a sentence, and what shows it.
struct Panel {
    var id: String
    var title: String
    var lead: String
    var body: HTML

    var link: HTML { "<li><a href=\"#\(id)\">\(title)</a></li>" }
    var html: HTML {
        """
        <section id="\(id)" aria-labelledby="\(id)-title"><h2 id="\(id)-title">\(title)</h2>
        <p class="lead">\(lead)</p>
        \(body)
        </section>
        """
    }
}
