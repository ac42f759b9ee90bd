import Units

/// One parameter of a policy, as help texts and the checker know it.
public struct ParameterDescription: Hashable, Sendable {
    public var name: String
    public var kind: ParameterKind
    /// What stands when it is not given; `.null` where the policy chooses by itself.
    public var defaultValue: ParameterValue
    /// What it means, without a full stop.
    public var summary: String

    public init(_ name: String, _ kind: ParameterKind, default defaultValue: ParameterValue, _ summary: String) {
        self.name = name
        self.kind = kind
        self.defaultValue = defaultValue
        self.summary = summary
    }

    /// Whether a user sets it; otherwise the scenario supplies it.
    public var isSettable: Bool { kind != .engines }
}

/// What values a parameter takes.
public enum ParameterKind: Hashable, Sendable {
    case count(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    /// A duration with its unit, as text.
    case span(atLeast: TimeSpan)
    /// A map from pool names to replicas.
    case countByPool
    /// A map from pool names to lists of levels with their times.
    case stepsByPool
    /// Engine models by pool, supplied by the scenario.
    case engines

    /// What is expected, in words that follow "expected".
    public var expectation: String {
        switch self {
        case .count(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            "a number from \(ParameterValue.number(range.lowerBound)) to \(ParameterValue.number(range.upperBound))"
        case .span(let least): "a duration with its unit, at least \(least), such as '90s'"
        case .countByPool: "a map from pool names to whole numbers of replicas"
        case .stepsByPool:
            "a map from pool names to steps such as [{after: 0s, replicas: 4}, {after: 8h, replicas: 12}]"
        case .engines: "nothing: the scenario supplies it"
        }
    }

    /// Whether it is a time and a level, and nothing else.
    private static func isStep(_ value: ParameterValue) -> Bool {
        guard case .map(let entries) = value, entries.count == 2, let after = entries["after"],
            let replicas = entries["replicas"]
        else { return false }
        return ParameterKind.span(atLeast: .zero).accepts(after) && ParameterKind.count(0...1_000_000).accepts(replicas)
    }

    func accepts(_ value: ParameterValue) -> Bool {
        switch (self, value) {
        case (.count(let range), .number(let number)): Int(exactly: number).map(range.contains) ?? false
        case (.number(let range), .number(let number)): range.contains(number)
        case (.span(let least), .text(let text)): TimeSpan(text).map { $0 >= least } ?? false
        case (.countByPool, .map(let entries)):
            entries.values.allSatisfy { ParameterKind.count(0...1_000_000).accepts($0) }
        case (.stepsByPool, .map(let pools)):
            pools.values.allSatisfy { pool in
                guard case .list(let steps) = pool else { return false }
                return steps.allSatisfy(Self.isStep)
            }
        case (.count, _), (.number, _), (.span, _), (.countByPool, _), (.stepsByPool, _), (.engines, _): false
        }
    }
}

/// A policy that can say what it is: what the catalog lists.
public protocol DescribedPolicy: ScalingPolicy {
    /// One line, without a full stop.
    static var summary: String { get }
    /// Every coding key of `Parameters`, in the order help texts show them.
    static var parameterDescriptions: [ParameterDescription] { get }
}
