import EngineModel
import Statistics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// One regime of the step-time model: its features, in the order in which they are given up when steps cannot tell them
/// apart, and the quantity that its hinges bend.
struct StepTimeRegime {
    struct Feature {
        var name: String
        var value: @Sendable (StepFeatures) -> Double
    }

    /// A regime fitted: coefficients in nanoseconds, by name.
    struct Fitted {
        var names: [String]
        var fit: LeastSquaresFit
        var knots: [Int64]
        var undetermined: [String]

        /// 0 for a coefficient that is not in the fit.
        subscript(name: String) -> Double { names.firstIndex(of: name).map { fit.coefficients[$0] } ?? 0 }
    }

    var name: String
    var features: [Feature]
    /// What a hinge bends: the width of the batch.
    var width: @Sendable (StepFeatures) -> Int64
    /// The coefficients that add up with the hinges' slopes to the cost of one more token.
    var slopes: [String]

    /// The most steps that knots are searched among.
    private static let searched = 2000

    static let decode = StepTimeRegime(
        name: "decode-only",
        features: [
            Feature(name: "constant") { _ in 1 },
            Feature(name: "perSequence") { Double($0.decodeSequences) },
            Feature(name: "perContextToken") { Double($0.decodeContext) },
        ],
        width: { $0.decodeSequences }, slopes: ["perSequence"])

    static let mixed = StepTimeRegime(
        name: "mixed",
        features: [
            Feature(name: "constant") { _ in 1 },
            Feature(name: "perPrefillToken") { Double($0.prefillTokens) },
            Feature(name: "perPrefillArea") { Double($0.prefillAreaDoubled) / 2 },
            Feature(name: "perSequence") { Double($0.decodeSequences) },
            Feature(name: "perContextToken") { Double($0.decodeContext) },
            Feature(name: "perPrefillContextToken") { Double($0.prefillContext) },
        ],
        width: { $0.prefillTokens + $0.decodeSequences }, slopes: ["perPrefillToken", "perSequence"])

    /// Fits the features that the steps determine, then tries hinges.
    func fitted(to samples: [StepSample]) throws(StepTimeFitError) -> Fitted {
        guard !samples.isEmpty else { throw .noSteps(regime: name) }
        // A knot can be told from a few thousand steps as well as from all of a large grid's.
        let few = samples.count > Self.searched ? thinned(samples, to: Self.searched) : samples
        let base = try plain(few)
        var best = base
        var score = criterion(base, few)
        /// Takes the model bent at these knots when it is better than the best so far.
        func improves(_ knots: [Int64]) -> Bool {
            guard let bent = try? hinged(base, at: knots, few, loss: .squared), isMonotone(bent) else {
                return false
            }
            let bentScore = criterion(bent, few)
            guard bentScore < score else { return false }
            (best, score) = (bent, bentScore)
            return true
        }
        let widths = widthsInside(few)
        let coarse = thinned(widths, to: 8)
        for (index, first) in coarse.enumerated() {
            _ = improves([first])
            for second in coarse[(index + 1)...] { _ = improves([first, second]) }
        }
        // From the best of the coarse grid, knots move to measured widths beside them while that helps.
        while neighbours(of: best.knots, among: widths).contains(where: improves) {}
        // The search counts squares, so that candidates are compared under one measure; the result is robust.
        let robust = try? hinged(base, at: best.knots, samples, loss: .huber(threshold: 1.345))
        if let robust, isMonotone(robust) { return robust }
        return few.count == samples.count ? best : try plain(samples)
    }

    // MARK: - Fits

    /// The model without hinges, over the features that the steps can tell apart.
    private func plain(_ samples: [StepSample]) throws(StepTimeFitError) -> Fitted {
        var kept = features.filter { feature in samples.contains { feature.value($0.features) != 0 } }
        while true {
            do {
                // Bounds can hide that two features say the same, by holding one of them at 0.
                _ = try solve(kept, knots: [], samples, loss: .squared, bounded: false)
                let fit = try solve(kept, knots: [], samples, loss: .squared)
                let undetermined = features.map(\.name).filter { name in !kept.contains { $0.name == name } }
                return Fitted(names: kept.map(\.name), fit: fit, knots: [], undetermined: undetermined)
            } catch LeastSquaresError.collinear where kept.count > 1 {
                kept.removeLast()
            } catch {
                throw .unsolvable(regime: name, error)
            }
        }
    }

