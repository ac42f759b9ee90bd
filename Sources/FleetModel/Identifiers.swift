/// The name of a pool: interchangeable replicas that are scaled together.
public struct PoolID: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    public var name: String
    public init(_ name: String) { self.name = name }
    public var description: String { name }
    public static func < (a: PoolID, b: PoolID) -> Bool { a.name < b.name }
    public init(from decoder: any Decoder) throws { name = try decoder.singleValueContainer().decode(String.self) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}

/// The number of a replica within its pool; a replacement gets a new number.
public struct ReplicaID: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    public var number: Int
    public init(_ number: Int) { self.number = number }
    public var description: String { "r\(number)" }
    public static func < (a: ReplicaID, b: ReplicaID) -> Bool { a.number < b.number }
    public init(from decoder: any Decoder) throws { number = try decoder.singleValueContainer().decode(Int.self) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(number)
    }
}
