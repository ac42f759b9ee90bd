/// A policy parameter as a scenario or a policy file states it, before the policy gives it a type.
public indirect enum ParameterValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([ParameterValue])
    case map([String: ParameterValue])
}
