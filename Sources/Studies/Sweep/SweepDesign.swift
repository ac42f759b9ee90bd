import Randomness

/// How a sweep chooses its points.
public enum SweepDesign: Hashable, Sendable {
    /// Every combination; the last field changes fastest.
    case grid
    /// So many points at random, with one in each of as many equal slices of every field.
    case latinHypercube(points: Int)
    /// The first so many points of Sobol's sequence.
    case sobol(points: Int)

    /// As files and commands spell it.
    public var name: String {
        switch self {
        case .grid: "grid"
        case .latinHypercube: "latin-hypercube"
        case .sobol: "sobol"
        }
    }
}

/// What a field may take in a design.
public enum SweepAxis: Hashable, Sendable {
    /// One of so many listed values. At least 1.
    case listed(Int)
    /// Anything between two ends; a grid takes so many values at equal distances, both ends among them. At least 1.
    case between(levels: Int)
}

/// Where a point lies on an axis.
public enum SweepPosition: Hashable, Sendable {
    /// The listed value of this index.
    case item(Int)
    /// The share of the way from the low end to the high one. Range: 0...1.
    case share(Double)
}

extension SweepDesign {
    /// Why a design cannot be made.
    public enum Problem: Error, Hashable, Sendable {
        /// More points than a sweep may have.
        case tooManyPoints(limit: Int)
        /// More fields than Sobol's sequence has dimensions.
        case tooManyFields(limit: Int)
    }

    /// A sweep of more points than this is a mistake: a grid grows with the product of its levels.
    public static let mostPoints = 100_000

    /// The points, each with a position for every axis, in the design's order.
    ///
    /// - Parameters:
    ///   - names: Those of the axes. A Latin hypercube draws each axis from a stream of its name, so another axis more
    ///     or less moves no other.
    ///   - seed: Of the Latin hypercube; the other designs draw nothing.
    public func points(of axes: [SweepAxis], names: [String], seed: UInt64) throws(Problem) -> [[SweepPosition]] {
        precondition(!axes.isEmpty && axes.count == names.count, "\(axes.count) axes with \(names.count) names")
        switch self {
        case .grid: return try Self.grid(axes)
        case .latinHypercube(let count):
            try Self.check(count)
            let streams = RandomStreams(seed: seed)
            let columns = zip(axes, names).map { axis, name in
                Self.slices(count, streams.generator("sweep", name)).map(axis.position)
            }
            return (0..<count).map { point in columns.map { $0[point] } }
        case .sobol(let count):
            try Self.check(count)
            guard axes.count <= SobolSequence.mostDimensions else {
                throw .tooManyFields(limit: SobolSequence.mostDimensions)
            }
            let sequence = SobolSequence(dimensions: axes.count)
            return (0..<count).map { _ in zip(axes, sequence.next()).map { $0.position(at: $1) } }
        }
    }

    private static func check(_ count: Int) throws(Problem) {
        precondition(count >= 1, "a sweep of \(count) points")
        if count > mostPoints { throw .tooManyPoints(limit: mostPoints) }
    }

    private static func grid(_ axes: [SweepAxis]) throws(Problem) -> [[SweepPosition]] {
        var points: [[SweepPosition]] = [[]]
        for axis in axes {
            let levels = axis.levels
            guard points.count * levels.count <= mostPoints else { throw .tooManyPoints(limit: mostPoints) }
            points = points.flatMap { point in levels.map { point + [$0] } }
        }
        return points
    }

    /// One number from each of `count` equal slices of 0...1, in random order.
    ///
    /// - Source: M. McKay, R. Beckman, W. Conover, "A Comparison of Three Methods for Selecting Values of Input
    ///   Variables", Technometrics 21 (1979); the order is shuffled as by R. Durstenfeld, CACM 7 (1964).
    private static func slices(_ count: Int, _ generator: RandomGenerator) -> [Double] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, generator.uniform(below: last + 1)) }
        return order.map { (Double($0) + generator.uniform()) / Double(count) }
    }
}

extension SweepAxis {
    /// What a grid takes of the axis, in order.
    fileprivate var levels: [SweepPosition] {
        switch self {
        case .listed(let count): (0..<count).map { .item($0) }
        case .between(levels: 1): [.share(0.5)]
        case .between(let count): (0..<count).map { .share(Double($0) / Double(count - 1)) }
        }
    }

    /// The position at a number between 0 and 1: listed values have equal parts of it.
    fileprivate func position(at number: Double) -> SweepPosition {
        switch self {
        case .listed(let count): .item(min(count - 1, Int(number * Double(count))))
        case .between: .share(number)
        }
    }
}
