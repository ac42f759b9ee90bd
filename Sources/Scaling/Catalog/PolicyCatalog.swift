import EngineModel
import FleetModel

/// The policies there are, and the way from a name and parameters to a policy.
///
///     let policy = try PolicyCatalog.policy(named: "hpa", parameters: ["target_per_replica": .number(24)])
///     PolicyCatalog.descriptions.map(\.name)   // ["static", "schedule", "hpa", "queue-depth", "lookahead"]
public enum PolicyCatalog {
    private static let entries = [
        Entry(StaticPolicy.self), Entry(SchedulePolicy.self), Entry(HorizontalPodAutoscaler.self),
        Entry(QueueDepthPolicy.self), Entry(LookaheadPolicy.self),
    ]

    /// Name, one line and parameters of every policy.
    public static var descriptions: [PolicyDescription] { entries.map(\.description) }

    /// Everything that is wrong with a choice, in a fixed order; empty when a policy can be made of it.
    public static func problems(named name: String, parameters: [String: ParameterValue]) -> [PolicyProblem] {
        guard let entry = entry(named: name) else {
            return [.unknownPolicy(name, known: entries.map(\.description.name))]
        }
        let settable = entry.description.parameters.filter(\.isSettable)
        return parameters.sorted { $0.key < $1.key }.compactMap { key, value in
            guard let parameter = settable.first(where: { $0.name == key }) else {
                return .unknownParameter(key, policy: name, valid: settable.map(\.name))
            }
            if value == .null && parameter.defaultValue == .null { return nil }
            guard parameter.kind.accepts(value) else {
                return .invalidParameter(key, policy: name, found: value, expected: parameter.kind.expectation)
            }
            return nil
        }
    }

    /// The policy `name` with `parameters`, the rest at their defaults.
    ///
    /// - Parameters:
    ///   - engines: What the policy believes of each pool's engine, by pool name. Used by policies that plan with one.
    ///   - memory: Where an earlier policy with the same parameters stopped.
    /// - Throws: `PolicyErrors` with every problem: an unknown policy or parameter, a value of the wrong kind or out of
    ///   range, engines missing, or a memory of another policy.
    public static func policy(
        named name: String, parameters: [String: ParameterValue], engines: [String: PoolModel] = [:],
        memory: ParameterValue? = nil
    ) throws(PolicyErrors) -> any ScalingPolicy {
        let problems = problems(named: name, parameters: parameters)
        guard problems.isEmpty, let entry = entry(named: name) else { throw PolicyErrors(problems: problems) }
        var complete = parameters.filter { $0.value != .null }
        for parameter in entry.description.parameters where complete[parameter.name] == nil {
            if parameter.kind == .engines {
                guard !engines.isEmpty else { throw PolicyErrors(problems: [.missingEngines(policy: name)]) }
                complete[parameter.name] = try encoded(engines, of: name)
            } else if parameter.defaultValue != .null {
                complete[parameter.name] = parameter.defaultValue
            }
        }
        return try entry.make(.map(complete), memory)
    }

    /// The policy that `file` describes.
    ///
    /// - Throws: `PolicyErrors` when its digest does not match its contents, or they make no policy.
    public static func policy(
        from file: PolicyFile, memory: ParameterValue? = nil
    ) throws(PolicyErrors) -> any ScalingPolicy {
        guard file.isIntact else { throw PolicyErrors(problems: [.digestMismatch(policy: file.name)]) }
        guard let entry = entry(named: file.name) else {
            throw PolicyErrors(problems: [.unknownPolicy(file.name, known: entries.map(\.description.name))])
        }
        return try entry.make(file.parameters, memory)
    }

    /// The same for a file from anywhere: parameters must also lie in their ranges, and engine models hold something.
    public static func checkedPolicy(from file: PolicyFile) throws(PolicyErrors) -> any ScalingPolicy {
        guard case .map(var parameters) = file.parameters, let entry = entry(named: file.name) else {
            return try policy(from: file)
        }
        for parameter in entry.description.parameters where parameter.kind == .engines {
            guard let engines = parameters.removeValue(forKey: parameter.name) else { continue }
            let models: [String: PoolModel]
            do {
                models = try engines.decoded(as: [String: PoolModel].self)
            } catch {
                throw PolicyErrors(problems: [.unreadable(parameter.name, policy: file.name, detail: "\(error)")])
            }
            for (pool, model) in models.sorted(by: { $0.key < $1.key }) where !model.limits.arePositive {
                throw PolicyErrors(
                    problems: [
                        .unreadable(
                            parameter.name, policy: file.name,
                            detail: "limits of pool '\(pool)' that are not positive")
                    ])
            }
        }
        let problems = problems(named: file.name, parameters: parameters)
        guard problems.isEmpty else { throw PolicyErrors(problems: problems) }
        return try policy(from: file)
    }

    private static func entry(named name: String) -> Entry? { entries.first { $0.description.name == name } }

    private static func encoded(_ engines: [String: PoolModel], of name: String) throws(PolicyErrors) -> ParameterValue
    {
        do {
            return try ParameterValue(encoding: engines)
        } catch {
            throw PolicyErrors(problems: [.unreadable("engines", policy: name, detail: "\(error)")])
        }
    }
}

/// A policy as help texts and documentation list it.
public struct PolicyDescription: Hashable, Sendable {
    public var name: String
    public var summary: String
    public var parameters: [ParameterDescription]
}

private struct Entry: Sendable {
    let description: PolicyDescription
    private let decode: @Sendable (ParameterValue, ParameterValue?) throws -> any ScalingPolicy

    init<P: DescribedPolicy>(_ type: P.Type) {
        description = PolicyDescription(name: P.name, summary: P.summary, parameters: P.parameterDescriptions)
        decode = { parameters, memory in
            P(
                parameters: try parameters.decoded(as: P.Parameters.self),
                memory: try memory?.decoded(as: P.Memory.self))
        }
    }

    func make(_ parameters: ParameterValue, _ memory: ParameterValue?) throws(PolicyErrors) -> any ScalingPolicy {
        do {
            return try decode(parameters, memory)
        } catch {
            let part = memory == nil ? "parameters" : "parameters or memory"
            throw PolicyErrors(problems: [.unreadable(part, policy: description.name, detail: "\(error)")])
        }
    }
}

extension ReplicaLimits {
    fileprivate var arePositive: Bool { kvTokens > 0 && maxSequences > 0 && maxBatchedTokens > 0 }
}
