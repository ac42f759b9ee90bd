import Scaling
import Units

/// One line of the journal: a tick with the digests of the policy that decided it, chained to the line before.
///
/// Made on demand: digesting a policy's memory costs more than a tick, and a simulation of a week does not need it.
public struct JournalRecord: Hashable, Sendable, Codable {
    public var policy: String
    /// SHA-256 of the canonical JSON of the parameters, and of the memory after the decision.
    public var parametersDigest: String
    public var memoryDigest: String
    public var record: ControlRecord
    /// The hash of the line before; empty for the first.
    public var previous: String
    /// SHA-256 of the canonical JSON of everything above.
    public var hash: String

    /// Whether the hash is that of the contents, and the record follows `previous`.
    public func isIntact(after previous: JournalRecord?) -> Bool {
        self.previous == (previous?.hash ?? "") && hash == (try? contentHash())
    }

    fileprivate init(_ record: ControlRecord, policy: any ScalingPolicy, previous: JournalRecord?) throws {
        self.policy = type(of: policy).name
        parametersDigest = try ParameterValue(encoding: policy.parameters).digest.hexadecimal
        memoryDigest = try ParameterValue(encoding: policy.memory).digest.hexadecimal
        self.record = record
        self.previous = previous?.hash ?? ""
        hash = ""
        hash = try contentHash()
    }

    private func contentHash() throws -> String {
        var copy = self
        copy.hash = ""
        return try ParameterValue(encoding: copy).digest.hexadecimal
    }
}

extension ControlLoop {
    /// The journal line of the last tick.
    ///
    /// - Parameters:
    ///   - record: What the last `tick` returned; an earlier one would be signed with a later memory.
    ///   - previous: The line before; `nil` for the first.
    /// - Throws: `EncodingError` when an observation or a parameter is not finite.
    public func journalRecord(of record: ControlRecord, after previous: JournalRecord?) throws -> JournalRecord {
        try JournalRecord(record, policy: policy, previous: previous)
    }
}
