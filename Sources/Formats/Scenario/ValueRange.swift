import Units

/// The values that a scenario's field may take in a study: those between two ends, or those of a list.
///
///     ValueRange("2/s..8/s")      // any rate between the two, the ends included
///     ValueRange("16..128")       // whole numbers, because both ends are written as such
///     ValueRange("30s..5m")       // durations
///     ValueRange("hpa,lookahead") // these texts
public enum ValueRange: Hashable, Sendable {
    /// Texts as a scenario writes them. At least one.
    case listed([String])
    case between(Ends)

    /// What is wrong with a range, and how to write it.
    public struct Refusal: Error, Hashable, Sendable {
        public var reason: String
        public var fix: String
    }

    public init(_ text: String) throws(Refusal) {
        guard let dots = text.firstRange(of: "..") else {
            let values = text.split(separator: ",", omittingEmptySubsequences: false).map {
                String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
            guard values.allSatisfy({ !$0.isEmpty }) else {
                throw Refusal(reason: "has an empty value", fix: "write for example '8,16,32' or '8..32'")
            }
            if let twice = values.indices.first(where: { values[..<$0].contains(values[$0]) }) {
                throw Refusal(reason: "has '\(shown(values[twice]))' twice", fix: "name each value once")
            }
            self = .listed(values)
            return
        }
        self = .between(try Ends(low: String(text[..<dots.lowerBound]), high: String(text[dots.upperBound...])))
    }
}

extension ValueRange {
    /// Two values of one kind, the lower one first.
    public struct Ends: Hashable, Sendable {
        private enum Kind: Hashable, Sendable {
            /// In nanoseconds.
            case duration
            case whole
            /// With what follows the number, such as `/s` or `%`.
            case number(unit: String)
        }

        private let texts: [String]
        private let low: Double
        private let high: Double
        private let kind: Kind

        init(low: String, high: String) throws(Refusal) {
            texts = [low, high]
            guard let first = Self.read(low), let last = Self.read(high) else {
                throw Refusal(
                    reason: "has no two values with '..' between them",
                    fix: "write for example '8..32', '2/s..8/s', '30s..5m' or a list such as '8,16,32'")
            }
            switch (first.kind, last.kind) {
            case (.whole, .number(unit: "")), (.number(unit: ""), .whole): kind = .number(unit: "")
            case let (a, b) where a == b: kind = a
            default:
                throw Refusal(reason: "has ends of different units", fix: "give both the same, such as '2/s..8/s'")
            }
            guard first.value < last.value else {
                throw Refusal(
                    reason: "does not rise from its first end to its last", fix: "write the lower end first")
            }
            self.low = first.value
            self.high = last.value
        }

        /// The value at a share of the way from the low end to the high one, as a scenario writes it.
        ///
        /// A duration and a number are rounded to a millionth of the way or finer. Each whole number has an equal part
        /// of the way.
        ///
        /// - Parameter share: Range: 0...1. The ends are the texts as given.
        public func text(at share: Double) -> String {
            precondition((0...1).contains(share), "share \(share)")
            if share == 0 { return texts[0] }
            if share == 1 { return texts[1] }
            let value = low + share * (high - low)
            switch kind {
            case .whole: return String(Int64(min(high, low + (share * (high - low + 1)).rounded(.down))))
            case .duration: return TimeSpan(nanoseconds: Int64(rounded(value, decimals: 0))).description
            case .number(let unit):
                let text = rounded(value, decimals: 9)
                return (Int64(exactly: text).map(String.init) ?? "\(text)") + unit
            }
        }

        /// Rounded to a power of ten that is at most a millionth of the way, and no finer than so many decimals.
        private func rounded(_ value: Double, decimals: Int) -> Double {
            var (scale, places) = (1.0, 0)
            while (high - low) * scale < 1e6, places < decimals { (scale, places) = (scale * 10, places + 1) }
            if places > 0 { return (value * scale).rounded() / scale }
            var step = 1.0
            while step * 1e7 <= high - low { step *= 10 }
            return (value / step).rounded() * step
        }

        private static func read(_ text: String) -> (value: Double, kind: Kind)? {
            if let span = TimeSpan(text) { return (Double(span.nanoseconds), .duration) }
            if let whole = Int64(text), whole.magnitude < 1 << 53 { return (Double(whole), .whole) }
            let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-") }
            guard let value = Double(number), value.isFinite else { return nil }
            return (value, .number(unit: String(text.dropFirst(number.count))))
        }
    }
}
