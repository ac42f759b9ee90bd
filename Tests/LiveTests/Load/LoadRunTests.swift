import FleetModel
import Formats
import Foundation
import Testing
import Units
import Workload

@testable import Live

@Suite("Load")
struct LoadRunTests {
    /// Eight tokens in four events, cut wherever it hurts.
    private static let oddAnswer: [OddServer.Step] = {
        let text =
            OddServer.streamHead
            + OddServer.chunk("data: {\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":null}]}\n\n")
            + OddServer.piece(" a") + OddServer.chunk(": keep-alive\n\n") + OddServer.piece(" b c d")
            + OddServer.usage(prompt: 8, output: 8) + OddServer.end
        let bytes = Array(text.utf8)
        let cuts = [0, 3, 60, 95, 130, 131, 170, 260, 262, 300, bytes.count - 3, bytes.count]
        return zip(cuts, cuts.dropFirst()).flatMap { start, end in
            [OddServer.Step.send(String(decoding: bytes[start..<end], as: UTF8.self)), .wait(2)]
        }
    }()

    @Test("Answers in odd pieces are measured, and tokens are those of usage")
    func oddPieces() async throws {
        let server = try await OddServer { _ in Self.oddAnswer }
        let path = FileManager.default.temporaryDirectory.appending(path: "load-\(UUID().uuidString).csv").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let traffic = try LoadTraffic(TestLoad.scenario(rate: 100, output: 8), for: .milliseconds(500))
        let result = try await TestLoad.play(traffic, to: server.target, requestsPath: path)
        try await server.stop()

        let tally = result.tally
        #expect(tally.completed == 50)
        #expect(tally.errors.isEmpty)
        #expect((tally.promptTokens, tally.outputTokens) == (400, 400))
        #expect(tally.otherLength == 0)
        // The empty event is no token. Before " a" there are some waits of 2 ms, and some from there to " b c d", which the
        // client may sleep over.
        #expect(try #require(tally.ttft.minimum) > .milliseconds(6))
        #expect(tally.itl.count == 50)
        #expect(try #require(tally.itl.maximum) >= .milliseconds(2))
        #expect(result.connectionsOpened < 60, "connections are used again")

        let rows = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        try #require(rows.count == 51)
        #expect(rows[0] == LoadRequestFile.columns)
        #expect(Set(rows.dropFirst().compactMap { Int($0[0]) }) == Set(0..<50))
        for row in rows.dropFirst() {
            #expect(row[1] == "\"a\"\"b\"")
            let times = row[3...7].compactMap { Int64($0) }
            #expect(times.count == 5 && times == times.sorted(), "\(row)")
            #expect(row[8...] == ["8", "8", "8", "8", "200", ""])
        }
        // Four texts would be three gaps: tokens are counted by usage.
        let spans = rows.dropFirst().map { (Int128($0[6])! - Int128($0[5])!) / 7 }
        #expect(tally.tpot.sum == spans.reduce(0, +))
    }

    @Test(
        "A server that still has prompts of one request each is told of",
        arguments: [(nil, false), (0, false), (3, true)])
    func cached(tokens: Int?, isTold: Bool) async throws {
        let server = try await OddServer { _ in OddServer.answer(cached: tokens) }
        let traffic = try LoadTraffic(TestLoad.scenario(rate: 100), for: .milliseconds(200))
        let result = try await TestLoad.play(traffic, to: server.target)
        try await server.stop()
        #expect(result.tally.completed == 20)
        #expect(result.tally.cachedTokens == 20 * (tokens ?? 0))
        #expect((result.tally.cacheWarning != nil) == isTold)
    }

    @Test(
        "Few connections are open for a slow load, and each serves one request where that is wanted",
        arguments: [true, false])
    func connections(areReused: Bool) async throws {
        let server = try await OddServer { _ in OddServer.answer() }
        let traffic = try LoadTraffic(TestLoad.scenario(rate: 20), for: .seconds(1))
        let result = try await TestLoad.play(traffic, to: server.target, reusingConnections: areReused)
        try await server.stop()
        #expect(result.tally.completed == 20)
        // Those that are due within a tenth of a second, and one that was just used.
        #expect(result.mostConnections <= 6)
        #expect(areReused ? result.connectionsOpened <= 6 : result.connectionsOpened == 20)
    }

    @Test("Requests are sent when they are due while every answer is late")
    func openLoop() async throws {
        let server = try await OddServer { _ in [.wait(1500)] + OddServer.answer() }
        let traffic = try LoadTraffic(TestLoad.scenario(rate: 200), for: .milliseconds(500))
        let result = try await TestLoad.play(traffic, to: server.target)
        try await server.stop()
        #expect(result.tally.completed == 100)
        // All were due before the first answer came.
        #expect(result.lastSent < .milliseconds(1500))
        #expect(result.mostConnections >= 100)
        #expect(try #require(result.tally.sendDelay.minimum) >= .zero)
        #expect(try #require(result.tally.e2e.minimum) >= .milliseconds(1500))
        #expect(try #require(result.tally.e2eFromSend.minimum) <= #require(result.tally.e2e.minimum))
    }

    @Test("Each way to fail is told from the others")
    func failures() async throws {
        let server = try await OddServer { request in
            switch request.number % 9 {
            case 0: OddServer.answer()
            case 1: OddServer.plain("429 Too Many Requests", "{\"error\":{\"message\":\"later\"}}")
            case 2: OddServer.plain("500 Internal Server Error", "oh")
            case 3: [.send(OddServer.streamHead + OddServer.piece(" a")), .close]
            case 4: [.send("SMTP ready\r\n")]
            case 5: [.send(OddServer.streamHead + OddServer.chunk("data: {\"choices\":\n\n") + OddServer.end)]
            case 6: [.send(OddServer.streamHead + OddServer.chunk("data: {\"error\":{}}\n\n") + OddServer.end)]
            case 7: [.send(OddServer.streamHead + OddServer.piece(" a") + "0\r\n\r\n")]
            default: []
            }
        }
        let traffic = try LoadTraffic(
            TestLoad.scenario(rate: 90, timeout: .milliseconds(1500)), for: .milliseconds(500))
        let result = try await TestLoad.play(traffic, to: server.target)
        try await server.stop()
        #expect(result.tally.offered == 45)
        #expect(result.tally.completed == 5)
        #expect(
            result.tally.errors == [
                "http-429": 5, "http-500": 5, "closed": 5, "malformed": 10, "error-event": 5, "truncated": 5,
                "timeout": 5,
            ])
        // Failed requests are of the promise, too.
        #expect(result.tally.classes[0].requests == 45)
        #expect(result.tally.classes[0].attainment == 5.0 / 45)
        #expect(result.tally.ttft.count == 5)
    }

    @Test("A request that finds no connection is not sent, and not sent late either")
    func connectionLimit() async throws {
        let server = try await OddServer { _ in [.wait(4_000)] + OddServer.answer() }
        let traffic = try LoadTraffic(TestLoad.scenario(rate: 100), for: .milliseconds(300))
        let result = try await TestLoad.play(traffic, to: server.target, connections: 10, drain: .seconds(1))
        try await server.stop()
        #expect(result.tally.offered == 30)
        #expect(result.tally.sent == 10)
        #expect(result.mostConnections == 10)
        #expect(result.tally.errors == ["connection-limit": 20, "unfinished": 10])
        let at = try #require(result.limitReachedAt)
        #expect(at >= .milliseconds(90) && at <= .milliseconds(110))
        let run = LoadRun(
            traffic: traffic, target: try server.target, style: RequestStyle(model: "m"),
            limits: LoadLimits(connections: 10, timeouts: [nil, nil], drain: .zero))
        let summary = LoadSummary(result, of: run, version: "test")
        #expect(summary.warnings.contains { $0.contains("all 10 connections were in use: 20 requests were not sent") })
        #expect(summary.requests.errors["connection-limit"] == 20)
    }

    @Test("A server that goes away fails each request and ends nothing early")
    func noServer() async throws {
        let server = try await OddServer { _ in [] }
        let target = try server.target
        try await server.stop()
        let traffic = try LoadTraffic(TestLoad.scenario(rate: 100), for: .milliseconds(200))
        let result = try await TestLoad.play(traffic, to: target)
        #expect(result.tally.offered == 20)
        #expect(result.tally.errors == ["connect": 20])
        #expect(result.tally.sent == 0)
    }

    @Test("A load that is stopped ends at once and says so")
    func stopped() async throws {
        let server = try await OddServer { _ in [.wait(60_000)] }
        let traffic = try LoadTraffic(TestLoad.scenario(rate: 100), for: .seconds(60))
        let clock = ContinuousClock.now
        let result = try await TestLoad.play(traffic, to: server.target) { $0.elapsed < .milliseconds(300) }
        #expect(ContinuousClock.now - clock < .seconds(20))
        try await server.stop()
        let stoppedAt = try #require(result.stoppedAt)
        #expect(stoppedAt >= .milliseconds(300))
        #expect(result.tally.offered > 0)
        #expect(result.tally.errors == ["unfinished": result.tally.offered])
        // What the end cut short is no broken promise.
        #expect(result.tally.classes[0].requests == 0)
    }
}
