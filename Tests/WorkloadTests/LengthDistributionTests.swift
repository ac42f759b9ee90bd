import Randomness
import Statistics
import Testing

@testable import Workload

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Length distribution")
struct LengthDistributionTests {
    /// Lengths at `count` evenly spaced probabilities: the distribution itself, without chance.
    private func lengths(_ distribution: LengthDistribution, count: Int = 100_000) -> [Double] {
        let sampler = LengthSampler(distribution)
        return (0..<count).map { Double(sampler.tokens(at: (Double($0) + 0.5) / Double(count))) }
    }
    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    private func deviation(_ values: [Double]) -> Double {
        let average = mean(values)
        return mean(values.map { ($0 - average) * ($0 - average) }).squareRoot()
    }

    @Test("A lognormal goes through its median and 99th percentile")
    func lognormal() {
        let values = lengths(LengthDistribution(.lognormal(p50: 1020, p99: 4142)))
        #expect(values[49_999] == 1020)
        #expect(abs(values[98_999] - 4142) <= 1)
    }

    @Test("A lognormal by moments has those moments")
    func lognormalMoments() {
        let values = lengths(LengthDistribution(.lognormalMoments(mean: 200, deviation: 150)))
        #expect(abs(mean(values) - 200) < 0.2)
        #expect(abs(deviation(values) - 150) < 2)
    }

    @Test("A normal has its moments, and no length below 1")
    func normal() {
        let values = lengths(LengthDistribution(.normal(mean: 500, deviation: 50)))
        #expect(abs(mean(values) - 500) < 0.1 && abs(deviation(values) - 50) < 0.1)
        #expect(lengths(LengthDistribution(.normal(mean: 5, deviation: 50))).min() == 1)
    }

    @Test("A uniform length takes each value from first to last alike")
    func uniform() {
        let values = lengths(LengthDistribution(.uniform(from: 3, to: 7)), count: 1000)
        #expect((3...7).allSatisfy { k in values.count { $0 == Double(k) } == 200 })
    }

    @Test("A geometric length has its mean, starts at 1 and has no memory", arguments: [1.0, 20, 500])
    func geometric(mean wanted: Double) {
        let values = lengths(LengthDistribution(.geometric(mean: wanted)), count: 200_000)
        #expect(values.min() == 1)
        #expect(abs(mean(values) - wanted) < 0.001 * wanted)
        for k in [1.0, wanted.rounded(), 2 * wanted.rounded()] {
            let above = Double(values.count { $0 > k }) / 200_000
            #expect(abs(above - pow(1 - 1 / wanted, k)) < 2e-5)
        }
    }

    @Test("A measured distribution gives back its quantiles, with straight lines between")
    func quantiles() {
        let points = [(0.0, 10), (0.5, 100), (0.9, 500), (1, 2000)].map { QuantilePoint(p: $0.0, tokens: $0.1) }
        let sampler = LengthSampler(LengthDistribution(.quantiles(points)))
        #expect(sampler.tokens(at: 0.5) == 100 && sampler.tokens(at: 0.9) == 500)
        #expect(sampler.tokens(at: 0.7) == 300 && sampler.tokens(at: 0.25) == 55)
        let inner = LengthSampler(LengthDistribution(.quantiles(Array(points[1...2]))))
        #expect(inner.tokens(at: 0.01) == 100 && inner.tokens(at: 0.99) == 500)
    }

    @Test("Bounds hold, and what falls outside counts as the bound")
    func bounds() {
        let values = lengths(LengthDistribution(.lognormal(p50: 100, p99: 1000), minimum: 50, maximum: 400))
        #expect(values.min() == 50 && values.max() == 400)
        #expect(values.count { $0 == 50 } > 10_000)
        #expect(lengths(LengthDistribution(.geometric(mean: 1e9), maximum: 5)).max() == 5)
    }

    @Test("Drawn lengths follow the law")
    func draws() {
        let law = LengthDistribution(.lognormal(p50: 50_000, p99: 400_000))
        let drawn = requests([source(rate: .constant(20), prompt: law, output: law)])
        let deviation = log(8.0) / 2.3263478740408408
        func p(_ lengths: [Int32], median: Double) -> Double {
            kolmogorovSmirnov(samples: lengths.map { Double($0) }) {
                0.5 * erfc(-log($0 / median) / deviation / 2.0.squareRoot())
            }.pValue
        }
        #expect(p(drawn.map(\.arrival.promptTokens), median: 50_000) > 0.001)
        #expect(p(drawn.map(\.arrival.outputTokens), median: 50_000) > 0.001)
        #expect(p(drawn.map(\.arrival.outputTokens), median: 55_000) < 0.001)
        // Prompt and answer are independent: the correlation of their ranks' signs is 0 within four deviations.
        let together = drawn.count { ($0.arrival.promptTokens > 50_000) == ($0.arrival.outputTokens > 50_000) }
        #expect(abs(Double(together) - Double(drawn.count) / 2) < 2 * Double(drawn.count).squareRoot())
    }

    @Test(
        "A law that is none says so",
        arguments: [
            LengthDistribution(.fixed(0)), LengthDistribution(.lognormal(p50: 100, p99: 50)),
            LengthDistribution(.lognormalMoments(mean: 0, deviation: 1)),
            LengthDistribution(.normal(mean: 5, deviation: -1)),
            LengthDistribution(.uniform(from: 5, to: 4)), LengthDistribution(.geometric(mean: 0.5)),
            LengthDistribution(.quantiles([])),
            LengthDistribution(.quantiles([QuantilePoint(p: 0.5, tokens: 9), QuantilePoint(p: 0.9, tokens: 8)])),
            LengthDistribution(.fixed(5), minimum: 0), LengthDistribution(.fixed(5), minimum: 8, maximum: 7),
        ])
    func problems(distribution: LengthDistribution) { #expect(distribution.problem != nil) }
}
