import FleetModel
import Foundation
import NIOCore
import Testing
import Units
import Workload

@testable import Live

@Suite("Traffic of a load")
struct LoadTrafficTests {
    private func requests(
        _ traffic: LoadTraffic, style: RequestStyle = RequestStyle(model: "m")
    ) throws -> [LoadRequest] {
        let encoder = RequestEncoder(
            style: style, target: try LoadTarget("http://h:1"), tenants: traffic.tenants, classes: traffic.classes,
            pools: traffic.pools, textSeed: traffic.textSeed)
        let feed = RequestFeed(traffic, encoder: encoder)
        feed.start()
        var all: [LoadRequest] = []
        var some: [LoadRequest] = []
        var isOver = false
        while !isOver {
            isOver = feed.exchange(&some)
            all += some
        }
        return all
    }

    @Test("Requests are the scenario's own, at its times divided by the speed", arguments: [1.0, 4])
    func sameAsScenario(speed: Double) throws {
        let scenario = try TestLoad.scenario(rate: 300, arrivals: .gamma(cv: 2))
        let traffic = try LoadTraffic(scenario, from: .seconds(2), for: .seconds(5), speed: speed)
        var stream = traffic.stream()
        var expected: [(offset: Double, arrival: Arrival)] = []
        while let next = stream.next() {
            let since = (next.arrival.time - scenario.start).seconds - 2
            if since >= 0 { expected.append((since / speed, next.arrival)) }
        }
        let sent = try requests(traffic)
        // More than the feed may have ready at a time is none too many: it goes on where there is room.
        #expect(sent.count == expected.count)
        #expect(abs(Double(sent.count) - 1500 * speed) < 400 * speed)
        for (request, expected) in zip(sent, expected) {
            #expect(request.arrival == expected.arrival)
            #expect(abs(request.offset.seconds - expected.offset) < 1e-8)
        }
        #expect(sent.map(\.number) == Array(0..<sent.count))
        #expect(try #require(sent.last).offset < .seconds(5))
    }

