import EngineModel

/// The step that runs next: what it costs, and how often it may be repeated before anything but its age changes.
public struct StepPlan: Hashable, Sendable {
    public var features: StepFeatures
    /// Steps that may run in one go, each like this one but for the age of its sequences: decode-only steps until KV
    /// blocks run out, or chunks of one prompt that takes the whole budget of each. 0 when there is nothing to run.
    public var equalSteps: Int64

    @inlinable public var isEmpty: Bool { equalSteps == 0 }
}
