import ArgumentParser
import Foundation

/// What the shell is told: the same codes as the other commands have.
extension ExitCode {
    /// A model or profile is wrong; what is said tells where.
    static let badData = ExitCode(65)
    /// A file or folder that was named is not there or cannot be read.
    static let missingInput = ExitCode(66)
    /// Something the work needs is not to be had, such as the port.
    static let unavailable = ExitCode(69)
    /// The work ended without what was asked of it: a drain's deadline came before the last answer.
    static let notReached = ExitCode(75)
}

extension ExitCode {
    /// Why a file that was named could not be used: it is not there, or what it holds is wrong.
    init(ofReading path: String) {
        self = FileManager.default.isReadableFile(atPath: path) ? .badData : .missingInput
    }
}
