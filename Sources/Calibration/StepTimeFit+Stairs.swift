import EngineModel
import Statistics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension StepTimeFit {
    /// Steps of one width from which its stair can be told.
    private static let leastSteps = 8

    /// Gives decode steps of each width their own time, where that pays: engines compute batches in tiles, or fill them up to
    /// sizes that they have prepared, so a fifth sequence can cost more than the three before it together and a sixth nothing.
    ///
    /// The stair of a width is the median of what its steps took beyond the curve; widths that were hardly seen lie on a line
    /// between the others. No sequence makes a step shorter: where one seems to, both widths have their mean. Stairs stay only
    /// where they lower the Bayesian information criterion, each width counted as a parameter.
    ///
    /// - Source: Barlow, Bartholomew, Bremner, Brunk, *Statistical Inference under Order Restrictions* (1972), pool adjacent
    ///   violators.
    public mutating func findStairs(among samples: [StepSample]) {
        let decodes = samples.filter(\.features.isDecodeOnly)
        let widths = Dictionary(grouping: decodes, by: \.features.decodeSequences)
            .filter { $0.value.count >= Self.leastSteps }.sorted { $0.key < $1.key }
        guard widths.count > 2, let last = widths.last?.key else { return }
        let curve = coefficients.decode
        let wanted = widths.map { width, steps in
            let excess = median(of: steps.map { ($0.seconds - predicted($0.features)) * 1e9 })
            return Width(
                sequences: width, cost: curve.cost(ofSequences: Double(width)) + excess, weight: Double(steps.count))
        }
        let known = Self.rising(wanted)
        var bent = self
        bent.coefficients.decode.stairs = (1...last).map { sequences in
            Self.cost(of: sequences, among: known, curve) - curve.cost(ofSequences: Double(sequences))
        }
        let parameters = Double(widths.count) * log(Double(decodes.count))
        if bent.criterion(decodes) + parameters < criterion(decodes) { self = bent }
    }

    /// What steps of a width take, without their contexts.
    private struct Width {
        var sequences: Int64
        var cost: Double
        /// Steps that say so.
        var weight: Double
    }

    /// The costs closest to these that do not fall.
    private static func rising(_ widths: [Width]) -> [Width] {
        var blocks: [(cost: Double, weight: Double, count: Int)] = []
        for width in widths {
            blocks.append((max(0, width.cost), width.weight, 1))
            while blocks.count > 1, blocks[blocks.count - 2].cost > blocks[blocks.count - 1].cost {
                let (b, a) = (blocks.removeLast(), blocks.removeLast())
                let weight = a.weight + b.weight
                blocks.append(((a.cost * a.weight + b.cost * b.weight) / weight, weight, a.count + b.count))
            }
        }
        let costs = blocks.flatMap { Array(repeating: $0.cost, count: $0.count) }
        return zip(widths, costs).map { Width(sequences: $0.sequences, cost: $1, weight: $0.weight) }
    }

    /// Between known widths a straight line; before the first the curve, as far as it does not pass that.
    private static func cost(of sequences: Int64, among known: [Width], _ curve: StepTimeCoefficients.Decode) -> Double
    {
        let next = known.firstIndex { $0.sequences >= sequences } ?? known.count - 1
        guard next > 0 else {
            return known[0].sequences == sequences
                ? known[0].cost : min(known[0].cost, curve.cost(ofSequences: Double(sequences)))
        }
        let (a, b) = (known[next - 1], known[next])
        let share = Double(sequences - a.sequences) / Double(b.sequences - a.sequences)
        return a.cost + (b.cost - a.cost) * share
    }

    /// n · ln of the mean squared relative error.
    private func criterion(_ samples: [StepSample]) -> Double {
        let squares = samples.reduce(0) { sum, sample in
            let error = predicted(sample.features) / sample.seconds - 1
            return sum + error * error
        }
        return Double(samples.count) * log(max(squares / Double(samples.count), 1e-18))
    }

    private func median(of values: [Double]) -> Double { quantile(of: values.sorted(), 0.5) ?? 0 }
}
