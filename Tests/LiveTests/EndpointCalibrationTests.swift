import Calibration
import EngineModel
import FleetModel
import Foundation
import NIOPosix
import Testing
import Units

@testable import Live

@Suite("A server calibrated from outside", .serialized)
struct EndpointCalibrationTests {
    /// Steps of 20 ms and more, so that what a busy machine adds to the times is small beside them.
    private static let truth = StepTimeCoefficients(
        decode: .init(constant: 20e6, perSequence: 1e6, perContextToken: 5e3),
        mixed: .init(constant: 22e6, perPrefillToken: 2e5, perContextToken: 5e3, perSequence: 1e6))

    private static func profile() -> EngineProfile {
        var profile = TestProfiles.flat(step: 1, kvTokens: 2048, maxContext: 256)
        profile.stepTime = truth
        return profile
    }

    private static func facts(_ server: LoadTarget) -> EndpointFacts {
        EndpointFacts(
            target: "\(server)", model: "flat-model", engine: nil, hardware: "none", accelerators: 1, maxContext: 256,
            kvTokens: 2048, kvSource: "given",
            scheduler: MeasuredScheduler(maxNumSeqs: 64, maxNumBatchedTokens: 256, source: "assumed"),
            coldStart: ColdStartProfile(source: "none"))
    }

    /// Calls `body` with a client of a server.
    private static func with<Result>(
        _ server: LoadTarget, _ body: (EndpointMeter, EndpointInquiry) async throws -> Result
    ) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let inquiry = try EndpointInquiry(server, fields: [], on: group)
        var meter = EndpointMeter(server, style: RequestStyle(model: "flat-model"), on: group)
        meter.timeout = .seconds(10)
        do {
            let result = try await body(meter, inquiry)
            try await group.shutdownGracefully()
            return result
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
    }

    @Test("Known steps are found back within 6 %, with the sequences that run at a time, and hold on another load")
    func findsBack() async throws {
        let profile = Self.profile()
        try await TestWorker.with(profile, limits: TestProfiles.limits(profile, maxSequences: 3)) { worker in
            let server = try LoadTarget("http://127.0.0.1:\(worker.port)")
            let calibration = try await Self.with(server) { meter, inquiry in
                let design = try EndpointDesign(
                    limits: .init(
                        maxContext: 256, longestPrompt: 64, concurrency: 4, outputTokens: 8, loadRequests: 24,
                        kvTokens: 2048), seed: 1)
                var measurement = EndpointMeasurement(
                    meter, inquiry: inquiry, design: design, facts: Self.facts(server), findsSequences: true)
                let measured = try await measurement.run { _ in true }
                return try EndpointCalibration(
                    measured.observation, heldOut: measured.heldOut, heldOutStory: "another shape",
                    facts: measured.facts, date: "2026-11-26", remarks: [])
            }
            let found = StepClock(calibration.profile.stepTime)
            for (prompt, sequences, context) in [(0, 1, 20), (0, 3, 150), (16, 2, 60), (64, 1, 30)] {
                var features = StepFeatures(decodeSequences: Int64(sequences), decodeContext: Int64(context))
                if prompt > 0 { features.addChunk(tokens: Int64(prompt), context: 0) }
                let ratio =
                    found.duration(of: features, noise: .none).seconds
                    / StepClock(Self.truth).duration(of: features, noise: .none).seconds
                #expect(abs(ratio - 1) < 0.06, "\(prompt) prompt tokens with \(sequences) sequences: \(ratio)")
            }
            #expect(calibration.profile.scheduler?.maxNumSeqs == 3)
            #expect(calibration.profile.kvTokens == 2048)
            // A step that ends late makes a request miss the next one, so that the true steps themselves miss the mean
            // TTFT of 24 requests by several per cent. What is the fit's own is how far it lies from them, at the very
            // same arrivals and beside the same measured latencies.
            let error = calibration.validation.error
            // What a request spends beside its steps is the machine's too: true steps have no figure for it.
            var known = profile
            known.requestOverhead = calibration.profile.requestOverhead
            #expect(try #require(known.requestOverhead).seconds < 0.03)
            let exact = try Validation(calibration.validation.run, profile: known).error
            #expect(abs(error.itl.mean - exact.itl.mean) < 6, "\(error.itl.mean) %, true \(exact.itl.mean) %")
            #expect(abs(error.ttft.mean - exact.ttft.mean) < 10, "\(error.ttft.mean) %, true \(exact.ttft.mean) %")
            #expect(calibration.profile.heldOutLoad?.errorPercent["ttft"]?["mean"] == error.ttft.mean)
        }
    }

