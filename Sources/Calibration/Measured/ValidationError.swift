/// Why a profile cannot be held against a measured run.
public enum ValidationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A request of the run is longer than the KV cache or context of the engine.
    case noRoom(tokens: Int, room: Int)
    /// The profile is of another model than the run.
    case otherModel(profile: String, run: String)
    /// The profile's replicas are not built as the run's.
    case otherParallelism(profile: String, run: String)

    public var description: String {
        switch self {
        case .noRoom(let tokens, let room):
            """
            a request of \(tokens) tokens does not fit the \(room) that one engine holds
                the run ended, so the KV capacity is wrong: give the profile the one that the engine printed
            """
        case .otherModel(let profile, let run):
            "the profile is of '\(profile)' and the run of '\(run)': nothing can be compared"
        case .otherParallelism(let profile, let run):
            """
            the profile is of \(profile) and the run of \(run)
                calibrate from the tables of the run's parallelism
            """
        }
    }
}
