import Foundation
import Synchronization

/// Ctrl-C while a command works: the first asks it to stop, the second ends the process as ever.
public enum Interrupt {
    private static let isAsked = Atomic(false)

    /// Whether the user has asked to stop.
    public static var isRaised: Bool { isAsked.load(ordering: .relaxed) }

    /// Catches the first of these signals from now on.
    ///
    /// - Parameter signals: SIGTERM too where what runs must be ended in order.
    public static func catchFirst(_ signals: Int32...) {
        var action = sigaction()
        // Only what a handler may do: a flag is set, and the system has put the default action back.
        action.__sigaction_handler.sa_handler = { _ in Interrupt.isAsked.store(true, ordering: .relaxed) }
        action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | Int32(SA_RESTART)
        for signal in signals { sigaction(signal, &action, nil) }
    }

    /// From now on the first Ctrl-C ends the process.
    public static func release() { signal(SIGINT, SIG_DFL) }
}