    @Test(
        "What is wrong with a server's answers is told",
        arguments: [
            (OddServer.plain("500 Internal Server Error", "{}"), "status 500"),
            (
                [.send(OddServer.streamHead + OddServer.piece(" a") + OddServer.end)],
                "come without usage"
            ),
            ([.send(OddServer.streamHead + OddServer.piece(" a")), .close], "closed the connection"),
            ([.send("nonsense\r\n\r\n"), .close], "is no HTTP"),
            (
                [
                    .send(
                        OddServer.streamHead + OddServer.piece(" a") + OddServer.usage(prompt: 4, output: 1)
                            + "0\r\n\r\n")
                ],
                "without its last event"
            ),
            (
                [.send(OddServer.streamHead + OddServer.usage(prompt: 4, output: 3) + OddServer.end)],
                "without any text"
            ),
        ] as [([OddServer.Step], String)])
    func brokenServer(answer: [OddServer.Step], message: String) async throws {
        let server = try await OddServer { _ in answer }
        let target = try server.target
        let burst = EndpointDesign.Burst(
            requests: Array(repeating: .init(offset: .zero, promptTokens: 4, outputTokens: 3), count: 3))
        var serial: UInt64 = 0
        let arrivals = burst.arrivals(serial: &serial)
        let error = await #expect(throws: LoadError.self) {
            try await Self.with(target) { meter, _ in try await meter.answers(to: arrivals) }
        }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
        try await server.stop()
    }

    @Test("Tokens are counted by usage, and answers in larger pieces tell no steps")
    func heldBack() async throws {
        let server = try await OddServer { _ in OddServer.answer(prompt: 40, output: 9) }
        let target = try server.target
        let answers = try await Self.with(target) { meter, _ in
            var serial: UInt64 = 0
            let burst = EndpointDesign.Burst(
                requests: [.init(offset: .zero, promptTokens: 4, outputTokens: 3)])
            return try await meter.answers(to: burst.arrivals(serial: &serial))
        }
        try await server.stop()
        #expect(answers.map(\.promptTokens) == [40] && answers.map(\.outputTokens) == [9])
        var observation = EndpointObservation(engine: Self.facts(target).limits)
        observation.singles = [answers]
        #expect(throws: EndpointCalibrationError.heldBack(answers: 1, ofWhich: 0)) {
            try EndpointFit(observation, profile: Self.facts(target).blank(date: "2026-11-26"))
        }
    }

    @Test("A server that ends before it serves is told, and one that is there already")
    func spawning() async throws {
        let place = FileManager.default.temporaryDirectory.appending(path: "spawn-\(UUID().uuidString).json").path
        let ended = try await OtherPrograms.run(
            WorkerProcessTests.tidegate,
            [
                "calibrate", "endpoint", "--target", "http://127.0.0.1:9", "--output", place, "--allow-noisy",
                "--spawn",
                "exit 3",
            ])
        #expect(ended.code == 69 && ended.errors.contains("ended before it served"), "\(ended.errors)")
        let server = try await OddServer { _ in OddServer.plain("200 OK", "") }
        let taken = try await OtherPrograms.run(
            WorkerProcessTests.tidegate,
            [
                "calibrate", "endpoint", "--target", "\(try server.target)", "--output", place, "--allow-noisy",
                "--spawn", "sleep 5",
            ])
        #expect(taken.code == 69 && taken.errors.contains("answers there already"), "\(taken.errors)")
        try await server.stop()
    }

    @Test("Ctrl-C while a server is being started ends it and the command", .timeLimit(.minutes(1)))
    func interruptedStart() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tidegate-spawn-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let process = Process()
        process.executableURL = URL(filePath: WorkerProcessTests.tidegate)
        process.environment = Reaper.environment
        process.arguments = [
            "calibrate", "endpoint", "--target", "http://127.0.0.1:9", "--output", "\(folder)/profile.json", "--spawn",
            "echo $$ >'\(folder)/number'; exec sleep 60", "--timeout", "50s",
        ]
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        try process.run()
        func number() -> String { (try? String(contentsOfFile: "\(folder)/number", encoding: .utf8)) ?? "" }
        try await until("the server was started") { number().hasSuffix("\n") }
        process.interrupt()
        process.waitUntilExit()
        #expect(process.terminationStatus == 130)
        let server = try #require(pid_t(number().dropLast()))
        #expect(kill(server, 0) != 0)
    }
}
