import EngineModel
import Formats
import Foundation
import Testing
import Units

@testable import Calibration

@Suite("Measured runs, replayed")
struct MeasuredReplayTests {
    static let milli: Int64 = 1_000_000

    /// Steps of 10 ms that decode and of 30 ms that hold prompt tokens.
    static func profile(hostOverhead: Double = 0) -> EngineProfile {
        EngineProfile(
            name: "p", model: "m", hardware: "h", acceleratorsPerReplica: 1, engine: "e", date: "2026-01-01",
            source: "s",
            stepTime: StepTimeCoefficients(
                decode: .init(constant: 10e6, perSequence: 0, perContextToken: 0),
                mixed: .init(constant: 30e6, perPrefillToken: 0), hostOverhead: hostOverhead),
            noise: 0, kvTokens: 6400, maxContext: 6400, coldStart: ColdStartProfile(source: "none"),
            validRange: ValidRange(decodeSequences: 2, decodeContext: 1000, prefillTokens: 100, prefillContext: 100),
            fit: FitQuality(
                fitted: 1, heldOut: 1, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "none"),
            notes: [])
    }

    /// - Parameter requests: Arrival in milliseconds, prompt and output tokens.
    static func run(
        _ requests: [(Int64, Int, Int)], isAsync: Bool, maxSequences: Int = 8, engines: Int = 1
    ) -> MeasuredRun {
        let engine = MeasuredRun.Engine(
            model: "m", vllmVersion: "0", device: nil, maxSequences: maxSequences, maxBatchedTokens: 100,
            maxContext: nil, blockSize: 4, kvBlocks: 200, prefixCaching: false, asyncScheduling: isAsync,
            tensorParallel: 1, dataParallel: engines, expertParallel: false)
        let start = Instant(nanoseconds: 0)
        return MeasuredRun(
            folder: "f", engine: engine,
            requests: requests.map {
                .init(
                    promptTokens: $0.1, outputTokens: $0.2, arrival: Instant(nanoseconds: $0.0 * milli), queued: start,
                    firstToken: Instant(nanoseconds: 50 * milli), lastToken: Instant(nanoseconds: 90 * milli),
                    blockNames: [])
            }, assumptions: [])
    }

    static func times(_ run: MeasuredRun, hostOverhead: Double = 0) throws -> [[Int64]] {
        try MeasuredReplay(run, profile: profile(hostOverhead: hostOverhead)).outcome().requests.map {
            [$0.queued, $0.firstToken, $0.lastToken].map { $0.nanoseconds / milli }
        }
    }

    @Test("Scheduled synchronously, what arrives in a step runs in the next one")
    func synchronous() throws {
        // Prompt in 0…30, its tokens at 40, 70, 80, 90. The second arrives at 35, is taken up at 40 and prefilled until 70.
        let run = Self.run([(0, 20, 5), (35, 20, 2)], isAsync: false)
        #expect(try Self.times(run) == [[0, 30, 90], [40, 70, 80]])
    }

    @Test("Scheduled asynchronously, it runs in the one after that")
    func asynchronous() throws {
        // The step of 40…50 was planned at 30: the second prompt runs in 50…80.
        let run = Self.run([(0, 20, 5), (35, 20, 2)], isAsync: true)
        #expect(try Self.times(run) == [[0, 30, 90], [40, 80, 90]])
    }

    @Test("A seat that comes free is given one step later when scheduling is asynchronous")
    func seats() throws {
        let requests: [(Int64, Int, Int)] = [(0, 20, 2), (0, 20, 9), (0, 20, 1)]
        // The first ends at 40. Synchronously the third has its seat in 40…70, asynchronously in 50…80.
        #expect(try Self.times(Self.run(requests, isAsync: false, maxSequences: 2))[2] == [0, 70, 70])
        #expect(try Self.times(Self.run(requests, isAsync: true, maxSequences: 2))[2] == [0, 80, 80])
    }

