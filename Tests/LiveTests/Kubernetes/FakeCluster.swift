import Foundation
import Synchronization

/// A cluster with one Deployment, its pods and Leases, which answers as an API server does: versions that conflict, watches
/// that expire, tokens that are replaced, rights that are missing.
///
/// Objects are plain JSON, so that what is tested cannot agree with itself on a wrong spelling.
final class FakeCluster: @unchecked Sendable {
    // Everything below `lock` is touched under it alone: by its own methods, and by tests in `configure`.
    struct Request: Sendable {
        var method: String
        var path: String
        var query: [String: String]
        var headers: [String: String]
        var body: String
        /// Its number among all that came.
        var number: Int
    }

    enum Answer: Sendable {
        case json(Int, String)
        /// 429 with what its field `Retry-After` says.
        case later(String)
        /// A watch that goes on from a version.
        case watch(after: Int)
        /// Says nothing, ever.
        case silence
        case hangUp
    }

    struct Event: Sendable {
        var version: Int
        var line: String
    }

    /// What a Role would have to allow: `patch apps/deployments/scale`.
    typealias Right = String

    typealias Object = [String: Any]

    let lock = NSRecursiveLock()
    private var version = 100
    private var deployment: Object
    private var pods: [String: Object] = [:]
    private var leases: [String: Object] = [:]
    private var events: [Event] = []
    private var born = 0
    private var allRequests: [Request] = []
    private var allRights: Set<Right> = []

    /// `nil` lets everyone in.
    var token: String?
    /// `nil` allows everything.
    var allowedRights: Set<Right>?
    /// Watches from before this version get 410.
    var oldestVersion = 0
    /// Pods on a page; the client's limit when it is smaller.
    var pageSize = 500
    /// What to do instead of answering.
    var fault: (@Sendable (Request) -> Answer?)?
    /// Whether a PodDisruptionBudget forbids evictions now.
    var isDisruptionForbidden = false
    private var evicted: [String] = []
    /// Whether the ReplicaSet follows the count by itself.
    var reconciles = true
    /// Watchers wait here for news.
    private var listeners: [Int: @Sendable ([Event]?) -> Void] = [:]
    private var listenerCount = 0

    init(replicas: Int, isReady: Bool = true) {
        deployment = [
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": ["name": "chat", "namespace": "live", "uid": "d-1"], "spec": ["replicas": replicas],
        ]
        stamp(&deployment)
        reconcile()
        if isReady { makeReady() }
    }

    private func locked<Value>(_ body: () throws -> Value) rethrows -> Value {
        lock.lock()
        defer { lock.unlock() }
        return try body()
    }

    /// Changes settings under the lock.
    func configure(_ body: (FakeCluster) -> Void) { locked { body(self) } }

    // MARK: - What people and controllers do

    var replicas: Int { locked { (deployment["spec"] as! Object)["replicas"] as! Int } }
    var annotations: [String: String] { locked { Self.annotations(deployment) } }
    var podNames: [String] { locked { pods.keys.sorted() } }
    func podAnnotations(_ name: String) -> [String: String] { locked { pods[name].map(Self.annotations) ?? [:] } }
    var lease: Object? { locked { leases["tidegate"]?["spec"] as? Object } }
    var requests: [Request] { locked { allRequests } }
    var usedRights: Set<Right> { locked { allRights } }

    /// Someone changes the count by hand.
    func setReplicas(_ count: Int) {
        locked {
            var spec = deployment["spec"] as! Object
            spec["replicas"] = count
            deployment["spec"] = spec
            touch()
            if reconciles { reconcile() }
        }
    }

    /// Something else about the Deployment changes, as its status does all the time.
    func touch() { locked { stamp(&deployment) } }

    func annotateWorkload(_ key: String, _ value: String?) {
        locked {
            Self.annotate(&deployment, [key: value ?? NSNull()])
            touch()
        }
    }

    func makeReady() { locked { for name in pods.keys.sorted() { setReady(name, true) } } }

