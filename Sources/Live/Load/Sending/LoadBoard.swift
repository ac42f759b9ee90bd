import Statistics
import Synchronization
import Units

/// Where the sending thread leaves what has happened, for a slower one to count and to write down.
final class LoadBoard: Sendable {
    /// How a load stands.
    struct Standing: Sendable {
        var inFlight = 0
        var connectionsOpened = 0
        var mostConnections = 0
        /// When the first request found no connection, after the start of the load.
        var limitReachedAt: TimeSpan?
        var hasEnded = false
        /// Times between two texts of an answer; complete when the load has ended.
        var gaps = LatencyHistogram()
    }

    private struct State {
        var records: [LoadRecord] = []
        var standing = Standing()
    }
    private let state = Mutex(State())

    func append(_ record: LoadRecord) { state.withLock { $0.records.append(record) } }

    func note(inFlight: Int) { state.withLock { $0.standing.inFlight = inFlight } }

    /// A connection was opened, and so many are now.
    func note(connections: Int) {
        state.withLock { state in
            state.standing.connectionsOpened += 1
            state.standing.mostConnections = max(state.standing.mostConnections, connections)
        }
    }

    func note(limitReachedAt offset: TimeSpan) {
        state.withLock { state in
            if state.standing.limitReachedAt == nil { state.standing.limitReachedAt = offset }
        }
    }

    func end(gaps: LatencyHistogram) {
        state.withLock { state in
            state.standing.inFlight = 0
            state.standing.hasEnded = true
            state.standing.gaps = gaps
        }
    }

    /// Takes the requests that have ended since the last time.
    func take(into records: inout [LoadRecord]) -> Standing {
        records.removeAll(keepingCapacity: true)
        return state.withLock { state in
            swap(&records, &state.records)
            return state.standing
        }
    }
}
