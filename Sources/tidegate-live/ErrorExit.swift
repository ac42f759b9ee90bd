import ArgumentParser
import Calibration
import Commands
import Formats
import Live
import Scaling

/// Tells why work ended, in the error's own words.
///
/// - Parameter alert: Writes to the user.
/// - Returns: What ends the command: the code for an error that was told, any other error as it is.
func ended(by error: any Error, telling alert: (String) -> Void) -> any Error {
    guard let code = ExitCode(of: error) else { return error }
    // The others say first where.
    let isPlain = error is FleetError || error is PolicyErrors || error is EndpointCalibrationError
    alert(isPlain ? "error: \(error)" : "\(error)")
    return code
}

extension ExitCode {
    /// `nil` for an error that says nothing to a user.
    fileprivate init?(of error: any Error) {
        switch error {
        case is InvalidInput, is EndpointCalibrationError, is JournalError, is PolicyErrors, is LocalPoolStateError:
            self = .badData
        case let error as InputError: self.init(ofReading: error.file)
        case is OutputError: self = .cannotWrite
        case is ScenarioFile.MissingScenario: self = .missingInput
        case is LoadError, is MachineIsBusy, is FleetError, is GatewayStartError: self = .unavailable
        default: return nil
        }
    }
}
