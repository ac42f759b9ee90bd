import FleetModel
import Pricing
import Scaling
import Units
import Workload

/// Everything a run needs, as values: read from a scenario folder by `Formats`, complete and checked.
public struct Scenario: Sendable {
    public var name: String
    /// The question the scenario answers, in a sentence.
    public var question: String
    public var seed: UInt64
    /// When the simulated traffic starts. Bills and reports carry this date.
    public var start: Instant
    /// How long traffic arrives and the fleet is billed; requests in flight at the end are followed to theirs.
    public var duration: TimeSpan
    public var tenants: [Tenant]
    public var sloClasses: [SLOClass]
    public var sources: [TrafficSource]
    public var traces: [TraceTraffic]
    public var pools: [PoolConfiguration]
    public var control: ControlConfiguration
    /// The policies to choose from; the first is the default.
    public var policies: [PolicyChoice]
    public var priceBook: PriceBook
    public var allocation: AllocationWeights
    /// The files the scenario was read from, with their digests, in the order they were read.
    public var files: [SourceFile]
    /// What else may be chosen when the fleet is sized; `nil` leaves the pools as they are.
    public var sizing: SizingSpace?

    public init(
        name: String, question: String, seed: UInt64, start: Instant, duration: TimeSpan, tenants: [Tenant],
        sloClasses: [SLOClass], sources: [TrafficSource], traces: [TraceTraffic], pools: [PoolConfiguration],
        control: ControlConfiguration, policies: [PolicyChoice], priceBook: PriceBook, allocation: AllocationWeights,
        files: [SourceFile], sizing: SizingSpace? = nil
    ) {
        self.name = name
        self.question = question
        self.seed = seed
        self.start = start
        self.duration = duration
        self.tenants = tenants
        self.sloClasses = sloClasses
        self.sources = sources
        self.traces = traces
        self.pools = pools
        self.control = control
        self.policies = policies
        self.priceBook = priceBook
        self.allocation = allocation
        self.files = files
        self.sizing = sizing
    }
}

/// A file that a scenario was read from.
public struct SourceFile: Hashable, Sendable, Codable {
    /// As the scenario names it, never an absolute path: reports must not depend on where they were made.
    public var name: String
    public var digest: String

    public init(name: String, digest: String) {
        self.name = name
        self.digest = digest
    }
}
