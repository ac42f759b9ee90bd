import Units

/// Multiplies a number as a file has it, and leaves its unit.
enum ScaledText {
    /// Units that follow a number, the longest first.
    private static let units = [" USD/h", "USD/h", " rps", "rps", "/s", "/m", "/h", "%"]
    /// Letters that multiply; a product is written without them.
    private static let multipliers: [(suffix: String, factor: Double)] = [("k", 1e3), ("M", 1e6), ("G", 1e9)]

    /// `text` times `factor`; `nil` when it is no number, or no finite one after.
    static func of(_ text: String, by factor: Double) -> String? {
        if let span = TimeSpan(text) {
            let product = Double(span.nanoseconds) * factor
            guard product.magnitude < 9e18 else { return nil }
            return TimeSpan(nanoseconds: Int64(product.rounded())).description
        }
        var number = Substring(text)
        var unit = ""
        var scale = factor
        if let suffix = units.first(where: { text.hasSuffix($0) }) {
            number = number.dropLast(suffix.count)
            unit = suffix
        } else if let multiplier = multipliers.first(where: { text.hasSuffix($0.suffix) }) {
            number = number.dropLast()
            scale *= multiplier.factor
        }
        guard let value = plainNumber(number), (value * scale).isFinite else { return nil }
        return decimal(value * scale) + unit
    }

    /// The nearest whole number to a product, as text.
    static func whole(_ product: String) -> String? {
        plainNumber(product).flatMap { Int64(exactly: $0.rounded()) }.map(String.init)
    }

    /// At most nine digits after the point, as prices take them, and no exponent between 10⁻⁴ and 10¹⁶.
    private static func decimal(_ value: Double) -> String {
        let nanos = (value * 1e9).rounded()
        let rounded = value.magnitude >= 1e-3 && nanos.magnitude < 9e15 ? nanos / 1e9 : value
        guard let whole = Int64(exactly: rounded) else { return String(rounded) }
        return String(whole)
    }
}
