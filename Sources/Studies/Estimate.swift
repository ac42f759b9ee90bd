/// An estimated number, with the interval that holds its true mean with 95 % confidence where one is known.
///
/// `Double`s, because an estimate is never a bill: a mean cost over replications is one, the cost of a run is not.
public struct Estimate: Hashable, Sendable, Codable {
    public var value: Double
    /// `nil` when nothing varied: a single run says nothing about its own uncertainty.
    public var ci95: Bounds?
    /// What varied between the runs behind the interval, in words; `nil` without one.
    public var varied: String?

    public init(_ value: Double, ci95: Bounds? = nil, varied: String? = nil) {
        self.value = value
        self.ci95 = ci95
        self.varied = varied
    }

    /// The ends of an interval, both included.
    public struct Bounds: Hashable, Sendable, Codable {
        public var lower: Double
        public var upper: Double

        /// - Precondition: `lower <= upper`.
        public init(lower: Double, upper: Double) {
            precondition(lower <= upper, "interval \(lower)...\(upper)")
            self.lower = lower
            self.upper = upper
        }
    }
}
