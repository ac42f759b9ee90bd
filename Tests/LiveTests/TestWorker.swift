import Dispatch
import EngineModel
import Foundation
import Serving
import Units

@testable import Live

/// Profiles whose steps are easy to add up.
enum TestProfiles {
    /// - Parameters:
    ///   - step: Nanoseconds of a step, whatever is in it.
    ///   - prefillToken: Nanoseconds that each prompt token adds.
    static func flat(
        step: Double, prefillToken: Double = 0, kvTokens: Int64 = 1024, maxContext: Int64 = 512,
        coldStart: ColdStartProfile = .init(source: "none")
    ) -> EngineProfile {
        EngineProfile(
            name: "flat", model: "flat-model", hardware: "none", acceleratorsPerReplica: 1, engine: "none",
            date: "2026-11-26", source: "made for tests",
            stepTime: StepTimeCoefficients(
                decode: .init(constant: step, perSequence: 0, perContextToken: 0),
                mixed: .init(constant: step, perPrefillToken: prefillToken)),
            noise: 0, kvTokens: kvTokens, maxContext: maxContext, coldStart: coldStart,
            validRange: .init(decodeSequences: 64, decodeContext: 65_536, prefillTokens: 512, prefillContext: 512),
            fit: FitQuality(
                fitted: 1, heldOut: 1, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "none"),
            notes: [])
    }

    static func limits(
        _ profile: EngineProfile, maxSequences: Int = 4, maxBatchedTokens: Int = 256
    ) -> BatcherConfiguration {
        BatcherConfiguration(
            maxBatchedTokens: maxBatchedTokens, maxSequences: maxSequences, totalBlocks: Int(profile.kvTokens) / 16,
            maxContext: Int(profile.maxContext))
    }
}

/// A worker in this process, on a port of its own.
struct TestWorker: Sendable {
    let loop: EngineLoop
    let server: WorkerServer
    let port: Int
    private let serving: Task<Void, any Error>

    /// Starts one and waits until it listens, but not until it is warm.
    static func start(
        _ profile: EngineProfile = TestProfiles.flat(step: 2e6), limits: BatcherConfiguration? = nil,
        maxQueue: Int = 64, serverLimits: ServerLimits = ServerLimits(), startsEngine: Bool = true
    ) async throws -> TestWorker {
        let limits = limits ?? TestProfiles.limits(profile)
        let loop = EngineLoop.emulated(profile, limits: limits, maxQueue: maxQueue)
        let model = ServedModel(
            name: profile.model, maxContext: limits.maxContext, prompts: .counted, created: 1, root: profile.name)
        return try await start(loop, model, serverLimits, startsEngine: startsEngine)
    }

    static func start(
        _ loop: EngineLoop, _ model: ServedModel, _ serverLimits: ServerLimits = ServerLimits(),
        configuration: WorkerServer.Configuration = .init(), startsEngine: Bool = true
    ) async throws -> TestWorker {
        var configuration = configuration
        configuration.limits = serverLimits
        configuration.version = "test"
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let server = WorkerServer(loop: loop, model: model, configuration: configuration) {
            continuation.yield($0)
            continuation.finish()
        }
        if startsEngine { loop.start() }
        let serving = Task {
            defer { continuation.finish() }
            try await server.run()
        }
        guard let port = await ports.first(where: { _ in true }) else {
            try await serving.value
            throw Failure(text: "the server ended before it listened")
        }
        return TestWorker(loop: loop, server: server, port: port, serving: serving)
    }

    /// Starts one, waits until it is warm, and drains it after `body`.
    static func with<Result>(
        _ profile: EngineProfile = TestProfiles.flat(step: 2e6), limits: BatcherConfiguration? = nil,
        maxQueue: Int = 64, serverLimits: ServerLimits = ServerLimits(),
        _ body: (TestWorker) async throws -> Result
    ) async throws -> Result {
        let worker = try await start(profile, limits: limits, maxQueue: maxQueue, serverLimits: serverLimits)
        do {
            try await worker.warm()
            let result = try await body(worker)
            try await worker.stop()
            return result
        } catch {
            _ = try? await worker.stop()
            throw error
        }
    }

    func warm() async throws { try await until("the engine is ready") { loop.phase == .ready } }

    @discardableResult
    func stop(within deadline: TimeSpan = .seconds(5)) async throws -> WorkerServer.Drain {
        let drain = await server.drain(within: deadline)
        try await serving.value
        return drain
    }

    /// A value of the metrics page, over all lines of that name.
    func metric(_ name: String) async throws -> Double {
        let page = try await HTTP.get(port, "/metrics").text
        return page.split(separator: "\n").filter { $0.hasPrefix("vllm:\(name){") }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }

    struct Failure: Error { var text: String }
}

/// Waits for something that must come soon.
func until(_ what: String, _ condition: () async throws -> Bool) async throws {
    for _ in 0..<2_000 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw TestWorker.Failure(text: "waited 10 s in vain until \(what)")
}
