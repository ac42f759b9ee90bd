import FleetModel
import Foundation
import Logging
import Testing
import Units

@testable import Control
@testable import Live

/// Where `Scripts/test-kubernetes` has started an API server; `nil` without one.
private struct RealAPIServer {
    var controller: ClusterAccess
    var administrator: ClusterAccess

    static let started: RealAPIServer? = {
        let variables = ProcessInfo.processInfo.environment
        guard let port = variables["TIDEGATE_API_PORT"].flatMap(Int.init), let folder = variables["TIDEGATE_API_FILES"]
        else { return nil }
        func access(_ token: String) -> ClusterAccess {
            ClusterAccess(
                host: "127.0.0.1", port: port, namespace: "tidegate", authorityFile: folder + "/ca.crt",
                tokenFile: folder + "/" + token)
        }
        return RealAPIServer(controller: access("controller.token"), administrator: access("administrator.token"))
    }()
}

/// Against Kubernetes' own API server, with its controllers of Deployments and ReplicaSets, as `Scripts/test-kubernetes` starts
/// them: the controller has the service account and the rules of Deploy/kubernetes, the test is the kubelet.
@Suite(
    "A real API server", .serialized,
    .enabled(if: RealAPIServer.started != nil, "skipped: Scripts/test-kubernetes starts one"))
struct RealAPIServerTests {
    private let access = RealAPIServer.started!.controller
    private let administrator = APIServerClient(RealAPIServer.started!.administrator)
    private static let pods = "/api/v1/namespaces/tidegate/pods"
    private static let workload = "/apis/apps/v1/namespaces/tidegate/deployments/chat"

    private func actuator() -> KubernetesActuator {
        var configuration = KubernetesActuator.Configuration(
            pool: PoolID("chat"), workload: ScaledWorkload(name: "chat"), port: 8000)
        configuration.refresh = .zero
        return KubernetesActuator(access, configuration: configuration)
    }

    /// What a kubelet says of pods that run.
    private func makeReady() async throws {
        struct Patch: Encodable { var status: KubernetesPod.Status }
        let list = try await administrator.get(Self.pods + "?labelSelector=app%3Dchat", as: KubernetesPodList.self)
        for (index, pod) in list.items.enumerated() where pod.status?.podIP == nil {
            let last = pod.metadata.name!.utf8.reduce(0) { ($0 * 31 + Int($1)) % 250 }
            _ = try await administrator.patch(
                "\(Self.pods)/\(pod.metadata.name!)/status",
                Patch(
                    status: .init(
                        phase: "Running", podIP: "10.9.\(index).\(last + 1)",
                        conditions: [.init(type: "Ready", status: "True")])), as: KubernetesPod.self)
        }
    }

    private func setCount(_ count: Int) async throws {
        try await until("the count is \(count)") {
            var scale = try await administrator.get(Self.workload + "/scale", as: KubernetesScale.self)
            scale.spec.replicas = count
            do {
                _ = try await administrator.put(Self.workload + "/scale", scale)
                return true
            } catch APIServerError.conflict {
                // The cluster's own controller wrote the object in between.
                return false
            }
        }
    }

    private func count() async throws -> Int {
        try await administrator.get(Self.workload + "/scale", as: KubernetesScale.self).replicas
    }

    /// No order stands, and `count` pods are ready.
    private func begin(_ count: Int) async throws {
        struct Patch: Encodable {
            struct Metadata: Encodable {
                // Written as null: removed.
                func encode(to encoder: any Encoder) throws {
                    var container = encoder.container(keyedBy: Key.self)
                    var inner = container.nestedContainer(keyedBy: Key.self, forKey: Key("annotations"))
                    for name in [
                        WorkloadOrder.generationKey, WorkloadOrder.epochKey, WorkloadOrder.replicasKey,
                        WorkloadOrder.beforeKey,
                    ] { try inner.encodeNil(forKey: Key(name)) }
                }
            }
            struct Key: CodingKey {
                var stringValue: String
                var intValue: Int? { nil }
                init(_ name: String) { stringValue = name }
                init?(stringValue: String) { self.stringValue = stringValue }
                init?(intValue: Int) { nil }
            }
            var metadata = Metadata()
        }
        _ = try await administrator.patch(Self.workload, Patch(), as: KubernetesObject.self)
        try await setCount(count)
        try await until("there are \(count) pods") {
            try await makeReady()
            let list = try await administrator.get(Self.pods + "?labelSelector=app%3Dchat", as: KubernetesPodList.self)
            return list.items.count == count && list.items.allSatisfy { $0.status?.podIP != nil }
        }
    }

    private static func order(_ replicas: Int, generation: Int) -> AppliedTarget {
        AppliedTarget(pool: PoolID("chat"), replicas: replicas, generation: generation, reason: "demand")
    }

    private static func at(_ seconds: Int64) -> Instant { Instant.epoch + .seconds(seconds) }

    @Test("A scale-out makes pods, and is reached once they are ready")
    func scaleOut() async throws {
        try await begin(2)
        let actuator = actuator()
        let watching = Task { await actuator.run() }
        defer { watching.cancel() }
        try await actuator.apply(Self.order(4, generation: 7), epoch: 3, at: Self.at(0))
        #expect(try await count() == 4)
        try await until("the watch tells of four pods") {
            let status = try await actuator.status(at: Self.at(1))
            return status.endpoints.count == 4
        }
        var status = try await actuator.status(at: Self.at(1))
        #expect(status.pool.target == 4)
        #expect(status.pool.appliedGeneration == 7)
        #expect(status.pool.reachedGeneration == 0)
        #expect(status.pool.starting == 2)
        #expect(status.pool.readyReplicas.count == 2)
        try await makeReady()
        try await until("the level is reached") {
            // The order is closed by the next tick where the cluster's own controller wrote the object in between.
            try await actuator.carryOn(epoch: 3, at: Self.at(2))
            return try await actuator.status(at: Self.at(2)).pool.reachedGeneration == 7
        }
        status = try await actuator.status(at: Self.at(2))
        #expect(status.endpoints.allSatisfy { $0.phase == .ready && $0.url?.hasPrefix("http://10.9.") == true })
    }

