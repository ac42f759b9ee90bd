/// What is wrong with the choice of a policy.
public enum PolicyProblem: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownPolicy(String, known: [String])
    case unknownParameter(String, policy: String, valid: [String])
    case invalidParameter(String, policy: String, found: ParameterValue, expected: String)
    /// The policy plans with an engine profile per pool, and none was given.
    case missingEngines(policy: String)
    /// Parameters or memory that the policy cannot read.
    case unreadable(String, policy: String, detail: String)
    /// A policy file whose digest is not that of its name and parameters.
    case digestMismatch(policy: String)

    /// The name of the parameter at fault, where one is.
    public var parameter: String? {
        switch self {
        case .unknownParameter(let name, _, _), .invalidParameter(let name, _, _, _): name
        case .unknownPolicy, .missingEngines, .unreadable, .digestMismatch: nil
        }
    }

    /// What is wrong.
    public var description: String {
        switch self {
        case .unknownPolicy(let name, _): "there is no policy '\(name)'"
        case .unknownParameter(let name, let policy, _): "policy '\(policy)' has no parameter '\(name)'"
        case .invalidParameter(let name, let policy, let found, let expected):
            "parameter '\(name)' of policy '\(policy)' is \(found); expected \(expected)"
        case .missingEngines(let policy): "policy '\(policy)' plans with an engine profile for each pool and has none"
        case .unreadable(let part, let policy, let detail):
            "the \(part) of policy '\(policy)' cannot be read: \(detail)"
        case .digestMismatch(let policy): "the digest of policy '\(policy)' is not that of its name and parameters"
        }
    }

    /// How to fix it.
    public var advice: String {
        switch self {
        case .unknownPolicy(_, let known): "policies: \(known.joined(separator: ", "))"
        case .unknownParameter(_, _, let valid): "parameters: \(valid.joined(separator: ", "))"
        case .invalidParameter(_, _, _, let expected): "write \(expected)"
        case .missingEngines: "give the scenario's pools an engine profile"
        case .unreadable: "use the file as it was written, with the version that wrote it"
        case .digestMismatch: "write the file again with `tidegate replay`, which states what it ran"
        }
    }
}

/// All problems of one choice at once.
public struct PolicyErrors: Error, Hashable, Sendable, CustomStringConvertible {
    public var problems: [PolicyProblem]

    public init(problems: [PolicyProblem]) { self.problems = problems }

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
