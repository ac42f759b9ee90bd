import ArgumentParser
import Foundation

/// What the shell is told. Stable within a major version.
extension ExitCode {
    /// `size` found nothing that keeps the promise; what comes nearest was printed.
    static let nothingMeets = ExitCode(2)
    /// The scenario, trace, profile or price book is wrong; diagnostics say where.
    static let badData = ExitCode(65)
    /// A file or folder that was named is not there or cannot be read.
    static let missingInput = ExitCode(66)
    /// Something the work needs is not to be had, such as an idle machine to measure on.
    static let unavailable = ExitCode(69)
    /// The work ended without what was asked of it, such as intervals as narrow as `--precision`: more of it may do.
    static let notReached = ExitCode(75)
    /// The output could not be written; nothing half-written is left.
    static let cannotWrite = ExitCode(73)
    /// Stopped by the user. What was simulated until then is written and marked as partial, if it is of use.
    static let interrupted = ExitCode(130)
}

extension ExitCode {
    /// Why a file that was named on the command line could not be used: it is not there, or what it holds is wrong.
    init(ofReading path: String) {
        self = FileManager.default.isReadableFile(atPath: path) ? .badData : .missingInput
    }
}
