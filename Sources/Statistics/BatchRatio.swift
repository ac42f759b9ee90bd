/// A quotient of sums over batches, such as met over arrived, as a series that batch means can judge.
///
/// Each batch's influence on the quotient R = Σa / Σb is (aᵢ − R·bᵢ) / mean(b): their mean is 0 and the spread of
/// their mean is that of R, however the batches differ in size.
///
/// - Source: linearisation of a ratio estimator; Cochran, *Sampling Techniques*, 3rd ed., §6.3.
public struct BatchRatio: Hashable, Sendable {
    public let value: Double
    /// One for each batch, in order; their mean is 0 but for rounding.
    public let influences: [Double]

    /// - Parameters:
    ///   - numerators, denominators: One pair for each batch, in order of time. Denominators are not negative.
    /// - Returns: `nil` when the denominators sum to nothing.
    public init?(_ numerators: [Double], over denominators: [Double]) {
        precondition(numerators.count == denominators.count, "\(numerators.count) over \(denominators.count) batches")
        let below = denominators.reduce(0, +)
        guard below > 0 else { return nil }
        let ratio = numerators.reduce(0, +) / below
        let meanBelow = below / Double(denominators.count)
        value = ratio
        influences = zip(numerators, denominators).map { ($0 - ratio * $1) / meanBelow }
    }

    /// The batch means of the quotient.
    public func batchMeans() throws(BatchMeans.Refusal) -> BatchMeans {
        try BatchMeans(influences.map { value + $0 })
    }
}
