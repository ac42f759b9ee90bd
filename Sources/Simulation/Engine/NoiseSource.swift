import EngineModel
import Randomness

/// The step-time noise of one replica: a factor for each window of steps, from a counter stream, so that it depends on
/// nothing but the run's seed, the replica and the step.
struct NoiseSource {
    private let stream: CounterStream
    private let replica: UInt64
    private let deviation: Double
    /// The window asked for last, and its factor.
    private var window: Int64 = -1
    private var factor = StepNoise.none

    init(stream: CounterStream, replica: Int, deviation: Double) {
        self.stream = stream
        self.replica = UInt64(replica)
        self.deviation = deviation
    }

    var isActive: Bool { deviation > 0 }

    mutating func factor(atStep step: Int64) -> StepNoise {
        guard isActive else { return .none }
        let window = step / StepNoise.window
        if window != self.window {
            self.window = window
            let normal = stream.normal(at: replica << 40 | UInt64(window))
            factor = .lognormal(deviation: deviation, normal: normal)
        }
        return factor
    }
}
