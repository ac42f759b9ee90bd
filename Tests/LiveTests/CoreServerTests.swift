import Foundation
import InferenceCore
import Serving
import Testing

@testable import Live

@Suite("The server with the inference core", .serialized)
struct CoreServerTests {
    private func with(_ body: (TestWorker) async throws -> Void) async throws {
        let model = CoreModel(preset: .tiny)
        let limits = BatcherConfiguration(
            maxBatchedTokens: 64, maxSequences: 4, totalBlocks: 128, maxContext: 512, prefixCaching: true)
        let worker = try await TestWorker.start(
            model.loop(limits: limits, maxQueue: 16), model.served(as: "tiny", maxContext: limits.maxContext))
        do {
            try await worker.warm()
            try await body(worker)
            try await worker.stop()
        } catch {
            _ = try? await worker.stop()
            throw error
        }
    }

    private func text(_ reply: HTTP.Reply) -> (text: String?, finish: String?) {
        let choice = (reply.json["choices"] as? [[String: Any]])?.first
        return (choice?["text"] as? String, choice?["finish_reason"] as? String)
    }

    @Test("A seed repeats its tokens, another seed has others, and greedy needs none")
    func seeds() async throws {
        try await with { worker in
            func ask(_ fields: String) async throws -> String? {
                text(
                    try await HTTP.post(
                        worker.port, "/v1/completions", "{\"prompt\":\"abc\",\"max_tokens\":12,\(fields)}")
                )
                .text
            }
            let first = try await ask(#""seed":7"#)
            #expect(first?.isEmpty == false)
            #expect(try await ask(#""seed":7"#) == first)
            #expect(try await ask(#""seed":8"#) != first)
            let greedy = try await ask(#""temperature":0,"seed":1"#)
            #expect(try await ask(#""temperature":0,"seed":2"#) == greedy)
        }
    }

    @Test("A stop string ends an answer, is not part of it, and ends the work")
    func stop() async throws {
        try await with { worker in
            let body = #"{"prompt":"hello","max_tokens":40,"temperature":0"#
            let whole = try #require(text(try await HTTP.post(worker.port, "/v1/completions", body + "}")).text)
            let words = whole.split(separator: " ")
            #expect(words.count == 40)
            // The first word that is no part of what is before it.
            let index = try #require(words.indices.dropFirst(2).first { !words[..<$0].joined().contains(words[$0]) })
            let before = try await worker.metric("iteration_tokens_total_count")
            let reply = try await HTTP.post(worker.port, "/v1/completions", body + ",\"stop\":\"\(words[index])\"}")
            #expect(text(reply).text?.hasSuffix(" ") == true)
            #expect(text(reply).text.map { whole.hasPrefix($0) } == true)
            #expect(text(reply).finish == "stop")
            // Work that went on for nobody would be over soon, and counted.
            try await Task.sleep(for: .milliseconds(100))
            #expect(try await worker.metric("iteration_tokens_total_count") - before == Double(index + 1))
            #expect(try await worker.metric("kv_cache_usage_perc") == 0)
        }
    }

    @Test("A prompt that was seen is found in the prefix cache and told in the counts, but not under another salt")
    func prefixCache() async throws {
        try await with { worker in
            let prompt = String(repeating: "the tide at the gate ", count: 8)
            func ask(_ salt: String) async throws -> [Int?] {
                let before = try await worker.metric("prefix_cache_hits_total")
                let body = "{\"prompt\":\"\(prompt)\",\"max_tokens\":1,\"cache_salt\":\"\(salt)\"}"
                let reply = try await HTTP.post(worker.port, "/v1/completions", body)
                #expect(reply.status == 200)
                let details = (reply.json["usage"] as? [String: Any])?["prompt_tokens_details"] as? [String: Int]
                let hits = try await worker.metric("prefix_cache_hits_total") - before
                return [Int(hits), details?["cached_tokens"]]
            }
            let (first, again, other) = (try await ask("a"), try await ask("a"), try await ask("b"))
            #expect(first == [0, 0] && again == [160, 160] && other == [0, 0])
        }
    }

    @Test("An embedding has the model's width and length 1, as numbers and as bytes")
    func embeddings() async throws {
        try await with { worker in
            let path = "/v1/embeddings"
            let reply = try await HTTP.post(worker.port, path, #"{"model":"tiny","input":["abc","abd","abc"]}"#)
            let data = reply.json["data"] as? [[String: Any]] ?? []
            let vectors = data.compactMap { $0["embedding"] as? [Double] }
            try #require(vectors.count == 3)
            #expect(data.map { $0["index"] as? Int } == [0, 1, 2])
            #expect(vectors[0] == vectors[2] && vectors[0] != vectors[1])
            for vector in vectors {
                #expect(vector.count == 128)
                #expect(abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
            }
            #expect((reply.json["usage"] as? [String: Int]) == ["prompt_tokens": 9, "total_tokens": 9])

            let packed = try await HTTP.post(
                worker.port, path, #"{"input":[97,98,99],"encoding_format":"base64"}"#)
            let text = (packed.json["data"] as? [[String: Any]])?.first?["embedding"] as? String
            let bytes = try #require(text.flatMap { Data(base64Encoded: $0) })
            let floats = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
            #expect(floats == vectors[0].map { Float($0) })
            #expect(try await worker.metric("kv_cache_usage_perc") == 0)
        }
    }

    @Test(
        "A wrong call for embeddings names its field",
        arguments: [
            (#"{}"#, "input"), (#"{"input":1}"#, "input"), (#"{"input":[]}"#, "input"), (#"{"input":""}"#, "input"),
            (#"{"input":"a","encoding_format":"hex"}"#, "encoding_format"),
            (#"{"input":"a","dimensions":3}"#, "dimensions"),
            (#"{"input":"a","model":"x"}"#, "model"), (#"{"input":[288]}"#, "input"),
        ])
    func wrongEmbeddings(body: String, param: String) {
        let model = CoreModel(preset: .tiny).served(as: "tiny", maxContext: 512)
        let error = #expect(throws: APIError.self) {
            try EmbeddingCall(body: Array(body.utf8), priority: nil, model: model)
        }
        #expect(error?.param == param)
    }
}
