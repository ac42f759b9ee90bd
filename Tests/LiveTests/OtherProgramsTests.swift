import Foundation
import InferenceCore
import Serving
import Testing

@testable import Live

@Suite("Programs of others understand the worker", .serialized)
struct OtherProgramsTests {
    @Test(
        "The official client completes, chats, streams, counts and sees errors as its own",
        .enabled(if: OtherPrograms.hasClient, "\(OtherPrograms.clientMissing)"))
    func officialClient() async throws {
        try await Self.withWorker { worker in
            try await Self.checkClient(port: worker.port)
        }
    }

    @Test(
        "The official client sees the same through a gateway",
        .enabled(if: OtherPrograms.hasClient, "\(OtherPrograms.clientMissing)"))
    func officialClientThroughGateway() async throws {
        try await Self.withWorker { worker in
            try await TestGateway.with(replicas: [worker.port]) { gateway in
                try await Self.checkClient(port: gateway.port)
            }
        }
    }

    /// One with a prefix cache.
    private static func withWorker(_ body: (TestWorker) async throws -> Void) async throws {
        let profile = TestProfiles.flat(step: 2e6)
        var limits = TestProfiles.limits(profile)
        limits.prefixCaching = true
        try await TestWorker.with(profile, limits: limits, body)
    }

    private static func checkClient(port: Int) async throws {
        let answer = try await OtherPrograms.run(
            OtherPrograms.python,
            [OtherPrograms.root.path + "/Tests/LiveTests/client.py", "http://127.0.0.1:\(port)/v1"])
        #expect(answer.code == 0, "\(answer.errors)")
        let seen = try #require(JSONSerialization.jsonObject(with: answer.output) as? [String: NSObject])
        let expected: [String: NSObject] = [
            "models": ["flat-model"] as NSArray, "completion": [" the tide at the", "length"] as NSArray,
            "usage": [1, 4, 5] as NSArray, "cached": [0, 32] as NSArray,
            "stream": [
                [" the", " tide", " at", " the", " gate"],
                ["assistant", NSNull(), NSNull(), NSNull(), NSNull()] as NSArray, 5,
            ] as NSArray,
            "finish": "length" as NSString, "chat": ["assistant", " the tide"] as NSArray,
            "unknown model": ["NotFoundError", 404, "model", "model_not_found"] as NSArray,
            "bad type": ["BadRequestError", 400, "temperature", "invalid_type"] as NSArray,
            "two answers": ["BadRequestError", 400, "n", "unsupported_parameter"] as NSArray,
            "too long": ["BadRequestError", 400, "prompt", "context_length_exceeded"] as NSArray,
            "embeddings": ["InternalServerError", 501, NSNull(), "not_implemented"] as NSArray,
        ]
        #expect(Set(seen.keys) == Set(expected.keys))
        for (name, value) in expected { #expect(seen[name] == value, "\(name)") }
    }

    @Test(
        "promtool finds nothing wrong with the metrics page but the colons of vLLM's names",
        .enabled(if: OtherPrograms.promtool != nil, "\(OtherPrograms.promtoolMissing)"))
    func promtool() async throws {
        try await TestWorker.with { worker in
            _ = try await HTTP.post(worker.port, "/v1/completions", #"{"prompt":"a","max_tokens":3}"#)
            let page = try await HTTP.get(worker.port, "/metrics")
            #expect(page.headers["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
            let answer = try await OtherPrograms.run(
                OtherPrograms.promtool!, ["check", "metrics"], input: page.text)
            // 3 is style alone; a page that cannot be read is 1.
            #expect(answer.code == 0 || answer.code == 3, "\(answer.errors)")
            let remarks = (String(decoding: answer.output, as: UTF8.self) + answer.errors).split(separator: "\n")
            for remark in remarks where !Self.isVLLMs(remark) { Issue.record("\(remark)") }
        }
    }

    @Test(
        "promtool finds nothing at all wrong with the gateway's page",
        .enabled(if: OtherPrograms.promtool != nil, "\(OtherPrograms.promtoolMissing)"))
    func promtoolOfGateway() async throws {
        try await TestWorker.with { worker in
            try await TestGateway.with(replicas: [worker.port]) { gateway in
                _ = try await gateway.complete(#"{"model":"flat-model","prompt":"a","max_tokens":3}"#)
                let page = try await HTTP.get(gateway.adminPort, "/metrics")
                let answer = try await OtherPrograms.run(
                    OtherPrograms.promtool!, ["check", "metrics"], input: page.text)
                #expect(answer.code == 0, "\(String(decoding: answer.output, as: UTF8.self)) \(answer.errors)")
            }
        }
    }

    /// Remarks about names that are vLLM's: dashboards know them so.
    private static func isVLLMs(_ remark: Substring) -> Bool {
        remark.hasSuffix("metric names should not contain ':'")
            || remark.hasSuffix("non-counter metrics should not have \"_total\" suffix")
            || remark.hasSuffix("non-histogram and non-summary metrics should not have \"_info\" suffix")
    }

    @Test(
        "A conversation with a real model makes sense",
        .enabled(if: OtherPrograms.hasClient, "\(OtherPrograms.clientMissing)"),
        .enabled(if: OtherPrograms.hasModel, "\(OtherPrograms.modelMissing)"))
    func conversation() async throws {
        let model = try CoreModel(path: OtherPrograms.model)
        let limits = BatcherConfiguration(
            maxBatchedTokens: 128, maxSequences: 4, totalBlocks: 64, maxContext: 1024, prefixCaching: true)
        let loop = model.loop(limits: limits, maxQueue: 4)
        let worker = try await TestWorker.start(loop, model.served(as: nil, maxContext: 1024))
        try await worker.warm()
        let answer = try await OtherPrograms.run(
            OtherPrograms.python,
            [OtherPrograms.root.path + "/Tests/LiveTests/conversation.py", "http://127.0.0.1:\(worker.port)/v1"])
        #expect(answer.code == 0, "\(answer.errors)")
        let answers = try #require(JSONSerialization.jsonObject(with: answer.output) as? [String])
        #expect(answers[0].contains("Paris"), "\(answers)")
        #expect(answers[1].contains("Rome"), "\(answers)")
        // The second question repeats the first one and its answer: they were cached.
        #expect(try await worker.metric("prefix_cache_hits_total") >= 32)
        try await worker.stop()
    }
}
