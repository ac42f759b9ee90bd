import EngineModel
import Serving
import Units

extension EngineLoop {
    /// A loop over an engine that takes as long as `profile` says.
    ///
    /// - Parameters:
    ///   - coldStart: What passes before it is ready.
    ///   - meanOutputTokens: Mean length of an answer whose request does not say.
    ///   - seed: Of step-time noise and of those lengths.
    public static func emulated(
        _ profile: EngineProfile, limits: BatcherConfiguration, maxQueue: Int, coldStart: EmulatedColdStart = .profile,
        meanOutputTokens: Double = 128, seed: UInt64 = 1
    ) -> EngineLoop {
        EngineLoop(limits: limits, maxQueue: maxQueue) { stage in
            switch coldStart {
            case .none: break
            case .profile: pass(profile.coldStart, stage: stage)
            case .until(let readyAt):
                stage("starting")
                MonotonicTime.sleep(until: readyAt)
            }
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

/// What passes before an emulated engine is ready.
public enum EmulatedColdStart: Hashable, Sendable {
    case none
    /// The stages that the profile gives, one after the other.
    case profile
    /// Whatever time there is until an instant of the monotonic clock: who started the worker knows how long its start is to
    /// take, and when it began.
    case until(Instant)
}
