import HTTPTypes
import Units

/// The span of one request at a worker, where its trace is sampled and there is a collector: from its head to its last
/// token or embedding, with when it left the queue and when the first came.
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

    /// Notes what the first token of a prompt tells, or its embedding.
    mutating func note(_ event: Generation.Event) {
        guard let admitted = event.admitted else { return }
        // Of several prompts the first to have a place, and the first token of any.
        guard events.isEmpty else { return }
        events = [
            ("admitted", wall(admitted.time)),
            (event.embedding == nil ? "first token" : "embedding", wall(MonotonicTime.now)),
        ]
    }

    /// The answer has ended.
    ///
    /// - Parameters:
    ///   - operation: As OpenTelemetry names it: `chat`, `text_completion`, `embeddings`.
    ///   - tokens: Of the answer; `nil` where it is no text.
    ///   - error: `nil` where the answer is whole.
    func end(
        _ operation: String, _ generation: Generation, model: String, prompts: Int, tokens: Int?, error: APIError?
    ) {
        var attributes: [(String, Span.Value)] = [
            ("gen_ai.operation.name", .text(operation)), ("gen_ai.request.model", .text(model)),
            ("gen_ai.usage.input_tokens", .number(generation.promptTokens)),
        ]
        if let tokens { attributes.append(("gen_ai.usage.output_tokens", .number(tokens))) }
        attributes.append(("tidegate.prompts", .number(prompts)))
        exporter.add(
            Span(
                name: "\(operation) \(model)", kind: .server, context: context, parent: parent, start: beganAt,
                end: wall(MonotonicTime.now), attributes: attributes, events: events,
                error: error.map { $0.code ?? $0.type }))
    }

    /// A time of the monotonic clock, on the wall's.
    private func wall(_ time: Instant) -> Instant { beganAt + (time - began) }
}

extension HTTPField.Name {
    fileprivate static let traceparent = HTTPField.Name("traceparent")!
}
