import Units

#if canImport(Glibc)
    import Glibc
#endif

/// How a quantity is laid along an axis: where its values fall, and which of them are named.
struct Scale {
    struct Tick {
        var value: Double
        var label: String
    }

    private enum Kind { case linear, logarithmic, tail }

    private let kind: Kind
    let lower: Double
    let upper: Double
    private(set) var ticks: [Tick]

    /// The position of `value` along the axis: 0 at `lower`, 1 at `upper`; values beyond are held at the ends.
    func fraction(_ value: Double) -> Double {
        let (low, high, here) = (image(lower), image(upper), image(min(max(value, lower), upper)))
        return high > low ? (here - low) / (high - low) : 0
    }

    private func image(_ value: Double) -> Double {
        switch kind {
        case .linear: value
        case .logarithmic: log10(value)
        case .tail: -log10(1 - value)
        }
    }

    // MARK: Linear

    /// From 0 to at least `maximum`, with ticks at 1, 2 or 5 times a power of ten.
    ///
    /// - Parameter whole: The quantity is a count, so no tick falls between whole numbers.
    static func linear(upTo maximum: Double, whole: Bool = false, label: (Double) -> String = threeDigits)
        -> Scale
    {
        let top = maximum > 0 && maximum.isFinite ? maximum : 1
        var step = niceStep(top / 5)
        if whole { step = max(1, step) }
        let count = Int((top / step).rounded(.up))
        let ticks = (0...count).map { Tick(value: Double($0) * step, label: trimmed(label(Double($0) * step))) }
        return Scale(kind: .linear, lower: 0, upper: Double(count) * step, ticks: ticks)
    }

    /// Between two values that need not include 0, such as costs to be told apart.
    static func linear(from low: Double, to high: Double, label: (Double) -> String) -> Scale {
        let step = niceStep(max(high - low, abs(high) * 1e-6, 1e-9) / 4)
        let first = (low / step).rounded(.down)
        let last = max((high / step).rounded(.up), first + 1)
        let ticks = stride(from: first, through: last, by: 1).map {
            Tick(value: $0 * step, label: trimmed(label($0 * step)))
        }
        return Scale(kind: .linear, lower: first * step, upper: last * step, ticks: ticks)
    }

    /// The least of 1, 2, 5 × 10ⁿ that is not below `value`.
    static func niceStep(_ value: Double) -> Double {
        let power = pow(10, log10(value).rounded(.down))
        for factor in [1.0, 2, 5] where factor * power >= value * (1 - 1e-9) { return factor * power }
        return 10 * power
    }

    /// Room for `count` rows that are named in the drawing itself.
    static func rows(_ count: Int) -> Scale { Scale(kind: .linear, lower: 0, upper: Double(max(1, count)), ticks: []) }

    // MARK: Logarithmic

    /// Whole decades around positive values, a tick at each; 2 and 5 too when the decades are few.
    static func logarithmic(from low: Double, to high: Double, label: (Double) -> String) -> Scale {
        let first = Int(log10(max(low, 1e-9)).rounded(.down))
        let last = max(first + 1, Int(log10(max(high, 1e-9) * (1 - 1e-9)).rounded(.up)))
        let factors = last - first <= 2 ? [1.0, 2, 5] : [1.0]
        var ticks: [Tick] = []
        for power in first...last {
            for factor in factors where power < last || factor == 1 {
                let value = factor * pow(10, Double(power))
                ticks.append(Tick(value: value, label: trimmed(label(value))))
            }
        }
        return Scale(
            kind: .logarithmic, lower: pow(10, Double(first)), upper: pow(10, Double(last)), ticks: ticks)
    }

    // MARK: Tail

    /// Quantiles from 0 on, each nine of the tail as wide as the one before: 0, 90, 99, 99.9 % are equally far apart.
    ///
    /// - Parameter last: The highest quantile to show, below 1.
    static func tail(upTo last: Double) -> Scale {
        let named = [(0.0, "0 %"), (0.5, "50"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99")]
        let ticks = named.filter { $0.0 <= last }.map { Tick(value: $0.0, label: $0.1) }
        return Scale(kind: .tail, lower: 0, upper: last, ticks: ticks)
    }

    // MARK: Time

    /// Seconds since `start`, named by the clock in UTC.
    static func time(from start: Instant, lasting duration: TimeSpan) -> Scale {
        let span = max(duration, .seconds(1))
        let steps: [Int64] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
            604_800, 2_592_000, 31_536_000,
        ]
        let seconds = steps.first { TimeSpan.seconds($0 * 9) >= span } ?? steps[steps.count - 1]
        let step = TimeSpan.seconds(seconds).nanoseconds
        var ticks: [Tick] = []
        var at = Instant(nanoseconds: (start.nanoseconds + step - 1) / step * step)
        while at <= start + span {
            let isMidnight = at.nanoseconds % TimeSpan.hours(24).nanoseconds == 0
            let label =
                isMidnight && span > .hours(24)
                ? String(at.day.dropFirst(5)) : seconds < 60 ? at.secondOfDay : at.minuteOfDay
            ticks.append(Tick(value: (at - start).seconds, label: label))
            at += TimeSpan(nanoseconds: step)
        }
        return Scale(kind: .linear, lower: 0, upper: span.seconds, ticks: ticks)
    }
}
