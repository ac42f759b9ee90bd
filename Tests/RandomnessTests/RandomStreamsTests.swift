import Testing

@testable import Randomness

@Suite("Random streams")
struct RandomStreamsTests {
    private func draws(_ generator: RandomGenerator, _ count: Int = 5) -> [Double] {
        (0..<count).map { _ in generator.uniform() }
    }

    @Test("The same seed and names give the same draws, in whatever order streams are opened")
    func reproducible() {
        let streams = RandomStreams(seed: 42)
        let first = draws(streams.generator("arrivals", "chat"))
        _ = draws(streams.generator("lengths", "chat"))
        #expect(draws(RandomStreams(seed: 42).generator("arrivals", "chat")) == first)
    }

    @Test("Another seed, another name or another split of the names is another stream")
    func distinct() {
        let base = draws(RandomStreams(seed: 1).generator("ab", "c"))
        #expect(draws(RandomStreams(seed: 2).generator("ab", "c")) != base)
        #expect(draws(RandomStreams(seed: 1).generator("a", "bc")) != base)
        #expect(draws(RandomStreams(seed: 1).generator("ab,1:c")) != base)
    }

    @Test("A stream's number is stable from one build to the next")
    func stableIdentifier() {
        // sha256("8:arrivals,4:chat"), computed with coreutils.
        #expect(RandomStreams.identifier(of: ["arrivals", "chat"]) == 0x5ad7_294d_0262_2919)
    }

    @Test("An item's draws do not depend on what was drawn before")
    func seeking() {
        let generator = RandomStreams(seed: 3).generator("lengths")
        generator.seek(to: 17)
        let expected = draws(generator)
        for item in [0, 16, 18, 4_294_967_295] {
            generator.seek(to: item)
            #expect(draws(generator) != expected)
        }
        for _ in 0..<3 { _ = generator.gamma(shape: 0.3, scale: 1) }
        generator.seek(to: 17)
        #expect(draws(generator) == expected)
    }

    @Test("A counter stream is a function of its index alone")
    func counterStream() {
        let noise = CounterStream(seed: 5, names: "noise")
        let forwards = (0..<10).map { noise.normal(at: $0) }
        let backwards = (0..<10).reversed().map { noise.normal(at: $0) }
        #expect(forwards == backwards.reversed())
        #expect(Set(forwards).count == 10)
        #expect(CounterStream(seed: 5, names: "other").normal(at: 0) != forwards[0])
        #expect((noise.uniform(at: 4) > 0.5) == (forwards[4] > 0))
    }
}
