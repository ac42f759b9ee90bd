import InferenceCore
import Testing

@testable import Live

@Suite("What clients ask for")
struct CompletionCallTests {
    private let model = ServedModel(name: "m", maxContext: 64, prompts: .counted, created: 1, root: "m")

    private func call(_ kind: CompletionCall.Kind = .completion, _ body: String) throws(APIError) -> CompletionCall {
        try CompletionCall(kind, body: Array(body.utf8), priority: nil, model: model)
    }

    @Test(
        "A wrong field is named",
        arguments: [
            (#"{"prompt":1}"#, "prompt", "invalid_type"), (#"{"prompt":["a",1]}"#, "prompt", "invalid_type"),
            (#"{"prompt":[[1],["a"]]}"#, "prompt", "invalid_type"), (#"{"prompt":{}}"#, "prompt", "invalid_type"),
            (#"{}"#, "prompt", nil), (#"{"prompt":[]}"#, "prompt", nil), (#"{"prompt":""}"#, "prompt", nil),
            (#"{"prompt":"a","max_tokens":"3"}"#, "max_tokens", "invalid_type"),
            (#"{"prompt":"a","max_tokens":1.5}"#, "max_tokens", "invalid_type"),
            (#"{"prompt":"a","max_tokens":0}"#, "max_tokens", nil),
            (#"{"prompt":"a","max_tokens":64}"#, "max_tokens", "context_length_exceeded"),
            (#"{"prompt":"a","max_tokens":9223372036854775807}"#, "max_tokens", "context_length_exceeded"),
            (#"{"prompt":"a","temperature":-1}"#, "temperature", nil),
            (#"{"prompt":"a","temperature":1e999}"#, "temperature", "invalid_type"),
            (#"{"prompt":"a","temperature":2.01}"#, "temperature", nil),
            (#"{"prompt":"a","top_p":1.01}"#, "top_p", nil),
            (#"{"prompt":"a","presence_penalty":-2.1}"#, "presence_penalty", nil),
            (#"{"prompt":"a","frequency_penalty":2.1}"#, "frequency_penalty", nil),
            (#"{"prompt":"a","repetition_penalty":0}"#, "repetition_penalty", nil),
            (#"{"prompt":"a","logit_bias":{"1":101}}"#, "logit_bias", nil),
            (#"{"prompt":"a","stop":["a","b","c","d","e"]}"#, "stop", nil), (#"{"prompt":"a","n":0}"#, "n", nil),
            (#"{"prompt":"a","best_of":-1}"#, "best_of", nil), (#"{"prompt":"a","min_tokens":-1}"#, "min_tokens", nil),
            (#"{"prompt":"a","logprobs":6}"#, "logprobs", nil), (#"{"prompt":"a","logprobs":-1}"#, "logprobs", nil),
            (#"{"prompt":"a","top_logprobs":21}"#, "top_logprobs", nil),
            (#"{"prompt":"a","top_logprobs":2}"#, "top_logprobs", nil),
            (#"{"prompt":"a","max_completion_tokens":0}"#, "max_completion_tokens", nil),
            (#"{"prompt":"a","top_p":0}"#, "top_p", nil), (#"{"prompt":"a","top_k":-2}"#, "top_k", nil),
            (#"{"prompt":"a","min_p":2}"#, "min_p", nil), (#"{"prompt":"a","seed":"x"}"#, "seed", "invalid_type"),
            (#"{"prompt":"a","stop":[1]}"#, "stop", "invalid_type"), (#"{"prompt":"a","stop":""}"#, "stop", nil),
            (#"{"prompt":"a","n":2}"#, "n", "unsupported_parameter"),
            (#"{"prompt":"a","echo":true}"#, "echo", "unsupported_parameter"),
            (#"{"prompt":"a","logprobs":3}"#, "logprobs", "unsupported_parameter"),
            (#"{"prompt":"a","suffix":"b"}"#, "suffix", "unsupported_parameter"),
            (#"{"prompt":"a","stream":"yes"}"#, "stream", "invalid_type"),
            (#"{"prompt":"a","stream_options":{"include_usage":true}}"#, "stream_options", nil),
            (#"{"prompt":"a","stream":true,"stream_options":3}"#, "stream_options", nil),
            (#"{"prompt":"a","logit_bias":{"x":1}}"#, "logit_bias", "invalid_type"),
            (#"{"prompt":"a","model":"other"}"#, "model", "model_not_found"),
            (#"{"prompt":"a","model":3}"#, "model", "invalid_type"),
            (#"{"prompt":"a","priority":"high"}"#, "priority", "invalid_type"),
        ] as [(String, String, String?)])
    func wrongField(body: String, param: String, code: String?) {
        let error = #expect(throws: APIError.self) { try call(.completion, body) }
        #expect(error?.param == param)
        #expect(error?.code == code)
    }

    @Test(
        "A wrong message is named",
        arguments: [
            (#"{}"#, "messages"), (#"{"messages":[]}"#, "messages"), (#"{"messages":"hi"}"#, "messages"),
            (#"{"messages":["hi"]}"#, "messages[0]"), (#"{"messages":[{"content":"hi"}]}"#, "messages[0].role"),
            (#"{"messages":[{"role":"tool","content":"hi"}]}"#, "messages[0].role"),
            (#"{"messages":[{"role":"user"}]}"#, "messages[0].content"),
            (#"{"messages":[{"role":"user","content":7}]}"#, "messages[0].content"),
            (#"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#, "messages[0].content"),
            (#"{"messages":[{"role":"user","content":"hi"}],"tools":[{}]}"#, "tools"),
            (
                #"{"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_object"}}"#,
                "response_format"
            ),
        ])
    func wrongMessage(body: String, param: String) {
        let error = #expect(throws: APIError.self) { try call(.chat, body) }
        #expect(error?.param == param)
    }

    @Test("A prompt may be a text, several, tokens, or several of those")
    func prompts() throws {
        func counts(_ prompt: String) throws -> [Int] {
            try call(.completion, "{\"prompt\":\(prompt)}").requests.map(\.prompt.count)
        }
        // Four bytes are a token, and a part of four is one too.
        #expect(try counts(#""12345""#) == [2])
        #expect(try counts(#"["1234","1"]"#) == [1, 1])
        #expect(try counts("[5,6,7]") == [3])
        #expect(try counts("[[5,6,7],[1]]") == [3, 1])
    }

    @Test("What is unknown or null is passed over, and what is known is taken")
    func fields() throws {
        let body = #"""
            {"model":"m","prompt":"abcd","max_tokens":7,"temperature":0.5,"top_p":0.9,"top_k":-1,"min_p":0.1,
             "seed":-3,"stop":["x","yz"],"n":1,"user":"u","priority":-2,"stream":true,"echo":false,"suffix":null,
             "stream_options":{"include_usage":true},"cache_salt":"t","logit_bias":{"5":-1},"metadata":{"a":[1]}}
            """#
        let call = try call(.completion, body)
        let request = call.requests[0]
        #expect(call.streams && call.includesUsage)
        #expect(request.maxTokens == 7 && request.priority == -2 && request.cacheSalt == "t")
        let sampling = request.sampling
        #expect(sampling.temperature == 0.5 && sampling.topP == 0.9 && sampling.topK == 0 && sampling.minP == 0.1)
        #expect(sampling.seed == UInt64(bitPattern: -3) && sampling.stopStrings == ["x", "yz"])
        #expect(sampling.logitBias == [5: -1])
    }

    @Test("The ends of the ranges are taken")
    func ends() throws {
        for body in [
            #""temperature":2,"top_p":1,"presence_penalty":2,"frequency_penalty":-2,"stop":["a","b","c","d"]"#,
            #""temperature":0,"top_p":1e-9,"presence_penalty":-2,"frequency_penalty":2,"n":1,"max_tokens":1"#,
        ] {
            #expect(throws: Never.self) { try call(.completion, "{\"prompt\":\"a\",\(body)}") }
        }
    }

    @Test("A token that the model does not have is refused, in a prompt and in a bias")
    func vocabulary() {
        var model = model
        model.prompts = .bytes(vocabulary: 300)
        for (body, param) in [
            (#"{"prompt":[300]}"#, "prompt"), (#"{"prompt":"a","logit_bias":{"300":1}}"#, "logit_bias"),
        ] {
            let error = #expect(throws: APIError.self) {
                try CompletionCall(.completion, body: Array(body.utf8), priority: nil, model: model)
            }
            #expect(error?.param == param)
        }
    }
}
