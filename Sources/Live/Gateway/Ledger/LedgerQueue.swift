import Foundation
import Store
import Synchronization
import Units

/// Writes the ledger on a thread of its own, many rows at a time, and tells when rows are durable.
///
/// A row that comes when the last commit was long enough ago is written at once; others wait for it, at most 10 ms or until
/// there are 256. When the ledger fails, rows stay in the queue and are tried again until they are in: each once.
final class LedgerQueue: Sendable {
    /// The most that a row waits before its commit begins.
    static let patience = TimeSpan.milliseconds(10)
    static let batch = 256
    private static let retryPause = 0.25

    struct Entry: Sendable {
        var row: UsageRow
        /// Whom to tell, by event loop.
        var loop: Int
        var exchange: UInt64
    }

    private struct State {
        var entries: [Entry] = []
        var isClosing = false
    }

    private let ledger: UsageLedger
    private let state = Mutex(State())
    /// Guards nothing but the wait; Foundation's condition is what waits with a deadline.
    private let signal = NSCondition()
    private let isEmpty = DispatchSemaphore(value: 0)
    private let commits = Mutex(PrometheusHistogram(upperBounds: LedgerQueue.commitBounds))
    static let commitBounds: [Double] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

    init(_ ledger: UsageLedger) { self.ledger = ledger }

    /// Seconds from the first row's arrival in the queue to its commit.
    var commitSeconds: PrometheusHistogram { commits.withLock { $0 } }
    var depth: Int { state.withLock { $0.entries.count } }

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - onDurable: Called there with what has become durable.
    ///   - onProblem: Called there when the ledger fails, with the reason, and when it works again, with `nil`.
    func start(onDurable: @escaping @Sendable ([Entry]) -> Void, onProblem: @escaping @Sendable (String?) -> Void) {
        let thread = Thread { [self] in run(onDurable, onProblem) }
        thread.name = "ledger"
        thread.start()
    }

    func append(_ entry: Entry) {
        let count = state.withLock { state in
            state.entries.append(entry)
            return state.entries.count
        }
        // Whoever waits for more than the first is told when it is enough.
        if count == 1 || count == Self.batch { wake() }
    }

    /// Writes what is there and ends the thread; waits for it.
    ///
    /// - Returns: Rows that could not be written.
    func close() -> Int {
        state.withLock { $0.isClosing = true }
        wake()
        isEmpty.wait()
        return state.withLock { $0.entries.count }
    }

    private func wake() {
        signal.lock()
        signal.signal()
        signal.unlock()
    }

    private func run(_ onDurable: ([Entry]) -> Void, _ onProblem: (String?) -> Void) {
        var last = Instant(nanoseconds: 0)
        while true {
            guard waitForRows(after: last) else { break }
            let began = MonotonicTime.now
            let entries = state.withLock { state in
                let entries = state.entries
                state.entries = []
                return entries
            }
            guard write(entries, onProblem) else { break }
            last = MonotonicTime.now
            commits.withLock { $0.observe((last - began).seconds) }
            onDurable(entries)
        }
        isEmpty.signal()
    }

    /// Waits until rows are to be written; `false` at the end.
    private func waitForRows(after last: Instant) -> Bool {
        signal.lock()
        defer { signal.unlock() }
        while true {
            let (count, isClosing) = state.withLock { ($0.entries.count, $0.isClosing) }
            if isClosing { return count > 0 }
            if count >= Self.batch { return true }
            let rest = last + Self.patience - MonotonicTime.now
            if count > 0, rest <= .zero { return true }
            if count > 0 {
                _ = signal.wait(until: Date(timeIntervalSinceNow: rest.seconds))
            } else {
                signal.wait()
            }
        }
    }

    /// Writes rows, however long the ledger fails; `false` when it still does at the end.
    private func write(_ entries: [Entry], _ onProblem: (String?) -> Void) -> Bool {
        var hasFailed = false
        while true {
            do throws(StoreError) {
                try ledger.append(entries.map(\.row))
                if hasFailed { onProblem(nil) }
                return true
            } catch {
                if !hasFailed { onProblem("\(error)") }
                hasFailed = true
                let isClosing = state.withLock { state in
                    if state.isClosing { state.entries = entries + state.entries }
                    return state.isClosing
                }
                if isClosing { return false }
                Thread.sleep(forTimeInterval: Self.retryPause)
            }
        }
    }
}
