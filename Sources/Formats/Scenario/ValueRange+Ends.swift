import Units

extension ValueRange {
    /// Two values of one kind, the lower one first.
    public struct Ends: Hashable, Sendable {
        private enum Kind: Hashable, Sendable {
            /// In nanoseconds.
            case duration
            case whole
            /// With what stands before the number, `x` or nothing, and what follows it, such as `/s` or `%`.
            case number(mark: String, unit: String)
        }

        private let texts: [String]
        private let low: Double
        private let high: Double
        private let kind: Kind

        init(low: String, high: String) throws(Refusal) {
            texts = [low, high]
            guard let first = Self.read(low), let last = Self.read(high) else {
                throw Refusal(
                    reason: "has no two numbers with '..' between them",
                    fix: "write for example '8..32', '2/s..8/s', '30s..5m', 'x0.5..x2' or a list such as '8,16,32'")
            }
            switch (first.kind, last.kind) {
            case (.whole, .number(mark: "", unit: "")): kind = last.kind
            case (.number(mark: "", unit: ""), .whole): kind = first.kind
            case (let a, let b) where a == b: kind = a
            default:
                throw Refusal(reason: "has ends of different units", fix: "give both the same, such as '2/s..8/s'")
            }
            guard first.value < last.value else {
                throw Refusal(reason: "does not rise from its first end to its last", fix: "write the lower end first")
            }
            self.low = first.value
            self.high = last.value
        }

        /// From so much below what the field has to as much above it: `10%` for `±10%`.
        init(around text: String) throws(Refusal) {
            guard text.hasSuffix("%"), let percent = Double(text.dropLast()), percent > 0, percent < 100 else {
                throw Refusal(reason: "is no deviation", fix: "write for example '±10%'")
            }
            let ends = [100 - percent, 100 + percent].map { "x" + Self.decimal($0 / 100, places: 9) }
            try self.init(low: ends[0], high: ends[1])
        }

        /// The value at a share of the way from the low end to the high one, as a scenario writes it.
        ///
        /// A duration and a number are rounded to a millionth of the way or finer; a number has at most nine decimals.
        /// Each whole number has an equal part of the way.
        ///
        /// - Parameter share: Range: 0...1. The ends are the texts as given.
        public func text(at share: Double) -> String {
            precondition((0...1).contains(share), "share \(share)")
            if share == 0 { return texts[0] }
            if share == 1 { return texts[1] }
            let value = low + share * (high - low)
            switch kind {
            case .whole:
                return String(Int64(min(high, low + (share * (high - low + 1)).rounded(.down))))
            case .duration:
                var step = 1.0
                while step * 1e7 <= high - low { step *= 10 }
                return TimeSpan(nanoseconds: Int64((value / step).rounded() * step)).description
            case .number(let mark, let unit):
                var (places, scale) = (0, 1.0)
                while (high - low) * scale < 1e6, places < 9 { (places, scale) = (places + 1, scale * 10) }
                return mark + Self.decimal(value, places: places) + unit
            }
        }

        /// `value` with at most so many decimals and without an exponent.
        private static func decimal(_ value: Double, places: Int) -> String {
            var scale = 1.0
            for _ in 0..<places { scale *= 10 }
            let scaled = (value * scale).rounded()
            guard scaled.magnitude < 1e18 else { return String(value) }
            let digits = String(Int64(scaled.magnitude))
            let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
            var fraction = padded.suffix(places)
            while fraction.last == "0" { fraction.removeLast() }
            let sign = scaled < 0 ? "-" : ""
            return sign + padded.dropLast(places) + (fraction.isEmpty ? "" : "." + fraction)
        }

        private static func read(_ text: String) -> (value: Double, kind: Kind)? {
            if let span = TimeSpan(text) { return (Double(span.nanoseconds), .duration) }
            if let whole = Int64(text), whole.magnitude < 1 << 53 { return (Double(whole), .whole) }
            let mark = text.hasPrefix("x") ? "x" : ""
            let rest = text.dropFirst(mark.count)
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-") }
            guard let value = Double(number), value.magnitude < 1e15 else { return nil }
            return (value, .number(mark: mark, unit: String(rest.dropFirst(number.count))))
        }
    }
}
