import Scaling
import Units

/// The first line of a journal: what made the decisions, in full, so that they can be made again from the file alone.
///
/// The policy's parameters hold the engine models it plans with; bounds stand in each observation. A journal begins with
/// a policy that remembers nothing, unless it goes on after another: then its header has what that one left.
public struct JournalHeader: Hashable, Sendable, Codable {
    public static let format = "tidegate journal 1"

    public var format: String
    /// Who wrote it, for people: the command that plays it again.
    public var origin: String
    public var policy: PolicyFile
    public var limits: GuardLimits
    /// Where the journal before this one ended; `nil` in a first one.
    public var continuation: JournalContinuation?
    /// SHA-256 of the canonical JSON of everything else, with this field empty.
    public var hash: String

    /// - Throws: `EncodingError` when a parameter is not finite.
    public init(origin: String, policy: any ScalingPolicy, limits: GuardLimits) throws {
        format = Self.format
        self.origin = origin
        self.policy = try PolicyFile(policy)
        self.limits = limits
        hash = ""
        hash = try contentHash()
    }

    /// The header of the journal that goes on after this one.
    ///
    /// - Throws: `EncodingError` when what is remembered is not finite.
    public func followed(after end: JournalContinuation, origin: String) throws -> JournalHeader {
        var header = self
        (header.origin, header.continuation) = (origin, end)
        header.hash = try header.contentHash()
        return header
    }

    /// Whether the hash is that of the contents.
    public var isIntact: Bool { hash == (try? contentHash()) }

    /// The line, without its end.
    public var line: String { get throws { try ParameterValue(encoding: self).canonicalJSON } }

    private func contentHash() throws -> String {
        var copy = self
        copy.hash = ""
        return try ParameterValue(encoding: copy).digest.hexadecimal
    }
}

/// The end of a journal, for the one that goes on after it: so that each can be played again without those before it.
public struct JournalContinuation: Hashable, Sendable, Codable {
    /// Of the last line, and of its tick.
    public var hash: String
    public var time: Instant
    /// What policy and guards remembered after it.
    public var memory: ControlLoop.Memory

    public init(hash: String, time: Instant, memory: ControlLoop.Memory) {
        (self.hash, self.time, self.memory) = (hash, time, memory)
    }

    /// The number of that tick.
    public var ticks: Int { memory.ticks }
}

/// One line of the journal: a tick with the digests of the policy that decided it, chained to the line before.
public struct JournalRecord: Hashable, Sendable, Codable {
    public var policy: String
    /// SHA-256 of the canonical JSON of the parameters, and of the memory after the decision.
    public var parametersDigest: String
    public var memoryDigest: String
    public var record: ControlRecord
    /// The hash of the line before.
    public var previous: String
    /// SHA-256 of the canonical JSON of everything above, with this field empty.
    public var hash: String

    /// The text that the hash is taken of.
    fileprivate func content() throws -> String {
        var copy = self
        copy.hash = ""
        return try ParameterValue(encoding: copy).canonicalJSON
    }

    /// Whether the hash is that of the contents.
    public var isIntact: Bool { hash == (try? content()).map { Digest(of: $0).hexadecimal } }

    /// `hash` is the first of the keys.
    fileprivate static let start = "{\"hash\":\""

    /// Whether a line carries the hash of its own bytes, as a line does that nobody has touched.
    ///
    /// Cheaper than `isIntact`, which writes every value again, and knows nothing of the policy.
    public static func isIntact(line: some RandomAccessCollection<UInt8>) -> Bool {
        let start = Array(Self.start.utf8)
        guard line.count >= start.count + 64, line.starts(with: start) else { return false }
        let hash = line.dropFirst(start.count).prefix(64)
        let content = start + line.dropFirst(start.count + 64)
        return Array(Digest(of: content).hexadecimal.utf8) == Array(hash)
    }
}

/// Writes the lines of a journal, and remembers of them only the last hash.
///
///     var writer = try JournalWriter(header)
///     file.append(try writer.header.line + "\n")
///     file.append(try writer.line(of: loop.tick(at: now), by: loop.policy) + "\n")
public struct JournalWriter: Sendable {
    public let header: JournalHeader
    private let parametersDigest: String
    /// The hash of the last line.
    public private(set) var previous: String

    /// - Parameter previous: The hash of the line to go on after; the header without it.
    public init(_ header: JournalHeader, after previous: String? = nil) {
        self.header = header
        parametersDigest = header.policy.parameters.digest.hexadecimal
        self.previous = previous ?? header.hash
    }

    /// The line of a tick, without its end.
    ///
    /// - Parameter policy: The one that decided, as the tick left it: a later one would sign with a later memory.
    /// - Throws: `EncodingError` when an observation or the memory is not finite.
    /// - Complexity: O(pools + the policy's memory), and much more than the tick itself.
    public mutating func line(of record: ControlRecord, by policy: any ScalingPolicy) throws -> String {
        var entry = JournalRecord(
            policy: header.policy.name, parametersDigest: parametersDigest,
            memoryDigest: try ParameterValue(encoding: policy.memory).digest.hexadecimal, record: record,
            previous: previous, hash: "")
        let content = try entry.content()
        entry.hash = Digest(of: content).hexadecimal
        previous = entry.hash
        // The text is made once: hashed while the field is empty, then filled.
        let start = JournalRecord.start
        precondition(content.hasPrefix(start), "a record whose first key is not its hash")
        return start + entry.hash + content.dropFirst(start.count)
    }
}
