import Units

extension ScalarSchema<Double> {
    /// A share such as `99%` or `99.9%`, read as a fraction. The sign is required: `0.99` could be either.
    static func percentage(_ range: ClosedRange<Double> = 0...100) -> ScalarSchema {
        ScalarSchema { text in
            let fix = "write a percentage, for example '99%'"
            guard text.hasSuffix("%") else {
                let reason = plainNumber(text) == nil ? "is no percentage" : "has no percent sign"
                return .failure(Refusal(reason: reason, fix: fix))
            }
            guard let value = plainNumber(text.dropLast()) else {
                return .failure(Refusal(reason: "is no percentage", fix: fix))
            }
            guard range.contains(value) else {
                let bounds = "write a percentage from \(shortest(range.lowerBound))% to \(shortest(range.upperBound))%"
                return .failure(Refusal(reason: value < 0 ? "is negative" : "is out of range", fix: bounds))
            }
            // Shifted in the text: 99.9 / 100 is not the double nearest to 0.999.
            return .success(Double(text.dropLast() + "e-2") ?? value / 100)
        }
    }

    /// Requests over time, `12/s`, `12 rps`, `720/m` or `43200/h`, read as requests per second. Zero is a rate.
    static var rate: ScalarSchema {
        ScalarSchema { text in
            let fix = "write requests with their time, for example '12/s', '12 rps', '720/m'"
            for (suffix, seconds) in [("/s", 1.0), ("rps", 1), ("/m", 60), ("/h", 3600)] where text.hasSuffix(suffix) {
                var number = text.dropLast(suffix.count)
                while number.last == " " { number = number.dropLast() }
                guard let value = plainNumber(number) else { break }
                guard value >= 0 else { return .failure(Refusal(reason: "is negative", fix: fix)) }
                return .success(value / seconds)
            }
            guard let value = plainNumber(text) else { return .failure(Refusal(reason: "is no rate", fix: fix)) }
            return .failure(Refusal(reason: value < 0 ? "is negative" : "has no unit", fix: fix))
        }
    }

    /// A plain decimal number within `range`; `k` and `M` multiply as in a count.
    static func number(_ range: ClosedRange<Double>, example: String) -> ScalarSchema {
        ScalarSchema { text in
            let fix = "write a number, for example '\(example)'"
            guard let value = scaledNumber(text) else { return .failure(Refusal(reason: "is no number", fix: fix)) }
            guard range.contains(value) else {
                return .failure(
                    Refusal(reason: value < 0 && range.lowerBound >= 0 ? "is negative" : "is out of range", fix: fix))
            }
            return .success(value)
        }
    }

    /// A number above zero.
    static func positive(example: String) -> ScalarSchema {
        number(.leastNonzeroMagnitude ... .greatestFiniteMagnitude, example: example)
    }
}

/// A finite decimal number, with an exponent if need be; not `nan`, `inf`, hexadecimal, or a number with spaces.
func plainNumber(_ text: some StringProtocol) -> Double? {
    let allowed = text.utf8.allSatisfy { (48...57).contains($0) || "+-.eE".utf8.contains($0) }
    guard allowed, text.utf8.first.map({ (48...57).contains($0) || $0 == UInt8(ascii: "-") }) == true,
        let value = Double(String(text)), value.isFinite
    else { return nil }
    return value
}

/// A plain number with an optional `k` or `M`.
func scaledNumber(_ text: String) -> Double? {
    for (suffix, scale) in [("k", 1e3), ("M", 1e6)] where text.hasSuffix(suffix) {
        return plainNumber(text.dropLast()).map { $0 * scale }
    }
    return plainNumber(text)
}

/// A number for a message: whole ones without a fraction.
func shortest(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
}
