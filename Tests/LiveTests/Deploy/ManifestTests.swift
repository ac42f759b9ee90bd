import FleetModel
import Formats
import Foundation
import Logging
import Testing
import Units
import Yams

@testable import Live

@Suite("What is deployed", .serialized)
struct ManifestTests {
    static let folder = OtherPrograms.root.path + "/Deploy"

    typealias Object = [String: Any]

    /// One object of a manifest.
    struct Manifest {
        var file: String
        var object: Object
        var kind: String { object["kind"] as? String ?? "" }
        var metadata: Object { object["metadata"] as? Object ?? [:] }
        var name: String { metadata["name"] as? String ?? "" }
        var spec: Object { object["spec"] as? Object ?? [:] }
        var podSpec: Object { ((spec["template"] as? Object)?["spec"] as? Object) ?? [:] }
        var podLabels: [String: String] {
            (((spec["template"] as? Object)?["metadata"] as? Object)?["labels"] as? [String: String]) ?? [:]
        }
        var containers: [Object] { podSpec["containers"] as? [Object] ?? [] }
    }

    static var manifests: [Manifest] {
        ["kubernetes", "keda", "hpa"].flatMap { part in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(part)")) ?? []
            return names.sorted().filter { $0.hasSuffix(".yaml") }.flatMap { name -> [Manifest] in
                guard let text = try? String(contentsOfFile: "\(folder)/\(part)/\(name)", encoding: .utf8),
                    let documents = try? Array(Yams.load_all(yaml: text))
                else {
                    Issue.record("\(part)/\(name) is no YAML")
                    return []
                }
                return documents.compactMap { $0 as? Object }.map { Manifest(file: "\(part)/\(name)", object: $0) }
            }
        }
    }

    static func named(_ kind: String, _ name: String) -> Manifest? {
        manifests.first { $0.kind == kind && $0.name == name }
    }

    @Test("Every manifest is an object with a kind and a name, in the namespace")
    func objects() {
        #expect(Self.manifests.count >= 18)
        for manifest in Self.manifests where manifest.kind != "Kustomization" {
            #expect(!manifest.kind.isEmpty && !manifest.name.isEmpty, "\(manifest.file)")
            if manifest.kind != "Namespace" {
                #expect(manifest.metadata["namespace"] as? String == "tidegate", "\(manifest.file) \(manifest.name)")
            }
        }
    }

    @Test("Every name that a manifest refers to exists")
    func references() throws {
        /// Made from the user's own files, as Docs/kubernetes.md says.
        let guide = try String(contentsOfFile: OtherPrograms.root.path + "/Docs/kubernetes.md", encoding: .utf8)
        for manifest in Self.manifests {
            let place = "\(manifest.file) \(manifest.kind) \(manifest.name)"
            if let account = manifest.podSpec["serviceAccountName"] as? String {
                #expect(Self.named("ServiceAccount", account) != nil, "\(place): account \(account)")
            }
            for volume in manifest.podSpec["volumes"] as? [Object] ?? [] {
                if let claim = (volume["persistentVolumeClaim"] as? Object)?["claimName"] as? String {
                    #expect(Self.named("PersistentVolumeClaim", claim) != nil, "\(place): claim \(claim)")
                }
                if let map = (volume["configMap"] as? Object)?["name"] as? String {
                    #expect(guide.contains("create configmap \(map) "), "\(place): ConfigMap \(map) is made nowhere")
                }
                if let secret = (volume["secret"] as? Object)?["secretName"] as? String {
                    #expect(guide.contains(secret), "\(place): Secret \(secret) is made nowhere")
                }
            }
            let volumes = Set((manifest.podSpec["volumes"] as? [Object] ?? []).compactMap { $0["name"] as? String })
            for container in manifest.containers {
                let mounts = (container["volumeMounts"] as? [Object] ?? []).compactMap { $0["name"] as? String }
                #expect(Set(mounts) == volumes, "\(place): mounts \(mounts) of volumes \(volumes)")
                let ports = Set((container["ports"] as? [Object] ?? []).compactMap { $0["name"] as? String })
                for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
                    let check = container[probe] as? Object
                    let port = ((check?["httpGet"] ?? check?["tcpSocket"]) as? Object)?["port"] as? String
                    if check != nil { #expect(port.map(ports.contains) == true, "\(place): \(probe)") }
                }
            }
            if let selector = Self.selector(of: manifest) {
                let pods = Self.manifests.filter { pod in
                    !pod.podLabels.isEmpty && selector.allSatisfy { pod.podLabels[$0.key] == $0.value }
                }
                #expect(pods.count == 1, "\(place): \(selector) selects \(pods.map(\.name))")
                for port in manifest.spec["ports"] as? [Object] ?? [] {
                    guard let target = port["targetPort"] as? String else { continue }
                    let names = pods.flatMap(\.containers).flatMap { $0["ports"] as? [Object] ?? [] }
                    #expect(names.contains { $0["name"] as? String == target }, "\(place): port \(target)")
                }
            }
            if let target = manifest.spec["scaleTargetRef"] as? Object {
                #expect(Self.named("Deployment", target["name"] as! String) != nil, "\(place)")
            }
            for resource in manifest.object["resources"] as? [String] ?? [] {
                #expect(FileManager.default.fileExists(atPath: "\(Self.folder)/kubernetes/\(resource)"), "\(resource)")
            }
        }
        let binding = try #require(Self.named("RoleBinding", "tidegate-controller"))
        let role = try #require(binding.object["roleRef"] as? Object)
        #expect(Self.named(role["kind"] as! String, role["name"] as! String) != nil)
        for subject in binding.object["subjects"] as! [Object] {
            #expect(Self.named(subject["kind"] as! String, subject["name"] as! String) != nil)
        }
    }