    func setReady(_ name: String, _ isReady: Bool) {
        locked {
            pods[name]!["status"] = [
                "phase": "Running", "podIP": "10.0.0.\(name.split(separator: "-").last!)",
                "startTime": "2026-01-01T00:00:00Z",
                "conditions": [["type": "Ready", "status": isReady ? "True" : "False"]],
            ]
            publish("MODIFIED", name)
        }
    }

    func setStatus(_ name: String, _ status: Object) {
        locked {
            pods[name]!["status"] = status
            publish("MODIFIED", name)
        }
    }

    /// A pod is deleted for good.
    func remove(_ name: String) {
        locked {
            publish("DELETED", name)
            pods[name] = nil
        }
    }

    /// A pod is deleted and has its grace.
    func terminate(_ name: String) {
        locked {
            var metadata = pods[name]!["metadata"] as! Object
            metadata["deletionTimestamp"] = "2026-01-01T01:00:00Z"
            pods[name]!["metadata"] = metadata
            publish("MODIFIED", name)
        }
    }

    /// Pods that have had their grace are gone.
    func bury() { locked { for name in pods.keys.sorted() where isTerminating(name) { remove(name) } } }

    func endWatches() { locked { for key in listeners.keys.sorted() { listeners.removeValue(forKey: key)?(nil) } } }
    var evictions: [String] { locked { evicted } }
    var watchCount: Int { locked { listeners.count } }

    /// Tells watchers that the version is another one.
    func bookmark() {
        locked {
            version += 1
            append(
                "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"\(version)\"}}}"
            )
        }
    }

    /// Tells watchers that their version has expired, inside a watch that was accepted.
    func expireWatches() {
        locked {
            version += 1
            oldestVersion = version
            append(
                "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\","
                    + "\"message\":\"too old resource version\"}}")
        }
    }

    /// What a ReplicaSet does: makes pods, or removes those not ready, then the cheapest, then the youngest.
    func reconcile() {
        let alive = pods.keys.filter { !isTerminating($0) }
        if alive.count < replicas {
            for _ in alive.count..<replicas {
                born += 1
                let name = "chat-x-\(born)"
                pods[name] = [
                    "metadata": [
                        "name": name, "namespace": "live", "uid": "u-\(born)", "labels": ["app": "chat"],
                        "creationTimestamp": String(format: "2026-01-01T00:%02d:%02dZ", born / 60, born % 60),
                    ], "spec": ["nodeName": "node-\(born % 2)"], "status": ["phase": "Pending"],
                ]
                publish("ADDED", name)
            }
        }
        let order = alive.sorted { (rank($0), $1) < (rank($1), $0) }
        for name in order.prefix(max(0, alive.count - replicas)) { terminate(name) }
    }

    private func rank(_ name: String) -> Int {
        let conditions = (pods[name]!["status"] as? Object)?["conditions"] as? [[String: String]] ?? []
        guard conditions.contains(where: { $0["status"] == "True" }) else { return Int.min }
        return Int(Self.annotations(pods[name]!)["controller.kubernetes.io/pod-deletion-cost"] ?? "0")!
    }

    private func isTerminating(_ name: String) -> Bool {
        (pods[name]!["metadata"] as! Object)["deletionTimestamp"] != nil
    }

    // MARK: - Versions

    private func stamp(_ object: inout Object) {
        version += 1
        var metadata = object["metadata"] as! Object
        metadata["resourceVersion"] = String(version)
        object["metadata"] = metadata
    }

    private func publish(_ type: String, _ name: String) {
        stamp(&pods[name]!)
        append("{\"type\":\"\(type)\",\"object\":\(Self.text(pods[name]!))}")
    }

    private func append(_ line: String) {
        events.append(Event(version: version, line: line))
        for key in listeners.keys.sorted() { listeners[key]?([events.last!]) }
    }

    /// Hands over what happened after a version, then what happens, until `nil`.
    func listen(after: Int, _ listener: @escaping @Sendable ([Event]?) -> Void) -> Int {
        locked {
            listener(events.filter { $0.version > after })
            listenerCount += 1
            listeners[listenerCount] = listener
            return listenerCount
        }
    }

