import Foundation
import Testing
import Units

@testable import Live

@Suite("The server", .serialized)
struct ServerTests {
    @Test("Health is 503 until warm, 200 then, and 503 while draining")
    func health() async throws {
        let worker = try await TestWorker.start(startsEngine: false)
        let cold = try await HTTP.get(worker.port, "/health")
        #expect(cold.status == 503)
        #expect(cold.error["code"] as? String == "starting")
        let early = try await HTTP.post(worker.port, "/v1/completions", #"{"prompt":"a"}"#)
        #expect(early.status == 503)
        #expect(early.headers["retry-after"] == "1")
        worker.loop.start()
        try await worker.warm()
        #expect(try await HTTP.get(worker.port, "/health").status == 200)
        #expect(try await HTTP.get(worker.port, "/version").json["version"] as? String == "test")
        let models = try await HTTP.get(worker.port, "/v1/models").json["data"] as? [[String: Any]]
        #expect(models?.first?["id"] as? String == "flat-model")
        #expect(models?.first?["max_model_len"] as? Int == 512)
        #expect(try await HTTP.get(worker.port, "/v1/models/flat-model").status == 200)
        #expect(try await HTTP.get(worker.port, "/v1/models/other").status == 404)
        try await worker.stop()
    }

    @Test("A completion has text, a reason for its end and counts")
    func completion() async throws {
        try await TestWorker.with { worker in
            let reply = try await HTTP.post(
                worker.port, "/v1/completions", #"{"prompt":["abcd","abcdefgh"],"max_tokens":3}"#)
            #expect(reply.status == 200)
            #expect(reply.json["object"] as? String == "text_completion")
            let choices = reply.json["choices"] as? [[String: Any]] ?? []
            #expect(choices.map { $0["index"] as? Int } == [0, 1])
            #expect(choices.map { $0["text"] as? String } == [" the tide at", " the tide at"])
            #expect(choices.map { $0["finish_reason"] as? String } == ["length", "length"])
            let usage = reply.json["usage"] as? [String: Int]
            #expect(usage == ["prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9])
        }
    }

    @Test("A stream has one piece for each token, its counts where asked for, and an end")
    func stream() async throws {
        try await TestWorker.with { worker in
            let body = #"{"messages":[{"role":"user","content":"hi"}],"max_tokens":3,"stream":true"#
            let reply = try await HTTP.post(worker.port, "/v1/chat/completions", body + "}")
            #expect(reply.headers["content-type"]?.hasPrefix("text/event-stream") == true)
            #expect(reply.events.count == 4)
            #expect(reply.events.last == "[DONE]")
            #expect(reply.events[0].contains(#""delta":{"role":"assistant","content":" the"}"#))
            #expect(reply.events[1].contains(#""delta":{"content":" tide"}"#))
            #expect(reply.events[2].contains(#""finish_reason":"length""#))
            #expect(!reply.text.contains("usage"))
            let counted = try await HTTP.post(
                worker.port, "/v1/chat/completions", body + #","stream_options":{"include_usage":true}}"#)
            #expect(counted.events.count == 5)
            #expect(counted.events[0].contains(#""usage":null"#))
            #expect(counted.events[3].contains(#""choices":[],"usage":{"prompt_tokens":3,"completion_tokens":3"#))
        }
    }

    @Test("One connection serves one request after the other, an error too")
    func keepsAlive() async throws {
        try await TestWorker.with { worker in
            let client = try HTTP(port: worker.port)
            for expected in [200, 400, 200] {
                await client.post("/v1/completions", expected == 200 ? #"{"prompt":"a","max_tokens":1}"# : "{")
                #expect(try await client.reply().status == expected)
            }
        }
    }

    @Test("Wrong paths and methods are told in the public API's shape")
    func wrongPaths() async throws {
        try await TestWorker.with { worker in
            let unknown = try await HTTP.get(worker.port, "/v1/nothing?x=1")
            #expect(unknown.status == 404)
            #expect(unknown.error["code"] as? String == "unknown_url")
            let method = try await HTTP.get(worker.port, "/v1/completions")
            #expect(method.status == 405)
            #expect(method.headers["allow"] == "POST")
            #expect(try await HTTP.post(worker.port, "/metrics", "").status == 405)
            let embeddings = try await HTTP.post(worker.port, "/v1/embeddings", #"{"input":"a"}"#)
            #expect(embeddings.status == 501)
            #expect(embeddings.error["message"] != nil)
            let model = try await HTTP.post(worker.port, "/v1/completions", #"{"prompt":"a","model":"x"}"#)
            #expect(model.status == 404)
        }
    }

    @Test("A body beyond the limit gets 413, told by its length or only by its bytes")
    func bodyLimit() async throws {
        var limits = ServerLimits()
        limits.bodyBytes = 1000
        try await TestWorker.with(serverLimits: limits) { worker in
            let large = "{\"prompt\":\"\(String(repeating: "a", count: 1000))\"}"
            #expect(try await HTTP.post(worker.port, "/v1/completions", large).status == 413)
            let client = try HTTP(port: worker.port)
            let size = String(large.utf8.count, radix: 16)
            await client.send(
                "POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\(size)\r\n\(large)\r\n0\r\n\r\n"
            )
            let reply = try await client.reply()
            #expect(reply.status == 413)
            #expect(reply.error["code"] as? String == "request_too_large")
        }
    }

    @Test("A client that sends all of a body that is too large before it reads still sees the answer")
    func largeBodyIsRead() async throws {
        try await TestWorker.with { worker in
            // More than sockets hold by themselves.
            let large = String(repeating: "a", count: 12 << 20)
            for path in ["/v1/completions", "/nowhere"] {
                let reply = try await HTTP.post(worker.port, path, large, headers: "Connection: close\r\n")
                #expect(reply.status == (path == "/nowhere" ? 404 : 413))
            }
        }
    }

    @Test("Headers beyond the limit, and bytes that are no HTTP, are refused")
    func hostileHeads() async throws {
        try await TestWorker.with { worker in
            let long = try HTTP(port: worker.port)
            await long.send("GET /health HTTP/1.1\r\nX: \(String(repeating: "a", count: 100_000))\r\n\r\n")
            #expect(try await long.reply().status == 400)
            let noise = try HTTP(port: worker.port)
            await noise.send("\u{1}\u{2}\u{3}\r\n\r\n")
            #expect(try await noise.reply().status == 400)
        }
    }

    @Test("A connection that says nothing is closed")
    func idle() async throws {
        var limits = ServerLimits()
        limits.idle = .milliseconds(100)
        try await TestWorker.with(serverLimits: limits) { worker in
            let silent = try HTTP(port: worker.port)
            #expect(await silent.isClosed())
            let half = try HTTP(port: worker.port)
            await half.send("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            #expect(await half.isClosed())
        }
    }

    @Test("With the queue full more requests get 429 and a time to come back")
    func queueFull() async throws {
        let profile = TestProfiles.flat(step: 5e6)
        let limits = TestProfiles.limits(profile, maxSequences: 1)
        try await TestWorker.with(profile, limits: limits, maxQueue: 1) { worker in
            let clients = try [HTTP(port: worker.port), HTTP(port: worker.port)]
            for client in clients { await client.post("/v1/completions", #"{"prompt":"a","max_tokens":60}"#) }
            try await until("both are in") { worker.loop.outstanding == 2 }
            let reply = try await HTTP.post(worker.port, "/v1/completions", #"{"prompt":"a"}"#)
            #expect(reply.status == 429)
            #expect(reply.headers["retry-after"] == "1")
            #expect(reply.error["type"] as? String == "rate_limit_error")
            #expect(try await worker.metric("admission_rejections_total") == 1)
            for client in clients { #expect(try await client.reply().status == 200) }
        }
    }

    @Test("A client that goes away frees its blocks: streaming, waiting for the whole, or in the queue")
    func goneClients() async throws {
        let profile = TestProfiles.flat(step: 2e6, kvTokens: 2048)
        let limits = TestProfiles.limits(profile, maxSequences: 2)
        try await TestWorker.with(profile, limits: limits) { worker in
            let streaming = try HTTP(port: worker.port)
            await streaming.post("/v1/completions", #"{"prompt":"a","max_tokens":500,"stream":true}"#)
            try await streaming.wait(for: "tide")
            let whole = try HTTP(port: worker.port)
            await whole.post("/v1/completions", #"{"prompt":"a","max_tokens":500}"#)
            try await until("both run") { try await worker.metric("num_requests_running") == 2 }
            let queued = try HTTP(port: worker.port)
            await queued.post("/v1/completions", #"{"prompt":"a","max_tokens":500}"#)
            try await until("one waits") { try await worker.metric("num_requests_waiting") == 1 }
            #expect(try await worker.metric("kv_cache_usage_perc") > 0)
            await queued.leave()
            try await until("none waits") { try await worker.metric("num_requests_waiting") == 0 }
            #expect(try await worker.metric("num_requests_running") == 2)
            await whole.leave()
            await streaming.leave()
            try await until("nothing runs") { try await worker.metric("num_requests_running") == 0 }
            #expect(try await worker.metric("kv_cache_usage_perc") == 0)
            // They had 500 tokens to go, a second's worth: they were not served to their end.
            #expect(try await worker.metric("generation_tokens_total") < 800)
            let page = try await HTTP.get(worker.port, "/metrics").text
            #expect(page.contains("finished_reason=\"abort\"} 3"))
        }
    }

    @Test("A client that never reads is given up, and its blocks are free; one that reads slowly gets all")
    func neverReads() async throws {
        // Answers that no socket holds by itself, and that take 3 s: 6,000 pieces of 2 kB, as each names the model.
        var profile = TestProfiles.flat(step: 500e3, kvTokens: 20_000, maxContext: 7000)
        profile.model = String(repeating: "m", count: 2000)
        var limits = ServerLimits()
        limits.write = .milliseconds(300)
        limits.idle = .seconds(600)
        try await TestWorker.with(profile, serverLimits: limits) { worker in
            let body = #"{"prompt":"a","max_tokens":6000,"stream":true}"#
            let silent = try HTTP(port: worker.port, receiveBuffer: 4096)
            await silent.post("/v1/completions", body)
            let slow = try HTTP(port: worker.port, receiveBuffer: 65_536)
            await slow.post("/v1/completions", body)
            async let end = slow.lastBytes(pausing: 0.01)
            try await until("the silent one is given up") {
                try await HTTP.get(worker.port, "/metrics").text.contains("finished_reason=\"abort\"} 1")
            }
            #expect(try await worker.metric("num_requests_running") == 1)
            let last = try await end
            #expect(last.contains("data: [DONE]"))
            try await until("nothing runs") { try await worker.metric("num_requests_running") == 0 }
            #expect(try await worker.metric("kv_cache_usage_perc") == 0)
            let page = try await HTTP.get(worker.port, "/metrics").text
            #expect(page.contains("finished_reason=\"abort\"} 1"))
            await silent.leave()
        }
    }

    @Test("A drain lets streams finish, refuses new requests meanwhile, and then ends")
    func drain() async throws {
        let worker = try await TestWorker.start(TestProfiles.flat(step: 5e6))
        try await worker.warm()
        let streaming = try HTTP(port: worker.port)
        await streaming.post("/v1/completions", #"{"prompt":"a","max_tokens":60,"stream":true}"#)
        try await streaming.wait(for: "tide")
        async let drained = worker.stop()
        try await until("it drains") { try await HTTP.get(worker.port, "/health").status == 503 }
        let refused = try await HTTP.post(worker.port, "/v1/completions", #"{"prompt":"a"}"#)
        #expect(refused.status == 503)
        #expect(refused.headers["retry-after"] != nil)
        #expect(refused.error["code"] as? String == "draining")
        let reply = try await streaming.reply()
        #expect(reply.events.count == 61)
        #expect(reply.events.last == "[DONE]")
        #expect(try await drained == .finished)
        #expect(throws: (any Error).self) { try HTTP(port: worker.port) }
    }

    @Test("A drain's deadline cuts what still runs")
    func drainDeadline() async throws {
        let worker = try await TestWorker.start(TestProfiles.flat(step: 20e6))
        try await worker.warm()
        let client = try HTTP(port: worker.port)
        await client.post("/v1/completions", #"{"prompt":"a","max_tokens":500,"stream":true}"#)
        try await client.wait(for: "tide")
        let start = MonotonicTime.now
        #expect(try await worker.stop(within: .milliseconds(100)) == .cut(1))
        #expect((MonotonicTime.now - start).seconds < 3)
        let reply = try await client.reply()
        #expect(reply.events.last?.contains("\"code\":\"stopped\"") == true)
    }

    @Test("A more urgent request goes first, by header or by field")
    func priority() async throws {
        let profile = TestProfiles.flat(step: 5e6)
        let limits = TestProfiles.limits(profile, maxSequences: 1)
        try await TestWorker.with(profile, limits: limits) { worker in
            let running = try HTTP(port: worker.port)
            await running.post("/v1/completions", #"{"prompt":"a","max_tokens":40}"#)
            try await until("it runs") { try await worker.metric("num_requests_running") == 1 }
            let late = try HTTP(port: worker.port)
            await late.post("/v1/completions", #"{"prompt":"a","max_tokens":40,"priority":5}"#)
            try await until("one waits") { try await worker.metric("num_requests_waiting") == 1 }
            let urgent = try HTTP(port: worker.port)
            await urgent.post("/v1/completions", #"{"prompt":"a","max_tokens":1}"#, headers: "X-Priority: -1\r\n")
            #expect(try await urgent.reply().status == 200)
            #expect(worker.loop.outstanding == 1)
            #expect(try await late.reply().status == 200)
            let wrong = try await HTTP.post(worker.port, "/v1/completions", "{}", headers: "X-Priority: high\r\n")
            #expect(wrong.error["param"] as? String == "X-Priority")
        }
    }
}
