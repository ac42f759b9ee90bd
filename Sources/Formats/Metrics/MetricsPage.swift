import FleetModel

/// What a metrics page says: every series by name, as Prometheus reads its text.
///
/// A page is taken whole or refused with its line, as Prometheus does: half a page would be a fleet half seen.
///
///     let page = try MetricsPage(bytes)
///     page.sum("vllm:num_requests_running")
///
/// - Source: Prometheus text exposition format 0.0.4. An `# EOF` line and exemplars, which OpenMetrics adds, are passed over.
public struct MetricsPage: Sendable {
    public struct Series: Hashable, Sendable {
        public var labels: [String: String]
        public var value: Double
    }

    /// The largest page that is read, in bytes. vLLM's has some 60,000.
    public static let maximumBytes = 16 << 20

    private var series: [String: [Series]] = [:]

    /// - Parameter bytes: The body of a response, of any content.
    public init(_ bytes: some Collection<UInt8>) throws(MetricsPageError) {
        guard bytes.count <= Self.maximumBytes else { throw MetricsPageError(line: 0, reason: .tooLarge) }
        var seen: Set<String> = []
        var line = 0
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // The format ends every line; a number that is cut off would be another number.
        guard lines.last?.isEmpty ?? true else { throw MetricsPageError(line: lines.count, reason: .cutOff) }
        for text in lines {
            line += 1
            var scanner = MetricLineScanner(text)
            do throws(MetricLineScanner.Refusal) {
                guard let (name, entry, key) = try scanner.series() else { continue }
                guard seen.insert(key).inserted else { throw MetricLineScanner.Refusal(reason: .repeated(key)) }
                series[name, default: []].append(entry)
            } catch {
                throw MetricsPageError(line: line, reason: error.reason)
            }
        }
    }

    /// The names on the page, in alphabetical order.
    public var names: [String] { series.keys.sorted() }

    /// The series of a name; empty where the page has none.
    public subscript(name: String) -> [Series] { series[name] ?? [] }

    /// The sum over all series of a name; `nil` where there is none.
    public func sum(_ name: String) -> Double? {
        series[name].map { $0.reduce(0) { $0 + $1.value } }
    }

    /// A histogram, all its series added up; `nil` where it is absent, has no `+Inf`, or its series differ in their buckets.
    public func histogram(_ name: String) -> BucketCounts? {
        var counts: [Double: (sum: Double, series: Int)] = [:]
        var groups: Set<[String: String]> = []
        for bucket in self[name + "_bucket"] {
            guard let bound = bucket.labels["le"].flatMap(Double.init), !bound.isNaN else { return nil }
            var group = bucket.labels
            group["le"] = nil
            groups.insert(group)
            let old = counts[bound] ?? (0, 0)
            counts[bound] = (old.sum + bucket.value, old.series + 1)
        }
        let bounds = counts.keys.sorted()
        guard bounds.last == .infinity, counts.values.allSatisfy({ $0.series == groups.count }) else { return nil }
        return BucketCounts(upperBounds: bounds.dropLast(), cumulative: bounds.map { counts[$0]!.sum })
    }
}

/// A page that is no Prometheus text.
public struct MetricsPageError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        case tooLarge
        case cutOff
        case noName
        case badLabels
        case badValue(String)
        case badTimestamp(String)
        case repeated(String)
        case notText
    }

    /// Counted from 1; 0 for the page as a whole.
    public var line: Int
    public var reason: Reason

    public var description: String {
        let what =
            switch reason {
            case .tooLarge: "is larger than \(MetricsPage.maximumBytes >> 20) MiB"
            case .cutOff: "has no end: the page was cut off"
            case .noName: "does not begin with a metric's name"
            case .badLabels: "has labels that are not name=\"value\" pairs in braces"
            case .badValue(let text): "has the value '\(text)', which is no number"
            case .badTimestamp(let text): "has the timestamp '\(text)', which is no whole number of milliseconds"
            case .repeated(let key): "gives \(key) a second time"
            case .notText: "is not UTF-8"
            }
        return line == 0 ? "the metrics page \(what)" : "line \(line) of the metrics page \(what)"
    }
}
