import Simulation
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
        /// Every file it was read from, with its digest.
        public var files: [SourceFile]

        public init(name: String, path: String, files: [SourceFile]) {
            self.name = name
            self.path = path
            self.files = files
        }

        /// One digest over the names and digests of all files.
        public var digest: String { Digest(of: files.map { "\($0.digest)  \($0.name)\n" }.joined()).hexadecimal }
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
    public static let format = "tidegate sweep plan 1"

    /// What has changed in the scenario's files since the plan was made, in words; `nil` when nothing has.
    public func changes(to files: [SourceFile]) -> String? {
        let now = Dictionary(files.map { ($0.name, $0.digest) }) { first, _ in first }
        let before = Dictionary(scenario.files.map { ($0.name, $0.digest) }) { first, _ in first }
        let changes =
            scenario.files.compactMap { file -> String? in
                guard let digest = now[file.name] else { return "\(file.name) is no longer read" }
                return digest == file.digest ? nil : "\(file.name) has changed"
            } + files.filter { before[$0.name] == nil }.map { "\($0.name) is read now" }
        if changes.isEmpty { return files == scenario.files ? nil : "its files are read in another order" }
        return changes.joined(separator: ", ")
    }
}
