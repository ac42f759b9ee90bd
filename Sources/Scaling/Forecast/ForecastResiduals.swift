import Units

/// How much reality has exceeded the forecasts, as a quantile: head-room that a policy earns from its own mistakes.
///
/// Each forecast waits until its time comes and is then divided into what was observed. Both are raised by half a
/// unit first, so that the ratio is tame where there is next to no load.
public struct ForecastResiduals: Hashable, Sendable, Codable {
    private struct Pending: Hashable, Sendable, Codable {
        var due: Instant
        var value: Double
    }
    private var pending: [Pending] = []
    /// The last ratios, a ring.
    private var ratios: [Double] = []
    private var next = 0

    /// Ratios kept: four hours of minutes, so that the head-room of a quiet night is not that of the morning's rush.
    public static let capacity = 240
    /// With fewer ratios than this a quantile is a guess, and `prior` stands for it.
    public static let enough = 20
    /// The factor used until then.
    public static let prior = 1.15
    /// What both sides of a ratio are raised by.
    public static let offset = 0.5

    public init() {}

    /// Remembers that `value` is expected at `due`, which is later than any before.
    public mutating func expect(_ value: Double, at due: Instant) { pending.append(Pending(due: due, value: value)) }

    /// Compares what is observed with the forecasts that have come due.
    public mutating func observe(_ value: Double, at now: Instant) {
        let arrived = pending.prefix { $0.due <= now }.count
        guard arrived > 0 else { return }
        let ratio = (value + Self.offset) / (max(0, pending[arrived - 1].value) + Self.offset)
        pending.removeFirst(arrived)
        if ratios.count < Self.capacity {
            ratios.append(ratio)
        } else {
            ratios[next] = ratio
            next = (next + 1) % Self.capacity
        }
    }

    /// Forgets forecasts that have not come due: after a gap they were made from another world.
    public mutating func forgetPending() { pending.removeAll() }

    /// The factor that covers `quantile` of past outcomes; at least 1, so that head-room never makes a fleet smaller.
    public func factor(quantile: Double) -> Double {
        guard ratios.count >= Self.enough else { return Self.prior }
        let sorted = ratios.sorted()
        let index = min(sorted.count - 1, Int((quantile * Double(sorted.count)).rounded(.up)) - 1)
        return max(1, sorted[max(0, index)])
    }

    /// `forecast` with the head-room of `factor`.
    public static func raised(_ forecast: Double, by factor: Double) -> Double {
        (forecast + offset) * factor - offset
    }
}
