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
    }

    private let isQuiet: Bool
    private let isTerminal = isatty(STDERR_FILENO) != 0 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    private let state = Mutex(State())
    private let start = ContinuousClock.now

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
    /// - Parameter share: Range: 0...1.
    func progress(_ what: String, share: Double, detail: String) {
        guard !isQuiet else { return }
        state.withLock { state in
            let now = ContinuousClock.now
            let tenth = Int(share * 10)
            if isTerminal {
                guard now - state.lastDrawn > .milliseconds(100) || share >= 1 else { return }
                state.lastDrawn = now
                state.isLineOpen = true
                write("\r\u{1B}[K\(what) \(Int(share * 100)) %  \(detail)\(timeLeft(share, at: now))")
            } else if tenth > state.lastTenth {
                state.lastTenth = tenth
                write("\(what) \(tenth * 10) %  \(detail)\n")
            }
        }
    }

    /// Ends a progress line, so that the next output begins on a line of its own.
    func finishProgress() {
        state.withLock { state in
            closeLine(&state)
            state.lastTenth = -1
        }
    }

    private func timeLeft(_ share: Double, at now: ContinuousClock.Instant) -> String {
        guard share > 0.02, share < 1 else { return "" }
        let spent = Double((now - start).components.seconds)
        return "  \(Int((spent / share * (1 - share)).rounded(.up))) s left"
    }

    private func closeLine(_ state: inout State) {
        guard state.isLineOpen else { return }
        state.isLineOpen = false
        write("\n")
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
