/// Why published tables give no profile.
public enum TableCalibrationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The model's layers are in no built-in table and were not given.
    case unknownModel(String)
    /// The tables hold experts, and the model's are in no built-in table; or the other way round.
    case unknownExperts(String)
    /// The tables are of several degrees of tensor parallelism and do not say which.
    case unknownDegree([Int])
    /// No measured all-reduce of so many GPUs was given.
    case noAllReduce(workers: Int)
    /// The GPU's link or memory is in no built-in table.
    case unknownAccelerator(String, need: String)
    /// Engines in data parallel share no work without experts: each is a replica of its own.
    case noExpertsToShare
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
        case .unknownExperts(let name):
            "the experts of '\(name)' and those of the tables do not go together: is moe.csv there, and is the model known?"
        case .unknownDegree(let degrees):
            """
            which degree of tensor parallelism are these tables of? They were profiled for \(degrees)
                give it with --tensor-parallel, or name the folder …_tp2
            """
        case .noAllReduce(let workers):
            """
            \(workers) GPUs reduce over a link, and no measured all-reduce of so many is given
                give a table of them with --all-reduce, such as vidur_allreduce_sample.csv
            """
        case .unknownAccelerator(let gpu, let need):
            "nothing is known of '\(gpu)': give \(need)"
        case .noExpertsToShare: "data and expert parallelism are for mixtures of experts; a dense model has replicas"
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
