import Units

/// How long to wait before a request is tried again.
///
/// Exponential with full jitter: each wait is uniform between 0 and a bound that doubles, so that clients who failed
/// together do not come back together.
///
/// - Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
struct Backoff: Hashable, Sendable {
    var first = TimeSpan.milliseconds(100)
    var longest = TimeSpan.seconds(5)
    private var attempt = 0

    init(first: TimeSpan = .milliseconds(100), longest: TimeSpan = .seconds(5)) {
        self.first = first
        self.longest = longest
    }

    /// The next wait; at least what the server asked for, where it asked.
    mutating func next(atLeast asked: TimeSpan? = nil, using generator: inout some RandomNumberGenerator) -> TimeSpan {
        let bound = min(first * (1 << Int64(min(attempt, 20))), longest)
        attempt += 1
        let jittered = TimeSpan(nanoseconds: .random(in: 0...bound.nanoseconds, using: &generator))
        return max(jittered, asked ?? .zero)
    }

    /// A success: the next failure is a first one.
    mutating func reset() { attempt = 0 }
}
