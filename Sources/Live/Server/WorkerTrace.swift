import HTTPTypes
import Units

/// The span of one request at a worker, where its trace is sampled and there is a collector: from its head to its last
/// token, with when it left the queue and when its first token came.
///
/// A worker begins no trace: it takes part in those that are shown to it.
struct WorkerTrace: Sendable {
    private let exporter: SpanExporter
    private let context: TraceContext
    private let parent: String
    private let began = MonotonicTime.now
    private let beganAt = WallTime.now
    private var events: [(name: String, time: Instant)] = []

    /// `nil` where nobody wants the span.
    init?(_ fields: HTTPFields, exporter: SpanExporter?) {
        guard let exporter, let parent = fields[.traceparent].flatMap({ TraceContext($0) }), parent.isSampled else {
            return nil
        }
        (self.exporter, context, self.parent) = (exporter, parent.child, parent.span)
    }

    /// Notes what the first token of a prompt tells.
    mutating func note(_ event: Generation.Event) {
        guard let admitted = event.admitted else { return }
        // Of several prompts the first to have a place, and the first token of any.
        guard events.isEmpty else { return }
        events = [("admitted", wall(admitted)), ("first token", wall(MonotonicTime.now))]
    }

    /// The answer has ended.
    ///
    /// - Parameter error: As the API has it; `nil` where it is whole.
    func end(_ call: CompletionCall, _ generation: Generation, model: String, tokens: Int, error: String?) {
        let operation = call.kind == .chat ? "chat" : "text_completion"
        exporter.add(
            Span(
                name: "\(operation) \(model)", kind: .server, context: context, parent: parent, start: beganAt,
                end: wall(MonotonicTime.now),
                attributes: [
                    ("gen_ai.operation.name", .text(operation)), ("gen_ai.request.model", .text(model)),
                    ("gen_ai.usage.input_tokens", .number(generation.promptTokens)),
                    ("gen_ai.usage.output_tokens", .number(tokens)), ("tidegate.prompts", .number(call.requests.count)),
                ], events: events, error: error))
    }

    /// A time of the monotonic clock, on the wall's.
    private func wall(_ time: Instant) -> Instant { beganAt + (time - began) }
}

extension HTTPField.Name {
    fileprivate static let traceparent = HTTPField.Name("traceparent")!
}
