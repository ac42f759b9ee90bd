/// Reads one line of a metrics page.
struct MetricLineScanner {
    struct Refusal: Error {
        var reason: MetricsPageError.Reason
    }

    private let bytes: [UInt8]
    private var cursor = 0

    init(_ line: some Collection<UInt8>) { bytes = Array(line) }

    /// The series on the line, with name and sorted labels as one text; `nil` for a comment or an empty line.
    mutating func series() throws(Refusal) -> (name: String, series: MetricsPage.Series, key: String)? {
        skipBlanks()
        guard let first = peek, first != UInt8(ascii: "#"), first != UInt8(ascii: "\r") else { return nil }
        let name = try name(allowsColon: true)
        skipBlanks()
        let labels = peek == UInt8(ascii: "{") ? try labels() : [:]
        skipBlanks()
        let number = word()
        guard let value = Self.number(number) else { throw Refusal(reason: .badValue(number)) }
        skipBlanks()
        if let next = peek, next != UInt8(ascii: "#"), next != UInt8(ascii: "\r") {
            let timestamp = word()
            guard Double(timestamp)?.isFinite == true else { throw Refusal(reason: .badTimestamp(timestamp)) }
        }
        let ordered = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }
        return (
            name, MetricsPage.Series(labels: labels, value: value),
            labels.isEmpty ? name : "\(name){\(ordered.joined(separator: ","))}"
        )
    }

    private var peek: UInt8? { cursor < bytes.count ? bytes[cursor] : nil }

    private mutating func skipBlanks() {
        while let byte = peek, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { cursor += 1 }
    }

    private mutating func name(allowsColon: Bool) throws(Refusal) -> String {
        let start = cursor
        while let byte = peek, Self.isNamed(byte, allowsColon: allowsColon, isFirst: cursor == start) { cursor += 1 }
        guard cursor > start else { throw Refusal(reason: allowsColon ? .noName : .badLabels) }
        return String(decoding: bytes[start..<cursor], as: UTF8.self)
    }

    private static func isNamed(_ byte: UInt8, allowsColon: Bool, isFirst: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
        case UInt8(ascii: ":"): allowsColon
        case UInt8(ascii: "0")...UInt8(ascii: "9"): !isFirst
        default: false
        }
    }

    private mutating func labels() throws(Refusal) -> [String: String] {
        var labels: [String: String] = [:]
        cursor += 1
        while true {
            skipBlanks()
            if peek == UInt8(ascii: "}") { break }
            let name = try name(allowsColon: false)
            skipBlanks()
            guard peek == UInt8(ascii: "=") else { throw Refusal(reason: .badLabels) }
            cursor += 1
            skipBlanks()
            guard labels.updateValue(try quoted(), forKey: name) == nil else { throw Refusal(reason: .badLabels) }
            skipBlanks()
            if peek == UInt8(ascii: ",") {
                cursor += 1
            } else if peek != UInt8(ascii: "}") {
                throw Refusal(reason: .badLabels)
            }
        }
        cursor += 1
        return labels
    }

    /// A label's value, its escapes \\, \" and \n resolved; any other backslash stands for itself.
    private mutating func quoted() throws(Refusal) -> String {
        guard peek == UInt8(ascii: "\"") else { throw Refusal(reason: .badLabels) }
        cursor += 1
        var value: [UInt8] = []
        while let byte = peek {
            cursor += 1
            switch (byte, peek) {
            case (UInt8(ascii: "\""), _):
                guard let text = String(validating: value, as: UTF8.self) else { throw Refusal(reason: .notText) }
                return text
            case (UInt8(ascii: "\\"), UInt8(ascii: "n")):
                value.append(UInt8(ascii: "\n"))
                cursor += 1
            case (UInt8(ascii: "\\"), let next?) where next == UInt8(ascii: "\\") || next == UInt8(ascii: "\""):
                value.append(next)
                cursor += 1
            default: value.append(byte)
            }
        }
        throw Refusal(reason: .badLabels)
    }

    private mutating func word() -> String {
        let start = cursor
        while let byte = peek, byte > UInt8(ascii: " ") { cursor += 1 }
        return String(decoding: bytes[start..<cursor], as: UTF8.self)
    }

    /// As Go's ParseFloat reads it, which Prometheus uses.
    private static func number(_ text: String) -> Double? {
        switch text.lowercased() {
        case "inf", "+inf", "infinity", "+infinity": .infinity
        case "-inf", "-infinity": -.infinity
        case "nan": .nan
        default: Double(text)
        }
    }
}
