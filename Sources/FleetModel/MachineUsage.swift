import Units

/// What one machine did in a charge period, and who stood on it.
public struct MachineUsage: Hashable, Sendable {
    /// As it was metered; a controller does not see tokens, so it counts none.
    public var record: UsageRecord
    /// Every replica that stood on the machine in the period; `nil` where nobody wrote it down.
    public var replicas: [ReplicaID]?

    public init(_ record: UsageRecord, replicas: [ReplicaID]?) {
        self.record = record
        self.replicas = replicas
    }
}

extension MachineUsage: Codable {
    private enum CodingKeys: CodingKey { case replicas }

    public init(from decoder: any Decoder) throws {
        record = try UsageRecord(from: decoder)
        replicas = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent([ReplicaID].self, forKey: .replicas)
    }

    /// The record's keys, and `replicas` beside them.
    public func encode(to encoder: any Encoder) throws {
        try record.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(replicas, forKey: .replicas)
    }
}
