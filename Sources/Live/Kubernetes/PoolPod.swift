import Control
import FleetModel

/// A pod as the pool sees it.
struct PoolPod: Hashable, Sendable {
    /// Set before a scale-in lowers the count: the ReplicaSet removes the cheapest of the ready pods first.
    ///
    /// - Source: Kubernetes documentation, "ReplicaSet", *Pod deletion cost*: `controller.kubernetes.io/pod-deletion-cost`,
    ///   -2147483648 to 2147483647, stable from 1.22 as beta.
    static let costKey = "controller.kubernetes.io/pod-deletion-cost"
    /// Written with the cost, so that a cost that someone else set is not taken for ours. Its value says what for.
    static let victimKey = "tidegate.dev/victim"
    static let victimCost = "-2147483647"

    enum Mark: String, Hashable, Sendable {
        case scaleIn = "scale-in"
        /// An operator has it go; the ReplicaSet puts another in its place.
        case drain
    }

    var id: ReplicaID
    var name: String
    var address: String?
    var node: String?
    var isReady: Bool
    /// Why it gets nothing new, while it has not been deleted.
    var mark: Mark?
    /// Deleted, with its grace under way.
    var isTerminating: Bool
    var problem: String?

    /// - Returns: `nil` for a pod that has ended and will not run again.
    init?(_ id: ReplicaID, _ pod: KubernetesPod) {
        guard pod.status?.phase != "Succeeded", pod.status?.phase != "Failed" else { return nil }
        self.id = id
        name = pod.metadata.name ?? ""
        address = pod.status?.podIP.flatMap { $0.isEmpty ? nil : $0 }
        node = pod.spec?.nodeName
        isReady = pod.status?.conditions?.contains { $0.type == "Ready" && $0.status == "True" } ?? false
        // A value that is not known is one that a later version wrote: it drains all the same.
        mark = pod.metadata.annotations?[Self.victimKey].map { Mark(rawValue: $0) ?? .scaleIn }
        isTerminating = pod.metadata.deletionTimestamp != nil
        problem = Self.problem(of: pod)
    }

    var phase: ReplicaEndpoint.Phase { mark != nil || isTerminating ? .draining : isReady ? .ready : .starting }

    /// Whether the cluster has no machine for it now.
    var isUnschedulable: Bool { problem?.hasPrefix("no node") ?? false }

    /// What keeps it from running that waiting alone may not mend.
    private static func problem(of pod: KubernetesPod) -> String? {
        let name = pod.metadata.name ?? "a pod"
        if let condition = pod.status?.conditions?.first(where: { $0.type == "PodScheduled" && $0.status == "False" }) {
            return "no node for \(name): \(condition.message ?? condition.reason ?? "it cannot be scheduled")"
        }
        for container in pod.status?.containerStatuses ?? [] {
            // A container that is only being created waits too.
            guard let waiting = container.state?.waiting, let reason = waiting.reason, reason != "ContainerCreating",
                reason != "PodInitializing"
            else { continue }
            return "\(name): \(reason)" + (waiting.message.map { ": \($0)" } ?? "")
        }
        return nil
    }

    /// The last number of a name such as `chat-3`: what a StatefulSet counts its pods by.
    var ordinal: Int? { name.split(separator: "-").last.flatMap { Int($0) } }
}

/// Chooses the pods that a smaller level takes away, and keeps those already chosen as far as it can.
///
/// - Parameters:
///   - pods: Those that are not terminating.
///   - count: How many are to go.
///   - followsDeletionCost: Whether the cluster lets itself be told which.
/// - Returns: `count` pods, or all there are.
func victims(
    among pods: [PoolPod], count: Int, followsDeletionCost: Bool, outstanding: (ReplicaID) -> Int?
) -> [PoolPod] {
    guard followsDeletionCost else {
        return Array(pods.sorted { ($0.ordinal ?? 0, $0.id) > ($1.ordinal ?? 0, $1.id) }.prefix(max(count, 0)))
    }
    // The ReplicaSet itself takes pods that are not ready before it looks at costs, so they come first here too; then what
    // was chosen before, for it has been drained since.
    var chosen: [PoolPod] = []
    var rest = pods
    while chosen.count < count, !rest.isEmpty {
        let marked = rest.filter { $0.mark != nil }
        let preferred = marked.isEmpty || rest.contains { !$0.isReady } ? rest : marked
        let candidates = preferred.map { pod in
            VictimCandidate(
                replica: pod.id, isStarting: !pod.isReady, outstanding: outstanding(pod.id) ?? 0,
                neighbours: rest.count { $0.id != pod.id && $0.node != nil && $0.node == pod.node })
        }
        guard let victim = chooseVictim(among: candidates) else { break }
        chosen += rest.filter { $0.id == victim }
        rest.removeAll { $0.id == victim }
    }
    return chosen
}
