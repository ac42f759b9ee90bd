import HTTPTypes
import Hummingbird

/// The answer to one call while it is being generated: whole, or as a stream of server-sent events.
struct CompletionAnswer: Sendable {
    let call: CompletionCall
    let generation: Generation
    let presence: ClientPresence
    let format: CompletionFormat
    let state: WorkerState
    /// `nil` where nobody wants the span.
    let trace: WorkerTrace?

    func whole() async throws -> Response {
        var choices = [CompletionFormat.Choice](repeating: .init(), count: call.requests.count)
        var usage = CompletionFormat.Usage(promptTokens: generation.promptTokens, completionTokens: 0)
        var trace = trace
        for await event in generation.events {
            trace?.note(event)
            choices[event.prompt].text += event.text
            choices[event.prompt].finish = event.finish
            usage.count(event)
            if let error = APIError(end: event.finish) {
                generation.cancel()
                end(trace, usage.completionTokens, error)
                throw error
            }
        }
        presence.forget()
        end(trace, usage.completionTokens, presence.isGone ? .clientGone : nil)
        guard !presence.isGone else { throw APIError.clientGone }
        let body = ByteBuffer(bytes: format.whole(choices, usage))
        state.end()
        return Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: body))
    }

    func stream() -> Response {
        let headers: HTTPFields = [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"]
        return Response(
            status: .ok, headers: headers,
            body: .init { writer in
                // Whatever ends the stream, a client that stopped reading too, ends the work for it.
                defer {
                    presence.forget()
                    generation.cancel()
                    state.end()
                }
                try await write(to: &writer)
                try await writer.finish(nil)
            })
    }

    private func write(to writer: inout any ResponseBodyWriter) async throws {
        var usage = CompletionFormat.Usage(promptTokens: generation.promptTokens, completionTokens: 0)
        var begun = Set<Int>()
        var (trace, failure) = (trace, nil as APIError?)
        defer { end(trace, usage.completionTokens, failure ?? (presence.isGone ? .clientGone : nil)) }
        for await event in generation.events {
            trace?.note(event)
            if let error = APIError(end: event.finish) {
                failure = error
                try await writer.write(ByteBuffer(bytes: CompletionFormat.event(error)))
                return
            }
            usage.count(event)
            let piece = format.piece(
                .init(text: event.text, finish: event.finish), index: event.prompt,
                isFirst: begun.insert(event.prompt).inserted)
            try await writer.write(ByteBuffer(bytes: piece))
        }
        guard !presence.isGone else { throw APIError.clientGone }
        var last = CompletionFormat.done
        if call.includesUsage { last = format.piece(usage) + last }
        try await writer.write(ByteBuffer(bytes: last))
    }

    private func end(_ trace: WorkerTrace?, _ tokens: Int, _ error: APIError?) {
        trace?.end(
            call.kind == .chat ? "chat" : "text_completion", generation, model: format.model,
            prompts: call.requests.count, tokens: tokens, error: error)
    }
}

extension CompletionFormat.Usage {
    fileprivate mutating func count(_ event: Generation.Event) {
        completionTokens += event.tokens
        if let cached = event.admitted?.cachedTokens { cachedTokens = (cachedTokens ?? 0) + cached }
    }
}
