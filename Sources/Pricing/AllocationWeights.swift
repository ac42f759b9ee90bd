/// How the busy share of an instance is divided among tenants: by tokens served, each kind with its weight.
public struct AllocationWeights: Hashable, Sendable, Codable {
    public var promptToken: Int64
    public var outputToken: Int64

    /// - Precondition: neither weight is negative and one is positive.
    public init(promptToken: Int64 = 1, outputToken: Int64 = 4) {
        precondition(promptToken >= 0 && outputToken >= 0 && promptToken + outputToken > 0, "allocation weights")
        self.promptToken = promptToken
        self.outputToken = outputToken
    }
}
