import FleetModel
import Foundation
import Synchronization
import Testing
import Units

@testable import Control
@testable import Live

@Suite("A pool that is a Deployment", .serialized)
struct KubernetesActuatorTests {
    static func actuator(_ server: FakeAPIServer, call: TimeSpan = .seconds(10)) -> KubernetesActuator {
        var limits = APIServerClient.Limits()
        limits.attempt = .seconds(10)
        limits.call = call
        limits.backoff = Backoff(first: .milliseconds(5), longest: .milliseconds(20))
        var configuration = KubernetesActuator.Configuration(
            pool: PoolID("chat"), workload: ScaledWorkload(name: "chat"), port: 8000)
        configuration.drainDeadline = .seconds(30)
        configuration.refresh = .zero
        return KubernetesActuator(APIServerClient(server.access, limits: limits), configuration: configuration)
    }

    /// What a gateway tells: requests by the replica's number, and which replicas get nothing new.
    static func report(_ outstanding: [Int: Int], stopped: Int...) -> RoutingReport {
        RoutingReport(
            outstanding: Dictionary(uniqueKeysWithValues: outstanding.map { (ReplicaID($0), $1) }),
            stopped: Set(stopped.map { ReplicaID($0) }))
    }

    static func order(_ replicas: Int, generation: Int) -> AppliedTarget {
        AppliedTarget(pool: PoolID("chat"), replicas: replicas, generation: generation, reason: "demand")
    }

    static func at(_ seconds: Int64) -> Instant { Instant.epoch + .seconds(seconds) }

    // MARK: - Scale-out