    @Test("A scale-in marks its victims, waits until they are empty, and then lowers the count")
    func scaleIn() async throws {
        try await begin(3)
        let actuator = actuator()
        var status = try await actuator.status(at: Self.at(0))
        let ready = status.pool.readyReplicas
        #expect(ready.count == 3)
        let loads = Dictionary(uniqueKeysWithValues: ready.map { ($0, $0 == ready[1] ? 1 : 5) })
        await actuator.hear(RoutingReport(outstanding: loads, stopped: []))
        try await actuator.apply(Self.order(2, generation: 8), epoch: 3, at: Self.at(0))
        #expect(try await count() == 3)
        status = try await actuator.status(at: Self.at(1))
        let victim = try #require(status.endpoints.first { $0.phase == .draining })
        #expect(victim.id == ready[1])
        let pod = try await administrator.get("\(Self.pods)/\(victim.name)", as: KubernetesPod.self)
        #expect(pod.metadata.annotations?[PoolPod.costKey] == PoolPod.victimCost)
        await actuator.hear(RoutingReport(outstanding: loads.merging([victim.id: 0]) { $1 }, stopped: [victim.id]))
        try await actuator.carryOn(epoch: 3, at: Self.at(2))
        #expect(try await count() == 2)
        try await until("a pod has gone") {
            let list = try await administrator.get(Self.pods + "?labelSelector=app%3Dchat", as: KubernetesPodList.self)
            return list.items.count { $0.metadata.deletionTimestamp == nil } == 2
        }
    }

    @Test("An old leader's order and a count that someone else set are refused")
    func fenced() async throws {
        try await begin(2)
        let (old, new) = (actuator(), actuator())
        try await old.apply(Self.order(3, generation: 1), epoch: 1, at: Self.at(0))
        try await new.begin(epoch: 2)
        await #expect(throws: ActuationError.fenced(epoch: 2)) {
            try await old.apply(Self.order(4, generation: 2), epoch: 1, at: Self.at(1))
        }
        #expect(try await count() == 3)
        try await setCount(6)
        await #expect(throws: ActuationError.conflict(foreignLevel: 6)) {
            try await new.apply(Self.order(4, generation: 2), epoch: 2, at: Self.at(2))
        }
        #expect(try await count() == 6)
        #expect(try await new.status(at: Self.at(3)).foreignLevel == 6)
        try await new.adopt(6, epoch: 2, at: Self.at(4))
        try await new.apply(Self.order(4, generation: 2), epoch: 2, at: Self.at(5))
        #expect(try await new.status(at: Self.at(6)).pool.target == 4)
    }

    @Test("Two that strive for the Lease: one leads, and the other follows when it gives up")
    func lease() async throws {
        let timing = LeaseElection.Timing(lease: .seconds(3), renewDeadline: .seconds(2), retry: .milliseconds(200))
        let logger = Logger(label: "test")
        let pair = ["a", "b"].map {
            KubernetesLeadership(
                access, lease: "tidegate", identity: "\($0)-\(UUID())", timing: timing, logger: logger)
        }
        var running: [Task<Void, Never>] = []
        defer { for task in running { task.cancel() } }
        for one in pair {
            running.append(Task { await one.run() })
            if running.count == 1 { try await until("the first leads") { pair[0].epoch != nil } }
        }
        for _ in 0..<20 {
            #expect(pair[0].epoch != nil && pair[1].epoch == nil)
            try await Task.sleep(for: .milliseconds(200))
        }
        let epoch = try #require(pair[0].epoch)
        running[0].cancel()
        await running[0].value
        try await until("the second follows") { pair[1].epoch != nil }
        #expect(pair[0].epoch == nil)
        #expect(try #require(pair[1].epoch) > epoch)
    }

    @Test("The controller's service account may do what it needs and nothing beside")
    func rights() async throws {
        let client = APIServerClient(access)
        _ = try await client.get(Self.pods, as: KubernetesPodList.self)
        for path in [
            "/api/v1/namespaces/tidegate/secrets", "/api/v1/namespaces/default/pods", "/api/v1/nodes",
            "/apis/apps/v1/namespaces/tidegate/deployments",
            "/apis/apps/v1/namespaces/tidegate/deployments/tidegate-gateway",
        ] {
            do {
                _ = try await client.get(path, as: KubernetesStatus.self)
                Issue.record("\(path) may be read")
            } catch {
                guard case .forbidden = error else { throw error }
            }
        }
        let wrong = FileManager.default.temporaryDirectory.appending(path: "token-\(UUID().uuidString)")
        try Data("no such token".utf8).write(to: wrong)
        defer { try? FileManager.default.removeItem(at: wrong) }
        var other = access
        other.tokenFile = wrong.path
        do {
            _ = try await APIServerClient(other).get(Self.pods, as: KubernetesPodList.self)
            Issue.record("a wrong token is let in")
        } catch {
            guard case .unauthorized = error else { throw error }
        }
    }
}