    private static func selector(of manifest: Manifest) -> [String: String]? {
        switch manifest.kind {
        case "Service": manifest.spec["selector"] as? [String: String]
        case "Deployment", "PodDisruptionBudget":
            (manifest.spec["selector"] as? Object)?["matchLabels"] as? [String: String]
        case "NetworkPolicy": (manifest.spec["podSelector"] as? Object)?["matchLabels"] as? [String: String]
        default: nil
        }
    }

    @Test("A pod's grace is longer than its wait and its drain together, and nothing runs as root")
    func grace() throws {
        for name in ["chat", "tidegate-gateway"] {
            let deployment = try #require(Self.named("Deployment", name))
            let container = deployment.containers[0]
            let stop = ((container["lifecycle"] as? Object)?["preStop"] as? Object)?["exec"] as? Object
            let wait = try #require((stop?["command"] as? [String]).flatMap { Int($0[1]) })
            let arguments = (container["args"] as! [String]).joined(separator: "=").split(separator: "=")
            let drain = try #require(arguments.firstIndex(of: "--drain-deadline")).advanced(by: 1)
            let seconds = try #require(TimeSpan(String(arguments[drain]))).seconds
            let grace = try #require(deployment.podSpec["terminationGracePeriodSeconds"] as? Int)
            #expect(Double(wait) + seconds < Double(grace), "\(name)")
        }
        for deployment in Self.manifests where deployment.kind == "Deployment" {
            #expect((deployment.podSpec["securityContext"] as? Object)?["runAsNonRoot"] as? Bool == true)
            for container in deployment.containers {
                let context = container["securityContext"] as? Object
                #expect(
                    context?["allowPrivilegeEscalation"] as? Bool == false
                        && context?["readOnlyRootFilesystem"] as? Bool == true)
                #expect(container["readinessProbe"] != nil)
            }
        }
        // The count is the controller's: a manifest that names one would undo a scale-out each time it is applied.
        #expect(try #require(Self.named("Deployment", "chat")).spec["replicas"] == nil)
    }

    /// The rights of the controller's Role, as the cluster in the tests names them.
    static func roleRights() throws -> Set<String> {
        let role = try #require(named("Role", "tidegate-controller"))
        var rights: Set<String> = []
        for rule in role.object["rules"] as! [Object] {
            for group in rule["apiGroups"] as! [String] {
                for resource in rule["resources"] as! [String] {
                    for verb in rule["verbs"] as! [String] { rights.insert("\(verb) \(group)/\(resource)") }
                }
            }
        }
        return rights
    }

    @Test("The Role allows exactly what the controller asks for: nothing is missing, nothing is too much")
    func leastPrivilege() async throws {
        let rights = try Self.roleRights()
        #expect(rights.allSatisfy { !$0.contains("*") })
        try await FakeAPIServer.with(FakeCluster(replicas: 3)) { server in
            server.cluster.configure { $0.allowedRights = rights }
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let leader = KubernetesLeadership(
                server.access, lease: "tidegate", identity: "a", timing: LeaseTests.patient, logger: logger)
            let leading = Task { await leader.run() }
            let actuator = KubernetesActuatorTests.actuator(server)
            let watching = Task { await actuator.run() }
            let at = KubernetesActuatorTests.at
            try await until("it watches") { server.cluster.watchCount == 1 }
            // Up, down with a drain, a replica drained by hand, a foreign level adopted, a new leader.
            try await actuator.apply(KubernetesActuatorTests.order(4, generation: 1), epoch: 0, at: at(0))
            server.cluster.makeReady()
            try await actuator.apply(KubernetesActuatorTests.order(3, generation: 2), epoch: 0, at: at(1))
            try await actuator.carryOn(epoch: 0, at: at(40))
            server.cluster.bury()
            try await actuator.carryOn(epoch: 0, at: at(41))
            let replica = try #require(try await actuator.status(at: at(42)).pool.readyReplicas.first)
            try await actuator.drain(replica, epoch: 0, at: at(43))
            try await until("the mark is known") { try await actuator.status(at: at(43)).pool.draining == 1 }
            try await actuator.carryOn(epoch: 0, at: at(44))
            try await actuator.carryOn(epoch: 0, at: at(80))
            #expect(server.cluster.evictions.count == 1)
            server.cluster.setReplicas(6)
            try await actuator.adopt(6, epoch: 0, at: at(81))
            try await actuator.begin(epoch: 1)
            try await until("it leads and renews") {
                server.cluster.usedRights.contains("update coordination.k8s.io/leases")
            }
            watching.cancel()
            leading.cancel()
            server.cluster.endWatches()
            await leading.value
            await watching.value
            #expect(server.cluster.usedRights == rights)
        }
    }

    @Test(
        "The configurations that the pods are given are ones that their programs take",
        arguments: ["gateway", "control"])
    func configurations(name: String) throws {
        let folder = TestGateway.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.copyItem(
            atPath: OtherPrograms.root.path + "/Scenarios/laptop-burst", toPath: folder)
        try FileManager.default.copyItem(atPath: "\(Self.folder)/config/\(name).yaml", toPath: "\(folder)/\(name).yaml")
        let reading = LiveConfigurationReader.check(path: "\(folder)/\(name).yaml")
        let configuration = try #require(reading.configuration, "\(reading.diagnostics)")
        // What it names is mounted where it looks.
        let deployment = try #require(
            Self.named("Deployment", name == "control" ? "tidegate-controller" : "tidegate-gateway"))
        let mounts = (deployment.containers[0]["volumeMounts"] as! [Object]).map { $0["mountPath"] as! String }
        let tls = try #require(name == "control" ? configuration.controller.tls : configuration.gateway.tls)
        for path in [tls.certificate, tls.key, tls.authority, configuration.stateFolder] {
            #expect(mounts.contains { path.hasPrefix($0) }, "\(path)")
        }
        let ports = (deployment.containers[0]["ports"] as! [Object]).map { $0["containerPort"] as! Int }
        let wanted =
            name == "control"
            ? [configuration.controller.listen.port]
            : [configuration.gateway.listen.port, configuration.gateway.admin.port]
        #expect(ports == wanted)
    }

    @Test(
        "Alert rules and the scrape configuration are ones that Prometheus takes",
        .enabled(if: OtherPrograms.promtool != nil, Comment(rawValue: OtherPrograms.promtoolMissing)))
    func prometheus() async throws {
        for (check, file) in [("config", "prometheus.yml"), ("rules", "alerts.yml")] {
            let answer = try await OtherPrograms.run(
                OtherPrograms.promtool!,
                ["check", check] + (check == "config" ? ["--syntax-only"] : []) + ["\(Self.folder)/prometheus/\(file)"])
            #expect(answer.code == 0, "\(String(decoding: answer.output, as: UTF8.self)) \(answer.errors)")
        }
    }

    static let hasValidator = FileManager.default.isExecutableFile(
        atPath: OtherPrograms.root.path + "/.build-python/bin/kubernetes-validate")

    @Test(
        "Manifests fit the schemas of Kubernetes",
        .enabled(if: hasValidator, "there is no kubernetes-validate; Scripts/test installs it where PyPI is reached"))
    func schemas() async throws {
        // Kinds that are not Kubernetes' own have their schemas elsewhere.
        let foreign = ["Kustomization", "ScaledObject", "TriggerAuthentication"]
        let files = Set(Self.manifests.filter { !foreign.contains($0.kind) }.map { "\(Self.folder)/\($0.file)" })
        let answer = try await OtherPrograms.run(
            OtherPrograms.root.path + "/.build-python/bin/kubernetes-validate", ["--strict"] + files.sorted())
        #expect(answer.code == 0, "\(String(decoding: answer.output, as: UTF8.self)) \(answer.errors)")
    }

    @Test("The dashboard and the alerts ask for metrics that the gateway, the controller and engines have")
    func metricNames() async throws {
        let dashboard =
            try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(filePath: Self.folder + "/grafana/fleet.json"))) as! Object
        let panels = dashboard["panels"] as! [Object]
        let expressions = panels.flatMap { $0["targets"] as! [Object] }.map { $0["expr"] as! String }
        let alerts = try String(contentsOfFile: Self.folder + "/prometheus/alerts.yml", encoding: .utf8)
        let used = Set(
            (expressions + [alerts]).flatMap { text in
                text.matches(of: /(?:tidegate_|vllm:)[a-z0-9_:]+/).map { String($0.output) }
            })
        #expect(used.count >= 15)
        var known: Set = ["tidegate_desired_replicas"]
        try await TestWorker.with { worker in
            try await TestGateway.with(replicas: [worker.port]) { gateway in
                for port in [worker.port, gateway.adminPort] {
                    for line in try await HTTP.get(port, "/metrics").text.split(separator: "\n")
                    where !line.hasPrefix("#") {
                        known.insert(String(line.prefix { $0 != "{" && $0 != " " }))
                    }
                }
            }
        }
        #expect(used.subtracting(known) == [])
        #expect(Set(panels.map { $0["id"] as! Int }).count == panels.count)
    }
}
