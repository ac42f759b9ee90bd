import EngineModel
import Randomness

/// The step-time noise of one replica: a factor for each window of steps, from a counter stream, so that it depends on
/// nothing but the run's seed, the replica and the step.
struct NoiseSource {
    private let stream: CounterStream
    private let replica: UInt64
    private let deviation: Double

    init(stream: CounterStream, replica: Int, deviation: Double) {
        self.stream = stream
        self.replica = UInt64(replica)
        self.deviation = deviation
    }

    var isActive: Bool { deviation > 0 }

    func factor(atStep step: Int64) -> StepNoise {
        guard isActive else { return .none }
        let window = UInt64(step / StepNoise.window)
        return .lognormal(deviation: deviation, normal: stream.normal(at: replica << 40 | window))
    }
}
