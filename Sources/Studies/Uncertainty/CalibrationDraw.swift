import EngineModel
import Randomness
import Statistics

/// Step times that the errors of a fit leave possible.
struct CalibrationDraw {
    private let coefficients: StepTimeCoefficients
    private let names: [String]
    private let errors: NormalVector
    private let generator: (RandomStreams) -> RandomGenerator
    /// Whether the profile says how its errors go together.
    let hasCovariance: Bool

    /// `nil` for a profile that states no errors: its step times are taken as exact.
    init?(_ profile: EngineProfile) {
        let covariance =
            profile.fit.covariance ?? CoefficientCovariance(independent: profile.fit.standardErrors)
        let known = StepTimeCoefficients.fitted.map(\.name)
        guard covariance.names.contains(where: known.contains), covariance.values.joined().contains(where: { $0 > 0 })
        else { return nil }
        // A matrix that is no covariance, which a file could hold, leaves the variances.
        let diagonal = covariance.values.indices.map { row in
            covariance.values.indices.map { $0 == row ? covariance.values[row][row] : 0 }
        }
        guard let errors = NormalVector(covariance: covariance.values) ?? NormalVector(covariance: diagonal) else {
            return nil
        }
        coefficients = profile.stepTime
        names = covariance.names
        self.errors = errors
        hasCovariance = profile.fit.covariance != nil
        // Pools that share a profile share its errors.
        let name = profile.name
        generator = { $0.generator("calibration", name) }
    }

    /// Draw number `index`. A draw in which more work takes less time is drawn again; after a hundred, what is negative
    /// is 0.
    func stepTime(_ index: Int, streams: RandomStreams) -> StepTimeCoefficients {
        let generator = generator(streams)
        generator.seek(to: index)
        var drawn = coefficients
        for _ in 0..<100 {
            drawn = coefficients
            let errors = errors.errors(names.map { _ in generator.normal(mean: 0, deviation: 1) })
            for (name, error) in zip(names, errors) {
                guard let keyPath = StepTimeCoefficients.fitted.first(where: { $0.name == name })?.keyPath else {
                    continue
                }
                drawn[keyPath: keyPath] += error
            }
            if drawn.isMonotone { return drawn }
        }
        for (_, keyPath) in StepTimeCoefficients.fitted { drawn[keyPath: keyPath] = max(0, drawn[keyPath: keyPath]) }
        return drawn
    }
}
