import Simulation
import Statistics

/// A queue that is solved, played through the ordinary batcher.
///
/// One replica with room for `servers` sequences is a queue with that many servers: each sequence takes a token a step,
/// steps take a constant time, prompts cost nothing, and the number of output tokens is the service time. A geometric
/// number of short steps is close to an exponential time (its squared coefficient of variation is 1 − 1/mean), a fixed
/// number is a constant one. An arrival waits for the end of the step under way, half a step in the mean, which
/// with `tokens` steps a service is 1/(2·tokens) of it.
public struct QueueingCase: Hashable, Sendable {
    public enum Service: Hashable, Sendable {
        case exponential
        case constant
        /// Lognormal with a standard deviation of 1.5 means. Nothing is cut off (its bounds lie 8 and more standard
        /// deviations out), and rounding to whole tokens adds 1/12 to a variance of 9·10¹⁰.
        case lognormal
        /// Clients hold their place for a time of their own, being served or not, and then leave: for half a mean
        /// service four of five of them, for three the others, so mean and variance are those of an exponential time.
        ///
        /// A pool's waiting room has at least one place, so a loss system is made of clients for whom it is the same to
        /// wait and to be served: half of the places are sequences, half are waiting.
        case held
    }

    /// What is compared.
    public enum Quantity: String, Hashable, Sendable {
        /// Mean seconds before service of those who are let in.
        case wait
        /// The share of arrivals that find the system full.
        case blocking
    }

    /// Kendall's notation, such as `M/M/4`.
    public var name: String
    public var service: Service
    public var servers: Int
    /// Places beside those in service; `nil` when nobody is ever turned away.
    public var waitingRoom: Int?
    /// Offered load over servers. Range: above 0; below 1 where the waiting room has no bound.
    public var load: Double
    public var quantity: Quantity
    /// Requests of one of twenty runs that make the interval's half-width 2.8 % of the exact value, by measurement.
    public var requestsPerRun: Int

    public init(
        name: String, service: Service, servers: Int, waitingRoom: Int? = nil, load: Double,
        quantity: Quantity = .wait, requestsPerRun: Int = 10_000
    ) {
        self.name = name
        self.service = service
        self.servers = servers
        self.waitingRoom = waitingRoom
        self.load = load
        self.quantity = quantity
        self.requestsPerRun = requestsPerRun
    }

    /// Mean output tokens, so mean steps of a service. The error of the step grid shrinks with it, at no cost,
    /// because a run of equal steps is one event.
    static let tokens = 200_000
    static let meanService = 1.0
    var arrivalRate: Double { load * Double(servers) / Self.meanService }

    /// The mean wait in seconds, or the share that is turned away.
    ///
    /// - Source: Gross, Shortle, Thompson, Harris, *Fundamentals of Queueing Theory*, 4th ed., §2.3 (Erlang C), §2.4
    ///   (M/M/c/K), §2.5 (Erlang B) and §5.1 (Pollaczek–Khinchine).
    public var exact: Double {
        if let waitingRoom {
            let queue = FiniteQueue(
                arrivalRate: arrivalRate, meanService: Self.meanService, servers: servers,
                capacity: servers + waitingRoom)
            return quantity == .wait ? queue.meanWait : queue.blocking
        }
        switch service {
        case .exponential, .held:
            return meanWaitMMc(arrivalRate: arrivalRate, meanService: Self.meanService, servers: servers)
        case .constant:
            return meanWaitMG1(arrivalRate: arrivalRate, meanService: Self.meanService, squaredCV: 0)
        case .lognormal:
            return meanWaitMG1(
                arrivalRate: arrivalRate, meanService: Self.meanService,
                squaredCV: Self.lognormalCV * Self.lognormalCV)
        }
    }
}

extension QueueingCase {
    /// The loads at which the lengths of runs are known.
    public static let loads = [0.5, 0.8, 0.9]

    /// Every solved queue at one of `loads`.
    public static func all(load: Double) -> [QueueingCase] {
        let index = loads.firstIndex(of: load)!
        func queue(
            _ name: String, _ service: Service, _ servers: Int, room: Int? = nil, _ quantity: Quantity = .wait,
            requests: [Int]
        ) -> QueueingCase {
            QueueingCase(
                name: name, service: service, servers: servers, waitingRoom: room, load: load, quantity: quantity,
                requestsPerRun: requests[index])
        }
        // The variance of a mean wait grows as the load comes near 1, and with more servers fewer requests wait at all.
        return [
            queue("M/M/1", .exponential, 1, requests: [15_000, 64_000, 285_000]),
            queue("M/M/4", .exponential, 4, requests: [61_000, 104_000, 385_000]),
            queue("M/M/8", .exponential, 8, requests: [200_000, 158_000, 440_000]),
            queue("M/D/1", .constant, 1, requests: [7_000, 31_000, 123_000]),
            queue("M/G/1", .lognormal, 1, requests: [78_000, 220_000, 620_000]),
            queue("M/M/4/6", .exponential, 4, room: 2, requests: [21_000, 9_000, 7_200]),
            queue("M/M/4/6", .exponential, 4, room: 2, .blocking, requests: [56_000, 15_000, 10_800]),
            queue("M/G/8/8", .held, 8, room: 0, .blocking, requests: [43_000, 10_800, 8_200]),
        ]
    }
}

/// One case against its closed form.
public struct QueueingOutcome: Hashable, Sendable {
    public var queue: QueueingCase
    /// The mean over replications, with the simulator's own 99 % interval.
    public var measured: ConfidenceInterval
    /// Whether Little's law held to the nanosecond in every replication.
    public var isLittleExact: Bool

    public var isCovered: Bool { measured.contains(queue.exact) }
    /// Half the interval's width over the exact value.
    public var relativeHalfWidth: Double { measured.halfWidth / queue.exact }
}

/// Plays a case: `replications` independent runs of `requests` each, all from an empty queue.
///
/// - Parameters:
///   - seed: Another seed gives another, independent interval.
///   - requests: Expected arrivals of a run. The empty start biases the mean wait by the order of one over it.
public func play(
    _ queue: QueueingCase, seed: UInt64, replications: Int = 20, requests: Int, workers: Int
) async throws -> QueueingOutcome {
    let scenario = queue.scenario(seed: seed, requests: requests)
    let plans = (0..<replications).map {
        RunPlan(policy: scenario.policies[0], options: RunOptions(replication: $0))
    }
    let runs = try await runAll(plans, of: scenario, workers: workers)
    return QueueingOutcome(
        queue: queue, measured: ConfidenceInterval.student(runs.map(queue.measure), level: 0.99)!,
        isLittleExact: runs.allSatisfy { $0.requestNanoseconds == $0.sojournNanoseconds })
}

extension QueueingCase {
    fileprivate func measure(_ run: RunResult) -> Double {
        switch quantity {
        case .wait: Double(run.queueWait.sum) / 1e9 / Double(run.queueWait.count)
        case .blocking: Double(run.outcomes.rejectedQueueFull) / Double(run.outcomes.arrived)
        }
    }
}
