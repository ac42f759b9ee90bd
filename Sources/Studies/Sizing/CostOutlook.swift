#if canImport(Glibc)
    import Glibc
#endif

/// What the mean cost of a policy over all draws may be, judged from the first few.
///
/// Costs of one policy differ from draw to draw. How much is pooled over all policies, because one or two draws say little
/// of their own spread. Where a reference has played every draw, a policy is taken by its difference from it on
/// the draws they share, if that varies less: a busy day is dear for both.
struct CostOutlook {
    private let reference: SizingTrial?
    private let draws: Int
    /// Deviation of a policy's cost between draws over its mean, and of its difference from the reference.
    private let spread: Double
    private let pairedSpread: Double

    /// Taken before two draws of any policy are known, with the weight of one observation.
    private static let assumedSpread = 0.05

    init(trials: [SizingTrial], reference: SizingTrial?, draws: Int) {
        self.draws = draws
        self.reference = reference?.draws == draws ? reference : nil
        // What costs nothing has no relative spread.
        let trials = trials.filter { $0.meanCost > 0 }
        spread = Self.pooled(trials.map { trial in trial.outcomes.map { $0.cost.dollars / trial.meanCost } })
        guard let reference = self.reference else {
            pairedSpread = .infinity
            return
        }
        pairedSpread = Self.pooled(
            trials.map { trial in
                zip(trial.outcomes, reference.outcomes).map { ($0.cost.dollars - $1.cost.dollars) / trial.meanCost }
            })
    }

    private static func pooled(_ samples: [[Double]]) -> Double {
        var (squares, freedom) = (assumedSpread * assumedSpread, 1.0)
        for sample in samples where sample.count > 1 {
            let mean = sample.reduce(0, +) / Double(sample.count)
            squares += sample.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            freedom += Double(sample.count - 1)
        }
        return (squares / freedom).squareRoot()
    }

    /// The mean over all draws as expected, and two standard errors low, in USD; exact when all are known.
    ///
    /// - Precondition: the trial has a draw.
    func cost(of trial: SizingTrial) -> (expected: Double, low: Double) {
        let known = Double(trial.draws)
        var mean = trial.meanCost
        if let reference, pairedSpread < spread {
            let shared = SizingTrial(outcomes: Array(reference.outcomes.prefix(trial.draws)))
            mean += reference.meanCost - shared.meanCost
        }
        // The draws are few and all of them will count: what is known of them does not vary any more.
        let error = ((1 - known / Double(draws)) / known).squareRoot()
        return (mean, mean - 2 * min(spread, pairedSpread) * trial.meanCost * error)
    }
}
