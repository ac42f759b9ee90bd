import Foundation
import InferenceCore
import Serving
import Testing
import Units

@testable import Live

@Suite("Traces", .serialized)
struct TracingTests {
    private static let client = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    /// A span as a collector has it.
    private struct Received {
        var service: String
        var trace, id, name: String
        var parent: String?
        var kind: Int
        var start, end: Int64
        var attributes: [String: String]
        var events: [String]
        var error: String?
    }

    private static func spans(_ collector: OddServer) throws -> [Received] {
        try collector.requests.flatMap { request -> [Received] in
            #expect(request.head.hasPrefix("POST /v1/traces HTTP/1.1"))
            #expect(request.head.contains("Content-Type: application/json"))
            let json = try #require(
                try JSONSerialization.jsonObject(with: Data(request.body.utf8)) as? [String: Any])
            let resources = json["resourceSpans"] as? [[String: Any]] ?? []
            return resources.flatMap { resource in
                let service = values((resource["resource"] as? [String: Any])?["attributes"])["service.name"] ?? ""
                let scopes = resource["scopeSpans"] as? [[String: Any]] ?? []
                return scopes.flatMap { $0["spans"] as? [[String: Any]] ?? [] }.map { span in
                    Received(
                        service: service, trace: span["traceId"] as? String ?? "", id: span["spanId"] as? String ?? "",
                        name: span["name"] as? String ?? "", parent: span["parentSpanId"] as? String,
                        kind: span["kind"] as? Int ?? 0, start: Int64(span["startTimeUnixNano"] as? String ?? "") ?? 0,
                        end: Int64(span["endTimeUnixNano"] as? String ?? "") ?? 0,
                        attributes: values(span["attributes"]),
                        events: (span["events"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String },
                        error: (span["status"] as? [String: Any])?["message"] as? String)
                }
            }
        }
    }

    private static func values(_ attributes: Any?) -> [String: String] {
        Dictionary(
            (attributes as? [[String: Any]] ?? []).map { attribute in
                let value = attribute["value"] as? [String: Any] ?? [:]
                return (attribute["key"] as? String ?? "", value.values.first.map { "\($0)" } ?? "")
            }, uniquingKeysWith: { first, _ in first })
    }

    private static func worker(_ collector: OddServer) async throws -> TestWorker {
        let profile = TestProfiles.flat(step: 2e6)
        let limits = TestProfiles.limits(profile)
        let loop = EngineLoop.emulated(profile, limits: limits, maxQueue: 64)
        let model = ServedModel(
            name: profile.model, maxContext: limits.maxContext, prompts: .counted, created: 1, root: profile.name)
        var configuration = WorkerServer.Configuration()
        configuration.spans = SpanExporter(to: try collector.target, service: "worker", version: "test")
        return try await TestWorker.start(loop, model, configuration: configuration)
    }

