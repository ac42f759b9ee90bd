import ArgumentParser
import Foundation

/// What the shell is told, the same by all commands. Stable within a major version.
extension ExitCode {
    /// `size` found nothing that keeps the promise; what comes nearest was printed.
    public static let nothingMeets = ExitCode(2)
    /// A scenario, trace, profile, model or price book is wrong; what is said tells where.
    public static let badData = ExitCode(65)
    /// A file or folder that was named is not there or cannot be read.
    public static let missingInput = ExitCode(66)
    /// Something the work needs is not to be had: an idle machine to measure on, a port, a server to send to.
    public static let unavailable = ExitCode(69)
    /// The output could not be written; nothing half-written is left.
    public static let cannotWrite = ExitCode(73)
    /// The work ended without what was asked of it: intervals as narrow as `--precision`, or a last answer before a drain's
    /// deadline.
    public static let notReached = ExitCode(75)
    /// Stopped by the user. What was simulated or measured until then is written and marked as partial, if it is of use.
    public static let interrupted = ExitCode(130)

    /// Why a file that was named on the command line could not be used: it is not there, or what it holds is wrong.
    public init(ofReading path: String) {
        self = FileManager.default.isReadableFile(atPath: path) ? .badData : .missingInput
    }
}
