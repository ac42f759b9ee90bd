import Units

/// The rules by which processes that share a Lease agree on one leader: a value without clock and network.
///
/// A record is valid for its duration *from when this process saw it change*, so clocks are never compared. The leader
/// stops leading when it could not renew for a time that is shorter than that, counted from before its last renewal was
/// sent: it has stopped before anyone can follow.
///
/// - Source: kubernetes/client-go, `tools/leaderelection`, and its defaults of 15, 10 and 2 seconds.
struct LeaseElection: Sendable {
    struct Timing: Hashable, Sendable {
        /// How long others wait for a holder that says nothing.
        var lease = TimeSpan.seconds(15)
        /// How long the holder trusts its last renewal.
        var renewDeadline = TimeSpan.seconds(10)
        /// Between two tries.
        var retry = TimeSpan.seconds(2)
    }

    /// What is to be written.
    enum Action: Hashable, Sendable {
        case create(KubernetesLease.Spec)
        case update(KubernetesLease.Spec)
        /// Someone else leads.
        case wait(holder: String)
    }

    let identity: String
    let timing: Timing
    private var observed: KubernetesLease.Spec?
    private var observedAt = Instant.epoch
    /// The term that this process holds or held last, and when it last began to renew it.
    private var term: (epoch: Int, renewedAt: Instant)?

    init(identity: String, timing: Timing = Timing()) {
        precondition(
            timing.lease > timing.renewDeadline && timing.renewDeadline > timing.retry,
            "a leader must give up before others may follow, and try more than once before that")
        self.identity = identity
        self.timing = timing
    }

    /// The number of the term while this process leads.
    func epoch(at now: Instant) -> Int? {
        guard let term, now - term.renewedAt < timing.renewDeadline else { return nil }
        return term.epoch
    }

    /// Takes the lease as it was read, and says what to write.
    ///
    /// - Parameters:
    ///   - lease: `nil` when there is none.
    ///   - calendar: The time of day that people and other clients read in the record. Nothing here depends on it.
    mutating func observe(_ lease: KubernetesLease.Spec?, at now: Instant, calendar: String) -> Action {
        let seconds = Int(timing.lease.nanoseconds / 1_000_000_000)
        var mine = KubernetesLease.Spec(
            holderIdentity: identity, leaseDurationSeconds: seconds, acquireTime: calendar, renewTime: calendar,
            leaseTransitions: 0)
        guard let lease else {
            // Deleted while this process led: its next term must still be a later one.
            if let term { mine.leaseTransitions = term.epoch + 1 }
            term = nil
            return .create(mine)
        }
        if lease != observed {
            observed = lease
            observedAt = now
        }
        let holder = lease.holderIdentity ?? ""
        if holder == identity, let epoch = epoch(at: now), epoch == lease.leaseTransitions ?? 0 {
            mine.acquireTime = lease.acquireTime
            mine.leaseTransitions = epoch
            return .update(mine)
        }
        let validity = TimeSpan.seconds(Int64(lease.leaseDurationSeconds ?? seconds))
        if holder != identity, !holder.isEmpty, now - observedAt < validity {
            term = nil
            return .wait(holder: holder)
        }
        // Also for a term of its own that it let pass: what it ordered then and what it will order now stay apart.
        term = nil
        mine.leaseTransitions = (lease.leaseTransitions ?? 0) + 1
        return .update(mine)
    }

    /// The lease was written.
    ///
    /// - Parameter sent: When the request was begun: what came later may not prolong the term.
    mutating func wrote(_ spec: KubernetesLease.Spec, sent: Instant) {
        observed = spec
        observedAt = sent
        term = (spec.leaseTransitions ?? 0, sent)
    }

    /// What to write so that a successor need not wait; `nil` when this process leads no more.
    mutating func release(at now: Instant, calendar: String) -> KubernetesLease.Spec? {
        guard let epoch = epoch(at: now) else { return nil }
        term = nil
        return KubernetesLease.Spec(
            holderIdentity: "", leaseDurationSeconds: 1, acquireTime: calendar, renewTime: calendar,
            leaseTransitions: epoch)
    }
}
