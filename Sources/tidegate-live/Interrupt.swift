import Foundation
import Synchronization

/// Ctrl-C while load is sent: the first asks to stop, the second ends the process as ever.
enum Interrupt {
    private static let isAsked = Atomic(false)

    /// Whether the user has asked to stop.
    static var isRaised: Bool { isAsked.load(ordering: .relaxed) }

    /// Catches the first Ctrl-C, or the first SIGTERM, from now on.
    static func catchFirst() {
        var action = sigaction()
        // Only what a handler may do: a flag is set, and the system has put the default action back.
        action.__sigaction_handler.sa_handler = { _ in Interrupt.isAsked.store(true, ordering: .relaxed) }
        action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | Int32(SA_RESTART)
        sigaction(SIGINT, &action, nil)
        sigaction(SIGTERM, &action, nil)
    }
}
