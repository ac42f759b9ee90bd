import EngineModel
import Serving
import Units

/// A replica's engine as one thread drives it: requests go in, steps run, tokens come out.
///
/// Not `Sendable`, and need not be: `EngineLoop` makes it on its own thread and never lets it leave.
protocol Engine {
    /// A request while it is in the engine.
    typealias Ticket = Int

    var limits: BatcherConfiguration { get }
    var gauges: EngineGauges { get }

    /// Adds a request to the waiting ones. The prompt has at least one token and fits the context with one more.
    ///
    /// - Throws: When the engine cannot take it, for a reason that its limits do not tell.
    mutating func submit(_ request: GenerationRequest) throws -> Ticket

    /// Takes out a request between two steps and frees its blocks.
    mutating func cancel(_ ticket: Ticket)

    /// Runs the next step and blocks until it has run; `false` when there was nothing to run.
    ///
    /// - Parameter outcome: Emptied, then filled with what the step did.
    mutating func step(_ outcome: inout StepOutcome) -> Bool
}

/// What a scrape reads of an engine between two steps.
struct EngineGauges: Hashable, Sendable {
    var running = 0
    var waiting = 0
    /// Range: 0...1.
    var kvUtilization = 0.0
    /// Tokens of prompts that looked in the prefix cache, and those found there; `nil` without one.
    var prefixCache: PrefixCacheCounts?
}

/// What one step did.
struct StepOutcome {
    struct Output {
        var ticket: Engine.Ticket
        var text: String
        /// Set with the last token: the ticket is free again.
        var finish: FinishReason?
        /// Of a request that asked for one; its only output.
        var embedding: [Float]?
        /// Whether the step produced a token for the request; an embedding or a failure has none.
        var hasToken = true
    }

    struct Admission {
        var ticket: Engine.Ticket
        /// Tokens of its prompt that were found in the prefix cache; `nil` without one.
        var cachedTokens: Int?
    }

    /// Requests that entered the batch, again after a preemption.
    var admitted: [Admission] = []
    var preemptions = 0
    var prefillTokens = 0
    var decodeTokens = 0
    /// In order of the batch.
    var outputs: [Output] = []
    /// How long after its due time the step ended; `nil` where a step has none.
    var lateness: TimeSpan?

    mutating func removeAll() {
        admitted.removeAll(keepingCapacity: true)
        outputs.removeAll(keepingCapacity: true)
        (preemptions, prefillTokens, decodeTokens, lateness) = (0, 0, 0, nil)
    }
}
