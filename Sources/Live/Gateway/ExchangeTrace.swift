import FleetModel
import Store
import Units

/// The spans of one request at the gateway, where its trace is sampled and there is a collector: one from its arrival to
/// the end of its answer, and one for each try of a replica.
///
/// - Source: OpenTelemetry semantic conventions for HTTP and for generative AI; the gateway's own names begin with
///   `tidegate.`.
struct ExchangeTrace {
    private let exporter: SpanExporter
    private let terms: Exchange.Terms
    private let pool: String

    /// `nil` where nobody wants the spans.
    init?(_ terms: Exchange.Terms, core: GatewayCore) {
        guard terms.trace.isSampled, let exporter = core.spans else { return nil }
        (self.exporter, self.terms) = (exporter, terms)
        pool = core.configuration.pools[terms.pool].id.name
    }

    /// A try has ended.
    ///
    /// - Parameter result: As the gate has it.
    func ended(_ attempt: Attempt, as result: PoolGate.Release) {
        let (endpoint, replica) = (attempt.assignment.endpoint, attempt.assignment.id.number)
        exporter.add(
            Span(
                name: "\(operation) \(pool)", kind: .client, context: attempt.trace, parent: terms.trace.span,
                start: wall(attempt.began), end: wall(MonotonicTime.now),
                attributes: [
                    ("gen_ai.operation.name", .text(operation)), ("server.address", .text(endpoint.host)),
                    ("server.port", .number(endpoint.port)), ("tidegate.replica", .number(replica)),
                    ("tidegate.hedge", .flag(attempt.isHedge)),
                ], error: result == .failed ? "failed" : nil))
    }

    /// The answer has ended, its row is durable.
    ///
    /// - Parameter status: What the client was told, 499 where it had gone.
    func ended(_ row: UsageRow, status: Int, firstToken: Instant?, settled: Instant) {
        var events: [(name: String, time: Instant)] = []
        if let firstToken { events.append(("first token", wall(firstToken))) }
        events.append(("settled", wall(settled)))
        var attributes: [(name: String, value: Span.Value)] = [
            ("http.request.method", .text("POST")), ("http.route", .text(terms.call.kind.path)),
            ("http.response.status_code", .number(status)), ("gen_ai.operation.name", .text(operation)),
            ("gen_ai.request.model", .text(pool)), ("gen_ai.usage.input_tokens", .number(row.promptTokens)),
            ("gen_ai.usage.output_tokens", .number(row.outputTokens)), ("tidegate.request", .text(row.request)),
            ("tidegate.tenant", .text(row.tenant)), ("tidegate.slo_class", .text(row.sloClass)),
            ("tidegate.outcome", .text(row.outcome.rawValue)),
        ]
        if let replica = row.replica { attributes.append(("tidegate.replica", .number(replica))) }
        exporter.add(
            Span(
                name: "\(operation) \(pool)", kind: .server, context: terms.trace, parent: terms.traceParent,
                start: terms.arrivedAt, end: wall(MonotonicTime.now), attributes: attributes, events: events,
                // A request that was wrong is no failure of the server.
                error: row.outcome == .completed || row.outcome == .refusedByWorker || row.outcome == .clientGone
                    ? nil : row.outcome.rawValue))
    }

    /// A time of the monotonic clock, on the wall's.
    private func wall(_ time: Instant) -> Instant { terms.arrivedAt + (time - terms.arrived) }

    private var operation: String { terms.call.kind.operation }

    /// A request was refused before it was given to anybody.
    static func refused(
        _ error: APIError, head: GatewayRequestHead, kind: GatewayCall.Kind, request: String, tenant: String?,
        pool: String?, core: GatewayCore
    ) {
        guard let trace = head.trace, trace.isSampled, let exporter = core.spans else { return }
        let now = WallTime.now
        var attributes: [(name: String, value: Span.Value)] = [
            ("http.request.method", .text("POST")), ("http.route", .text(kind.path)),
            ("http.response.status_code", .number(error.status.code)), ("gen_ai.operation.name", .text(kind.operation)),
            ("tidegate.request", .text(request)), ("tidegate.reason", .text(error.code ?? error.type)),
        ]
        if let tenant { attributes.append(("tidegate.tenant", .text(tenant))) }
        exporter.add(
            Span(
                name: pool.map { "\(kind.operation) \($0)" } ?? kind.operation, kind: .server, context: trace,
                parent: head.traceParent, start: now, end: now, attributes: attributes,
                error: error.status.code >= 500 ? error.code ?? error.type : nil))
    }
}

extension GatewayCall.Kind {
    /// As the conventions for generative AI name it.
    var operation: String {
        switch self {
        case .completion: "text_completion"
        case .chat: "chat"
        case .embedding: "embeddings"
        }
    }
}
