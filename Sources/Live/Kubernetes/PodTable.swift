import FleetModel
import Foundation

/// The pods of one pool as a list and the events after it tell them, each with the number it keeps while it lives.
///
/// A value: whoever watches hands it what came.
struct PodTable: Sendable {
    /// What a line of a watch says.
    enum Event: Hashable, Sendable {
        case changed(KubernetesPod)
        case deleted(KubernetesPod)
        /// Nothing but a newer version to go on from.
        case bookmark
        case failed(APIServerError)
    }

    private(set) var pods: [String: KubernetesPod] = [:]  // by uid: a StatefulSet gives a name again
    /// From where a watch goes on.
    private(set) var resourceVersion = ""
    private var numbers = ReplicaNumbers()

    /// Pods in order of their numbers.
    var numbered: [(id: ReplicaID, pod: KubernetesPod)] {
        pods.compactMap { uid, pod in numbers[uid].map { ($0, pod) } }.sorted { $0.0 < $1.0 }
    }

    /// Takes a whole list in place of what was known.
    mutating func replace(with items: [KubernetesPod], resourceVersion: String) {
        self.resourceVersion = resourceVersion
        pods = [:]
        // Oldest first, so that numbers tell the age even of pods that were there before this process.
        for pod in items.sorted(by: Self.isOlder) { insert(pod) }
        numbers.keep { pods[$0] != nil }
    }

    mutating func apply(_ event: Event) {
        switch event {
        case .changed(let pod): insert(pod)
        case .deleted(let pod):
            guard let uid = pod.metadata.uid else { return }
            pods[uid] = nil
            numbers.forget(uid)
        case .bookmark, .failed: break  // They say nothing of a pod.
        }
    }

    mutating func advance(to version: String) { resourceVersion = version }

    private mutating func insert(_ pod: KubernetesPod) {
        guard let uid = pod.metadata.uid else { return }
        pods[uid] = pod
        _ = numbers.number(of: uid)
    }

    private static func isOlder(_ a: KubernetesPod, _ b: KubernetesPod) -> Bool {
        // RFC 3339 in UTC with whole seconds: the order of the texts is that of the times.
        let (first, second) = (a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? "")
        return first != second ? first < second : (a.metadata.name ?? "") < (b.metadata.name ?? "")
    }
}

extension PodTable.Event {
    private struct Line: Decodable {
        struct Object: Decodable { var metadata: ObjectMeta? }
        var type: String
        var object: Object
    }
    private struct PodLine: Decodable { var object: KubernetesPod }
    private struct StatusLine: Decodable { var object: KubernetesStatus }

    /// Reads a line of a watch, with the version to go on from.
    static func read(_ line: some Sequence<UInt8>) throws(APIServerError) -> (event: Self, resourceVersion: String?) {
        let data = Data(line)
        do {
            let kind = try JSONDecoder().decode(Line.self, from: data)
            let version = kind.object.metadata?.resourceVersion
            switch kind.type {
            case "ADDED", "MODIFIED":
                return (.changed(try JSONDecoder().decode(PodLine.self, from: data).object), version)
            case "DELETED": return (.deleted(try JSONDecoder().decode(PodLine.self, from: data).object), version)
            case "ERROR":
                let status = try JSONDecoder().decode(StatusLine.self, from: data).object
                return (.failed(APIServerError(status: status.code ?? 500, message: status.message ?? "")), nil)
            default:
                // BOOKMARK, and whatever a later server may add.
                return (.bookmark, version)
            }
        } catch {
            throw .garbled("a line of the watch is no event: \(error)")
        }
    }
}