    @Test("Prompts that nobody else has are others under another seed or scenario, and shared ones the same")
    func texts() throws {
        let scenario = try TestLoad.scenario(rate: 50)
        var (other, renamed) = (scenario, scenario)
        (other.seed, renamed.name) = (scenario.seed + 1, "renamed")
        let seeds = try [scenario, other, renamed].map { try LoadTraffic($0).textSeed }
        #expect(Set(seeds).count == 3)
        #expect(try LoadTraffic(scenario).textSeed == seeds[0])
        func prompt(_ seed: UInt64, shared: Int = 0, own: UInt64 = 0) -> String {
            let content = PromptContent(shared: 5, sharedTokens: shared, own: own)
            let arrival = Arrival(
                time: .epoch, promptTokens: 30, outputTokens: 1, tenant: 0, sloClass: 0, content: content)
            var bytes: [UInt8] = []
            PromptWriter(seed: seed).appendIdentifiers(
                of: arrival, number: 3, from: PromptWriter.identifiers, to: &bytes)
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(Set(seeds.map { prompt($0) }).count == 3)
        #expect(prompt(seeds[0]) == prompt(seeds[0]))
        #expect(Set(seeds.map { prompt($0, shared: 30) }).count == 1)
        #expect(Set(seeds.map { prompt($0, own: 9) }).count == 1)
    }

    @Test("A request asks for the pool of its traffic where that is wanted")
    func pools() throws {
        var scenario = try TestLoad.scenario(rate: 50)
        var second = scenario.pools[0]
        second.id = PoolID("other")
        scenario.pools.append(second)
        var source = scenario.sources[0]
        (source.name, source.pool, source.promptTokens) = ("second", second.id, .fixed(16))
        scenario.sources.append(source)
        let traffic = try LoadTraffic(scenario, for: .seconds(2))
        func models(_ style: RequestStyle) throws -> [Int32: Set<String>] {
            var models: [Int32: Set<String>] = [:]
            for request in try requests(traffic, style: style) {
                let text = String(buffer: request.bytes)
                let body = try #require(text.range(of: "\r\n\r\n")).upperBound
                let json = try JSONSerialization.jsonObject(with: Data(text[body...].utf8)) as? [String: Any]
                models[request.arrival.promptTokens, default: []].insert(try #require(json?["model"] as? String))
            }
            return models
        }
        #expect(try models(RequestStyle(model: "m")) == [8: ["m"], 16: ["m"]])
        var style = RequestStyle(model: "m")
        style.asksForPools = true
        #expect(try models(style) == [8: ["laptop"], 16: ["other"]])
    }

    @Test("What cannot be sent is refused with the reason")
    func refusals() throws {
        let scenario = try TestLoad.scenario(rate: 1)
        #expect(throws: LoadError("the scenario has no pool 'x'; it has: laptop")) {
            try LoadTraffic(scenario, pool: "x")
        }
        #expect(throws: LoadError("the load would begin at 2h, but the scenario lasts 1h")) {
            try LoadTraffic(scenario, from: .hours(2))
        }
        #expect(throws: LoadError.self) { try LoadTraffic(scenario, speed: .nan) }
        for text in ["https://a", "ftp://a", "http://", "http://a:0", "http://a:b", "http://u@a", "http://a/x?y"] {
            #expect(throws: LoadError.self, "\(text)") { try LoadTarget(text) }
        }
        #expect(try LoadTarget("http://[::1]:80/v1/").description == "http://[::1]:80")
        #expect(try LoadTarget("http://h/models/x/v1").path("/v1/models") == "/models/x/v1/models")
        for text in ["", ":x", "a b: c", "A: b\r\nC: d"] { #expect(HeaderField(text) == nil) }
        #expect(HeaderField("Authorization: Bearer x:y")?.value == "Bearer x:y")
    }
}

@Suite("Encoded requests")
struct RequestEncoderTests {
    /// Head and body of what goes over the wire.
    private func encode(
        _ arrival: Arrival, number: Int = 0, classes: [SLOClass] = [SLOClass(name: "c", priority: -2)],
        _ change: (inout RequestStyle) -> Void = { _ in }
    ) throws -> (head: [String], body: [String: Any]) {
        var style = RequestStyle(model: "m\"1")
        change(&style)
        let encoder = RequestEncoder(
            style: style, target: try LoadTarget("http://h:1/p"), tenants: [Tenant(name: "a\n")],
            classes: classes)
        let text = String(buffer: encoder.encode(arrival, number: number))
        let parts = try #require(text.range(of: "\r\n\r\n"))
        let head = text[..<parts.lowerBound].components(separatedBy: "\r\n")
        let body = String(text[parts.upperBound...])
        #expect(head.contains("Content-Length: \(body.utf8.count)"))
        return (head, try #require(JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]))
    }

    private func arrival(prompt: Int32, shared: Int = 0, own: UInt64 = 0, name: UInt64 = 5) -> Arrival {
        Arrival(
            time: .epoch, promptTokens: prompt, outputTokens: 9, tenant: 0, sloClass: 0,
            content: PromptContent(shared: name, sharedTokens: shared, own: own))
    }

    @Test("A request says what the scenario does")
    func fields() throws {
        let (head, body) = try encode(arrival(prompt: 100)) {
            $0.fields = [HeaderField("X-Key: v")!]
            $0.writesPriority = true
        }
        #expect(head[0] == "POST /p/v1/completions HTTP/1.1")
        #expect(Set(head).isSuperset(of: ["Host: h:1", "X-Priority: -2", "X-Key: v"]))
        #expect(body["model"] as? String == "m\"1")
        #expect(body["user"] as? String == "a\n")
        #expect(body["max_tokens"] as? Int == 9)
        #expect(body["priority"] as? Int == -2)
        #expect(body["ignore_eos"] as? Bool == true)
        #expect(body["stream"] as? Bool == true)
        #expect(body["stream_options"] as? [String: Bool] == ["include_usage": true])
        let prompt = try #require(body["prompt"] as? [Int])
        #expect(prompt.count == 100)
        #expect(prompt.allSatisfy(PromptWriter.identifiers.contains))
        #expect(Set(prompt).count > 90)
        #expect(try encode(arrival(prompt: 1)) { $0.ignoresEnd = false }.body["ignore_eos"] == nil)
        #expect(!head.contains { $0.hasPrefix("X-SLO-Class") })
    }

    @Test("A class is named where there are several, unless its name is none for a head")
    func sloClass() throws {
        let patient = SLOClass(name: "patient")
        let both = try encode(arrival(prompt: 1), classes: [patient, SLOClass(name: "other")])
        #expect(both.head.contains("X-SLO-Class: patient"))
        let split = try encode(arrival(prompt: 1), classes: [SLOClass(name: "a\r\nX-Key: stolen"), patient])
        #expect(!split.head.contains { $0.hasPrefix("X-SLO-Class") || $0.hasPrefix("X-Key") })
    }

    @Test("Prompts share what their contents share, and nothing else")
    func sharing() throws {
        let prompt = { (arrival: Arrival, number: Int) in
            try #require(try encode(arrival, number: number).body["prompt"] as? [Int])
        }
        // Two turns of one conversation, and another one behind the same system prompt.
        let first = try prompt(arrival(prompt: 40, shared: 16, own: 7), 0)
        let second = try prompt(arrival(prompt: 90, shared: 16, own: 7), 1)
        let other = try prompt(arrival(prompt: 40, shared: 16, own: 8), 2)
        #expect(second.starts(with: first))
        #expect(other.prefix(16) == first.prefix(16))
        #expect(Set(other.dropFirst(16)).intersection(first.dropFirst(16)).isEmpty)
        // Nobody shares a prompt without a content, and another tenant's has another name.
        #expect(try prompt(arrival(prompt: 20), 3) != prompt(arrival(prompt: 20), 4))
        #expect(
            try prompt(arrival(prompt: 20, shared: 16, own: 7, name: 6), 5).prefix(16) != first.prefix(16))
        #expect(try prompt(arrival(prompt: 20), 3) == prompt(arrival(prompt: 20), 3))
    }

    @Test("Text has a word for each token, and a chat its shared text as the system's message")
    func text() throws {
        let (_, body) = try encode(arrival(prompt: 50)) { $0.prompts = .text }
        let text = try #require(body["prompt"] as? String)
        #expect(text.utf8.count == 200)
        #expect(text.split(separator: " ").count == 50)
        let (head, chat) = try encode(arrival(prompt: 30, shared: 10, own: 3)) { $0.api = .chat }
        #expect(head[0] == "POST /p/v1/chat/completions HTTP/1.1")
        let messages = try #require(chat["messages"] as? [[String: String]])
        #expect(messages.map { $0["role"] } == ["system", "user"])
        #expect(messages.map { $0["content"]?.split(separator: " ").count } == [10, 20])
        #expect(try #require(encode(arrival(prompt: 3)) { $0.api = .chat }.body["messages"] as? [Any]).count == 1)
    }
}
