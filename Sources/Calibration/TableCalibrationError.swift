/// Why published tables give no profile.
public enum TableCalibrationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The model's layers are in no built-in table and were not given.
    case unknownModel(String)
    /// The tables are of a mixture of experts, which this version does not compose.
    case mixtureOfExperts(String)
    /// A kernel that a step needs is in none of the tables.
    case missingKernel(String)
    /// No row is of this model, hardware and degree of tensor parallelism; what there is instead.
    case noRows(wanted: String, available: [String])
    case unfittable(StepTimeFitError)

    public var description: String {
        switch self {
        case .unknownModel(let name):
            """
            the number of layers of '\(name)' is not known
                give it with --layers; known models: \(ModelShape.known.map(\.name).joined(separator: ", "))
            """
        case .mixtureOfExperts(let name): "'\(name)' is a mixture of experts; tables of dense models can be used"
        case .missingKernel(let kernel): "the tables hold no kernel '\(kernel)', which every step of the model runs"
        case .noRows(let wanted, let available):
            """
            there is no row of \(wanted)
                there are: \(available.joined(separator: ", "))
            """
        case .unfittable(let reason): "\(reason)"
        }
    }
}
