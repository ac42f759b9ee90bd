/// The probability that an arriving request is lost in an M/M/c/c system (Erlang B).
///
/// Poisson arrivals, `servers` servers, no queue; the distribution of service does not matter.
///
/// - Parameters:
///   - offeredLoad: Arrival rate × mean service time, in erlangs. At least 0.
///   - servers: At least 0; with none every request is lost.
/// - Returns: A probability, `0...1`.
/// - Complexity: O(`servers`), by the recursion B(c) = aB(c−1) / (c + aB(c−1)), which does not overflow.
/// - Source: Gross, Shortle, Thompson, Harris, *Fundamentals of Queueing Theory*, 4th ed., §2.5.
public func erlangB(offeredLoad: Double, servers: Int) -> Double {
    precondition(offeredLoad >= 0 && servers >= 0, "\(offeredLoad) erlangs on \(servers) servers")
    var blocked = 1.0
    for c in 0..<servers {
        let carried = offeredLoad * blocked
        blocked = carried / (Double(c + 1) + carried)
    }
    return blocked
}

/// The probability that an arriving request waits in an M/M/c queue (Erlang C).
///
/// Poisson arrivals, exponential service, `servers` identical servers, one unbounded FCFS queue.
///
///     erlangC(offeredLoad: 3.2, servers: 4)   // ≈ 0.596
///
/// - Parameters:
///   - offeredLoad: Arrival rate × mean service time, in erlangs. Range: `0 ..< servers`.
///   - servers: At least 1.
/// - Returns: A probability, `0...1`.
/// - Precondition: The queue is stable: `offeredLoad < servers`.
/// - Complexity: O(`servers`). Recurs on Erlang B, so it does not overflow.
/// - Source: Gross, Shortle, Thompson, Harris, *Fundamentals of Queueing Theory*, 4th ed., §2.3.
public func erlangC(offeredLoad: Double, servers: Int) -> Double {
    precondition(offeredLoad < Double(servers), "\(offeredLoad) erlangs never settle on \(servers) servers")
    let blocked = erlangB(offeredLoad: offeredLoad, servers: servers)
    return blocked / (1 - offeredLoad / Double(servers) * (1 - blocked))
}

/// The mean time that a request waits before service in an M/M/c queue, in the unit of `meanService`. M/M/1 is one server.
///
/// - Parameters:
///   - arrivalRate: Requests per unit of time. At least 0.
///   - meanService: Mean service time of one server. Positive.
///   - servers: At least 1.
/// - Precondition: The queue is stable: `arrivalRate · meanService < servers`.
/// - Source: Gross et al., §2.3: Erlang C × s / (c − a).
public func meanWaitMMc(arrivalRate: Double, meanService: Double, servers: Int) -> Double {
    let load = arrivalRate * meanService
    return erlangC(offeredLoad: load, servers: servers) * meanService / (Double(servers) - load)
}

/// The mean time that a request waits before service in an M/G/1 queue, in the unit of `meanService`.
///
/// Poisson arrivals, one server, service times of any distribution: M/D/1 is `squaredCV` 0, M/M/1 is 1.
///
/// - Parameters:
///   - arrivalRate: Requests per unit of time. At least 0.
///   - meanService: Mean service time. Positive.
///   - squaredCV: Variance of service time over its squared mean. At least 0.
/// - Precondition: The queue is stable: `arrivalRate · meanService < 1`.
/// - Source: Pollaczek–Khinchine; Gross et al., §5.1: W = ρ s (1 + c²) / (2 (1 − ρ)).
public func meanWaitMG1(arrivalRate: Double, meanService: Double, squaredCV: Double) -> Double {
    let load = arrivalRate * meanService
    precondition(load >= 0 && load < 1, "a load of \(load) never settles on one server")
    precondition(squaredCV >= 0, "a squared coefficient of variation is not negative")
    return load * meanService * (1 + squaredCV) / (2 * (1 - load))
}

/// An M/M/c/K system in its steady state: Poisson arrivals, exponential service, `servers` servers, and room for
/// `capacity` requests, waiting and in service together. Who finds it full is lost.
///
///     FiniteQueue(arrivalRate: 2, meanService: 1, servers: 4, capacity: 6).blocking   // ≈ 0.0220
///
/// With `capacity` equal to `servers` it is the Erlang loss system, with a large one M/M/c.
///
/// - Source: Gross, Shortle, Thompson, Harris, *Fundamentals of Queueing Theory*, 4th ed., §2.4.
public struct FiniteQueue: Hashable, Sendable {
    /// The probability that an arriving request finds no place. Range: 0...1.
    public let blocking: Double
    /// The mean number of requests that wait.
    public let meanWaiting: Double
    /// The mean time before service of those who are let in, in the unit of `meanService`.
    public let meanWait: Double

    /// - Parameters:
    ///   - arrivalRate: Requests per unit of time, those lost included. Positive; it may exceed what the servers can do.
    ///   - meanService: Mean service time of one server. Positive.
    ///   - servers: At least 1.
    ///   - capacity: At least `servers`.
    /// - Complexity: O(`capacity`). Probabilities are carried relative to those of the states below, so none overflows.
    public init(arrivalRate: Double, meanService: Double, servers: Int, capacity: Int) {
        precondition(arrivalRate > 0 && meanService > 0, "\(arrivalRate) arrivals of \(meanService)")
        precondition(servers >= 1 && capacity >= servers, "room for \(capacity) with \(servers) servers")
        let load = arrivalRate * meanService
        // Each room is one place larger than the one before: of its states the last has this probability, and the others
        // share the rest as they did.
        var full = erlangB(offeredLoad: load, servers: servers)
        var waiting = 0.0
        for place in 1..<(capacity - servers + 1) {
            let flow = full * load / Double(servers)
            full = flow / (1 + flow)
            waiting = waiting * (1 - full) + Double(place) * full
        }
        blocking = full
        meanWaiting = waiting
        // Little's law on those let in.
        meanWait = waiting / (arrivalRate * (1 - full))
    }
}
