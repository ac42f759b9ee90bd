import Studies
import Units

#if canImport(Glibc)
    import Glibc
#endif

// Numbers as a reader sees them. No locale: the same bytes everywhere, a point for decimals and a comma every three
// digits.

/// `value` with `decimals` decimals, halves away from zero; a dash when it is not finite.
func fixed(_ value: Double, _ decimals: Int) -> String {
    var scale: Int64 = 1
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (value.magnitude * Double(scale)).rounded()
    guard scaled < 9e15 else { return value.isFinite ? "\(value)" : "–" }
    let units = Int64(scaled)
    let sign = value < 0 && units > 0 ? "-" : ""
    guard decimals > 0 else { return sign + String(units) }
    let fraction = String(units % scale)
    return sign + String(units / scale) + "." + String(repeating: "0", count: decimals - fraction.count) + fraction
}

/// A whole number with a comma every three digits.
func grouped(_ value: Int64) -> String {
    let digits = Array(String(value.magnitude))
    var text = value < 0 ? "−" : ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0 { text += "," }
        text.append(digit)
    }
    return text
}

/// About three digits: `1,234`, `123`, `12.3`, `1.23`, `0.0123`.
func threeDigits(_ value: Double) -> String {
    let size = value.magnitude
    if size == 0 { return "0" }
    if size >= 999.5 { return size < 9e15 ? grouped(Int64(value.rounded())) : "\(value)" }
    if size >= 99.95 { return fixed(value, 0) }
    if size >= 9.995 { return fixed(value, 1) }
    if size >= 0.9995 { return fixed(value, 2) }
    return fixed(value, min(9, 2 - Int(log10(size).rounded(.down))))
}

/// A count, shortened to thousands, millions or billions from 10,000 on: `9,876`, `12.3 k`, `1.20 M`.
func short(_ value: Double) -> String {
    let size = value.magnitude
    if size < 9999.5 { return size == size.rounded() ? grouped(Int64(value)) : threeDigits(value) }
    if size < 999_500 { return threeDigits(value / 1e3) + " k" }
    if size < 999_500_000 { return threeDigits(value / 1e6) + " M" }
    return threeDigits(value / 1e9) + " B"
}

/// An exact amount in dollars, rounded for reading: cents, or three digits below a dollar.
func money(_ amount: USD) -> String { money(dollars: amount.dollars) }

/// An estimated amount in dollars.
func money(dollars: Double) -> String {
    let size = dollars.magnitude
    let sign = dollars < 0 ? "−" : ""
    if size == 0 { return "$0" }
    if size >= 99_999.5 { return sign + "$" + grouped(Int64(size.rounded())) }
    if size >= 0.9995 {
        let text = fixed(size, 2)
        return sign + "$" + grouped(Int64(text.dropLast(3)) ?? 0) + text.suffix(3)
    }
    return sign + "$" + threeDigits(size)
}

/// A share as a percentage with `decimals` decimals.
func percent(_ share: Double, _ decimals: Int = 1) -> String {
    let text = fixed(share.magnitude * 100, decimals) + " %"
    return share < 0 && text.contains { ("1"..."9").contains($0) } ? "−" + text : text
}

/// A share of requests that kept a promise, rounded down, so that 99.996 % never reads as 100 %.
func attainmentText(_ share: Double) -> String {
    let hundredths = (share * 10_000 + 1e-7).rounded(.down)
    return share >= 1 ? "100 %" : fixed(hundredths / 100, 2) + " %"
}

/// A latency given in milliseconds, in the unit that suits it; a dash for none.
func latency(milliseconds: Double?) -> String {
    guard let value = milliseconds else { return "–" }
    if value < 0.9995 { return threeDigits(value * 1000) + " µs" }
    if value < 999.5 { return threeDigits(value) + " ms" }
    if value < 119_950 { return threeDigits(value / 1000) + " s" }
    return threeDigits(value / 60_000) + " min"
}

func latency(_ span: TimeSpan?) -> String { latency(milliseconds: span?.milliseconds) }

/// `text` without zeros that end a fraction: `2.00 s` is `2 s`. For what is exact by design, such as ticks and targets;
/// a measured figure keeps its digits.
func trimmed(_ text: String) -> String {
    guard let point = text.firstIndex(of: ".") else { return text }
    var end = text[text.index(after: point)...].firstIndex { !$0.isASCII || !$0.isNumber } ?? text.endIndex
    let rest = text[end...]
    while text[text.index(before: end)] == "0" { end = text.index(before: end) }
    if text.index(before: end) == point { end = point }
    return String(text[..<end] + rest)
}

/// A length of time in its two largest units: `24 h`, `1 h 30 min`, `2 s`, `80 ms`.
func spelled(_ span: TimeSpan) -> String {
    guard span >= .seconds(60) else { return trimmed(latency(span)) }
    let units: [(name: String, length: TimeSpan)] = [
        ("d", .hours(24)), ("h", .hours(1)), ("min", .minutes(1)), ("s", .seconds(1)),
    ]
    var rest = span
    var parts: [String] = []
    // A single day reads better as 24 h.
    for unit in units where parts.count < 2 && !(unit.name == "d" && span < .hours(48)) {
        let count = rest.nanoseconds / unit.length.nanoseconds
        guard count > 0 else { continue }
        parts.append("\(count) \(unit.name)")
        rest = rest - unit.length * count
    }
    return parts.joined(separator: " ")
}

/// The ends of an interval; a dash between numbers that may be negative would read as a sign.
func interval(_ bounds: Estimate.Bounds, _ text: (Double) -> String) -> String {
    text(bounds.lower) + (bounds.lower < 0 ? " to " : " – ") + text(bounds.upper)
}

extension Instant {
    /// `2026-03-02`.
    var day: String { String(description.prefix(10)) }
    /// `07:30`.
    var minuteOfDay: String { String(description.dropFirst(11).prefix(5)) }
    /// `07:30:15`.
    var secondOfDay: String { String(description.dropFirst(11).prefix(8)) }
    /// `2026-03-02 07:30:15`.
    var readable: String { "\(day) \(secondOfDay)" }
}
