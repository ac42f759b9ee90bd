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

    @Test("What a worker found in its prefix cache comes through to the client, and tokens are counted beside it")
    func cachedTokens() async throws {
        let profile = TestProfiles.flat(step: 2e6)
        var limits = TestProfiles.limits(profile)
        limits.prefixCaching = true
        try await TestWorker.with(profile, limits: limits) { worker in
            try await TestGateway.with(replicas: [worker.port]) { gateway in
                func cached(_ path: String, _ body: String, streams: Bool) async throws -> Int? {
                    let more = streams ? #","stream":true,"stream_options":{"include_usage":true}}"# : "}"
                    let reply = try await gateway.post(path, #"{"model":"flat-model","max_tokens":2,"# + body + more)
                    let text = streams ? reply.events.dropLast().last ?? "" : reply.text
                    let answer = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
                    let usage = answer?["usage"] as? [String: Any]
                    return (usage?["prompt_tokens_details"] as? [String: Int])?["cached_tokens"]
                }
                let text = String(repeating: "the tide ", count: 20)
                for (path, name) in [("/v1/completions", "prompt"), ("/v1/chat/completions", "messages")] {
                    let prompt = name == "prompt" ? "\"\(text)\"" : #"[{"role":"user","content":"\#(text)"}]"#
                    let body = "\"\(name)\":\(prompt)"
                    #expect(try await cached(path, body, streams: false) == 0)
                    let row = try #require(try gateway.rows().last)
                    // Whole blocks of 16, and never the last token.
                    let found = (row.promptTokens - 1) / 16 * 16
                    #expect(found > 0)
                    for streams in [false, true] {
                        #expect(try await cached(path, body, streams: streams) == found, "\(path) \(streams)")
                    }
                    // Two prompts of one request are told as one number.
                    guard name == "prompt" else { continue }
                    #expect(try await cached(path, "\"prompt\":[\(prompt),\(prompt)]", streams: true) == 2 * found)
                }
                let rows = try gateway.rows()
                #expect(rows.count == 7 && Set(rows.map(\.promptTokens)).count == 3)
                #expect(rows.map(\.outputTokens) == [2, 2, 2, 4, 2, 2, 2])
            }
        }
    }

    @Test("Who shows no key, or a wrong one, is served nothing, and the log has no key")
    func keys() async throws {
        let tenants = [
            TenantTerms(name: "acme", keyDigests: [Digest(of: "acme-secret").hexadecimal]),
            TenantTerms(name: "globex", keyDigests: [Digest(of: "globex-secret").hexadecimal]),
        ]
        try await TestWorker.with { worker in
            try await TestGateway.with(TestGateway.configuration(tenants: tenants), replicas: [worker.port]) {
                gateway in
                let body = #"{"model":"flat-model","prompt":"a","max_tokens":1,"user":"globex"}"#
                let none = try await gateway.complete(body)
                #expect(none.status == 401)
                #expect(none.error["code"] as? String == "missing_api_key")
                for key in ["wrong-secret", "", "acme-secret2", Digest(of: "acme-secret").hexadecimal] {
                    let wrong = try await gateway.complete(body, headers: "Authorization: Bearer \(key)\r\n")
                    #expect(wrong.status == 401, "\(key)")
                }
                #expect(try await HTTP.get(gateway.port, "/v1/models").status == 401)
                #expect(try await HTTP.get(gateway.port, "/health").status == 200)
                // The key says who it is, whatever the body says.
                let right = try await gateway.complete(body, headers: "Authorization: Bearer acme-secret\r\n")
                #expect(right.status == 200)
                #expect(try gateway.rows().map(\.tenant) == ["acme"])
                try await until("the log is written") { gateway.lines.text.contains("completed") }
                #expect(gateway.lines.text.contains(#""status":401,"reason":"invalid_api_key""#))
                #expect(!gateway.lines.text.contains("secret"))
            }
        }
    }

    @Test("256 requests at once on a tenant's last cent overspend nothing")
    func lastCent() async throws {
        // A request holds 4 + 8 tokens, 12,000 nanodollars: 0.0001 USD has room for eight.
        let tenants = [TenantTerms(name: "acme", dailyBudget: USD("0.0001")!)]
        let profile = TestProfiles.flat(step: 2e6)
        let limits = TestProfiles.limits(profile, maxSequences: 64)
        try await TestWorker.with(profile, limits: limits, maxQueue: 512) { worker in
            var configuration = TestGateway.configuration(tenants: tenants)
            configuration.pools[0].maxSequences = 256
            try await TestGateway.with(configuration, replicas: [worker.port]) { gateway in
                let statuses = try await withThrowingTaskGroup(of: Int.self) { tasks in
                    for _ in 0..<256 {
                        tasks.addTask {
                            try await gateway.complete(#"{"model":"flat-model","prompt":[1,2,3,4],"max_tokens":8}"#)
                                .status
                        }
                    }
                    return try await tasks.reduce(into: [:]) { $0[$1, default: 0] += 1 }
                }
                #expect(Set(statuses.keys) == [200, 402])
                #expect(statuses[200, default: 0] >= 8)
                let spent = try gateway.rows().reduce(0) { $0 + $1.cost.nanodollars }
                #expect(spent <= 100_000, "\(statuses)")
                let refused = try await gateway.complete(#"{"model":"flat-model","prompt":[1,2,3,4],"max_tokens":8}"#)
                #expect(refused.error["code"] as? String == "insufficient_quota")
            }
        }
    }

    @Test("Spending of the day is known again after a restart, and so are replicas")
    func restart() async throws {
        let tenants = [TenantTerms(name: "acme", dailyBudget: USD("0.00002")!)]
        let body = #"{"model":"flat-model","prompt":[1,2,3,4],"max_tokens":8}"#
        try await TestWorker.with { worker in
            let configuration = TestGateway.configuration(tenants: tenants)
            let first = try await TestGateway.start(configuration)
            try await first.set([worker.port], epoch: 5)
            #expect(try await first.complete(body).status == 200)
            #expect(throws: GatewayStartError.self) { try GatewayServer(configuration: configuration) { _ in } }
            try await first.stop()
            try await TestGateway.with(configuration) { second in
                // The harness has named no replica with an epoch that counts: the first one's are still known.
                #expect(try await second.set([], epoch: 4).status == 409)
                let pools = try await HTTP.get(second.adminPort, "/admin/v1/pools")
                #expect(pools.text.contains(#""url":"http://127.0.0.1:\#(worker.port)","state":"routing""#))
                #expect(try await second.complete(body).status == 402)
            }
        }
    }

    @Test("A rate of tokens refuses with the time to wait, and headers say how a tenant stands")
    func tokenRate() async throws {
        let tenants = [TenantTerms(name: "acme", tokensPerMinute: 60, requestsPerMinute: 100)]
        try await TestWorker.with { worker in
            try await TestGateway.with(TestGateway.configuration(tenants: tenants), replicas: [worker.port]) {
                gateway in
                let body = #"{"model":"flat-model","prompt":[1,2,3,4],"max_tokens":46}"#
                let first = try await gateway.complete(body)
                #expect(first.status == 200)
                #expect(first.headers["x-ratelimit-limit-tokens"] == "60")
                #expect(first.headers["x-ratelimit-remaining-tokens"] == "10")
                #expect(first.headers["x-ratelimit-remaining-requests"] == "99")
                let second = try await gateway.complete(body)
                #expect(second.status == 429)
                #expect(second.error["type"] as? String == "rate_limit_error")
                #expect((1...40).contains(second.headers["retry-after"].flatMap { Int($0) } ?? 0))
                #expect(second.headers["x-ratelimit-reset-tokens"]?.hasSuffix("s") == true)
                let large = try await gateway.complete(#"{"model":"flat-model","prompt":[1],"max_tokens":60}"#)
                #expect(large.status == 429)
                #expect(large.headers["retry-after"] == nil)
                let sample = try await gateway.sample()
                #expect(sample.arrivedRequests == 3)
                #expect(sample.arrivedPromptTokens == 9)
                #expect(sample.rejectedRequests == 2)
                #expect(sample.streamedTokens == 46)
            }
        }
    }

    @Test("Requests that come before a replica are held, as many as may, and answered when it comes")
    func held() async throws {
        try await TestWorker.with { worker in
            var configuration = TestGateway.configuration()
            configuration.pools[0].maxWaitingPerReplica = 2
            try await TestGateway.with(configuration) { gateway in
                let body = #"{"model":"flat-model","prompt":"a","max_tokens":1}"#
                let replies = try await withThrowingTaskGroup(of: Int.self) { tasks in
                    for _ in 0..<2 { tasks.addTask { try await gateway.complete(body).status } }
                    try await until("two are held") { try await gateway.sample().heldRequests == 2 }
                    let third = try await gateway.complete(body)
                    #expect(third.status == 429)
                    #expect(third.error["code"] as? String == "queue_full")
                    #expect(third.headers["retry-after"] == "1")
                    try await gateway.set([worker.port])
                    return try await tasks.reduce(into: []) { $0.append($1) }
                }
                #expect(replies == [200, 200])
                #expect(try await gateway.sample().heldRequests == 0)
            }
        }
    }

    @Test("A prompt longer than the model's context is refused before any worker sees it")
    func tooLong() async throws {
        try await TestGateway.with(replicas: [1]) { gateway in
            let prompt = Array(repeating: "1", count: 512).joined(separator: ",")
            let reply = try await gateway.complete("{\"model\":\"flat-model\",\"prompt\":[\(prompt)],\"max_tokens\":1}")
            #expect(reply.status == 400)
            #expect(reply.error["code"] as? String == "context_length_exceeded")
            #expect(try await gateway.sample().rejectedRequests == 1)
        }
    }

    @Test(
        "A replica that cannot be reached, or says that it takes nothing, is passed over before the first byte",
        arguments: [0, 502, 503])
    func retries(status: Int) async throws {
        let odd = try await OddServer { _ in OddServer.plain("\(status) No", #"{"error":{"message":"no"}}"#) }
        let bad = odd.port
        if status == 0 { try await odd.stop() }
        try await TestWorker.with { worker in
            try await TestGateway.with(replicas: [bad, worker.port]) { gateway in
                for _ in 0..<3 {
                    let reply = try await gateway.complete(
                        #"{"model":"flat-model","prompt":"a","max_tokens":1,"stream":true}"#)
                    #expect(reply.status == 200)
                    #expect(reply.events.last == "[DONE]")
                }
                let pools = try await HTTP.get(gateway.adminPort, "/admin/v1/pools").text
                #expect(pools.contains(#""state":"ejected","outstanding":0"#))
                #expect(try await gateway.page().sum("tidegate_gateway_retries_total") == 1)
                #expect(try gateway.rows().map(\.replica) == [2, 2, 2])
            }
        }
        if status != 0 { try await odd.stop() }
    }

    @Test("When no replica is left that answers, the client is told so once the tries are used up")
    func noReplica() async throws {
        let odd = try await OddServer { _ in
            OddServer.plain(
                "503 Service Unavailable", #"{"error":{"message":"draining","type":"x","code":"draining"}}"#)
        }
        var configuration = TestGateway.configuration()
        configuration.settings.retries = 1
        configuration.settings.ejection.backOff = .milliseconds(50)
        try await TestGateway.with(configuration, replicas: [odd.port]) { gateway in
            let reply = try await gateway.complete(#"{"model":"flat-model","prompt":"a","max_tokens":1}"#)
            #expect(reply.status == 503)
            #expect(reply.error["code"] as? String == "draining")
            #expect(odd.requests.count == 2)
            let row = try #require(try gateway.rows().first)
            #expect(row.outcome == .failed)
            #expect(row.cost == .zero)
        }
        try await odd.stop()
    }

    @Test("A replica lost in the middle of a stream ends it with an error in the public shape, and the row says so")
    func lost() async throws {
        let odd = try await OddServer { _ in
            [.send(OddServer.streamHead + OddServer.piece(" a") + OddServer.piece(" b")), .wait(20), .close]
        }
        try await TestWorker.with { worker in
            try await TestGateway.with(replicas: [odd.port, worker.port]) { gateway in
                let reply = try await gateway.complete(
                    #"{"model":"flat-model","prompt":"abcd","max_tokens":9,"stream":true}"#)
                #expect(reply.status == 200)
                #expect(reply.events.count == 3)
                #expect(reply.events.last?.contains(#""code":"replica_lost""#) == true)
                let row = try #require(try gateway.rows().first)
                #expect(row.outcome == .replicaLost)
                #expect(row.replica == .some(1))
                #expect(row.outputTokens == 2)
                #expect(try await gateway.page().sum("tidegate_gateway_retries_total") == 0)
            }
        }
        try await odd.stop()
    }

    @Test("A client that goes away ends the work for it, and pays for what it had")
    func clientGone() async throws {
        try await TestWorker.with(TestProfiles.flat(step: 5e6)) { worker in
            try await TestGateway.with(replicas: [worker.port]) { gateway in
                let client = try HTTP(port: gateway.port)
                await client.post(
                    "/v1/completions", #"{"model":"flat-model","prompt":"abcd","max_tokens":400,"stream":true}"#)
                try await client.wait(for: "data: ")
                await client.leave()
                try await until("the row is there") { try gateway.rows().count == 1 }
                let row = try gateway.rows()[0]
                #expect(row.outcome == .clientGone)
                #expect((1..<200).contains(row.outputTokens))
                try await until("the worker has stopped") { try await worker.metric("num_requests_running") == 0 }
                #expect(try await gateway.page().sum("tidegate_gateway_outstanding_requests") == 0)
            }
        }
    }

    @Test("A class's timeout ends a request: with 504 before the first byte, as an event after it")
    func timeouts() async throws {
        let slow = try await OddServer { request in
            request.body.contains("silent")
                ? [.wait(10_000)] : [.send(OddServer.streamHead + OddServer.piece(" a")), .wait(10_000)]
        }
        var configuration = TestGateway.configuration()
        configuration.classes = [
            SLOClass(name: "batch"), SLOClass(name: "fast", timeout: .milliseconds(200), priority: 2),
        ]
        try await TestGateway.with(configuration, replicas: [slow.port]) { gateway in
            let fast = "X-SLO-Class: fast\r\n"
            let silent = try await gateway.complete(#"{"model":"flat-model","prompt":"silent"}"#, headers: fast)
            #expect(silent.status == 504)
            #expect(silent.error["code"] as? String == "timeout")
            let begun = try await gateway.complete(#"{"model":"flat-model","prompt":"x","stream":true}"#, headers: fast)
            #expect(begun.status == 200)
            #expect(begun.events.last?.contains(#""code":"timeout""#) == true)
            #expect(slow.requests[0].head.contains("X-Priority: 2"))
            #expect(try gateway.rows().map(\.outcome) == [.timedOut, .timedOut])
            #expect(try gateway.rows().map(\.sloClass) == ["fast", "fast"])
            let unknown = try await gateway.complete(
                #"{"model":"flat-model","prompt":"x"}"#, headers: "X-SLO-Class: none\r\n")
            #expect(unknown.status == 400)
        }
        try await slow.stop()
    }

    @Test("A replica that is silent while requests run gets nothing new")
    func stalls() async throws {
        let silent = try await OddServer { _ in [.wait(5_000)] }
        var configuration = TestGateway.configuration()
        configuration.settings.ejection.stall = .milliseconds(150)
        try await TestWorker.with { worker in
            try await TestGateway.with(configuration, replicas: [silent.port, worker.port]) { gateway in
                let stuck = try HTTP(port: gateway.port)
                await stuck.post("/v1/completions", #"{"model":"flat-model","prompt":"a","max_tokens":1}"#)
                try await until("it is ejected") {
                    try await HTTP.get(gateway.adminPort, "/admin/v1/pools").text.contains(#""state":"ejected""#)
                }
                for _ in 0..<4 {
                    #expect(
                        try await gateway.complete(#"{"model":"flat-model","prompt":"a","max_tokens":1}"#).status == 200
                    )
                }
                #expect(silent.requests.count == 1)
                await stuck.leave()
            }
        }
        try await silent.stop()
    }

    @Test("A second replica is asked when the first is silent; the first byte wins")
    func hedges() async throws {
        let silent = try await OddServer { _ in [.wait(5_000)] }
        var configuration = TestGateway.configuration()
        configuration.settings.hedging = HedgingRules(after: .milliseconds(50), share: 1)
        try await TestWorker.with { worker in
            try await TestGateway.with(configuration, replicas: [silent.port, worker.port]) { gateway in
                let reply = try await gateway.complete(
                    #"{"model":"flat-model","prompt":"a","max_tokens":2,"stream":true}"#)
                #expect(reply.events.last == "[DONE]")
                #expect(try gateway.rows().map(\.replica) == [2])
                #expect(silent.requests.count == 1)
                let page = try await gateway.page()
                #expect(page.sum("tidegate_gateway_hedges_total") == 1)
                #expect(page.sum("tidegate_gateway_outstanding_requests") == 0)
            }
        }
        try await silent.stop()
    }

    @Test("A tenant's salt goes to the worker, another for each tenant, and a client cannot choose another's")
    func salts() async throws {
        let odd = try await OddServer { _ in
            OddServer.plain("200 OK", #"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#)
        }
        try await TestGateway.with(replicas: [odd.port]) { gateway in
            func salt(_ user: String, _ more: String = "") async throws -> String {
                _ = try await gateway.complete(#"{"model":"flat-model","prompt":"a","user":"\#(user)"\#(more)}"#)
                let body = odd.requests.last!.body
                return String(body.components(separatedBy: #""cache_salt":""#)[1].prefix(32))
            }
            let (acme, globex) = (try await salt("acme"), try await salt("globex"))
            #expect(acme != globex)
            #expect(try await salt("acme") == acme)
            #expect(try await salt("globex", #","cache_salt":"\#(acme)""#) != acme)
            #expect(odd.requests.last!.body.components(separatedBy: "cache_salt").count == 2)
        }
        try await odd.stop()
    }

    @Test("What is too large, no HTTP, or for nobody is refused, and the next request on the connection is served")
    func limits() async throws {
        try await TestWorker.with { worker in
            var configuration = TestGateway.configuration()
            configuration.settings.limits.bodyBytes = 2000
            configuration.settings.limits.receive = .milliseconds(300)
            try await TestGateway.with(configuration, replicas: [worker.port]) { gateway in
                let client = try HTTP(port: gateway.port)
                await client.post("/v1/completions", String(repeating: "x", count: 3000))
                #expect(try await client.reply().status == 413)
                await client.send(
                    "POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nbb9\r\n\(String(repeating: "x", count: 3001))\r\n0\r\n\r\n"
                )
                #expect(try await client.reply().status == 413)
                await client.post("/v1/completions", #"{"model":"other","prompt":"a"}"#)
                let unknown = try await client.reply()
                #expect(unknown.status == 404)
                #expect(unknown.error["code"] as? String == "model_not_found")
                await client.send("GET /v1/completions HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await client.reply().headers["allow"] == "POST")
                await client.send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await client.reply().status == 404)
                await client.post("/v1/completions", #"{"model":"flat-model","prompt":"a","max_tokens":1}"#)
                #expect(try await client.reply().status == 200)
                // Two at once: each is answered in its turn.
                await client.send(Self.twice(#"{"model":"flat-model","prompt":"a","max_tokens":1}"#))
                #expect(try await client.reply().status == 200)
                #expect(try await client.reply().status == 200)
                // A head alone has no body, and the next answer follows it.
                await client.send("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                try await client.wait(for: "\r\n\r\nHTTP/1.1 200 OK")
                let headers = try HTTP(port: gateway.port)
                await headers.send(
                    "GET /health HTTP/1.1\r\nHost: x\r\nX-Long: \(String(repeating: "y", count: 20_000))\r\n\r\n")
                #expect(try await headers.reply().status == 431)
                let junk = try HTTP(port: gateway.port)
                await junk.send("\u{1}\u{2} junk\r\n\r\n")
                #expect(try await junk.reply().status == 400)
                #expect(await junk.isClosed())
                let slow = try HTTP(port: gateway.port)
                await slow.send("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
                #expect(await slow.isClosed())
            }
        }
    }

    private static func twice(_ body: String) -> String {
        let one = "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        return one + one
    }

    @Test(
        "While the ledger cannot be written, what runs goes on unfinished and nothing new is taken; then all is as before"
    )
    func ledgerFails() async throws {
        try await TestWorker.with { worker in
            try await TestGateway.with(replicas: [worker.port]) { gateway in
                let body = #"{"model":"flat-model","prompt":"a","max_tokens":2,"stream":true}"#
                #expect(try await gateway.complete(body).status == 200)
                // Another writer holds the file: the gateway waits for it for a while, then counts it as failed.
                let other = try DatabaseHold(gateway.folder + "/ledger.sqlite")
                let client = try HTTP(port: gateway.port)
                await client.post("/v1/completions", body)
                try await client.wait(for: "tide")
                try await until("it has failed") { try await gateway.page().sum("tidegate_gateway_ledger_up") == 0 }
                let refused = try await gateway.complete(body)
                #expect(refused.status == 503)
                #expect(refused.error["code"] as? String == "ledger_unavailable")
                #expect(try await HTTP.get(gateway.port, "/health").status == 503)
                #expect(try await HTTP.get(worker.port, "/health").status == 200)
                try other.release()
                let late = try await client.reply()
                #expect(late.events.last == "[DONE]")
                try await until("it works again") { try await gateway.complete(body).status == 200 }
                #expect(try gateway.rows().count == 3)
            }
        }
    }

    @Test("A drain lets 50 open streams end, refuses new requests, and ends by itself")
    func drains() async throws {
        let profile = TestProfiles.flat(step: 5e6, kvTokens: 64_000)
        try await TestWorker.with(profile, limits: TestProfiles.limits(profile, maxSequences: 64)) { worker in
            var configuration = TestGateway.configuration()
            configuration.pools[0].maxSequences = 64
            let gateway = try await TestGateway.start(configuration)
            try await gateway.set([worker.port])
            let whole = try await withThrowingTaskGroup(of: Bool.self) { tasks in
                for _ in 0..<50 {
                    tasks.addTask {
                        let reply = try await gateway.complete(
                            #"{"model":"flat-model","prompt":"a","max_tokens":300,"stream":true}"#)
                        return reply.events.count == 301 && reply.events.last == "[DONE]"
                    }
                }
                try await until("all run") { try await worker.metric("num_requests_running") == 50 }
                #expect(try await gateway.stop(within: .seconds(10)) == .finished)
                return try await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(whole == 50)
            #expect(try gateway.rows().count == 50)
        }
    }

    @Test("The admin listener asks for a token and a role, refuses an old controller, and says what is wrong")
    func admin() async throws {
        var configuration = TestGateway.configuration()
        configuration.adminTokens = [
            AdminToken(digest: Digest(of: "look").hexadecimal, role: .viewer),
            AdminToken(digest: Digest(of: "steer").hexadecimal, role: .scaler),
        ]
        try await TestGateway.with(configuration) { gateway in
            let (look, steer) = ("Authorization: Bearer look\r\n", "Authorization: Bearer steer\r\n")
            let path = "/admin/v1/pools/flat-model/replicas"
            func set(_ body: String, _ headers: String = steer) async throws -> HTTP.Reply {
                try await gateway.put(path, body, headers: headers)
            }
            let body =
                #"{"epoch":3,"replicas":[{"id":1,"url":"http://127.0.0.1:1"},{"id":2,"url":"http://127.0.0.1:2","draining":true}]}"#
            #expect(try await set(body, "").status == 401)
            #expect(try await set(body, "Authorization: Bearer no\r\n").status == 401)
            #expect(try await set(body, look).status == 403)
            let done = try await set(body)
            #expect(done.status == 200)
            #expect(done.text.contains(#""id":2,"url":"http://127.0.0.1:2","state":"draining","outstanding":0"#))
            #expect(try await set(body).text == done.text)
            #expect(try await set(#"{"epoch":2,"replicas":[]}"#).status == 409)
            #expect(try await set(#"{"epoch":3,"replicas":[{"id":1,"url":"ftp://x"}]}"#).status == 400)
            #expect(
                try await set(#"{"epoch":3,"replicas":[{"id":1,"url":"http://a:1"},{"id":1,"url":"http://b:1"}]}"#)
                    .status == 400)
            #expect(try await set(#"{"replicas":[]}"#).error["param"] as? String == "epoch")
            #expect(try await gateway.put("/admin/v1/pools/nope/replicas", body, headers: steer).status == 404)
            #expect(try await HTTP.get(gateway.adminPort, "/metrics").status == 401)
            let cap = "/admin/v1/tenants/acme/cap"
            #expect(
                try await gateway.put(cap, #"{"tokens_per_minute":60,"reason":"40 times its usual"}"#, headers: steer)
                    .status == 200)
            #expect(try await gateway.put(cap, #"{"tokens_per_minute":60}"#, headers: steer).status == 400)
            for rate in ["0", "9223372036854775807"] {
                let body = #"{"tokens_per_minute":\#(rate),"reason":"a slip"}"#
                #expect(try await gateway.put(cap, body, headers: steer).status == 400)
            }
            let refused = try await gateway.complete(#"{"model":"flat-model","prompt":[1],"max_tokens":60}"#)
            #expect(refused.status == 429)
            #expect(!gateway.lines.text.contains("steer"))
        }
    }
}
