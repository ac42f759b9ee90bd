import HTTPTypes
import Hummingbird
import Units

/// Answers a worker's clients: the OpenAI-compatible calls, health, version and metrics.
struct WorkerResponder: HTTPResponder {
    typealias Context = WorkerContext

    let loop: EngineLoop
    let model: ServedModel
    let state: WorkerState
    let limits: ServerLimits
    let version: String
    /// Where spans go; `nil` for nowhere.
    let spans: SpanExporter?

    func respond(to request: Request, context: WorkerContext) async throws -> Response {
        do {
            switch request.uri.path {
            case "/health": return try allowing(.get, request) { try health() }
            case "/metrics": return try allowing(.get, request) { metrics() }
            case "/version": return try allowing(.get, request) { .json { $0.member("version", version) } }
            case "/v1/models": return try allowing(.get, request) { models() }
            case "/v1/completions":
                try require(.post, request)
                return try await complete(.completion, request, context)
            case "/v1/chat/completions":
                try require(.post, request)
                return try await complete(.chat, request, context)
            case "/v1/embeddings":
                try require(.post, request)
                guard !model.isEmulated else { throw APIError.notEmulated("embeddings") }
                return try await embed(request, context)
            case let path:
                if path.hasPrefix("/v1/models/") {
                    return try allowing(.get, request) { try model(named: String(path.dropFirst(11))) }
                }
                throw APIError.unknownPath(path)
            }
        } catch let error as APIError {
            return .error(error, discarding: request.body)
        }
    }

    private func require(_ method: HTTPRequest.Method, _ request: Request) throws(APIError) {
        guard request.method == method else {
            throw .wrongMethod(request.method.rawValue, allowed: method.rawValue)
        }
    }

    private func allowing(
        _ method: HTTPRequest.Method, _ request: Request, _ answer: () throws -> Response
    ) throws -> Response {
        try require(method, request)
        return try answer()
    }

    // MARK: - What the worker says of itself

    /// Whether a router may send requests here.
    private func health() throws(APIError) -> Response {
        if state.isDraining { throw .draining }
        try requireReady()
        return Response(status: .ok)
    }

    private func requireReady() throws(APIError) {
        switch loop.phase {
        case .ready: return
        case .starting(let stage): throw .unavailable("The worker is starting: \(stage)", code: "starting")
        case .failed(let problem): throw .unavailable("The engine failed: \(problem)", code: "failed", retryAfter: 60)
        case .stopped: throw .draining
        }
    }