    func stopListening(_ key: Int) { locked { listeners[key] = nil } }

    // MARK: - Requests

    func answer(
        method: String, path: String, query: [String: String], headers: [String: String], body: String
    ) -> Answer {
        locked {
            let request = Request(
                method: method, path: path, query: query, headers: headers, body: body, number: allRequests.count)
            allRequests.append(request)
            if let answer = fault?(request) { return answer }
            if let token, headers["authorization"] != "Bearer \(token)" {
                return Self.status(401, "Unauthorized", "Unauthorized")
            }
            guard let right = Self.right(request) else { return Self.status(404, "NotFound", "no such path \(path)") }
            allRights.insert(right)
            if let allowedRights, !allowedRights.contains(right) {
                return Self.status(403, "Forbidden", "User \"system:serviceaccount:live:tidegate\" cannot \(right)")
            }
            return route(request)
        }
    }

    private func route(_ request: Request) -> Answer {
        let parts = request.path.split(separator: "/").map(String.init)
        let body = (try? JSONSerialization.jsonObject(with: Data(request.body.utf8))) as? Object
        switch (request.method, parts.dropFirst(2).joined(separator: "/")) {
        case ("GET", "v1/namespaces/live/deployments/chat"): return .json(200, Self.text(deployment))
        case ("PATCH", "v1/namespaces/live/deployments/chat"):
            guard request.headers["content-type"] == "application/merge-patch+json", let body else {
                return Self.status(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
            }
            return change(&deployment, body)
        case ("GET", "v1/namespaces/live/deployments/chat/scale"): return .json(200, scaleText)
        case ("PUT", "v1/namespaces/live/deployments/chat/scale"): return putScale(body ?? [:])
        case ("GET", "namespaces/live/pods"): return request.query["watch"] == nil ? list(request) : watch(request)
        case ("POST", let path) where path.hasSuffix("/eviction"):
            let name = parts[parts.count - 2]
            guard !isDisruptionForbidden else {
                return Self.status(
                    429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
            }
            guard body?["kind"] as? String == "Eviction", pods[name] != nil else {
                return Self.status(404, "NotFound", "pods \"\(name)\" not found")
            }
            evicted.append(name)
            terminate(name)
            return .json(
                201, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\",\"code\":201}")
        case ("PATCH", let path) where path.hasPrefix("namespaces/live/pods/"):
            guard var pod = pods[parts.last!], let body else {
                return Self.status(404, "NotFound", "pods \"\(parts.last!)\" not found")
            }
            let answer = change(&pod, body)
            pods[parts.last!] = pod
            publish("MODIFIED", parts.last!)
            return answer
        case ("POST", "v1/namespaces/live/leases"):
            let name = (body?["metadata"] as? Object)?["name"] as! String
            guard leases[name] == nil else { return Self.status(409, "AlreadyExists", "leases \"\(name)\" exists") }
            leases[name] = body
            stamp(&leases[name]!)
            return .json(201, Self.text(leases[name]!))
        case (let method, let path) where path.hasPrefix("v1/namespaces/live/leases/"):
            guard var lease = leases[parts.last!] else {
                return Self.status(404, "NotFound", "leases \"\(parts.last!)\" not found")
            }
            if method == "PUT" {
                guard Self.version(body) == Self.version(lease) else { return Self.conflict(parts.last!) }
                lease["spec"] = body!["spec"]
                stamp(&lease)
                leases[parts.last!] = lease
            }
            return .json(200, Self.text(lease))
        default: return Self.status(404, "NotFound", "the server could not find the requested resource")
        }
    }

    private var scaleText: String {
        Self.text([
            "kind": "Scale", "apiVersion": "autoscaling/v1",
            "metadata": ["name": "chat", "namespace": "live", "resourceVersion": Self.version(deployment) ?? ""],
            "spec": replicas == 0 ? [:] : ["replicas": replicas],
            "status": ["replicas": pods.count, "selector": "app=chat,track in (a,b)"],
        ])
    }

    private func putScale(_ body: Object) -> Answer {
        guard body["kind"] as? String == "Scale", let spec = body["spec"] as? Object else {
            return Self.status(400, "BadRequest", "no Scale")
        }
        let count = spec["replicas"] as? Int ?? 0
        guard count >= 0 else { return Self.status(422, "Invalid", "spec.replicas: must be at least 0") }
        let given = Self.version(body)
        guard given == nil || given == Self.version(deployment) else { return Self.conflict("chat") }
        setReplicas(count)
        return .json(200, scaleText)
    }

    /// A merge patch of annotations, under the version where it names one.
    private func change(_ object: inout Object, _ patch: Object) -> Answer {
        if let given = Self.version(patch), given != Self.version(object) { return Self.conflict("chat") }
        Self.annotate(&object, (patch["metadata"] as? Object)?["annotations"] as? Object ?? [:])
        stamp(&object)
        return .json(200, Self.text(object))
    }

    private func list(_ request: Request) -> Answer {
        guard request.query["labelSelector"] == "app=chat,track in (a,b)" else {
            return Self.status(
                400, "BadRequest", "unable to parse requirement: \(request.query["labelSelector"] ?? "")")
        }
        let names = pods.keys.sorted()
        let start = request.query["continue"].flatMap { Int($0) } ?? 0
        let end = min(names.count, start + min(pageSize, Int(request.query["limit"] ?? "") ?? 500))
        var metadata: Object = ["resourceVersion": String(version)]
        if end < names.count { metadata["continue"] = String(end) }
        return .json(200, Self.text(["metadata": metadata, "items": names[start..<end].map { pods[$0]! }]))
    }

    private func watch(_ request: Request) -> Answer {
        let after = Int(request.query["resourceVersion"] ?? "") ?? 0
        return after < oldestVersion ? Self.status(410, "Expired", "too old resource version") : .watch(after: after)
    }

    // MARK: - JSON

    static func status(_ code: Int, _ reason: String, _ message: String) -> Answer {
        .json(
            code,
            text([
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason,
                "code": code,
            ]))
    }

    static func conflict(_ name: String) -> Answer {
        status(409, "Conflict", "Operation cannot be fulfilled on \"\(name)\": the object has been modified")
    }

    private static func text(_ object: Any) -> String {
        String(decoding: try! JSONSerialization.data(withJSONObject: object, options: .sortedKeys), as: UTF8.self)
    }

    private static func version(_ object: Object?) -> String? {
        (object?["metadata"] as? Object)?["resourceVersion"] as? String
    }

    private static func annotations(_ object: Object) -> [String: String] {
        (object["metadata"] as! Object)["annotations"] as? [String: String] ?? [:]
    }

    private static func annotate(_ object: inout Object, _ changes: Object) {
        var metadata = object["metadata"] as! Object
        var annotations = metadata["annotations"] as? [String: String] ?? [:]
        for (key, value) in changes { annotations[key] = value as? String }
        metadata["annotations"] = annotations
        object["metadata"] = metadata
    }

    /// The right that a request needs, as RBAC names it; `nil` for a path that is none of an API server's.
    private static func right(_ request: Request) -> Right? {
        let parts = request.path.split(separator: "/").map(String.init)
        // /api/v1/namespaces/NS/RESOURCE[/NAME[/SUB]] and /apis/GROUP/VERSION/namespaces/NS/…
        let isCore = parts.first == "api"
        let rest = Array(parts.dropFirst(isCore ? 2 : 3))
        guard parts.count > 4, rest.count >= 3, rest[0] == "namespaces" else { return nil }
        let group = isCore ? "" : parts[1]
        let sub = rest.count > 4 ? "/\(rest[4])" : ""
        let verb =
            switch request.method {
            case "GET": rest.count > 3 ? "get" : request.query["watch"] != nil ? "watch" : "list"
            case "PUT": "update"
            case "POST": "create"
            case "PATCH": "patch"
            default: "delete"
            }
        return "\(verb) \(group)/\(rest[2])\(sub)"
    }
}
