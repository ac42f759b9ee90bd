import Simulation
import Synchronization
import Units

/// How far a study has come.
public struct StudyProgress: Hashable, Sendable {
    /// Runs that have ended, of how many; a study that decides as it goes counts those it has begun.
    public var ended: Int
    public var total: Int
    /// Simulated time done over all runs, as a share. Range: 0...1.
    public var share: Double
    /// Requests simulated so far, over all runs.
    public var requests: Int64
    /// Simulated time done, and to be done, over all runs. Seconds.
    public var simulated: Double
    public var planned: Double
}

/// Adds up the progress of runs on several threads.
final class ProgressBoard: Sendable {
    private struct State {
        var runs: [RunProgress]
        var simulated = 0.0
        var requests: Int64 = 0
        var ended = 0
        var isStopped = false
    }

    private let state: Mutex<State>
    private let duration: TimeSpan
    private let report: (@Sendable (StudyProgress) -> Continuation)?

    init(runs count: Int, duration: TimeSpan, report: (@Sendable (StudyProgress) -> Continuation)?) {
        state = Mutex(State(runs: Array(repeating: RunProgress(simulated: .zero, requests: 0), count: count)))
        self.duration = duration
        self.report = report
    }

    /// Whether no further run is to be begun.
    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Ends the runs under way, whose results nobody needs any more, at their next tick.
    func stop() { state.withLock { $0.isStopped = true } }

    func update(run: Int, _ progress: RunProgress) -> Continuation { set(run, to: progress, hasEnded: false) }

    func end(run: Int, requests: Int64) {
        _ = set(run, to: RunProgress(simulated: duration, requests: requests), hasEnded: true)
    }

    /// Takes in one run's progress and tells that of all; what is answered holds for every run from then on.
    private func set(_ run: Int, to progress: RunProgress, hasEnded: Bool) -> Continuation {
        let (study, isStopped) = state.withLock { state in
            while state.runs.count <= run { state.runs.append(RunProgress(simulated: .zero, requests: 0)) }
            let simulated = min(progress.simulated, duration)
            state.simulated += simulated.seconds - state.runs[run].simulated.seconds
            state.requests += progress.requests - state.runs[run].requests
            state.runs[run] = RunProgress(simulated: simulated, requests: progress.requests)
            if hasEnded { state.ended += 1 }
            let planned = duration.seconds * Double(state.runs.count)
            return (
                StudyProgress(
                    ended: state.ended, total: state.runs.count, share: min(1, state.simulated / planned),
                    requests: state.requests, simulated: state.simulated, planned: planned), state.isStopped
            )
        }
        if isStopped { return .stop }
        guard let answer = report?(study) else { return .goOn }
        if answer == .stop { stop() }
        return answer
    }
}
