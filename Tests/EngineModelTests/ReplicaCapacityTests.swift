import EngineModel
import Testing
import Units

@Suite("Replica capacity")
struct ReplicaCapacityTests {
    /// A made-up engine of the speed class of a 70 B model on four GPUs.
    static let engine = StepTimeCoefficients(
        decode: .init(constant: 25e6, perSequence: 60e3, perContextToken: 70),
        mixed: .init(constant: 30e6, perPrefillToken: 70e3, perContextToken: 140, perPrefillArea: 5, perSequence: 60e3),
        hostOverhead: 2e6)
    static let limits = ReplicaLimits(kvTokens: 400_000, maxSequences: 256, maxBatchedTokens: 2048)

    static func capacity(
        _ stepTime: StepTimeCoefficients = engine, _ limits: ReplicaLimits = limits, prompt: Double = 1155,
        output: Double = 211
    ) -> ReplicaCapacity {
        ReplicaCapacity(stepTime: stepTime, limits: limits, promptTokens: prompt, outputTokens: output)
    }

    /// Steps of one length, prefill free: a replica is then a queue with `max_num_seqs` servers.
    static func constantStep(nanoseconds: Double) -> StepTimeCoefficients {
        StepTimeCoefficients(
            decode: .init(constant: nanoseconds, perSequence: 0, perContextToken: 0),
            mixed: .init(constant: nanoseconds, perPrefillToken: 0))
    }

    @Test("Mean step time and TTFT never fall as the rate rises, and end at the saturation rate")
    func monotoneInRate() throws {
        let capacity = Self.capacity()
        var tpot = 0.0
        var ttft = 0.0
        for percent in 0...99 {
            let rate = capacity.saturationRate * Double(percent) / 100
            let next = try #require(capacity.meanTPOT(rate: rate))
            let first = try #require(capacity.meanTTFT(rate: rate))
            #expect(next >= tpot && first >= ttft, "at \(percent) %")
            (tpot, ttft) = (next, first)
        }
        #expect(capacity.meanTPOT(rate: capacity.saturationRate * 1.001) == nil)
    }

    @Test("With constant steps the saturation rate is that of max_num_seqs servers", arguments: [1, 4, 64])
    func servers(count: Int64) {
        let limits = ReplicaLimits(kvTokens: 1_000_000, maxSequences: count, maxBatchedTokens: 8192)
        let capacity = Self.capacity(Self.constantStep(nanoseconds: 20e6), limits, prompt: 1, output: 500)
        let exact = Double(count) / (500 * 0.02)
        #expect((capacity.saturationRate - exact).magnitude < 0.001 * exact)
    }

    @Test("Where a step costs a + b·D the mean step is a / (1 − b·λ·(O − 1))")
    func affineStep() throws {
        let stepTime = StepTimeCoefficients(
            decode: .init(constant: 10e6, perSequence: 100e3, perContextToken: 0),
            mixed: .init(constant: 10e6, perPrefillToken: 0, perSequence: 100e3))
        let capacity = Self.capacity(stepTime, prompt: 1, output: 201)
        let step = try #require(capacity.meanStepTime(rate: 2))
        #expect((step - 0.010 / (1 - 0.0001 * 2 * 200)).magnitude < 1e-9)
        // Little's law: 2 requests/s × 200 decode steps each.
        let decoding = try #require(capacity.meanDecodeSequences(rate: 2))
        #expect((decoding - 2 * 200 * step).magnitude < 1e-6)
    }

    @Test("The largest rate meets the targets with the mean batch, and not by a mile")
    func targets() throws {
        let capacity = Self.capacity()
        let tpot = TimeSpan.milliseconds(80)
        let free = capacity.largestRate(ttft: nil, tpot: tpot, deviations: 0)
        #expect((try #require(capacity.meanTPOT(rate: free)) - 0.080).magnitude < 1e-6)
        let careful = capacity.largestRate(ttft: nil, tpot: tpot)
        #expect(careful < free && careful > free / 3)
        let ttft = TimeSpan.milliseconds(400)
        let quick = capacity.largestRate(ttft: ttft, tpot: nil)
        #expect(quick > 0 && quick < capacity.largestRate(ttft: nil, tpot: nil))
        #expect(try #require(capacity.meanTTFT(rate: quick)) < ttft.seconds)
    }

