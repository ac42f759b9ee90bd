import EngineModel

/// What one step of a ``CoreWorker`` did.
public struct CoreStepReport: Sendable {
    /// A request that entered the batch, with the tokens of it that were found computed.
    public struct Admitted: Hashable, Sendable {
        public var request: CoreWorker.RequestID
        public var cachedTokens: Int
    }

    /// The next token of a request.
    public struct Produced: Hashable, Sendable {
        public var request: CoreWorker.RequestID
        public var choice: Sampler.Choice
        public var token: Int32 { choice.token }
    }

    public enum End: Hashable, Sendable {
        /// Its last token is one of its stop tokens.
        case stop
        /// It has as many tokens as it asked for.
        case length
        /// Its next token cannot be chosen; it produced none in this step.
        case failed(SamplingError)
        /// The embedding of its prompt, of length 1: it had asked for no more.
        case embedded([Float])
    }

    public struct Finished: Hashable, Sendable {
        public var request: CoreWorker.RequestID
        public var end: End
    }

    public var features = StepFeatures()
    /// Requests that entered the batch for this step, again after a preemption too.
    public var admitted: [Admitted] = []
    /// Tokens in order of the batch, at most one for each request.
    public var produced: [Produced] = []
    /// Requests that ended with this step; the worker has forgotten them.
    public var finished: [Finished] = []
    /// Requests that lost their blocks before this step, and will be recomputed.
    public var preempted: [CoreWorker.RequestID] = []

    /// Empty again, with the room it has.
    mutating func clear() {
        features = StepFeatures()
        admitted.removeAll(keepingCapacity: true)
        produced.removeAll(keepingCapacity: true)
        finished.removeAll(keepingCapacity: true)
        preempted.removeAll(keepingCapacity: true)
    }
}
