import Units

/// A rate as a bucket: it holds a minute's worth, fills evenly, and what is taken must be in it.
struct RateBucket: Hashable, Sendable {
    /// For a minute.
    let limit: Int
    private var level: Double
    private var filled: Instant

    init(perMinute limit: Int, at now: Instant) {
        self.limit = limit
        level = Double(limit)
        filled = now
    }

    var remaining: Int { max(0, Int(level)) }

    mutating func fill(at now: Instant) {
        guard now > filled else { return }
        level = min(Double(limit), level + Double(limit) * (now - filled).seconds / 60)
        filled = now
    }

    /// A wait that is told is never longer: a worker that counts too much can take more than a clock could tell.
    private static let longestWait = 365 * 86_400.0

    /// How long until `amount` is there; zero when it is, `nil` when a full bucket does not hold it.
    func wait(for amount: Int) -> TimeSpan? {
        guard amount <= limit else { return nil }
        let missing = Double(amount) - level
        return missing <= 0 ? .zero : .estimate(seconds: min(missing * 60 / Double(limit), Self.longestWait))
    }

    /// Until it is full.
    var reset: TimeSpan { wait(for: limit) ?? .zero }

    mutating func take(_ amount: Int) { level -= Double(amount) }
    /// Gives back what was not used; less than nothing when it was more.
    mutating func giveBack(_ amount: Int) { level = min(Double(limit), level + Double(amount)) }
}
