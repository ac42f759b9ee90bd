import FleetModel
import Randomness
import Simulation
import Units
import Workload

/// The part of a scenario's traffic that is sent, and how fast its time passes.
///
/// Requests are those of the simulator's run of the same seed: same times, lengths, tenants and content.
public struct LoadTraffic: Sendable {
    public var name: String
    public var seed: UInt64
    public var tenants: [Tenant]
    public var classes: [SLOClass]
    /// Where in the scenario the load begins.
    public let begin: TimeSpan
    /// How long it lasts, by the clock.
    public let duration: TimeSpan
    /// What the scenario's rate is multiplied by.
    public let speed: Double
    /// Of each source, then of each trace; none for requests that are given one by one.
    let pools: [PoolID]
    private let sources: [TrafficSource]
    private let traces: [TraceTraffic]
    /// Requests that are given one by one, by their times after the start; `nil` where a scenario has them.
    private let list: [Arrival]?
    private let start: Instant

    /// Requests that are given one by one, in order of their times, which count from `Instant.epoch`.
    ///
    /// - Parameter name: For messages.
    public init(_ name: String, requests: [Arrival]) {
        (self.name, seed, speed) = (name, 0, 1)
        (tenants, classes) = ([Tenant(name: "tidegate")], [SLOClass(name: name)])
        (pools, sources, traces, list) = ([], [], [], requests)
        (start, begin) = (.epoch, .zero)
        duration = TimeSpan(nanoseconds: (requests.last.map { $0.time - .epoch } ?? .zero).nanoseconds + 1)
    }

    /// Selects traffic of a scenario.
    ///
    /// - Parameters:
    ///   - pool: Only what is served there; `nil` for all.
    ///   - begin: Leaves out what comes earlier in the scenario.
    ///   - limit: How long to send by the clock, at most; `nil` until the scenario's end.
    ///   - speed: How many times as fast the scenario's time passes. Range: 1e-6...1e6.
    /// - Throws: Why nothing can be sent.
    public init(
        _ scenario: Scenario, pool: String? = nil, from begin: TimeSpan = .zero, for limit: TimeSpan? = nil,
        speed: Double = 1
    ) throws(LoadError) {
        guard speed >= 1e-6, speed <= 1e6 else { throw LoadError("a speed of \(speed) is not 0.000001 to 1000000") }
        guard begin >= .zero, begin < scenario.duration else {
            throw LoadError("the load would begin at \(begin), but the scenario lasts \(scenario.duration)")
        }
        if let pool, !scenario.pools.contains(where: { $0.id.name == pool }) {
            let names = scenario.pools.map(\.id.name).joined(separator: ", ")
            throw LoadError("the scenario has no pool '\(pool)'; it has: \(names)")
        }
        let isChosen = { (id: PoolID) in pool == nil || id.name == pool }
        sources = scenario.sources.filter { isChosen($0.pool) }
        traces = scenario.traces.filter { isChosen($0.pool) }
        pools = sources.map(\.pool) + traces.map(\.pool)
        guard sources.count + traces.count > 0 else {
            throw LoadError("the scenario has no traffic" + (pool.map { " for pool '\($0)'" } ?? ""))
        }
        (name, seed, start) = (scenario.name, scenario.seed, scenario.start)
        (tenants, classes) = (scenario.tenants, scenario.sloClasses)
        list = nil
        (self.begin, self.speed) = (begin, speed)
        let rest = TimeSpan.estimate(seconds: (scenario.duration - begin).seconds / speed)
        duration = min(limit ?? rest, rest)
        guard duration > .zero else { throw LoadError("the load would last \(duration)") }
    }

    /// The requests from the scenario's beginning to where the load ends.
    func stream() -> Stream {
        if let list { return .list(list[...]) }
        let span = TimeSpan.estimate(seconds: duration.seconds * speed)
        return .scenario(
            ArrivalStream(
                sources: sources, traces: traces, streams: RandomStreams(seed: seed), start: start,
                duration: begin + span))
    }

    /// Requests in the order in which they are due.
    enum Stream {
        case scenario(ArrivalStream)
        case list(ArraySlice<Arrival>)

        mutating func next() -> RoutedArrival? {
            switch self {
            case .scenario(var stream):
                defer { self = .scenario(stream) }
                return stream.next()
            case .list(var rest):
                defer { self = .list(rest) }
                return rest.popFirst().map { RoutedArrival(arrival: $0, source: 0) }
            }
        }

        /// Why traffic is missing.
        var failure: String? {
            if case .scenario(let stream) = self { stream.failure?.reason.description } else { nil }
        }
    }

    /// What the texts of prompts follow from, those apart that the scenario names: a server that still has the prompts of
    /// another scenario, or of another seed, must not find them in this one's.
    var textSeed: UInt64 { RandomStreams(seed: seed).number("texts of \(name)", 0) }

    /// When a request is due, after the start of the load; negative for one that comes before the load begins.
    func offset(of arrival: Arrival) -> TimeSpan {
        let since = arrival.time - start - begin
        // At the scenario's own speed the times are kept to the nanosecond.
        return speed == 1 ? since : TimeSpan(nanoseconds: Int64(Double(since.nanoseconds) / speed))
    }
}
