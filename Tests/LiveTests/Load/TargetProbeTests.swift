import NIOPosix
import Synchronization
import Testing
import Units

@testable import Live

@Suite("Probe of a target")
struct TargetProbeTests {
    private func probe(
        _ target: LoadTarget, _ style: RequestStyle, prompts: RequestStyle.Prompts? = nil
    ) async throws -> (style: RequestStyle, remarks: [String]) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var remarks: [String] = []
        let result: Result<RequestStyle, any Error>
        do {
            result = .success(
                try await TargetProbe(target, on: group).style(style, prompts: prompts, priority: 3) {
                    remarks.append($0)
                })
        } catch { result = .failure(error) }
        try await group.shutdownGracefully()
        return (try result.get(), remarks)
    }

    @Test("The only model is found, and text takes the place of token ids where a server refuses those")
    func fallsBack() async throws {
        let server = try await OddServer { request in
            if request.head.hasPrefix("GET /v1/models ") {
                return OddServer.plain("200 OK", #"{"data":[{"id":"tiny"}]}"#)
            }
            guard request.body.contains("\"prompt\":\"") else {
                return OddServer.plain("400 Bad Request", #"{"error":{"message":"no ids"}}"#)
            }
            return OddServer.answer()
        }
        let (style, remarks) = try await probe(server.target, RequestStyle(model: ""))
        #expect(style.model == "tiny")
        #expect(style.prompts == .text)
        #expect(remarks == ["the server takes no token ids as prompts (no ids): they are sent as text"])
        #expect(server.requests.allSatisfy { $0.head.contains("GET ") || $0.head.contains("X-Priority: 3") })
        // Who insists is told instead.
        await #expect(
            throws: LoadError("\(try server.target): error: it answers a request with status 400: no ids")
        ) { try await probe(server.target, RequestStyle(model: "m"), prompts: .tokenIDs) }
        try await server.stop()
    }

    @Test("A vocabulary that is too small for the usual token ids gets small ones")
    func smallVocabulary() async throws {
        let server = try await OddServer { request in
            let ids = request.body.matches(of: /[\[,](\d+)(?=[,\]])/).compactMap { Int($0.1) }
            return ids.count == 4 && ids.allSatisfy((32..<256).contains)
                ? OddServer.answer() : OddServer.plain("400 Bad Request", #"{"error":{"message":"beyond 287"}}"#)
        }
        let (style, remarks) = try await probe(server.target, RequestStyle(model: "m"))
        #expect(style.prompts == .smallTokenIDs)
        #expect(remarks.isEmpty)
        try await server.stop()
    }

    @Test("A server that cannot be used is told of with the reason")
    func refusals() async throws {
        let body = Mutex(#"{"data":[{"id":"a"},{"id":"b"}]}"#)
        let server = try await OddServer { request in
            request.head.hasPrefix("GET")
                ? OddServer.plain("200 OK", body.withLock { $0 }) : OddServer.plain("503 Unavailable", "starting")
        }
        let target = try server.target
        await #expect(throws: LoadError("\(target): error: it has 2 models; choose one with --model: a, b")) {
            try await probe(target, RequestStyle(model: ""))
        }
        body.withLock { $0 = "<html>" }
        await #expect(throws: LoadError.self) { try await probe(target, RequestStyle(model: "")) }
        await #expect(throws: LoadError("\(target): error: it answers a request with status 503: starting")) {
            try await probe(target, RequestStyle(model: "m"))
        }
        try await server.stop()
        await #expect(throws: LoadError("\(target): error: Connection refused")) {
            try await probe(target, RequestStyle(model: "m"))
        }
    }
}
