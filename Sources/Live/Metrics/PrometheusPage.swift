import Units

/// A page of metrics in the Prometheus text format, version 0.0.4.
struct PrometheusPage {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var text = ""
    /// On every line, such as the model's name.
    private let labels: [(String, String)]

    init(labels: [(String, String)]) { self.labels = labels }

    mutating func gauge(_ name: String, _ help: String, _ value: Double, _ extra: [(String, String)] = []) {
        begin(name, help, "gauge")
        line(name, extra, number(value))
    }

    mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        counter(name, help, [([], value)])
    }

    mutating func counter(_ name: String, _ help: String, seconds: TimeSpan) {
        begin(name, help, "counter")
        line(name, [], number(seconds.seconds))
    }

    /// A counter with one line for each set of labels.
    mutating func counter(_ name: String, _ help: String, _ values: [(labels: [(String, String)], value: UInt64)]) {
        begin(name, help, "counter")
        for entry in values { line(name, entry.labels, "\(entry.value)") }
    }

    /// A gauge with one line for each set of labels.
    mutating func gauge(_ name: String, _ help: String, _ values: [(labels: [(String, String)], value: Double)]) {
        begin(name, help, "gauge")
        for entry in values { line(name, entry.labels, number(entry.value)) }
    }

    mutating func histogram(_ name: String, _ help: String, _ histogram: PrometheusHistogram) {
        self.histogram(name, help, [([], histogram)])
    }

    /// A histogram for each set of labels.
    mutating func histogram(
        _ name: String, _ help: String, _ values: [(labels: [(String, String)], value: PrometheusHistogram)]
    ) {
        begin(name, help, "histogram")
        for (labels, histogram) in values {
            let cumulative = histogram.cumulative
            let bounds = histogram.upperBounds.map(number) + ["+Inf"]
            for (bound, count) in zip(bounds, cumulative) {
                line(name + "_bucket", labels + [("le", bound)], "\(count)")
            }
            line(name + "_sum", labels, number(histogram.sum))
            line(name + "_count", labels, "\(cumulative.last!)")
        }
    }

    private mutating func begin(_ name: String, _ help: String, _ type: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private mutating func line(_ name: String, _ extra: [(String, String)], _ value: String) {
        let pairs = (labels + extra).map { "\($0.0)=\"\(escaped($0.1))\"" }.joined(separator: ",")
        text += "\(name){\(pairs)} \(value)\n"
    }

    private func escaped(_ label: String) -> String {
        var text = ""
        for character in label {
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
        return text
    }

    private func number(_ value: Double) -> String {
        // Swift writes large whole numbers with an exponent.
        value == value.rounded() && value.magnitude < 1e15 ? "\(Int64(value)).0" : "\(value)"
    }
}