    private func metrics() -> Response {
        let text = loop.state.withLock { WorkerPage.text(of: $0, limits: loop.limits, model: model.name) }
        return Response(
            status: .ok, headers: [.contentType: PrometheusPage.contentType],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private func models() -> Response {
        .json { text in
            text.member("object", "list")
            text.key("data")
            text.array { text in text.object { describe(into: &$0) } }
        }
    }

    private func model(named name: String) throws(APIError) -> Response {
        guard name.removingPercentEncoding == model.name else { throw .unknownModel(name, served: model.name) }
        return .json { describe(into: &$0) }
    }

    private func describe(into text: inout JSONText) {
        text.member("id", model.name)
        text.member("object", "model")
        text.member("created", model.created)
        text.member("owned_by", "tidegate")
        text.member("root", model.root)
        text.member("max_model_len", model.maxContext)
    }

    // MARK: - Generating

    /// Reads a request's body and answers it.
    private func serve(
        _ request: Request, _ context: WorkerContext,
        _ answer: (_ body: [UInt8], _ priority: Int?, _ presence: ClientPresence) async throws -> Response
    ) async throws -> Response {
        // Nothing of a request is read that will not be served.
        if state.isDraining { throw APIError.draining }
        try requireReady()
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limits.bodyBytes {
            throw APIError.bodyTooLarge(limit: limits.bodyBytes)
        }
        let presence = try await context.presence()
        let body = try await self.body(of: request)
        do {
            guard let body else { throw APIError.bodyTooLarge(limit: limits.bodyBytes) }
            return try await answer(body, priority(of: request), presence)
        } catch let error as APIError {
            return .error(error)
        }
    }

    private func complete(
        _ kind: CompletionCall.Kind, _ request: Request, _ context: WorkerContext
    ) async throws -> Response {
        let trace = WorkerTrace(request.headers, exporter: spans)
        return try await serve(request, context) { body, priority, presence in
            try await complete(kind, body: body, priority: priority, presence, trace)
        }
    }

    private func complete(
        _ kind: CompletionCall.Kind, body: [UInt8], priority: Int?, _ presence: ClientPresence, _ trace: WorkerTrace?
    ) async throws -> Response {
        let call = try CompletionCall(kind, body: body, priority: priority, model: model)
        guard state.begin() else { throw APIError.draining }
        do {
            let generation = try submit(call.requests)
            presence.onGone { generation.cancel() }
            let answer = CompletionAnswer(
                call: call, generation: generation, presence: presence, format: format(call), state: state,
                trace: trace)
            return call.streams ? answer.stream() : try await answer.whole()
        } catch {
            state.end()
            throw error
        }
    }

    private func embed(_ request: Request, _ context: WorkerContext) async throws -> Response {
        let trace = WorkerTrace(request.headers, exporter: spans)
        return try await serve(request, context) { body, priority, presence in
            try await embed(body: body, priority: priority, presence, trace)
        }
    }

    private func embed(
        body: [UInt8], priority: Int?, _ presence: ClientPresence, _ trace: WorkerTrace?
    ) async throws -> Response {
        let call = try EmbeddingCall(body: body, priority: priority, model: model)
        guard state.begin() else { throw APIError.draining }
        defer { state.end() }
        let generation = try submit(call.requests)
        presence.onGone { generation.cancel() }
        var trace = trace
        func end(_ error: APIError?) {
            trace?.end(
                "embeddings", generation, model: model.name, prompts: call.requests.count, tokens: nil, error: error)
        }
        let vectors: [[Float]]
        do throws(APIError) {
            vectors = try await self.vectors(of: call.requests.count, generation, presence, &trace)
            end(nil)
        } catch {
            end(error)
            throw error
        }
        let json = call.json(vectors, model: model.name, promptTokens: generation.promptTokens)
        return Response(
            status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(bytes: json)))
    }

    private func vectors(
        of prompts: Int, _ generation: Generation, _ presence: ClientPresence, _ trace: inout WorkerTrace?
    ) async throws(APIError) -> [[Float]] {
        var vectors = [[Float]](repeating: [], count: prompts)
        for await event in generation.events {
            trace?.note(event)
            if let error = APIError(end: event.finish) {
                generation.cancel()
                throw error
            }
            vectors[event.prompt] = event.embedding ?? []
        }
        presence.forget()
        guard !presence.isGone else { throw .clientGone }
        return vectors
    }

    private func submit(_ requests: [GenerationRequest]) throws(APIError) -> Generation {
        do {
            return try loop.submit(requests)
        } catch .queueFull {
            throw .queueFull
        } catch {
            throw .draining
        }
    }

    private func format(_ call: CompletionCall) -> CompletionFormat {
        let number = String(UInt64.random(in: 0 ... .max), radix: 16)
        return CompletionFormat(
            kind: call.kind, id: (call.kind == .chat ? "chatcmpl-" : "cmpl-") + number, created: WallTime.seconds,
            model: model.name, includesUsage: call.includesUsage)
    }

    /// The whole body, read to its end in any case; `nil` when it is longer than the limit.
    private func body(of request: Request) async throws -> [UInt8]? {
        var bytes: [UInt8] = []
        var count = 0
        for try await buffer in request.body {
            count += buffer.readableBytes
            if count <= limits.bodyBytes { bytes.append(contentsOf: buffer.readableBytesView) }
        }
        return count <= limits.bodyBytes ? bytes : nil
    }

    /// What a gateway says of a request's urgency: a smaller number is served first.
    private func priority(of request: Request) throws(APIError) -> Int? {
        guard let text = request.headers[.priority] else { return nil }
        guard let value = Int(text) else {
            throw .invalid("The header X-Priority must be a whole number", param: "X-Priority")
        }
        return value
    }
}

extension HTTPField.Name {
    fileprivate static let priority = HTTPField.Name("X-Priority")!
}
