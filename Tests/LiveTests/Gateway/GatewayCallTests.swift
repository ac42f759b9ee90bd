import FleetModel
import Formats
import NIOCore
import Testing

@testable import Live

@Suite("A call as the gateway reads it")
struct GatewayCallTests {
    private static func call(_ kind: GatewayCall.Kind, _ body: String) throws(APIError) -> GatewayCall {
        let bytes = Array(body.utf8)
        let result: Result<GatewayCall, APIError> = bytes.withUnsafeBytes { bytes in
            do throws(APIError) {
                return .success(try GatewayCall(kind, body: bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    @Test(
        "Prompts are counted: token ids exactly, text by its bytes, its escapes undone",
        arguments: [
            (#"{"prompt":"abcd"}"#, 1, false), (#"{"prompt":"abcde"}"#, 2, false),
            (#"{"prompt":["abcd","e"]}"#, 2, false),
            (#"{"prompt":[1,2,3]}"#, 3, true), (#"{"prompt":[[1,2],[3]]}"#, 3, true),
            (#"{"prompt":"\n\n\n\n"}"#, 1, false),
            (#"{"prompt":"\u0041\u00e9\u20ac"}"#, 2, false), (#"{"prompt":"\ud83d\ude00"}"#, 1, false),
            (#"{ "prompt" : [ 7 ] }"#, 1, true),
        ])
    func counts(body: String, tokens: Int, isExact: Bool) throws {
        let call = try Self.call(.completion, body)
        #expect(call.promptTokens == tokens)
        #expect(call.isExact == isExact)
    }

    @Test("A conversation counts its roles and texts; a picture counts as it is said to")
    func messages() throws {
        let call = try Self.call(
            .chat,
            #"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Hi"}]}]}"#
        )
        // "system: Be brief.\nuser: Hi\n"
        #expect(call.promptTokens == (18 + 9 + 3) / 4)
        let seen = try Self.call(
            .chat, #"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:AAAA"}}]}]}"#)
        #expect(seen.promptTokens == 2 + 1024)
    }

    @Test("What the gateway acts on is read: the newer name of a maximum counts more")
    func members() throws {
        let call = try Self.call(
            .chat,
            #"{"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":5,"max_completion_tokens":7,"n":2,"#
                + #""stream":true,"stream_options":{"include_usage":true},"user":"acme","cache_salt":"s"}"#)
        #expect(call.model == "m")
        #expect(call.maxTokens == .some(7))
        #expect(call.answers == 2)
        #expect(call.streams && call.includesUsage)
        #expect(call.user == "acme")
        #expect(call.cacheSalt == "s")
    }

    @Test(
        "A body that two readers could read differently is refused",
        arguments: [
            (#"{"prompt":"a","model":"x","model":"y"}"#, "twice"),
            (#"{"prompt":"a","max_tok\u0065ns":100000}"#, "escapes"),
            (#"{"prompt":"a","max_tokens":1,"max_tokens":100000}"#, "twice"),
            (#"{"prompt":"a"} {"prompt":"b"}"#, "no JSON"),
            (#"{"prompt":"a"#, "no JSON"), ("[]", "no JSON"), ("", "no JSON"), (#"{"prompt":[1,"a"]}"#, "must be"),
            (#"{"prompt":7}"#, "must be"), (#"{"prompt":"a","max_tokens":"7"}"#, "whole number"),
            (#"{"prompt":"a","max_tokens":0}"#, "below 1"), (#"{"prompt":"a","stream":"yes"}"#, "boolean"),
            (#"{"prompt":"a","stream_options":{"include_usage":true}}"#, "may only be given"),
            (#"{"model":"m"}"#, "missing"),
            (#"{"prompt":[]}"#, "missing"), (#"{"prompt":""}"#, "empty"), (#"{"prompt":"a","model":7}"#, "string"),
            (#"{"prompt":"a","n":1e99}"#, "whole number"), (#"{"prompt":"a","max_tokens":5000000000}"#, "above"),
        ])
    func refuses(body: String, words: String) throws {
        let error = #expect(throws: APIError.self) { try Self.call(.completion, body) }
        #expect(error?.status == .badRequest)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test("What goes on is the client's, with the tenant's salt and without what only the gateway may say")
    func upstream() throws {
        let body = #"{"model":"alias","prompt":"a","cache_salt":"mine","stream":true,"priority":-9,"temperature":0.5}"#
        let call = try Self.call(.completion, body)
        let additions = UpstreamRequest.Additions(
            model: "served", cacheSalt: "theirs", maxTokens: 16, priority: 3, request: "req-1", traceState: "a=1")
        let bytes = Array(body.utf8)
        let request = bytes.withUnsafeBytes {
            UpstreamRequest(call, body: $0, adding: additions, allocator: ByteBufferAllocator())
        }
        let text = String(buffer: request.body)
        let parts = text.components(separatedBy: "\r\n\r\n")
        #expect(
            parts[1]
                == #"{"cache_salt":"theirs","model":"served","stream_options":{"include_usage":true},"max_tokens":16,"#
                + #""prompt":"a","stream":true,"temperature":0.5}"#)
        #expect(parts[0].contains("Content-Length: \(parts[1].utf8.count)\r\n"))
        #expect(parts[0].contains("X-Priority: 3"))
        #expect(parts[0].contains("tracestate: a=1\r\n"))
        let trace = TraceContext(isSampled: true)
        let head = String(
            buffer: request.head(
                for: try Endpoint("http://127.0.0.1:1"), trace: trace, allocator: ByteBufferAllocator()))
        #expect(head.contains("traceparent: \(trace.field)\r\n"))
    }

    @Test(
        "The most that may be answered is bounded for every call",
        arguments: [
            (#"{"prompt":[1,2],"max_tokens":5}"#, 5, nil), (#"{"prompt":[[1],[2]],"max_tokens":5,"n":2}"#, 20, nil),
            (#"{"prompt":[1,2]}"#, 16, 16), (#"{"prompt":[1,2],"max_tokens":5000}"#, 510, nil),
        ] as [(String, Int, Int?)])
    func outputs(body: String, most: Int, added: Int?) throws {
        let pool = GatewayConfiguration.Pool(id: PoolID("p"), maxContext: 512)
        let limits = try OutputLimits(try Self.call(.completion, body), pool, TenantTerms(name: "t"))
        #expect(limits.most == most)
        #expect(limits.added == added)
    }

    @Test("A tenant's caps hold for what a client asks and for what it leaves open")
    func caps() throws {
        let pool = GatewayConfiguration.Pool(id: PoolID("p"), maxContext: 4096)
        let tenant = TenantTerms(name: "t", maxOutputTokens: 100, maxContext: 1000)
        let chat = #"{"messages":[{"role":"user","content":"hello"}]"#
        let open = try OutputLimits(try Self.call(.chat, chat + "}"), pool, tenant)
        #expect(open.added == .some(100))
        #expect(open.most == 100)
        #expect(throws: APIError.self) {
            try OutputLimits(try Self.call(.chat, chat + #","max_tokens":101}"#), pool, tenant)
        }
        let long = "{\"prompt\":[\(Array(repeating: "1", count: 1000).joined(separator: ","))],\"max_tokens\":1}"
        #expect(throws: APIError.self) { try OutputLimits(try Self.call(.completion, long), pool, tenant) }
    }
}
