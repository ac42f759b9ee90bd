import Units

/// Requests per second over the time of a run.
public enum RateProfile: Hashable, Sendable, Codable {
    /// One rate throughout.
    case constant(Double)
    /// Each value holds for its interval; after the last the first follows again.
    case steps(every: TimeSpan, values: [Double])
    /// The rate at the start of each interval, with straight lines between; after the last value the rate returns to
    /// the first over its interval, and the profile repeats.
    case linear(every: TimeSpan, values: [Double])

    /// The same shape at `factor` times the rate.
    ///
    /// - Precondition: `factor` is finite and not negative.
    public func scaled(by factor: Double) -> RateProfile {
        precondition(factor >= 0 && factor.isFinite, "a rate cannot be scaled by \(factor)")
        return switch self {
        case .constant(let rate): .constant(rate * factor)
        case .steps(let every, let values): .steps(every: every, values: values.map { $0 * factor })
        case .linear(let every, let values): .linear(every: every, values: values.map { $0 * factor })
        }
    }

    /// The requests expected from the start up to `time`: the integral of the rate, Λ(t).
    ///
    /// - Precondition: `time` is not negative.
    public func expectedRequests(until time: TimeSpan) -> Double {
        precondition(time >= .zero, "no time passes before the start")
        let shape = RateShape(self)
        let (cycles, rest) = time.nanoseconds.quotientAndRemainder(dividingBy: shape.periodNanoseconds)
        let whole = Int(rest / shape.widthNanoseconds)
        let inside = Double(rest % shape.widthNanoseconds) / 1e9
        let before = (0..<whole).reduce(0) { $0 + shape.mass(of: $1) }
        let part = shape.rate(in: whole, at: 0) + shape.rate(in: whole, at: inside)
        return Double(cycles) * shape.massOfPeriod + before + part / 2 * inside
    }

    /// The mean rate from the start over `span`, in requests per second.
    ///
    /// - Precondition: `span` is positive.
    public func mean(over span: TimeSpan) -> Double {
        precondition(span > .zero, "a mean over no time")
        return expectedRequests(until: span) / span.seconds
    }

    /// What makes the profile unusable; `nil` when nothing does.
    public var problem: String? {
        let (every, values) =
            switch self {
            case .constant(let rate): (TimeSpan.seconds(1), [rate])
            case .steps(let every, let values), .linear(let every, let values): (every, values)
            }
        if values.isEmpty { return "the rate has no values" }
        if every <= .zero { return "the rate's interval \(every) is not positive" }
        // A repetition's length is kept in 64 bits of nanoseconds; twenty years is far outside any scenario.
        let longest = TimeSpan.hours(20 * 366 * 24).nanoseconds / Int64(values.count)
        if every.nanoseconds > longest { return "the rate's intervals span over 20 years" }
        if let bad = values.first(where: { !($0 >= 0 && $0 <= 1e9) }) { return "a rate of \(bad) requests/s" }
        return nil
    }
}