    @Test("Head-room is in standard deviations of a batch that feeds back on its own steps", arguments: [0.0, 1, 2])
    func headroom(deviations: Double) throws {
        let stepTime = StepTimeCoefficients(
            decode: .init(constant: 10e6, perSequence: 200e3, perContextToken: 0),
            mixed: .init(constant: 10e6, perPrefillToken: 0, perSequence: 200e3))
        let capacity = Self.capacity(stepTime, prompt: 1, output: 1001)
        let rate = capacity.largestRate(ttft: nil, tpot: .milliseconds(30), deviations: deviations)
        let batch = try #require(capacity.meanDecodeSequences(rate: rate))
        // The step is 10 ms + 0.2 ms × n, its elasticity ε is the share of the second term, and the variance n / (1 − ε).
        let elasticity = 0.0002 * batch / (0.010 + 0.0002 * batch)
        let high = batch + deviations * (batch / (1 - elasticity)).squareRoot()
        #expect((0.010 + 0.0002 * high - 0.030).magnitude < 0.0001)
    }

    @Test("A slower engine, longer requests and tighter limits each carry less")
    func orderings() {
        func rate(_ capacity: ReplicaCapacity) -> Double {
            capacity.largestRate(ttft: .seconds(2), tpot: .milliseconds(100))
        }
        let base = rate(Self.capacity())
        #expect(base > 0)
        #expect(rate(Self.capacity(Self.engine.scaled(by: 1.15))) < base)
        #expect(rate(Self.capacity(Self.engine.scaled(by: 0.85))) > base)
        #expect(rate(Self.capacity(prompt: 2310)) < base)
        #expect(rate(Self.capacity(output: 422)) < base)
        var tight = Self.limits
        tight.kvTokens = 40_000
        #expect(rate(Self.capacity(Self.engine, tight)) < base)
        tight = Self.limits
        tight.maxSequences = 16
        #expect(rate(Self.capacity(Self.engine, tight)) < base)
        tight = Self.limits
        tight.maxBatchedTokens = 256
        #expect(rate(Self.capacity(Self.engine, tight)) < base)
    }

    @Test("The batch, two standard deviations above its mean, stays within sequences and KV tokens")
    func limits() throws {
        var tight = Self.limits
        tight.maxSequences = 32
        let bySequences = Self.capacity(Self.engine, tight)
        let running = try #require(
            bySequences.meanDecodeSequences(rate: bySequences.largestRate(ttft: nil, tpot: nil)))
        #expect(running + 2 * running.squareRoot() <= 32)
        tight = Self.limits
        tight.kvTokens = 30_000
        let byMemory = Self.capacity(Self.engine, tight)
        let decoding = try #require(byMemory.meanDecodeSequences(rate: byMemory.largestRate(ttft: nil, tpot: nil)))
        #expect((decoding + 2 * decoding.squareRoot()) * (1155 + 209 / 2) <= 30_000)
    }

    @Test("Nothing is carried where an idle engine misses the target, or a request does not fit")
    func nothing() {
        #expect(Self.capacity().largestRate(ttft: nil, tpot: .milliseconds(20)) == 0)
        let small = ReplicaLimits(kvTokens: 1000, maxSequences: 256, maxBatchedTokens: 2048)
        #expect(Self.capacity(Self.engine, small).largestRate(ttft: nil, tpot: nil) == 0)
        #expect(Self.capacity(Self.engine, small).meanTPOT(rate: 0.1) == nil)
    }

    @Test("Lengths below one token count as one")
    func shortRequests() throws {
        let capacity = Self.capacity(prompt: 0, output: 0.2)
        let rate = capacity.largestRate(ttft: .seconds(1), tpot: nil)
        #expect(rate > 0 && rate.isFinite)
        #expect(try #require(capacity.meanDecodeSequences(rate: rate)) == 0)
    }
}
