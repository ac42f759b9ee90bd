import Control
import FleetModel
import Scaling
import Units

/// Who hears of a run as it goes, for files that would grow with the run if it kept them.
///
/// Called on the thread that plays the run, in an order that depends on the scenario, the policy and the seed alone.
public struct RunTap: Sendable {
    /// The policy and the limits of its guards, before anything has happened.
    public var start: (@Sendable (any ScalingPolicy, GuardLimits) -> Void)?
    /// Each control tick, with the policy as the tick left it.
    public var tick: (@Sendable (ControlRecord, any ScalingPolicy) -> Void)?
    /// Requests of one pool that have ended, in order of their ends; pools in the scenario's order, again and again.
    public var requests: (@Sendable (PoolID, [EndedRequest]) -> Void)?

    public init() {}
}

/// One request from its arrival to its end.
public struct EndedRequest: Hashable, Sendable {
    public var arrival: Arrival
    public var outcome: RequestOutcome
    public var ended: Instant
    /// When it first entered a batch; `nil` when it never did.
    public var admitted: Instant?
    /// `nil` when none came.
    public var firstToken: Instant?

    public init(
        arrival: Arrival, outcome: RequestOutcome, ended: Instant, admitted: Instant? = nil, firstToken: Instant? = nil
    ) {
        self.arrival = arrival
        self.outcome = outcome
        self.ended = ended
        self.admitted = admitted
        self.firstToken = firstToken
    }
}

extension EndedRequest {
    init(_ end: Ended) {
        self.init(
            arrival: end.request.arrival, outcome: end.outcome, ended: end.time,
            admitted: end.request.admitted == .never ? nil : end.request.admitted,
            firstToken: end.request.firstToken == .never ? nil : end.request.firstToken)
    }
}
