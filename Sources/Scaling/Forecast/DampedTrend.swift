/// Holt's linear trend with damping: a level and a slope, both smoothed, the slope fading with the horizon.
///
///     ℓ' = α·x + (1 − α)·(ℓ + φ·b),   b' = β·(ℓ' − ℓ) + (1 − β)·φ·b,   x̂(h) = ℓ + (φ + … + φʰ)·b
///
/// Damping keeps a slope seen once from being believed for ever: at φ = 0.95 a trend is worth at most 19 steps.
///
/// - Source: Gardner, McKenzie, "Forecasting Trends in Time Series", *Management Science* 31(10), 1985.
public struct DampedTrend: Hashable, Sendable, Codable {
    /// The smoothed value now; `nil` before the first observation.
    public private(set) var level: Double?
    /// Change per step.
    public private(set) var slope = 0.0

    public init() {}

    /// Takes in the value of one more step.
    ///
    /// - Parameters:
    ///   - levelGain: α, the weight of the newest value. Range: 0...1.
    ///   - trendGain: β, the weight of the newest slope. Range: 0...1.
    ///   - damping: φ. Range: 0...1.
    public mutating func observe(_ value: Double, levelGain: Double, trendGain: Double, damping: Double) {
        guard let old = level else {
            level = value
            return
        }
        let new = levelGain * value + (1 - levelGain) * (old + damping * slope)
        slope = trendGain * (new - old) + (1 - trendGain) * damping * slope
        level = new
    }

    /// Forgets the slope: after a gap in the observations it says nothing about now.
    public mutating func forgetSlope() { slope = 0 }

    /// The value expected `steps` from now, a fraction of a step interpolated; `nil` before the first observation.
    ///
    /// - Complexity: O(`steps`).
    public func forecast(steps: Double, damping: Double) -> Double? {
        guard let level else { return nil }
        var weight = 0.0
        var power = damping
        var rest = steps
        while rest > 0 {
            weight += power * min(1, rest)
            power *= damping
            rest -= 1
        }
        return level + weight * slope
    }
}
