import ArgumentParser
import Foundation

/// What the shell is told: the same codes as the other commands have.
extension ExitCode {
    /// A model, profile or scenario is wrong; what is said tells where.
    static let badData = ExitCode(65)
    /// A file or folder that was named is not there or cannot be read.
    static let missingInput = ExitCode(66)
    /// Something the work needs is not to be had, such as the port or a server to send to.
    static let unavailable = ExitCode(69)
    /// The work ended without what was asked of it: a drain's deadline came before the last answer.
    static let notReached = ExitCode(75)
    /// The output could not be written; nothing half-written is left.
    static let cannotWrite = ExitCode(73)
    /// Stopped by the user. What was measured until then is written and marked as partial.
    static let interrupted = ExitCode(130)
}

extension ExitCode {
    /// Why a file that was named could not be used: it is not there, or what it holds is wrong.
    init(ofReading path: String) {
        self = FileManager.default.isReadableFile(atPath: path) ? .badData : .missingInput
    }
}
