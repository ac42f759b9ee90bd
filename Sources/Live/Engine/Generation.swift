import Synchronization
import Units

/// The prompts of one client's request while engines work on them: text as it comes, until each has ended.
///
///     let generation = try loop.submit([request])
///     for await event in generation.events { … }
///
/// Ends early when `cancel` is called: what is left of it leaves the engine before its next step.
public final class Generation: Sendable {
    public struct Event: Sendable {
        /// Which of the prompts, from 0.
        public var prompt: Int
        public var text: String
        /// Tokens that the text is of: 0 when a prompt ends without a last one.
        public var tokens: Int
        /// With a prompt's first token, or its embedding.
        public var admitted: Admission?
        /// Of a prompt that asked for one.
        public var embedding: [Float]?
        /// Set with a prompt's last event.
        public var finish: FinishReason?
    }

    /// How a prompt got a place among those that run.
    public struct Admission: Hashable, Sendable {
        public var time: Instant
        /// Tokens of it that were found in the prefix cache; `nil` without one.
        public var cachedTokens: Int?
    }

    /// Ends after the last prompt's last event.
    public let events: AsyncStream<Event>
    /// Prompt tokens over all prompts.
    public let promptTokens: Int
    private let continuation: AsyncStream<Event>.Continuation
    private let open: Mutex<Int>
    private let onCancel: @Sendable (Generation) -> Void

    init(prompts: Int, promptTokens: Int, onCancel: @escaping @Sendable (Generation) -> Void) {
        (events, continuation) = AsyncStream.makeStream()
        self.promptTokens = promptTokens
        self.onCancel = onCancel
        open = Mutex(prompts)
    }

    /// Nobody waits for it any longer. Harmless when it has ended.
    public func cancel() {
        continuation.finish()
        onCancel(self)
    }

    func deliver(_ event: Event) {
        continuation.yield(event)
        guard event.finish != nil else { return }
        let left = open.withLock { open in
            open -= 1
            return open
        }
        if left == 0 { continuation.finish() }
    }
}
