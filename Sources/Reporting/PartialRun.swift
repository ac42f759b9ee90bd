import Simulation
import Studies
import Units

/// What a result lacks because its runs were stopped.
public struct PartialRun: Hashable, Sendable {
    /// When the run that is shown was stopped; `nil` when it went to its end, and only others are missing.
    public var stoppedAt: Instant?
    /// How much of the run that is shown was simulated, and how much of it there is.
    public var simulated: TimeSpan
    public var planned: TimeSpan
    public var runs: Interruption

    /// - Parameter result: The run that is shown.
    public init(_ result: RunResult, runs: Interruption) {
        stoppedAt = result.stoppedAt
        simulated = result.duration
        planned = result.planned
        self.runs = runs
    }

    /// The same in a sentence without its full stop.
    public var text: String {
        let share = "\(runs.ended) of \(runs.planned) runs went to their end"
        guard let stoppedAt else { return "stopped: \(share)" }
        let span = "stopped at \(stoppedAt), after \(spelled(simulated)) of \(spelled(planned))"
        return runs.planned == 1 ? span : "\(span); \(share)"
    }
}

extension PartialRun: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: SummaryKey.self)
        try container.encodeIfPresent(stoppedAt.map { "\($0)" }, forKey: SummaryKey("stopped_at"))
        try container.encode(simulated.seconds, forKey: SummaryKey("simulated_seconds"))
        try container.encode(planned.seconds, forKey: SummaryKey("planned_seconds"))
        try container.encode(runs.ended, forKey: SummaryKey("runs_ended"))
        try container.encode(runs.planned, forKey: SummaryKey("runs_planned"))
    }
}
