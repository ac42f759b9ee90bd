import Synchronization

/// Whether a worker takes requests, and how many answers are under way.
final class WorkerState: Sendable {
    private struct State {
        var isDraining = false
        var answers = 0
    }
    private let state = Mutex(State())

    var isDraining: Bool { state.withLock(\.isDraining) }
    /// Answers begun and not yet written to their end.
    var answers: Int { state.withLock(\.answers) }

    func drain() { state.withLock { $0.isDraining = true } }

    /// Begins an answer; `false` while draining.
    func begin() -> Bool {
        state.withLock { state in
            guard !state.isDraining else { return false }
            state.answers += 1
            return true
        }
    }

    func end() { state.withLock { $0.answers -= 1 } }
}