    @Test("A scale-out raises the count, and is told as applied at once and as reached once its pods are ready")
    func scaleOut() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            let actuator = Self.actuator(server)
            try await actuator.apply(Self.order(4, generation: 7), epoch: 3, at: Self.at(0))
            #expect(server.cluster.replicas == 4)
            #expect(server.cluster.annotations["tidegate.dev/generation"] == "7")
            #expect(server.cluster.annotations["tidegate.dev/epoch"] == "3")
            #expect(server.cluster.annotations["tidegate.dev/replicas-before"] == nil)
            var status = try await Self.actuator(server).status(at: Self.at(1))
            #expect(status.pool.target == 4)
            #expect(status.pool.appliedGeneration == 7)
            #expect(status.pool.reachedGeneration == 0)
            #expect(status.pool.starting == 2)
            #expect(status.pool.readyReplicas == [ReplicaID(1), ReplicaID(2)])
            server.cluster.makeReady()
            status = try await Self.actuator(server).status(at: Self.at(2))
            #expect(status.pool.reachedGeneration == 7)
            #expect(status.endpoints.map(\.url) == (1...4).map { "http://10.0.0.\($0):8000" })
            #expect(status.endpoints.allSatisfy { $0.phase == .ready })
        }
    }

    @Test("Pods that the cluster has not made yet are starting")
    func missingPodsAreStarting() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 1)) { server in
            server.cluster.configure { $0.reconciles = false }
            let actuator = Self.actuator(server)
            try await actuator.apply(Self.order(5, generation: 1), epoch: 0, at: Self.at(0))
            let status = try await actuator.status(at: Self.at(0))
            #expect(status.pool.starting == 4)
            #expect(status.pool.readyReplicas.count == 1)
        }
    }

    @Test("An order given twice is carried out once")
    func twice() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            let actuator = Self.actuator(server)
            try await actuator.apply(Self.order(3, generation: 1), epoch: 0, at: Self.at(0))
            let writes = server.cluster.requests.count { $0.method != "GET" }
            try await actuator.apply(Self.order(3, generation: 1), epoch: 0, at: Self.at(1))
            #expect(server.cluster.replicas == 3)
            #expect(server.cluster.requests.count { $0.method != "GET" } == writes)
        }
    }

    // MARK: - Scale-in

    @Test("A scale-in marks the emptiest, waits until they are empty, and only then lowers the count")
    func scaleIn() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 4)) { server in
            let actuator = Self.actuator(server)
            await actuator.hear(Self.report([1: 9, 2: 4, 3: 9, 4: 9]))
            try await actuator.apply(Self.order(3, generation: 1), epoch: 0, at: Self.at(0))
            #expect(server.cluster.replicas == 4)
            #expect(
                server.cluster.podAnnotations("chat-x-2")["controller.kubernetes.io/pod-deletion-cost"] == "-2147483647"
            )
            var status = try await actuator.status(at: Self.at(1))
            #expect(status.pool.draining == 1)
            #expect(status.pool.readyReplicas == [ReplicaID(1), ReplicaID(3), ReplicaID(4)])
            #expect(status.endpoints[1].phase == .draining)
            #expect(status.pool.target == 3)
            #expect(status.pool.reachedGeneration == 0)

            await actuator.hear(Self.report([1: 9, 2: 4, 3: 9, 4: 9], stopped: 2))
            try await actuator.carryOn(epoch: 0, at: Self.at(5))
            #expect(server.cluster.replicas == 4)
            await actuator.hear(Self.report([1: 9, 2: 0, 3: 9, 4: 9], stopped: 2))
            try await actuator.carryOn(epoch: 0, at: Self.at(6))
            #expect(server.cluster.replicas == 3)
            server.cluster.bury()
            #expect(server.cluster.podNames == ["chat-x-1", "chat-x-3", "chat-x-4"])
            try await actuator.carryOn(epoch: 0, at: Self.at(7))
            status = try await Self.actuator(server).status(at: Self.at(8))
            #expect(status.pool.reachedGeneration == 1)
        }
    }

    @Test("A victim that is empty is not taken before the gateway has stopped sending there")
    func routingFirst() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            let actuator = Self.actuator(server)
            await actuator.hear(Self.report([1: 1, 2: 0]))
            try await actuator.apply(Self.order(1, generation: 1), epoch: 0, at: Self.at(0))
            try await actuator.carryOn(epoch: 0, at: Self.at(9))
            #expect(server.cluster.replicas == 2)
            await actuator.hear(Self.report([1: 1, 2: 0], stopped: 2))
            try await actuator.carryOn(epoch: 0, at: Self.at(10))
            #expect(server.cluster.replicas == 1)
        }
    }

    @Test("A replica that an operator drains is evicted once it is empty, and another takes its place")
    func drain() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            let actuator = Self.actuator(server)
            try await actuator.drain(ReplicaID(1), epoch: 0, at: Self.at(0))
            await actuator.hear(Self.report([1: 3, 2: 3], stopped: 1))
            try await actuator.carryOn(epoch: 0, at: Self.at(1))
            #expect(try await Self.actuator(server).status(at: Self.at(1)).pool.draining == 1)
            #expect(server.cluster.evictions == [])
            await actuator.hear(Self.report([1: 0, 2: 3], stopped: 1))
            server.cluster.configure { $0.isDisruptionForbidden = true }
            let impatient = Self.actuator(server, call: .seconds(1))
            await impatient.hear(Self.report([1: 0, 2: 3], stopped: 1))
            await #expect(throws: ActuationError.self) { try await impatient.carryOn(epoch: 0, at: Self.at(2)) }
            server.cluster.configure { $0.isDisruptionForbidden = false }
            let successor = Self.actuator(server)
            await successor.hear(Self.report([1: 0, 2: 3], stopped: 1))
            try await successor.carryOn(epoch: 0, at: Self.at(3))
            #expect(server.cluster.evictions == ["chat-x-1"])
            #expect(server.cluster.replicas == 2)
            await #expect(throws: ActuationError.missing("pool 'chat' has no replica r9")) {
                try await actuator.drain(ReplicaID(9), epoch: 0, at: Self.at(3))
            }
        }
    }

    @Test("Without knowledge of its load a victim has until the deadline, which a later order does not prolong")
    func drainDeadline() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 4)) { server in
            let actuator = Self.actuator(server)
            try await actuator.apply(Self.order(3, generation: 1), epoch: 0, at: Self.at(0))
            try await actuator.carryOn(epoch: 0, at: Self.at(29))
            #expect(server.cluster.replicas == 4)
            try await actuator.apply(Self.order(3, generation: 2), epoch: 0, at: Self.at(29))
            try await actuator.carryOn(epoch: 0, at: Self.at(30))
            #expect(server.cluster.replicas == 3)
        }
    }

    @Test("A pod that was never ready goes first, and at once")
    func startingVictim() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 3)) { server in
            server.cluster.setReady("chat-x-2", false)
            let actuator = Self.actuator(server)
            try await actuator.apply(Self.order(2, generation: 1), epoch: 0, at: Self.at(0))
            #expect(server.cluster.replicas == 2)
            server.cluster.bury()
            #expect(server.cluster.podNames == ["chat-x-1", "chat-x-3"])
        }
    }

    @Test("A scale-out in the middle of a scale-in lets the victims serve again")
    func changeOfMind() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 4)) { server in
            let actuator = Self.actuator(server)
            try await actuator.apply(Self.order(2, generation: 1), epoch: 0, at: Self.at(0))
            let found1 = try await actuator.status(at: Self.at(1)).pool.draining
            #expect(found1 == 2)
            try await actuator.apply(Self.order(5, generation: 2), epoch: 0, at: Self.at(2))
            #expect(server.cluster.replicas == 5)
            let found2 = try await Self.actuator(server).status(at: Self.at(3)).pool.readyReplicas.count
            #expect(found2 == 4)
            for name in server.cluster.podNames {
                #expect(server.cluster.podAnnotations(name)["controller.kubernetes.io/pod-deletion-cost"] == nil)
            }
        }
    }

    @Test("Victims that the cluster spared serve again, but not before it has chosen")
    func pardon() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 3)) { server in
            let actuator = Self.actuator(server)
            try await actuator.apply(Self.order(2, generation: 1), epoch: 0, at: Self.at(0))
            // The ReplicaSet is slow, and meanwhile a pod that is no victim falls ill.
            server.cluster.configure { $0.reconciles = false }
            try await actuator.carryOn(epoch: 0, at: Self.at(31))
            #expect(server.cluster.replicas == 2)
            server.cluster.setReady("chat-x-1", false)
            try await actuator.carryOn(epoch: 0, at: Self.at(32))
            #expect(server.cluster.podAnnotations("chat-x-2")["tidegate.dev/victim"] == "scale-in")
            server.cluster.configure { $0.reconcile() }
            server.cluster.bury()
            #expect(server.cluster.podNames == ["chat-x-2", "chat-x-3"])
            try await actuator.carryOn(epoch: 0, at: Self.at(33))
            #expect(server.cluster.podAnnotations("chat-x-2")["tidegate.dev/victim"] == nil)
        }
    }

    @Test("A controller that starts again finishes the scale-in that its predecessor began")
    func restart() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 3)) { server in
            let first = Self.actuator(server)
            // The second is alone on its node.
            await first.hear(Self.report([1: 5, 2: 5, 3: 4]))
            try await first.apply(Self.order(2, generation: 4), epoch: 1, at: Self.at(0))
            let successor = Self.actuator(server)
            let applied = try await successor.status(at: Self.at(0)).pool.appliedGeneration
            #expect(applied == 4)
            try await successor.begin(epoch: 2)
            await #expect(throws: ActuationError.fenced(epoch: 2)) {
                try await first.carryOn(epoch: 1, at: Self.at(60))
            }
            await successor.hear(Self.report([2: 0], stopped: 2))
            try await successor.carryOn(epoch: 2, at: Self.at(10))
            #expect(server.cluster.replicas == 2)
            await #expect(throws: ActuationError.fenced(epoch: 2)) { try await first.begin(epoch: 1) }
        }
    }

    @Test("What was read a moment ago is not asked for again")
    func refresh() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 3)) { server in
            let configuration = KubernetesActuator.Configuration(
                pool: PoolID("chat"), workload: ScaledWorkload(name: "chat"), port: 8000)
            let actuator = KubernetesActuator(server.access, configuration: configuration)
            for _ in 0..<50 { _ = try await actuator.status(at: Self.at(0)) }
            #expect(server.cluster.requests.count < 10)
        }
    }

    @Test("A StatefulSet removes its highest ordinals, so these are drained")
    func ordinals() throws {
        let pods = try [1, 10, 9].enumerated().map { index, ordinal in
            let pod = KubernetesPod(
                metadata: ObjectMeta(name: "chat-\(ordinal)", uid: "\(ordinal)"),
                status: .init(phase: "Running", conditions: [.init(type: "Ready", status: "True")]))
            return try #require(PoolPod(ReplicaID(index + 1), pod))
        }
        let chosen = victims(among: pods, count: 2, followsDeletionCost: false) { _ in 0 }
        #expect(chosen.map(\.name) == ["chat-10", "chat-9"])
    }

    // MARK: - Others

    @Test("A count that a human changed is reported and left alone, until it is adopted")
    func human() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            let actuator = Self.actuator(server)
            try await actuator.apply(Self.order(3, generation: 1), epoch: 0, at: Self.at(0))
            server.cluster.setReplicas(6)
            let found4 = try await actuator.status(at: Self.at(1)).foreignLevel
            #expect(found4 == 6)
            await #expect(throws: ActuationError.conflict(foreignLevel: 6)) {
                try await actuator.apply(Self.order(4, generation: 2), epoch: 0, at: Self.at(2))
            }
            await #expect(throws: ActuationError.conflict(foreignLevel: 6)) {
                try await actuator.carryOn(epoch: 0, at: Self.at(2))
            }
            #expect(server.cluster.replicas == 6)
            await #expect(throws: ActuationError.conflict(foreignLevel: 6)) {
                try await actuator.adopt(5, epoch: 0, at: Self.at(3))
            }
            try await actuator.adopt(6, epoch: 0, at: Self.at(3))
            let found5 = try await actuator.status(at: Self.at(4)).foreignLevel
            #expect(found5 == nil)
            try await actuator.apply(Self.order(7, generation: 2), epoch: 0, at: Self.at(5))
            #expect(server.cluster.replicas == 7)
        }
    }

    @Test("A human who is faster than the write keeps the pool", arguments: ["/scale", "/chat"])
    func humanInBetween(path: String) async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            let cluster = server.cluster
            try await Self.actuator(server).apply(Self.order(2, generation: 1), epoch: 0, at: Self.at(0))
            let once = Atomic(false)
            cluster.configure {
                $0.fault = { request in
                    if request.method != "GET", request.path.hasSuffix(path), !once.exchange(true, ordering: .relaxed) {
                        cluster.setReplicas(9)
                    }
                    return nil
                }
            }
            await #expect(throws: ActuationError.conflict(foreignLevel: 9)) {
                try await Self.actuator(server).apply(Self.order(3, generation: 2), epoch: 0, at: Self.at(1))
            }
            #expect(cluster.replicas == 9)
        }
    }

    @Test("A Deployment whose status changes all the time is written all the same")
    func restlessStatus() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            let cluster = server.cluster
            cluster.configure {
                // Just before the order is written, before the count is, and before it is read again.
                $0.fault = { request in
                    if [2, 6, 7].contains(request.number) { cluster.touch() }
                    return nil
                }
            }
            try await Self.actuator(server).apply(Self.order(5, generation: 1), epoch: 0, at: Self.at(0))
            #expect(cluster.replicas == 5)
            #expect(cluster.requests.count >= 10)
        }
    }

    @Test("A leader of an earlier term is fenced, and so is a decision that is older than the last")
    func fencing() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            try await Self.actuator(server).apply(Self.order(4, generation: 8), epoch: 5, at: Self.at(0))
            let old = Self.actuator(server)
            await #expect(throws: ActuationError.fenced(epoch: 5)) {
                try await old.apply(Self.order(1, generation: 9), epoch: 4, at: Self.at(1))
            }
            await #expect(throws: ActuationError.outdated(generation: 8)) {
                try await old.apply(Self.order(1, generation: 7), epoch: 5, at: Self.at(1))
            }
            #expect(server.cluster.replicas == 4)
        }
    }

    @Test("A leader that was stopped between its two writes does not undo what its successor ordered")
    func fencedInBetween() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            let cluster = server.cluster
            let once = Atomic(false)
            cluster.configure {
                $0.fault = { request in
                    guard request.method == "PUT", !once.exchange(true, ordering: .relaxed) else { return nil }
                    // While the old leader's PUT is on its way, the new one orders 3.
                    cluster.annotateWorkload("tidegate.dev/epoch", "2")
                    cluster.annotateWorkload("tidegate.dev/generation", "2")
                    cluster.annotateWorkload("tidegate.dev/replicas", "3")
                    cluster.annotateWorkload("tidegate.dev/replicas-before", nil)
                    cluster.setReplicas(3)
                    return nil
                }
            }
            await #expect(throws: ActuationError.fenced(epoch: 2)) {
                try await Self.actuator(server).apply(Self.order(9, generation: 1), epoch: 1, at: Self.at(0))
            }
            #expect(cluster.replicas == 3)
            #expect(cluster.annotations["tidegate.dev/generation"] == "2")
        }
    }

    // MARK: - Failures

    @Test("Each kind of refusal is told apart")
    func refusals() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            let cluster = server.cluster
            func error(_ answer: FakeCluster.Answer) async -> ActuationError? {
                cluster.configure { $0.fault = { $0.method == "PUT" ? answer : nil } }
                do throws(ActuationError) {
                    try await Self.actuator(server, call: .seconds(1)).apply(
                        Self.order(3, generation: 1), epoch: 0, at: Self.at(0))
                    return nil
                } catch { return error }
            }
            let forbidden = await error(FakeCluster.status(403, "Forbidden", "cannot update deployments/scale"))
            #expect(
                forbidden?.description
                    == "refused: 403, a right is missing from the Role: cannot update deployments/scale")
            let quota = await error(FakeCluster.status(422, "Invalid", "exceeded quota: gpus"))
            #expect(quota?.description == "refused: 422: exceeded quota: gpus")
            // What was refused does not stand there as applied.
            #expect(cluster.annotations["tidegate.dev/generation"] == nil)
            // An order that may come through later stands.
            #expect(await error(FakeCluster.status(503, "ServiceUnavailable", "starting")) == nil)
            #expect(cluster.annotations["tidegate.dev/generation"] == "1")
            cluster.configure { $0.fault = nil }
            try await Self.actuator(server).carryOn(epoch: 0, at: Self.at(1))
            #expect(cluster.replicas == 3)
        }
    }

    @Test("A workload that does not exist is named")
    func missing() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            let configuration = KubernetesActuator.Configuration(
                pool: PoolID("chat"), workload: ScaledWorkload(name: "chatt"), port: 1)
            let actuator = KubernetesActuator(server.access, configuration: configuration)
            await #expect(throws: ActuationError.missing("the server could not find the requested resource")) {
                try await actuator.status(at: Self.at(0))
            }
        }
    }

    @Test("An annotation that someone has broken holds the pool, and says which")
    func brokenAnnotation() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            try await Self.actuator(server).apply(Self.order(3, generation: 1), epoch: 0, at: Self.at(0))
            server.cluster.annotateWorkload("tidegate.dev/replicas", "-3")
            await #expect(
                throws: ActuationError.garbled(
                    "the annotation tidegate.dev/replicas is '-3': remove all of tidegate.dev/ to begin anew")
            ) { try await Self.actuator(server).apply(Self.order(4, generation: 2), epoch: 0, at: Self.at(0)) }
        }
    }

    @Test("What keeps pods from running is said, and no room in the cluster makes the offering unavailable")
    func problems() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 3)) { server in
            server.cluster.setStatus(
                "chat-x-1",
                [
                    "phase": "Pending",
                    "conditions": [
                        [
                            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                            "message": "0/3 nodes: no GPU",
                        ]
                    ],
                ])
            server.cluster.setStatus(
                "chat-x-2",
                [
                    "phase": "Pending",
                    "containerStatuses": [["name": "e", "state": ["waiting": ["reason": "ImagePullBackOff"]]]],
                ])
            server.cluster.setStatus("chat-x-3", ["phase": "Failed"])
            let status = try await Self.actuator(server).status(at: Self.at(0))
            #expect(status.problems == ["no node for chat-x-1: 0/3 nodes: no GPU", "chat-x-2: ImagePullBackOff"])
            // The failed pod is none; one in its place is to come.
            #expect(status.endpoints.map(\.name) == ["chat-x-1", "chat-x-2"])
            #expect(status.pool.starting == 3)
        }
    }
}
