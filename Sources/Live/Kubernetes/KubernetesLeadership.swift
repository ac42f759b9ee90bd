import Foundation
import Logging
import Synchronization
import Units

/// Leads by a Lease in a cluster.
///
/// The epoch is the lease's count of transitions, so a Lease that is deleted begins again at 0 and orders are refused as
/// fenced until the annotation `tidegate.dev/epoch` is removed from the workloads too.
public final class KubernetesLeadership: Sendable {
    private let client: APIServerClient
    private let name: String
    private let identity: String
    private let election: Mutex<LeaseElection>
    private let timing: LeaseElection.Timing
    private let logger: Logger
    private let path: String

    /// - Parameter identity: Unlike that of any other process, ever: a pod's name with something random.
    public convenience init(_ access: ClusterAccess, lease: String, identity: String, logger: Logger) {
        self.init(access, lease: lease, identity: identity, timing: .init(), logger: logger)
    }

    init(_ access: ClusterAccess, lease: String, identity: String, timing: LeaseElection.Timing, logger: Logger) {
        // One call may not outlast the time that it is to renew.
        var limits = APIServerClient.Limits()
        limits.call = TimeSpan(nanoseconds: timing.renewDeadline.nanoseconds / 2)
        limits.attempt = limits.call
        client = APIServerClient(access, limits: limits)
        name = lease
        self.identity = identity
        path = "/apis/coordination.k8s.io/v1/namespaces/\(access.namespace)/leases"
        self.timing = timing
        self.logger = logger
        election = Mutex(LeaseElection(identity: identity, timing: timing))
    }

    /// The number of this process's term while it leads; `nil` while it does not, or cannot be sure that it does.
    ///
    /// Asked before each order: what was true a moment ago may have ended while the process was stopped.
    public var epoch: Int? { election.withLock { $0.epoch(at: MonotonicTime.now) } }

    /// Strives for the lead, and keeps it, until the task is cancelled; then gives it up.
    public func run() async {
        var said: String?
        while !Task.isCancelled {
            let outcome = await strive()
            // Once for each change, not once for each try.
            if outcome != said {
                logger.notice("lease \(name): \(outcome)")
                said = outcome
            }
            // Spread, so that those who wait do not all ask at once.
            let spread = Double.random(in: 1...1.2)
            try? await Task.sleep(for: .nanoseconds(Int64(Double(timing.retry.nanoseconds) * spread)))
        }
        await release()
    }

    /// Reads the lease and writes it where the rules say so.
    ///
    /// - Returns: How it stands, in words.
    private func strive() async -> String {
        let calendar = Self.calendar()
        do {
            let found = try await read()
            let sent = MonotonicTime.now
            let action = election.withLock { $0.observe(found?.spec, at: sent, calendar: calendar) }
            let spec: KubernetesLease.Spec
            switch action {
            case .wait(let holder): return "\(holder) leads"
            case .create(let new):
                spec = new
                _ = try await client.post(path, KubernetesLease(metadata: ObjectMeta(name: name), spec: new))
            case .update(let new):
                spec = new
                // With the version that was read: of two that try at once, one gets 409.
                let metadata = ObjectMeta(name: name, resourceVersion: found?.metadata.resourceVersion)
                _ = try await client.put("\(path)/\(name)", KubernetesLease(metadata: metadata, spec: new))
            }
            election.withLock { $0.wrote(spec, sent: sent) }
            return "leading in epoch \(spec.leaseTransitions ?? 0)"
        } catch .conflict {
            return "another process was faster"
        } catch {
            return "cannot be had: \(ActuationError(error))"
        }
    }

    private func read() async throws(APIServerError) -> KubernetesLease? {
        do {
            return try await client.get("\(path)/\(name)", as: KubernetesLease.self)
        } catch .notFound {
            return nil
        }
    }

    private func release() async {
        let calendar = Self.calendar()
        guard let spec = election.withLock({ $0.release(at: MonotonicTime.now, calendar: calendar) }) else { return }
        // In a task of its own, for the one that ran this is cancelled.
        await Task { [client, path, name, identity] in
            guard let found = try? await client.get("\(path)/\(name)", as: KubernetesLease.self),
                found.spec.holderIdentity == identity
            else { return }
            let metadata = ObjectMeta(name: name, resourceVersion: found.metadata.resourceVersion)
            _ = try? await client.put("\(path)/\(name)", KubernetesLease(metadata: metadata, spec: spec))
        }.value
    }

    /// Now, as a Lease writes it: RFC 3339 in UTC with microseconds.
    private static func calendar() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var seconds = time.tv_sec
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return String(
            format: "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
            parts.tm_hour, parts.tm_min, parts.tm_sec, time.tv_nsec / 1000)
    }
}
