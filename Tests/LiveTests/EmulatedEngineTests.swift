import EngineModel
import Testing
import Units

@testable import Live

@Suite("An emulated engine keeps the profile's time", .serialized)
struct EmulatedEngineTests {
    private func loop(_ profile: EngineProfile, maxSequences: Int = 4) async throws -> EngineLoop {
        let loop = EngineLoop.emulated(
            profile, limits: TestProfiles.limits(profile, maxSequences: maxSequences), maxQueue: 64)
        loop.start()
        try await until("the engine is ready") { loop.phase == .ready }
        return loop
    }

    private func request(_ prompt: Int, _ tokens: Int?) -> GenerationRequest {
        var request = GenerationRequest(prompt: .length(prompt))
        request.maxTokens = tokens
        return request
    }

    /// Seconds that a generation takes at its quickest in five attempts: what else the machine does only adds.
    private func quickest(_ loop: EngineLoop, _ requests: [GenerationRequest], enough: Double) async throws -> Double {
        var best = Double.infinity
        for _ in 0..<5 where best > enough {
            let start = MonotonicTime.now
            for await _ in try loop.submit(requests).events {}
            best = min(best, (MonotonicTime.now - start).seconds)
        }
        return best
    }

    @Test("A thousand steps end when their sum says, without drift")
    func noDrift() async throws {
        let loop = try await loop(TestProfiles.flat(step: 0.5e6, kvTokens: 4096, maxContext: 2048))
        defer { loop.stop() }
        // Sleeps counted from each other would be late by what every wake-up costs, 60 µs at the very least: 60 ms.
        let seconds = try await quickest(loop, [request(10, 1000)], enough: 0.54)
        #expect(seconds >= 0.5 && seconds < 0.54)
    }

    @Test("A prompt costs what the profile says of its tokens and chunks")
    func prefill() async throws {
        // 600 tokens in chunks of 256, 256 and 88: three steps of 10 ms and 600 times 0.1 ms.
        let profile = TestProfiles.flat(step: 10e6, prefillToken: 0.1e6, kvTokens: 4096, maxContext: 2048)
        let loop = try await loop(profile)
        defer { loop.stop() }
        let seconds = try await quickest(loop, [request(600, 1)], enough: 0.1)
        #expect(seconds >= 0.09 && seconds < 0.1)
    }

    @Test("Sequences share steps up to the limit, and the others wait")
    func batching() async throws {
        let loop = try await loop(TestProfiles.flat(step: 5e6), maxSequences: 2)
        defer { loop.stop() }
        // Two pairs, one after the other: 20 steps of 5 ms. One by one they would take 40.
        let seconds = try await quickest(loop, Array(repeating: request(8, 10), count: 4), enough: 0.115)
        #expect(seconds >= 0.1 && seconds < 0.13)
    }

    @Test("The stages of the cold start pass before it is ready")
    func coldStart() async throws {
        let profile = TestProfiles.flat(
            step: 1e6, coldStart: .init(load: .milliseconds(60), warmUp: .milliseconds(40), source: "made for tests"))
        let start = MonotonicTime.now
        let loop = EngineLoop.emulated(profile, limits: TestProfiles.limits(profile), maxQueue: 1)
        loop.start()
        #expect(throws: EngineLoop.Refusal.notReady) { try loop.submit([request(1, 1)]) }
        try await until("the engine is ready") { loop.phase == .ready }
        #expect((MonotonicTime.now - start).seconds >= 0.1)
        loop.stop()
    }

    @Test("A length that is left open is drawn, and has the mean that was asked for")
    func drawnLengths() {
        let profile = TestProfiles.flat(step: 1, kvTokens: 65_536, maxContext: 4096)
        var engine = EmulatedEngine(
            profile: profile, limits: TestProfiles.limits(profile, maxSequences: 16), meanOutputTokens: 20)
        for _ in 0..<400 { _ = engine.submit(request(1, nil)) }
        var outcome = StepOutcome()
        var tokens = 0
        while engine.step(&outcome) {
            tokens += outcome.outputs.count
            for output in outcome.outputs { #expect(output.finish == nil || output.finish == .stop) }
        }
        // The mean of 400 geometric lengths of mean 20 has a standard deviation of 1: four of them are allowed.
        #expect(abs(Double(tokens) / 400 - 20) < 4)
        #expect(engine.gauges.kvUtilization == 0)
    }

    @Test("A cancelled request leaves, running or waiting, and its blocks are free")
    func cancel() async throws {
        let loop = try await loop(TestProfiles.flat(step: 2e6), maxSequences: 1)
        defer { loop.stop() }
        let running = try loop.submit([request(100, 400)])
        let waiting = try loop.submit([request(100, 400)])
        try await until("one runs and one waits") {
            loop.state.withLock { $0.gauges.running == 1 && $0.gauges.waiting == 1 }
        }
        waiting.cancel()
        running.cancel()
        try await until("both are gone") { loop.outstanding == 0 }
        let gauges = loop.state.withLock { $0.gauges }
        #expect(gauges == EngineGauges())
        #expect(loop.state.withLock { $0.metrics.finished } == [0, 0, 2, 0])
    }

    @Test("Stopping ends what runs, and its stream says so")
    func stop() async throws {
        let loop = try await loop(TestProfiles.flat(step: 2e6))
        let generation = try loop.submit([request(100, 400)])
        loop.stop()
        var last: FinishReason?
        for await event in generation.events { last = event.finish }
        #expect(last == .abort)
        #expect(throws: EngineLoop.Refusal.notReady) { try loop.submit([request(1, 1)]) }
    }

    @Test("A prompt's cached beginning is not computed again, and no other tenant's is found")
    func prefixCache() throws {
        // A step takes no time, a token of a prompt 1 µs: what counts are the tokens.
        let profile = TestProfiles.flat(step: 1, prefillToken: 1e3, kvTokens: 4096, maxContext: 2048)
        func computed(_ talk: [(prompt: [Int32], salt: String)], caches: Bool) throws -> [Int] {
            var limits = TestProfiles.limits(profile)
            limits.prefixCaching = caches
            var engine = EmulatedEngine(profile: profile, limits: limits)
            return talk.map { prompt, salt in
                var request = GenerationRequest(prompt: .tokens(prompt))
                (request.maxTokens, request.cacheSalt) = (20, salt)
                _ = engine.submit(request)
                var outcome = StepOutcome()
                var tokens = 0
                while engine.step(&outcome) { tokens += outcome.prefillTokens }
                #expect(engine.gauges.kvUtilization == 0)
                return tokens
            }
        }
        let long = (0..<1000).map { Int32($0) }
        let talk = [
            (long, "a"), (long, "a"), (long + [7, 7, 7], "a"), (long, "b"), (Array(long[..<500]) + [9], "a"),
            (long, ""),
        ]
        // 62 whole blocks of 16 are found; of 500 tokens 31; a prompt's last token is always computed.
        #expect(try computed(talk, caches: true) == [1000, 8, 11, 1000, 5, 1000])
        #expect(try computed(talk, caches: false) == [1000, 1000, 1003, 1000, 501, 1000])
    }

    @Test("Equal beginnings of texts are equal tokens, four bytes each")
    func countedTokens() {
        let model = ServedModel(name: "m", maxContext: 64, prompts: .counted, created: 1, root: "m")
        guard case .tokens(let one) = model.prompt(text: "abcdefghi"),
            case .tokens(let other) = model.prompt(text: "abcdefgXi")
        else {
            Issue.record("a text became no tokens")
            return
        }
        #expect(one.count == 3 && one[0] == other[0] && one[1] != other[1] && one[2] == other[2])
    }
}
