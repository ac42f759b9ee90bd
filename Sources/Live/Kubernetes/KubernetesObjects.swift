/// The parts of Kubernetes' objects that are read or written here. Members that are not named are neither.
///
/// - Source: Kubernetes API reference 1.37: ObjectMeta v1, Scale autoscaling/v1, Pod v1, Lease coordination.k8s.io/v1,
///   Eviction policy/v1, Status.
struct ObjectMeta: Codable, Hashable, Sendable {
    var name: String?
    var namespace: String?
    var uid: String?
    var resourceVersion: String?
    var creationTimestamp: String?
    /// Set while a graceful deletion is under way.
    var deletionTimestamp: String?
    var annotations: [String: String]?
}

/// Any object, for its metadata.
struct KubernetesObject: Codable, Hashable, Sendable {
    var metadata: ObjectMeta
}

struct KubernetesScale: Codable, Hashable, Sendable {
    struct Spec: Codable, Hashable, Sendable {
        /// Left out when it is 0.
        var replicas: Int?
    }
    struct Status: Codable, Hashable, Sendable {
        var replicas: Int?
        /// A label selector as text, such as `app=chat,track in (a,b)`.
        var selector: String?
    }
    var apiVersion = "autoscaling/v1"
    var kind = "Scale"
    var metadata: ObjectMeta
    var spec: Spec
    var status: Status?

    var replicas: Int { spec.replicas ?? 0 }
}

struct KubernetesPod: Codable, Hashable, Sendable {
    struct Spec: Codable, Hashable, Sendable {
        var nodeName: String?
    }
    struct Condition: Codable, Hashable, Sendable {
        var type: String
        var status: String
        var reason: String?
        var message: String?
    }
    struct Waiting: Codable, Hashable, Sendable {
        var reason: String?
        var message: String?
    }
    struct ContainerState: Codable, Hashable, Sendable {
        var waiting: Waiting?
    }
    struct ContainerStatus: Codable, Hashable, Sendable {
        var name: String
        var state: ContainerState?
        var restartCount: Int?
    }
    struct Status: Codable, Hashable, Sendable {
        /// Pending, Running, Succeeded, Failed or Unknown.
        var phase: String?
        var podIP: String?
        var startTime: String?
        var conditions: [Condition]?
        var containerStatuses: [ContainerStatus]?
    }
    var metadata: ObjectMeta
    var spec: Spec?
    var status: Status?
}

struct KubernetesPodList: Codable, Hashable, Sendable {
    struct Metadata: Codable, Hashable, Sendable {
        var resourceVersion: String?
        /// Where the next page begins.
        var `continue`: String?
    }
    var metadata: Metadata
    var items: [KubernetesPod]
}

/// What an API server says of a request that failed.
struct KubernetesStatus: Codable, Hashable, Sendable {
    var message: String?
    var reason: String?
    var code: Int?
}

struct KubernetesLease: Codable, Hashable, Sendable {
    struct Spec: Codable, Hashable, Sendable {
        var holderIdentity: String?
        var leaseDurationSeconds: Int?
        var acquireTime: String?
        var renewTime: String?
        /// How often the holder has changed: the epoch of whoever holds it now.
        var leaseTransitions: Int?
    }
    var apiVersion = "coordination.k8s.io/v1"
    var kind = "Lease"
    var metadata: ObjectMeta
    var spec: Spec
}

/// Asks for a pod's deletion under the rules of PodDisruptionBudgets. Answered by a Status, of which nothing is read.
struct KubernetesEviction: Codable, Hashable, Sendable {
    var apiVersion: String? = "policy/v1"
    var kind: String? = "Eviction"
    var metadata: ObjectMeta?
}
