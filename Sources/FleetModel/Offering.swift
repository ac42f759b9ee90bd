import Units

/// How an instance is paid for.
public enum CapacityType: String, Hashable, Sendable, Codable, CaseIterable {
    case onDemand = "on-demand"
    case spot
}

/// Instance type × zone × capacity type: the thing that has a price.
public struct Offering: Hashable, Sendable, Codable, CustomStringConvertible {
    public var provider: String
    public var instanceType: String
    public var zone: String
    public var capacityType: CapacityType

    public init(provider: String, instanceType: String, zone: String, capacityType: CapacityType) {
        self.provider = provider
        self.instanceType = instanceType
        self.zone = zone
        self.capacityType = capacityType
    }

    public var description: String { "\(provider) \(instanceType) \(zone) \(capacityType.rawValue)" }
}
