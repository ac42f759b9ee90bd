import FleetModel

/// What a pool is in a cluster: an object with a scale subresource.
public struct ScaledWorkload: Hashable, Sendable {
    /// `apps/v1`, or the group and version of another kind with a scale subresource.
    public var apiVersion: String
    /// The resource's name in the plural, such as `deployments`.
    public var resource: String
    public var name: String

    public init(apiVersion: String = "apps/v1", resource: String = "deployments", name: String) {
        self.apiVersion = apiVersion
        self.resource = resource
        self.name = name
    }

    /// Whether the pods that a smaller count removes can be named by their deletion cost. Other kinds remove the highest
    /// ordinals, whatever the costs are.
    var followsDeletionCost: Bool { resource == "deployments" || resource == "replicasets" }

    func path(in namespace: String) -> String {
        // The core group alone is under /api, and nothing in it but replication controllers has a scale.
        let root = apiVersion.contains("/") ? "/apis/" : "/api/"
        return "\(root)\(apiVersion)/namespaces/\(namespace)/\(resource)/\(name)"
    }
}

/// The level that was last ordered for a workload, as its annotations hold it.
struct WorkloadOrder: Hashable, Sendable {
    var generation: Int
    var epoch: Int
    var replicas: Int
    /// The count that the order found, while it is being carried out.
    var before: Int?

    static let generationKey = "tidegate.dev/generation"
    static let epochKey = "tidegate.dev/epoch"
    static let replicasKey = "tidegate.dev/replicas"
    static let beforeKey = "tidegate.dev/replicas-before"

    init(generation: Int, epoch: Int, replicas: Int, before: Int? = nil) {
        self.generation = generation
        self.epoch = epoch
        self.replicas = replicas
        self.before = before
    }

    /// Reads the annotations; `nil` when there is no order yet.
    ///
    /// - Throws: `.garbled` when someone has written something else there.
    init?(_ annotations: [String: String]) throws(ActuationError) {
        guard annotations[Self.generationKey] != nil else { return nil }
        func number(_ key: String) throws(ActuationError) -> Int {
            let text = annotations[key] ?? ""
            guard let value = Int(text), value >= 0 else {
                throw .garbled("the annotation \(key) is '\(text)': remove all of tidegate.dev/ to begin anew")
            }
            return value
        }
        generation = try number(Self.generationKey)
        epoch = try number(Self.epochKey)
        replicas = try number(Self.replicasKey)
        before = annotations[Self.beforeKey] == nil ? nil : try number(Self.beforeKey)
    }

    /// What a merge patch writes; `nil` removes an annotation.
    var annotations: [String: String?] {
        [
            Self.generationKey: String(generation), Self.epochKey: String(epoch), Self.replicasKey: String(replicas),
            Self.beforeKey: before.map { String($0) },
        ]
    }
}

/// A merge patch of an object's annotations.
struct AnnotationPatch: Encodable {
    struct Metadata: Encodable {
        /// Refused with 409 when the object is of another version.
        var resourceVersion: String?
        var annotations: [String: String?]

        // Spelled out because the members that are to be removed must be written as null.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encodeIfPresent(resourceVersion, forKey: .resourceVersion)
            try container.encode(annotations, forKey: .annotations)
        }
        private enum Key: String, CodingKey { case resourceVersion, annotations }
    }
    var metadata: Metadata
}