    @Test("A client's trace goes through the gateway to the worker, each span part of the one before")
    func through() async throws {
        let collector = try await OddServer { _ in OddServer.plain("200 OK", "{}") }
        let worker = try await Self.worker(collector)
        try await worker.warm()
        var configuration = TestGateway.configuration()
        configuration.traces = TraceExport(collector: try collector.target, share: 0)
        try await TestGateway.with(configuration, replicas: [worker.port]) { gateway in
            let body =
                #"{"model":"flat-model","prompt":"a secret prompt","max_tokens":3,"stream":true,"user":"globex"}"#
            let traced = try await gateway.complete(body, headers: "traceparent: \(Self.client)\r\n")
            #expect(traced.status == 200)
            // Neither a trace that is not sampled nor one that begins here at a share of 0 is exported.
            _ = try await gateway.complete(body, headers: "traceparent: \(Self.client.dropLast())0\r\n")
            _ = try await gateway.complete(body)
        }
        try await worker.stop()
        let spans = try Self.spans(collector)
        #expect(spans.count == 3)
        #expect(spans.allSatisfy { $0.trace == "0af7651916cd43dd8448eb211c80319c" })
        let server = try #require(spans.first { $0.service == "tidegate-gateway" && $0.kind == 2 })
        let attempt = try #require(spans.first { $0.service == "tidegate-gateway" && $0.kind == 3 })
        let engine = try #require(spans.first { $0.service == "worker" })
        #expect(server.parent == "b7ad6b7169203331")
        #expect(attempt.parent == server.id)
        #expect(engine.parent == attempt.id)
        #expect(engine.kind == 2)
        #expect(server.start <= attempt.start && attempt.start <= engine.start)
        #expect(engine.start < engine.end && engine.end <= server.end)
        #expect(server.name == "text_completion flat-model")
        #expect(server.events == ["first token", "settled"])
        #expect(engine.events == ["admitted", "first token"])
        #expect(server.attributes["tidegate.tenant"] == "globex")
        #expect(server.attributes["http.response.status_code"] == "200")
        for span in [server, engine] { #expect(span.attributes["gen_ai.usage.output_tokens"] == "3") }
        #expect(collector.requests.allSatisfy { !$0.body.contains("secret") })
        try await collector.stop()
    }

    @Test("Embeddings have a span at their worker too, with when they had a place")
    func embeddings() async throws {
        let collector = try await OddServer { _ in OddServer.plain("200 OK", "{}") }
        let model = CoreModel(preset: .tiny)
        let limits = BatcherConfiguration(maxBatchedTokens: 64, maxSequences: 4, totalBlocks: 128, maxContext: 512)
        var configuration = WorkerServer.Configuration()
        configuration.spans = SpanExporter(to: try collector.target, service: "worker", version: "test")
        let worker = try await TestWorker.start(
            model.loop(limits: limits, maxQueue: 16), model.served(as: "tiny", maxContext: limits.maxContext),
            configuration: configuration)
        try await worker.warm()
        for field in [Self.client, "\(Self.client.dropLast())0"] {
            let answer = try await HTTP.post(
                worker.port, "/v1/embeddings", #"{"input":["a secret","and another"]}"#,
                headers: "traceparent: \(field)\r\n")
            #expect(answer.status == 200)
        }
        try await worker.stop()
        let spans = try Self.spans(collector)
        #expect(spans.count == 1)
        let span = try #require(spans.first)
        #expect(span.name == "embeddings tiny" && span.parent == "b7ad6b7169203331" && span.kind == 2)
        #expect(span.events == ["admitted", "embedding"])
        #expect(span.start < span.end && span.error == nil)
        #expect(span.attributes["tidegate.prompts"] == "2")
        #expect(Int(span.attributes["gen_ai.usage.input_tokens"] ?? "") ?? 0 >= 4)
        #expect(span.attributes["gen_ai.usage.output_tokens"] == nil)
        #expect(collector.requests.allSatisfy { !$0.body.contains("secret") })
        try await collector.stop()
    }

    @Test("What failed and what was refused have spans that say so")
    func failures() async throws {
        let collector = try await OddServer { _ in OddServer.plain("200 OK", "{}") }
        var configuration = TestGateway.configuration()
        configuration.traces = TraceExport(collector: try collector.target, share: 1)
        configuration.settings.retries = 1
        let replica = try await OddServer { _ in [.close] }
        try await TestGateway.with(configuration, replicas: [replica.port]) { gateway in
            let lost = try await gateway.complete(#"{"prompt":"a","max_tokens":1}"#)
            #expect(lost.status == 502)
            let wrong = try await gateway.complete(#"{"prompt":7}"#)
            #expect(wrong.status == 400)
        }
        let spans = try Self.spans(collector)
        let failed = try #require(spans.first { $0.attributes["tidegate.outcome"] == "failed" })
        #expect(failed.error == "failed")
        #expect(failed.attributes["http.response.status_code"] == "502")
        let tries = spans.filter { $0.kind == 3 }
        #expect(tries.count == 2)
        #expect(tries.allSatisfy { $0.parent == failed.id && $0.error == "failed" })
        let refused = try #require(spans.first { $0.attributes["http.response.status_code"] == "400" })
        #expect(refused.error == nil)
        #expect(refused.trace != failed.trace)
        for server in [collector, replica] { try await server.stop() }
    }

    @Test("A collector that is busy is asked again; what it will not take is counted as dropped")
    func collectorTrouble() async throws {
        let collector = try await OddServer { request in
            switch request.number {
            case 0: OddServer.plain("503 Service Unavailable", "")
            case 1: OddServer.plain("200 OK", #"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"old"}}"#)
            default: OddServer.plain("400 Bad Request", "")
            }
        }
        let exporter = SpanExporter(to: try collector.target, service: "test", version: "0")
        let span = Span(
            name: "a", kind: .internal, context: TraceContext(isSampled: true), start: .epoch, end: .epoch)
        for _ in 0..<3 { exporter.add(span) }
        exporter.start()
        try await until("the first are exported") { exporter.counts.exported == 2 }
        #expect(exporter.counts.dropped == 1)
        #expect(collector.requests.count == 2)
        #expect(collector.requests[0].body == collector.requests[1].body)
        exporter.add(span)
        await exporter.close()
        #expect(exporter.counts == .init(exported: 2, dropped: 2))
        try await collector.stop()
    }

    @Test("A collector that is gone neither fills the memory nor holds up the end")
    func collectorGone() async throws {
        let collector = try await OddServer { _ in [.close] }
        let exporter = SpanExporter(to: try collector.target, service: "test", version: "0")
        try await collector.stop()
        let span = Span(
            name: "a", kind: .internal, context: TraceContext(isSampled: true), start: .epoch, end: .epoch)
        for _ in 0..<20_000 { exporter.add(span) }
        #expect(exporter.counts.dropped == 20_000 - 16_384)
        exporter.start()
        let start = MonotonicTime.now
        await exporter.close()
        #expect(MonotonicTime.now - start < .seconds(5))
        #expect(exporter.counts == .init(exported: 0, dropped: 20_000))
    }

    @Test("A collector that does not answer does not hold up the end either", .timeLimit(.minutes(1)))
    func collectorSilent() async throws {
        let collector = try await OddServer { _ in [] }
        let exporter = SpanExporter(to: try collector.target, service: "test", version: "0")
        exporter.add(
            Span(name: "a", kind: .internal, context: TraceContext(isSampled: true), start: .epoch, end: .epoch))
        exporter.start()
        try await until("it was asked") { !collector.requests.isEmpty }
        let start = MonotonicTime.now
        await exporter.close()
        #expect(MonotonicTime.now - start < .seconds(4))
        try await collector.stop()
    }

    @Test(
        "A trace goes on with a span of its own; what is none is no trace",
        arguments: [
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
            ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false), ("junk", false), ("", false),
            ("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false),
        ])
    func contexts(field: String, isTrace: Bool) throws {
        let context = TraceContext(field)
        #expect((context != nil) == isTrace)
        guard let context else { return }
        let child = context.child
        #expect(child.trace == context.trace)
        #expect(child.span != context.span)
        #expect(child.isSampled)
        #expect(TraceContext(child.field) == child)
    }
}
