import EngineModel
import Serving
import Units

extension EngineLoop {
    /// A loop over an engine that takes as long as `profile` says.
    ///
    /// - Parameters:
    ///   - coldStart: Whether the stages that the profile gives pass before it is ready.
    ///   - meanOutputTokens: Mean length of an answer whose request does not say.
    ///   - seed: Of step-time noise and of those lengths.
    public static func emulated(
        _ profile: EngineProfile, limits: BatcherConfiguration, maxQueue: Int, coldStart: Bool = true,
        meanOutputTokens: Double = 128, seed: UInt64 = 1
    ) -> EngineLoop {
        EngineLoop(limits: limits, maxQueue: maxQueue) { stage in
            if coldStart { pass(profile.coldStart, stage: stage) }
            return EmulatedEngine(profile: profile, limits: limits, meanOutputTokens: meanOutputTokens, seed: seed)
        }
    }

    /// Lets the stages of a cold start pass one after the other.
    private static func pass(_ profile: ColdStartProfile, stage: (String) -> Void) {
        var end = MonotonicTime.now
        let stages = [
            ("provisioning", profile.provision), ("pulling", profile.pull), ("loading weights", profile.load),
            ("warming up", profile.warmUp),
        ]
        for case (let name, let span?) in stages {
            stage(name)
            end += span
            MonotonicTime.sleep(until: end)
        }
    }
}
