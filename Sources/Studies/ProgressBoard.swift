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
}

/// Adds up the progress of runs on several threads.
final class ProgressBoard: Sendable {
    private struct Run {
        var share = 0.0
        var requests: Int64 = 0
        var hasEnded = false
    }

    private let runs: Mutex<[Run]>
    private let duration: TimeSpan
    private let report: (@Sendable (StudyProgress) -> Void)?

    init(runs count: Int, duration: TimeSpan, report: (@Sendable (StudyProgress) -> Void)?) {
        runs = Mutex(Array(repeating: Run(), count: count))
        self.duration = duration
        self.report = report
    }

    func update(run: Int, simulated: TimeSpan, requests: Int64) {
        set(run, to: Run(share: min(1, simulated.seconds / duration.seconds), requests: requests))
    }

    func end(run: Int, requests: Int64) { set(run, to: Run(share: 1, requests: requests, hasEnded: true)) }

    private func set(_ run: Int, to state: Run) {
        guard let report else { return }
        let progress = runs.withLock { runs in
            while runs.count <= run { runs.append(Run()) }
            runs[run] = state
            return StudyProgress(
                ended: runs.reduce(0) { $0 + ($1.hasEnded ? 1 : 0) }, total: runs.count,
                share: runs.reduce(0) { $0 + $1.share } / Double(max(1, runs.count)),
                requests: runs.reduce(0) { $0 + $1.requests })
        }
        report(progress)
    }
}
