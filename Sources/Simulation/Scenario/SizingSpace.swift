import Scaling

/// What may be chosen when a fleet is sized, beside the pools and policies as the scenario has them.
public struct SizingSpace: Sendable {
    /// The ways to build each pool, in the scenario's order of pools. The first of each is the pool as written.
    public var pools: [[PoolAlternative]]
    /// Values of parameters to try, for policies whose label is named; the others have the grid of their kind.
    public var grids: [PolicyGrid]

    public init(pools: [[PoolAlternative]], grids: [PolicyGrid] = []) {
        self.pools = pools
        self.grids = grids
    }
}

/// One way to build a pool.
public struct PoolAlternative: Sendable {
    /// What tables call it; `nil` for the pool as written.
    public var name: String?
    public var configuration: PoolConfiguration
    /// The pool's keys with their values as a scenario has them, in order; empty when it was not read from one.
    public var source: [SourceKey]

    public init(name: String? = nil, configuration: PoolConfiguration, source: [SourceKey] = []) {
        self.name = name
        self.configuration = configuration
        self.source = source
    }

    /// A key of a scenario's map, and its value as YAML on one line.
    public struct SourceKey: Hashable, Sendable {
        public var key: String
        public var value: String

        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }
}

/// Values to try for parameters of one policy: every combination of them is a candidate.
public struct PolicyGrid: Hashable, Sendable {
    /// The policy's label in the scenario.
    public var label: String
    public var axes: [Axis]

    public init(label: String, axes: [Axis]) {
        self.label = label
        self.axes = axes
    }

    public struct Axis: Hashable, Sendable {
        public var parameter: String
        public var values: [ParameterValue]

        public init(_ parameter: String, _ values: [ParameterValue]) {
            self.parameter = parameter
            self.values = values
        }
    }
}
