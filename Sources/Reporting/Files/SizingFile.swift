import Scaling
import Simulation
import Studies

/// The answer of `size` as the `pools` and `policies` of a scenario: ready to take the place of those it was asked about.
public struct SizingFile: Sendable {
    public let text: String

    public init(_ answer: SizingAnswer, of scenario: String) {
        var lines = [
            "# The answer for \(scenario): \(answer.name).",
            "# Put these in place of the scenario's pools and policies.",
            "pools:",
        ]
        for (index, pool) in answer.pools.enumerated() {
            var keys = pool.source
            if let counts = answer.counts {
                let bounds = pool.configuration.bounds
                let value = "{min: \(bounds.minimum), max: \(bounds.maximum), initial: \(counts[index])}"
                keys = keys.map { $0.key == "replicas" ? .init(key: $0.key, value: value) : $0 }
            }
            for (number, key) in keys.enumerated() {
                lines.append("\(number == 0 ? "  - " : "    ")\(key.key): \(key.value)")
            }
        }
        lines.append("policies:")
        let parameters = answer.policy.parameters.sorted { $0.key < $1.key }
        let pairs =
            [("label", "sized"), ("policy", answer.policy.policy)] + parameters.map { ($0.key, Self.yaml($0.value)) }
        lines.append("  - {\(pairs.map { "\($0.0): \($0.1)" }.joined(separator: ", "))}")
        text = lines.joined(separator: "\n") + "\n"
    }

    /// A parameter as a scenario states it: text without quotes where it needs none.
    private static func yaml(_ value: ParameterValue) -> String {
        switch value {
        case .map(let entries):
            let pairs = entries.sorted { $0.key < $1.key }.map { "\($0.key): \(yaml($0.value))" }
            return "{\(pairs.joined(separator: ", "))}"
        case .list(let values): return "[\(values.map(yaml).joined(separator: ", "))]"
        case .null, .bool, .number, .text: return value.canonicalJSON
        }
    }
}
