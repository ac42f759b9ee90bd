import Control
import FleetModel
import Units

/// Resizes a Deployment, or anything else with a scale subresource, and reads its pods.
///
/// An order is first written to the object's annotations, then carried out through its `/scale`, both under the
/// resourceVersion that was read: so a restart finds the order, a second leader is refused by the API server, and a count
/// that someone else changed is seen and left alone. A scale-in marks its victims, waits until they are empty, and only then
/// lowers the count.
public actor KubernetesActuator: PoolActuator {
    public struct Configuration: Sendable {
        public var pool: PoolID
        public var workload: ScaledWorkload
        /// Where a pod's engine answers.
        public var port: Int
        public var isTLS = false
        /// What its replicas can be bought as; the cluster says only whether there is room.
        public var offerings: [OfferingObservation] = []
        /// How long victims may take to become empty. Then the count is lowered all the same, and the pod's own grace begins.
        public var drainDeadline = TimeSpan.seconds(30)
        /// How old the count may be that `status` tells. Orders are given on what is read then.
        public var refresh = TimeSpan.seconds(1)

        public init(pool: PoolID, workload: ScaledWorkload, port: Int) {
            self.pool = pool
            self.workload = workload
            self.port = port
        }
    }

    let configuration: Configuration
    let client: APIServerClient
    private let path: String
    /// As the gateway told it last; `nil` without one.
    private var routing: RoutingReport?
    private var watch: PodWatch?
    /// When each victim was first seen marked, by the clock of whoever calls: a later order must not prolong a drain.
    private var drainingSince: [ReplicaID: Instant] = [:]
    private var reachedGeneration = 0
    /// What `status` last read, and when, by the monotonic clock.
    private var lastSeen: (result: Result<Seen, ActuationError>, at: Instant)?

    public init(_ access: ClusterAccess, configuration: Configuration) {
        // A tick waits for the answer, so it is better late by one tick than by three.
        var limits = APIServerClient.Limits()
        limits.attempt = .seconds(2)
        limits.call = .seconds(5)
        self.init(APIServerClient(access, limits: limits), configuration: configuration)
    }

    init(_ client: APIServerClient, configuration: Configuration) {
        self.client = client
        self.configuration = configuration
        path = configuration.workload.path(in: client.access.namespace)
    }

    /// Keeps the pods up to date until the task is cancelled. Without it, they are listed when asked for.
    public func run() async {
        var backoff = Backoff(first: .milliseconds(500), longest: .seconds(10))
        var generator = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            if let watch { return await watch.run() }
            // The first reading tells the selector.
            if (try? await read()) == nil {
                try? await Task.sleep(for: .nanoseconds(backoff.next(using: &generator).nanoseconds))
            }
        }
    }

    public func hear(_ routing: RoutingReport) async { self.routing = routing }

    // MARK: - Orders

    /// Writes the new leader's epoch to the order that is there, so that its predecessor is refused from now on.
    public func begin(epoch: Int) async throws {
        for _ in 1...5 {
            let seen = try await read()
            guard var order = seen.order, order.epoch != epoch else { return }
            guard order.epoch < epoch else { throw ActuationError.fenced(epoch: order.epoch) }
            order.epoch = epoch
            do {
                try await annotate(order, of: seen.resourceVersion)
                return
            } catch .conflict {
                continue
            } catch {
                throw ActuationError(error)
            }
        }
    }

    public func apply(_ target: AppliedTarget, epoch: Int, at now: Instant) async throws(ActuationError) {
        precondition(target.pool == configuration.pool, "an order for \(target.pool) given to \(configuration.pool)")
        let order = WorkloadOrder(generation: target.generation, epoch: epoch, replicas: target.replicas)
        let (previous, seen) = try await write(order) { seen throws(ActuationError) in
            if let held = seen.order {
                guard held.epoch <= epoch else { throw .fenced(epoch: held.epoch) }
                guard held.generation <= target.generation else { throw .outdated(generation: held.generation) }
            }
            if let level = seen.foreignLevel { throw .conflict(foreignLevel: level) }
        }
        do {
            try await carryOut(seen, epoch: epoch, at: now)
        } catch {
            // What was refused has not been done and never will be: then it must not stand there as applied.
            if case .refused = error, let order = seen.order { await withdraw(order, for: previous) }
            // An order that stands is carried out by the next `carryOn`.
            if case .unreachable = error { return }
            throw error
        }
    }

    public func carryOn(epoch: Int, at now: Instant) async throws(ActuationError) {
        let seen = try await read()
        if let level = seen.foreignLevel { throw .conflict(foreignLevel: level) }
        try await carryOut(seen, epoch: epoch, at: now)
    }

    public func adopt(_ level: Int, epoch: Int, at now: Instant) async throws(ActuationError) {
        let order = WorkloadOrder(generation: 0, epoch: epoch, replicas: level)
        let (_, seen) = try await write(order) { seen throws(ActuationError) in
            guard seen.replicas == level else { throw .conflict(foreignLevel: seen.replicas) }
            if let held = seen.order, held.epoch > epoch { throw .fenced(epoch: held.epoch) }
        }
        try await pardon(try await pods(of: seen, areFresh: true).filter { !$0.isTerminating })
    }

    public func drain(_ replica: ReplicaID, epoch: Int, at now: Instant) async throws(ActuationError) {
        let seen = try await read()
        if let order = seen.order, order.epoch > epoch { throw .fenced(epoch: order.epoch) }
        guard let pod = try await pods(of: seen, areFresh: true).first(where: { $0.id == replica && !$0.isTerminating })
        else { throw .missing("pool '\(configuration.pool)' has no replica \(replica)") }
        if pod.mark == nil { try await mark(pod, as: .drain) }
    }

    /// Writes an order to the object, after a check of what is there.
    ///
    /// - Parameter order: Its generation never falls: 0 keeps the one that is there.
    /// - Returns: The order before it, and what is there now.
    private func write(
        _ order: WorkloadOrder, after check: (Seen) throws(ActuationError) -> Void
    ) async throws(ActuationError) -> (previous: WorkloadOrder?, seen: Seen) {
        for _ in 1...5 {
            var seen = try await read()
            try check(seen)
            let previous = seen.order
            var order = order
            order.generation = max(order.generation, previous?.generation ?? 0)
            order.before = seen.replicas == order.replicas ? nil : seen.replicas
            if order == previous { return (previous, seen) }
            do {
                seen.resourceVersion = try await annotate(order, of: seen.resourceVersion)
                seen.order = order
                return (previous, seen)
            } catch .conflict {
                continue  // Changed since it was read: read again, and decide again.
            } catch {
                throw ActuationError(error)
            }
        }
        throw .unreachable("409, \(configuration.workload.name) keeps changing faster than it can be written")
    }

    /// Does of an order what can be done now.
    private func carryOut(_ seen: Seen, epoch: Int, at now: Instant) async throws(ActuationError) {
        if let order = seen.order, order.epoch > epoch { throw .fenced(epoch: order.epoch) }
        guard let order = seen.order, order.before != nil else { return try await tidy(seen, at: now) }
        var version = seen.resourceVersion
        if seen.replicas != order.replicas {
            let alive = try await pods(of: seen, areFresh: true).filter { !$0.isTerminating }
            let chosen = victims(
                among: alive, count: order.replicas < seen.replicas ? alive.count - order.replicas : 0,
                followsDeletionCost: configuration.workload.followsDeletionCost,
                outstanding: { routing?.outstanding[$0] })
            for pod in chosen where pod.mark != .scaleIn { try await mark(pod, as: .scaleIn) }
            try await pardon(alive.filter { !chosen.contains($0) })
            guard drained(chosen, at: now).count == chosen.count else { return }
            version = try await setReplicas(order.replicas, seen)
        }
        var done = order
        done.before = nil
        do {
            try await annotate(done, of: version)
        } catch .conflict {
            // Written by someone else in between. The next `carryOn` finds the count as it must be and closes the order.
        } catch {
            throw ActuationError(error)
        }
    }

    /// While no order is under way: ends what operators drain, and lets victims serve again that the cluster has spared
    /// because another pod fell ill and was removed in their place.
    private func tidy(_ seen: Seen, at now: Instant) async throws(ActuationError) {
        guard let watch, let known = try? await watch.pods() else { return }
        let alive = Self.poolPods(known).filter { !$0.isTerminating }
        let drains = alive.filter { $0.mark == .drain }
        for pod in drained(drains, at: now) { try await evict(pod) }
        // While there are more pods than the count, the cluster has not yet chosen.
        if alive.count <= seen.replicas { try await pardon(alive) }
    }

    /// Those of the marked pods that may go: they are empty, or have had their time.
    private func drained(_ marked: [PoolPod], at now: Instant) -> [PoolPod] {
        let known = drainingSince
        drainingSince = Dictionary(uniqueKeysWithValues: marked.map { ($0.id, known[$0.id] ?? now) })
        return marked.filter { pod in
            // One that never served holds nothing. Of the others, the gateway must have stopped sending there first.
            !pod.isReady || now - drainingSince[pod.id]! >= configuration.drainDeadline
                || (routing.map { $0.stopped.contains(pod.id) && $0.outstanding[pod.id] == 0 } ?? false)
        }
    }

    // MARK: - Writing

    /// - Returns: The object's new version.
    /// - Throws: `.conflict` when it is not of `version` any more.
    @discardableResult
    private func annotate(_ order: WorkloadOrder?, of version: String?) async throws(APIServerError) -> String? {
        let removed: [String: String?] = [
            WorkloadOrder.generationKey: nil, WorkloadOrder.epochKey: nil, WorkloadOrder.replicasKey: nil,
            WorkloadOrder.beforeKey: nil,
        ]
        lastSeen = nil
        let patch = AnnotationPatch(
            metadata: .init(resourceVersion: version, annotations: order?.annotations ?? removed))
        return try await client.patch(path, patch, as: KubernetesObject.self).metadata.resourceVersion
    }

    /// Puts an order back that was refused, unless there is another one by now.
    private func withdraw(_ order: WorkloadOrder, for previous: WorkloadOrder?) async {
        for _ in 1...3 {
            guard let seen = try? await read(), seen.order == order else { return }
            if (try? await annotate(previous, of: seen.resourceVersion)) != nil { return }
        }
    }

    /// - Returns: The object's new version.
    private func setReplicas(_ replicas: Int, _ seen: Seen) async throws(ActuationError) -> String? {
        var scale = seen.scale
        scale.metadata.resourceVersion = seen.resourceVersion
        scale.spec.replicas = replicas
        scale.status = nil
        for _ in 1...5 {
            do {
                lastSeen = nil
                return try await client.put(path + "/scale", scale).metadata.resourceVersion
            } catch .conflict {
                // A controller that counts its pods writes the object too. Only another count or another order is news.
                let now = try await read()
                guard now.order == seen.order else { throw .fenced(epoch: now.order?.epoch ?? 0) }
                if now.replicas == replicas { return now.resourceVersion }
                guard now.replicas == seen.replicas else { throw .conflict(foreignLevel: now.replicas) }
                scale.metadata.resourceVersion = now.resourceVersion
            } catch {
                throw ActuationError(error)
            }
        }
        throw .unreachable("409, \(configuration.workload.name) keeps changing faster than it can be written")
    }

    /// Takes a scale-in's marks from pods that are to live.
    private func pardon(_ pods: [PoolPod]) async throws(ActuationError) {
        for pod in pods where pod.mark == .scaleIn { try await mark(pod, as: nil) }
    }

    private func mark(_ pod: PoolPod, as mark: PoolPod.Mark?) async throws(ActuationError) {
        let patch = AnnotationPatch(
            metadata: .init(annotations: [
                PoolPod.victimKey: mark?.rawValue, PoolPod.costKey: mark == nil ? nil : PoolPod.victimCost,
            ]))
        do {
            let changed = try await client.patch(path(of: pod), patch, as: KubernetesPod.self)
            await watch?.changed(changed)
        } catch .notFound {
            // Gone by itself.
        } catch {
            throw ActuationError(error)
        }
    }

    /// Has a pod deleted, unless a PodDisruptionBudget forbids it now: then the next tick asks again.
    private func evict(_ pod: PoolPod) async throws(ActuationError) {
        do {
            _ = try await client.post(
                path(of: pod) + "/eviction", KubernetesEviction(metadata: ObjectMeta(name: pod.name)))
        } catch .notFound {
        } catch {
            throw ActuationError(error)
        }
    }

    private func path(of pod: PoolPod) -> String {
        "/api/v1/namespaces/\(client.access.namespace)/pods/\(pod.name)"
    }

    // MARK: - Reading

    /// The object and its scale at one version.
    private struct Seen {
        var scale: KubernetesScale
        var order: WorkloadOrder?
        var resourceVersion: String?

        var replicas: Int { scale.replicas }
        /// The count, where it is neither what was ordered nor what the order found.
        var foreignLevel: Int? {
            guard let order else { return nil }
            return replicas == order.replicas || replicas == order.before ? nil : replicas
        }
    }

    private func read() async throws(ActuationError) -> Seen {
        do {
            for _ in 1...5 {
                let object = try await client.get(path, as: KubernetesObject.self)
                let scale = try await client.get(path + "/scale", as: KubernetesScale.self)
                guard object.metadata.resourceVersion == scale.metadata.resourceVersion else { continue }
                if watch == nil, let selector = scale.status?.selector, !selector.isEmpty {
                    // A Deployment's selector can never change.
                    watch = PodWatch(client, selector: selector, refresh: configuration.refresh)
                }
                let seen = Seen(
                    scale: scale, order: try WorkloadOrder(object.metadata.annotations ?? [:]),
                    resourceVersion: scale.metadata.resourceVersion)
                lastSeen = (.success(seen), MonotonicTime.now)
                return seen
            }
        } catch let error as APIServerError {
            throw ActuationError(error)
        } catch let error as ActuationError {
            throw error
        } catch {
            throw .garbled("\(error)")
        }
        throw .unreachable("\(configuration.workload.name) keeps changing faster than it can be read")
    }

    private func pods(of seen: Seen, areFresh: Bool = false) async throws(ActuationError) -> [PoolPod] {
        guard let watch else {
            throw .garbled("the scale of \(configuration.workload.name) names no selector, so its pods cannot be found")
        }
        do {
            return Self.poolPods(areFresh ? try await watch.freshPods() : try await watch.pods())
        } catch {
            throw ActuationError(error)
        }
    }

    private static func poolPods(_ table: PodTable) -> [PoolPod] {
        table.numbered.compactMap { PoolPod($0.id, $0.pod) }
    }

    /// What `read` said a moment ago: `status` is asked many times a second.
    private func recent() async throws(ActuationError) -> Seen {
        if let lastSeen, MonotonicTime.now - lastSeen.at < configuration.refresh { return try lastSeen.result.get() }
        do throws(ActuationError) {
            return try await read()
        } catch {
            lastSeen = (.failure(error), MonotonicTime.now)
            throw error
        }
    }

    public func status(at now: Instant) async throws(ActuationError) -> ActuatorStatus {
        let seen = try await recent()
        let pods = try await pods(of: seen)
        let alive = pods.filter { !$0.isTerminating }
        let ready = pods.filter { $0.phase == .ready }
        let starting = pods.count { $0.phase == .starting } + max(0, seen.replicas - alive.count)
        let target = seen.foreignLevel ?? seen.order?.replicas ?? seen.replicas
        let applied = seen.order?.generation ?? 0
        if starting == 0, ready.count == target, seen.order?.before == nil { reachedGeneration = applied }
        let scheme = configuration.isTLS ? "https" : "http"
        return ActuatorStatus(
            pool: PoolStatus(
                pool: configuration.pool, time: now, readyReplicas: ready.map(\.id), starting: starting,
                draining: pods.count { $0.phase == .draining }, appliedGeneration: applied,
                reachedGeneration: min(reachedGeneration, applied), target: target,
                offerings: offerings(hasRoom: !pods.contains(where: \.isUnschedulable))),
            endpoints: pods.map { pod in
                ReplicaEndpoint(
                    id: pod.id, name: pod.name,
                    url: pod.address.map { "\(scheme)://\($0.contains(":") ? "[\($0)]" : $0):\(configuration.port)" },
                    phase: pod.phase)
            },
            foreignLevel: seen.foreignLevel, problems: pods.compactMap(\.problem))
    }

    private func offerings(hasRoom: Bool) -> [OfferingObservation] {
        configuration.offerings.map { offering in
            var offering = offering
            offering.available = offering.available && hasRoom
            return offering
        }
    }
}
