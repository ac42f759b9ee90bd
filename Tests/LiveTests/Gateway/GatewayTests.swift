import FleetModel
import Formats
import Foundation
import Store
import Testing
import Units

@testable import Live

@Suite("The gateway", .serialized)
struct GatewayTests {
    @Test("A completion comes through, with its row on the disk before the answer is whole")
    func completion() async throws {
        try await TestWorker.with { worker in
            try await TestGateway.with(replicas: [worker.port]) { gateway in
                let reply = try await gateway.complete(
                    #"{"model":"flat-model","prompt":["abcd","abcdefgh"],"max_tokens":3,"user":"globex"}"#)
                #expect(reply.status == 200)
                let choices = reply.json["choices"] as? [[String: Any]] ?? []
                #expect(choices.map { $0["text"] as? String } == [" the tide at", " the tide at"])
                let row = try #require(try gateway.rows().first)
                #expect(reply.headers["x-request-id"] == .some(row.request))
                #expect(row.tenant == "globex")
                #expect(row.pool == "flat-model")
                #expect(row.replica == .some(1))
                #expect(row.outcome == .completed)
                #expect(row.promptTokens == 3)
                #expect(row.outputTokens == 6)
                #expect(row.cost.nanodollars == 9_000)
                #expect(row.precharge.nanodollars == 9_000)
                #expect(row.arrivedAt < row.endedAt)
            }
        }
    }

    @Test("A stream comes through piece by piece, with its counts only where they were asked for")
    func stream() async throws {
        try await TestWorker.with { worker in
            try await TestGateway.with(replicas: [worker.port]) { gateway in
                let body =
                    #"{"model":"flat-model","messages":[{"role":"user","content":"hi"}],"max_tokens":3,"stream":true"#
                let reply = try await gateway.post("/v1/chat/completions", body + "}")
                #expect(reply.headers["content-type"]?.hasPrefix("text/event-stream") == true)
                #expect(reply.events.count == 4)
                #expect(reply.events.last == "[DONE]")
                #expect(reply.events[0].contains(#""delta":{"role":"assistant","content":" the"}"#))
                #expect(!reply.text.contains("usage"))
                let counted = try await gateway.post(
                    "/v1/chat/completions", body + #","stream_options":{"include_usage":true}}"#)
                #expect(counted.events.count == 5)
                #expect(counted.events[0].contains(#""usage":null"#))
                #expect(counted.events[3].contains(#""choices":[],"usage":{"prompt_tokens":3,"completion_tokens":3"#))
                let rows = try gateway.rows()
                #expect(rows.map(\.outputTokens) == [3, 3])
                #expect(rows.allSatisfy { $0.firstTokenAt != nil })
            }
        }
    }
}
