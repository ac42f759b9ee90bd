import Units

/// The contents of `policy.json`: what was simulated, in full, for the controller to run unchanged.
public struct PolicyFile: Hashable, Sendable, Codable {
    public var name: String
    /// Every parameter, defaults and engine models included.
    public var parameters: ParameterValue
    /// SHA-256 over the canonical JSON of name and parameters: 64 hexadecimal digits.
    public var digest: String

    /// - Throws: `EncodingError` when a parameter is not finite.
    public init(_ policy: any ScalingPolicy) throws {
        name = type(of: policy).name
        parameters = try ParameterValue(encoding: policy.parameters)
        digest = Self.digest(name: name, parameters: parameters)
    }

    /// Whether the digest is that of the contents.
    public var isIntact: Bool { digest == Self.digest(name: name, parameters: parameters) }

    private static func digest(name: String, parameters: ParameterValue) -> String {
        ParameterValue.map(["name": .text(name), "parameters": parameters]).digest.hexadecimal
    }
}