    private func hinged(
        _ base: Fitted, at knots: [Int64], _ samples: [StepSample], loss: ResidualLoss
    ) throws(LeastSquaresError) -> Fitted {
        // Bent at the narrowest width, a regime has no slope before it.
        let isBentFirst = knots.first.map { knot in samples.allSatisfy { width($0.features) >= knot } } ?? false
        let kept = features.filter { base.names.contains($0.name) && !(isBentFirst && slopes.contains($0.name)) }
        let fit = try solve(kept, knots: knots, samples, loss: loss)
        let names = kept.map(\.name) + ["beyondHinge", "beyondSecondHinge"].prefix(knots.count)
        return Fitted(names: names, fit: fit, knots: knots, undetermined: base.undetermined)
    }

    private func solve(
        _ kept: [Feature], knots: [Int64], _ samples: [StepSample], loss: ResidualLoss, bounded: Bool = true
    ) throws(LeastSquaresError) -> LeastSquaresFit {
        let rows = samples.map { sample in
            kept.map { $0.value(sample.features) } + knots.map { Double(max(0, width(sample.features) - $0)) }
        }
        // A hinge may bend either way; everything else costs time.
        let nonNegative = kept.map { _ in bounded } + knots.map { _ in false }
        return try LeastSquares.relative(
            rows: rows, targets: samples.map { $0.seconds * 1e9 }, nonNegative: nonNegative, loss: loss)
    }

    // MARK: - Choice

    /// Measured widths inside their range, ascending: where a knot can be told. With one slope alone the narrowest is among
    /// them: the first of many sequences can cost less than each that joins it, as no constant that is not negative says.
    private func widthsInside(_ samples: [StepSample]) -> [Int64] {
        var distinct: [Int64] = []
        for value in samples.map({ width($0.features) }).sorted() where value != distinct.last {
            distinct.append(value)
        }
        return Array(distinct.dropFirst(slopes.count == 1 ? 0 : 1).dropLast())
    }

    private func thinned<Element>(_ elements: [Element], to count: Int) -> [Element] {
        guard elements.count > count else { return elements }
        return (0..<count).map { elements[$0 * (elements.count - 1) / (count - 1)] }
    }

    /// The knots with one of them moved to the measured width before or after it.
    private func neighbours(of knots: [Int64], among widths: [Int64]) -> [[Int64]] {
        knots.indices.flatMap { index -> [[Int64]] in
            guard let position = widths.firstIndex(of: knots[index]) else { return [] }
            return [position - 1, position + 1].filter { widths.indices.contains($0) }.compactMap { beside in
                var moved = knots
                moved[index] = widths[beside]
                return Set(moved).count == moved.count ? moved.sorted() : nil
            }
        }
    }

    /// Whether no token ever makes a step shorter, on either side of any hinge.
    private func isMonotone(_ fitted: Fitted) -> Bool {
        let (first, second) = (fitted["beyondHinge"], fitted["beyondSecondHinge"])
        // A slope that is not in the fit is 0.
        return slopes.filter { slopes.count == 1 || fitted.names.contains($0) }.allSatisfy { slope in
            fitted[slope] + first >= 0 && fitted[slope] + first + second >= 0
        }
    }

    /// The Bayesian information criterion of normal relative errors. A knot counts as two parameters: it is the best of many
    /// places, and counted as one, noise alone bends every tenth fit of thirty steps and intervals cover too little.
    private func criterion(_ fitted: Fitted, _ samples: [StepSample]) -> Double {
        let squares = fitted.fit.relativeResiduals.reduce(0) { $0 + $1 * $1 }
        let count = Double(samples.count)
        let parameters = Double(fitted.fit.atBound.count { !$0 } + 2 * fitted.knots.count)
        // Residuals below a billionth are rounding: an exact model needs no hinge to be more exact.
        return count * log(max(squares / count, 1e-18)) + parameters * log(count)
    }
}
