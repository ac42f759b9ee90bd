import ArgumentParser
import Commands
import Formats
import Foundation
import Live
import Synchronization
import Units

/// What a user sees of a load beside its result, on standard error: on a terminal one line that is rewritten, elsewhere
/// a line at each tenth of the way.
final class LoadProgress: Sendable {
    private let isQuiet: Bool
    private let isTerminal = isatty(STDERR_FILENO) != 0 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    /// The tenth shown last, and whether a line is open.
    private let state = Mutex((tenth: -1, isLineOpen: false))

    init(isQuiet: Bool) { self.isQuiet = isQuiet }

    func show(_ progress: LoadRun.Progress, of duration: TimeSpan) {
        guard !isQuiet else { return }
        let elapsed = min(max(progress.elapsed, .zero), duration)
        let share = elapsed.seconds / duration.seconds
        show(
            "load", share: share,
            String(format: "%.0f of %.0f s, ", elapsed.seconds, duration.seconds)
                + "\(progress.ended) ended, \(progress.failed) failed, \(progress.inFlight) under way")
    }

    /// - Parameters:
    ///   - work: What is under way.
    ///   - share: How far it has come. Range: 0...1.
    func show(_ work: String, share: Double, _ text: String) {
        guard !isQuiet else { return }
        state.withLock { state in
            if isTerminal {
                state.isLineOpen = true
                write("\r\u{1B}[K\(work) \(Int(share * 100)) %  \(text)")
            } else if Int(share * 10) > state.tenth {
                state.tenth = Int(share * 10)
                write("\(work) \(state.tenth * 10) %  \(text)\n")
            }
        }
    }

    /// Ends the line, so that the next output begins on one of its own.
    func finish() {
        state.withLock { state in
            if state.isLineOpen { write("\n") }
            state.isLineOpen = false
        }
    }

    /// A remark.
    func say(_ text: String) { if !isQuiet { alert(text) } }

    /// What is told even where no progress is wanted.
    func alert(_ text: String) {
        finish()
        write(text + "\n")
    }

    /// Does work; what is against it is told, and ends the command with the code for it.
    func telling<Value>(_ work: () throws -> Value) throws -> Value {
        do { return try work() } catch { throw told(error) }
    }

    /// The same for work that waits.
    func tellingAll<Value>(_ work: () async throws -> Value) async throws -> Value {
        do { return try await work() } catch { throw told(error) }
    }

    private func told(_ error: any Error) -> any Error {
        guard error is CancellationError else { return ended(by: error, telling: alert) }
        finish()
        return ExitCode.interrupted
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
