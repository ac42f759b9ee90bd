import Foundation
import Synchronization

/// What the user sees beside results: progress and remarks, on standard error.
///
/// On a terminal one line is rewritten; elsewhere a line is printed at each tenth of the way. Results go to standard
/// output and nothing else does.
final class Console: Sendable {
    private struct State {
        var lastTenth = -1
        var lastDrawn = ContinuousClock.now - .seconds(1)
        var isLineOpen = false
        /// When the work that is shown began: at the first call about it.
        var begun: ContinuousClock.Instant?
        var hasToldOfStop = false
    }

    private let isQuiet: Bool
    private let isTerminal = isatty(STDERR_FILENO) != 0 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    private let state = Mutex(State())

    init(isQuiet: Bool) { self.isQuiet = isQuiet }

    /// A remark on a line of its own.
    func say(_ text: String) {
        guard !isQuiet else { return }
        state.withLock { state in
            closeLine(&state)
            write(text + "\n")
        }
    }

    /// An error or a warning: printed even when the user wants no progress.
    func alert(_ text: String) {
        state.withLock { state in
            closeLine(&state)
            write(text + "\n")
        }
    }

    /// How far the work has come. Safe to call often and from any thread.
    ///
    /// - Parameters:
    ///   - share: Range: 0...1.
    ///   - detail: Where a line is printed at each tenth.
    ///   - live: Where one line is rewritten, from the seconds spent; `detail` when `nil`.
    func progress(
        _ what: String, share: Double, detail: @autoclosure () -> String, live: ((Double) -> String)? = nil
    ) {
        guard !isQuiet else { return }
        state.withLock { state in
            let now = ContinuousClock.now
            let tenth = Int(share * 10)
            let spent = (now - (state.begun ?? now)).seconds
            state.begun = state.begun ?? now
            if isTerminal {
                guard now - state.lastDrawn > .milliseconds(100) || share >= 1 else { return }
                state.lastDrawn = now
                state.isLineOpen = true
                let text = live?(spent) ?? detail()
                write("\r\u{1B}[K\(what) \(Int(share * 100)) %  \(text)\(timeLeft(share, spent: spent))")
            } else if tenth > state.lastTenth {
                state.lastTenth = tenth
                write("\(what) \(tenth * 10) %  \(detail())\n")
            }
        }
    }

    /// Ends a progress line, so that the next output begins on a line of its own.
    func finishProgress() {
        state.withLock { state in
            closeLine(&state)
            state.lastTenth = -1
            state.begun = nil
        }
    }

    /// Tells, once, that the runs are being stopped.
    func tellOfStop() {
        let isFirst = state.withLock { state in
            defer { state.hasToldOfStop = true }
            return !state.hasToldOfStop
        }
        if isFirst { say("stopping; what is in flight is followed to its end. Ctrl-C again ends at once") }
    }

    private func timeLeft(_ share: Double, spent: Double) -> String {
        guard share > 0.02, share < 1 else { return "" }
        let left = Int((spent / share * (1 - share)).rounded(.up))
        return left < 120 ? "  \(left) s left" : "  \((left + 59) / 60) min left"
    }

    private func closeLine(_ state: inout State) {
        guard state.isLineOpen else { return }
        state.isLineOpen = false
        write("\n")
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
