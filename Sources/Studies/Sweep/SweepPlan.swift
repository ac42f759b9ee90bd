import Units

/// A sweep, complete: what to vary, where, and how often to play each point. It is written once; shards only read it.
public struct SweepPlan: Hashable, Sendable, Codable {
    public var scenario: Source
    public var design: String
    /// Of the traffic, the same at every point: points differ by what the sweep varies and by nothing else. A Latin
    /// hypercube is drawn from it too.
    public var seed: UInt64
    /// Independent draws of the traffic at each point. At least 1.
    public var replications: Int
    /// What differs from one replication to the next, in words.
    public var varied: String
    /// Labels of the policies to play at each point. At least one.
    public var policies: [String]
    /// Paths of the fields that vary, with what was asked for. At least one.
    public var fields: [Field]
    /// At each point a value for every field, as a scenario writes it.
    public var points: [[String]]
    /// The version that made the plan: another one may give other numbers.
    public var version: String

    public init(
        scenario: Source, design: String, seed: UInt64, replications: Int, varied: String, policies: [String],
        fields: [Field], points: [[String]], version: String
    ) {
        self.scenario = scenario
        self.design = design
        self.seed = seed
        self.replications = replications
        self.varied = varied
        self.policies = policies
        self.fields = fields
        self.points = points
        self.version = version
    }

    /// The scenario that is varied.
    public struct Source: Hashable, Sendable, Codable {
        public var name: String
        /// From the folder of the plan, where it can be: the two move together.
        public var path: String
        /// Over every file the scenario was read from.
        public var digest: String

        public init(name: String, path: String, digest: String) {
            self.name = name
            self.path = path
            self.digest = digest
        }
    }

    /// One field that varies.
    public struct Field: Hashable, Sendable, Codable {
        public var path: String
        /// `LOW..HIGH` or the listed values with commas, as it was asked for.
        public var range: String

        public init(path: String, range: String) {
            self.path = path
            self.range = range
        }
    }
}

extension SweepPlan {
    /// The digest of a scenario: of the names and digests of all its files, in the order they were read.
    public static func digest(of files: [(name: String, digest: String)]) -> String {
        Digest(of: files.map { "\($0.digest)  \($0.name)\n" }.joined()).hexadecimal
    }
}