    @Test("The host's time is part of every step")
    func overhead() throws {
        #expect(try Self.times(Self.run([(0, 20, 3)], isAsync: true), hostOverhead: 5e6) == [[0, 35, 65]])
    }

    @Test("Engines in data parallel share the requests and take as long as the slowest")
    func dataParallel() throws {
        // Each gets one prompt at once. The third goes to the first and makes a step of 30 for both.
        let run = Self.run([(0, 20, 5), (0, 20, 5), (35, 20, 1)], isAsync: false, engines: 2)
        let outcome = try MeasuredReplay(run, profile: Self.profile()).outcome()
        #expect(outcome.range.decodeSequences == 1)
        #expect(outcome.requests.map { $0.lastToken.nanoseconds / Self.milli } == [90, 90, 70])
    }

    @Test("Equal latencies have no error, and a slower engine a positive one")
    func errors() throws {
        var run = Self.run([(0, 20, 5), (35, 20, 3), (60, 50, 4)], isAsync: true)
        let outcome = try MeasuredReplay(run, profile: Self.profile()).outcome()
        for index in run.requests.indices {
            run.requests[index].queued = outcome.requests[index].queued
            run.requests[index].firstToken = outcome.requests[index].firstToken
            run.requests[index].lastToken = outcome.requests[index].lastToken
        }
        let same = try Validation(run, profile: Self.profile())
        for figures in [same.error.ttft, same.error.tpot, same.error.itl, same.error.e2e] {
            #expect([figures.mean, figures.p50, figures.p90, figures.p99].allSatisfy { abs($0) < 1e-9 })
        }
        #expect(same.warnings.isEmpty)
        var narrow = Self.profile()
        narrow.validRange.decodeSequences = 1
        let warnings = try Validation(run, profile: narrow).warnings
        #expect(warnings.count == 1 && warnings.first?.contains("up to 2 decoding sequences") == true)
        var slow = Self.profile()
        slow.stepTime = slow.stepTime.scaled(by: 1.1)
        let error = try Validation(run, profile: slow).error
        #expect(error.tpot.mean > 5 && error.ttft.mean > 5 && error.e2e.p99 > 5)

        var given = Self.profile()
        given.stepTime.hostOverhead = 2e6
        let real = try MeasuredReplay(run, profile: given).outcome()
        for index in run.requests.indices {
            run.requests[index].queued = real.requests[index].queued
            run.requests[index].firstToken = real.requests[index].firstToken
            run.requests[index].lastToken = real.requests[index].lastToken
        }
        let fit = try HostOverheadFit(run, profile: Self.profile())
        #expect(abs(Double(fit.overhead.nanoseconds) - 2e6) < 1e5, "\(fit.overhead)")
    }

    @Test("Figures are those of every gap when gaps are counted")
    func figures() {
        let values = [3.0, 1, 2, 10].map { (value: $0, count: Int($0)) }
        let whole = values.flatMap { Array(repeating: $0.value, count: $0.count) }.sorted()
        let figures = LatencyFigures(values)
        #expect(abs(figures.mean - whole.reduce(0, +) / Double(whole.count)) < 1e-12)
        // Sixteen gaps: their median lies between the eighth and the ninth, which are 10.
        #expect(figures.p50 == 10 && figures.p99 == 10)
        #expect(LatencyFigures([(1, 1), (3, 1)]).p50 == 2)
    }

    @Test("A profile of another model, or without room, is refused")
    func refusals() throws {
        var other = Self.profile()
        other.model = "n"
        #expect(throws: ValidationError.otherModel(profile: "n", run: "m")) {
            try Validation(Self.run([(0, 20, 3)], isAsync: true), profile: other)
        }
        #expect(throws: ValidationError.noRoom(tokens: 1000, room: 800)) {
            try Validation(Self.run([(0, 500, 500)], isAsync: true), profile: Self.profile())
        }
        var pair = Self.profile()
        pair.acceleratorsPerReplica = 2
        #expect(throws: ValidationError.self) {
            try Validation(Self.run([(0, 20, 3)], isAsync: true), profile: pair)
        }
    }
}
