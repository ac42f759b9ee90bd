import Formats

/// The time of a layer of experts, by tokens and by how many experts they activate: linear between measured rows.
struct ExpertTimes: Sendable {
    /// Measured times by tokens, each by activated experts, both ascending.
    private var curves: [(tokens: Double, curve: MeasuredCurve)]

    /// `nil` without a row.
    init?(_ rows: [LayerTables.ExpertRow]) {
        let counts = Set(rows.map(\.tokens)).sorted()
        curves = counts.compactMap { tokens in
            MeasuredCurve(
                rows.filter { $0.tokens == tokens }.map { (Double($0.activatedExperts), $0.microseconds) }
            ).map { (Double(tokens), $0) }
        }
        guard !curves.isEmpty else { return nil }
    }

    /// Microseconds.
    func value(tokens: Double, activated: Double) -> Double {
        func at(_ index: Int) -> Double { curves[index].curve.clamped(at: activated) }
        guard let above = curves.firstIndex(where: { $0.tokens >= tokens }) else {
            return at(curves.count - 1) * tokens / curves[curves.count - 1].tokens
        }
        guard above > 0 else { return at(0) }
        let (low, high) = (curves[above - 1].tokens, curves[above].tokens)
        return at(above - 1) + (at(above) - at(above - 1)) * (tokens - low) / (high - low)
    }
}

/// A measured curve, linear between its points and, beyond the last, along the line from the origin through it.
struct MeasuredCurve: Hashable, Sendable {
    private var xs: [Double]
    private var ys: [Double]

    /// `nil` without a point.
    init?(_ points: [(Double, Double)]) {
        guard !points.isEmpty else { return nil }
        let sorted = points.sorted { $0.0 < $1.0 }
        xs = sorted.map(\.0)
        ys = sorted.map(\.1)
    }

    func value(at x: Double) -> Double {
        guard let last = xs.last, x <= last else { return ys[ys.count - 1] * x / xs[xs.count - 1] }
        guard let above = xs.firstIndex(where: { $0 >= x }), above > 0 else { return ys[0] }
        let (low, high) = (xs[above - 1], xs[above])
        return ys[above - 1] + (ys[above] - ys[above - 1]) * (x - low) / (high - low)
    }

    /// The same, constant beyond the ends.
    func clamped(at x: Double) -> Double { value(at: min(max(x, xs[0]), xs[xs.count - 1])) }
}
