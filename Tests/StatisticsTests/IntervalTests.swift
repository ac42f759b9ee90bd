import Testing

@testable import Statistics

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Intervals")
struct IntervalTests {
    /// - Source: t(0.975, 9) = 2.262157 of any table; the values have deviation 3.02765.
    @Test("Student's interval is the table's")
    func student() throws {
        let interval = try #require(ConfidenceInterval.student((1...10).map(Double.init), level: 0.95))
        #expect(interval.estimate == 5.5)
        #expect(abs(interval.halfWidth - 2.262157 * 3.0276504 / 10.0.squareRoot()) < 1e-5)
        #expect(interval.contains(5.5) && !interval.contains(8))
    }

    @Test("One value has no interval")
    func tooFew() {
        #expect(ConfidenceInterval.student([3], level: 0.95) == nil)
        #expect(ConfidenceInterval.paired([], [], level: 0.95) == nil)
    }

    @Test("Pairing removes what both sides share")
    func paired() throws {
        let traffic = [10.0, 55, 30, 80]
        let interval = try #require(
            ConfidenceInterval.paired(traffic.map { $0 + 1.1 }, zip(traffic, [0, 0.2, 0, 0.2]).map(+), level: 0.95))
        #expect(abs(interval.estimate - 1) < 1e-12)
        #expect(interval.halfWidth < 0.2)
    }

    @Test("The level claimed is the level kept, over 4,000 samples of six")
    func coverage() {
        // A uniform's mean is near normal at six values; the linear congruential draws only need to be independent
        // enough for a count of misses.
        var state: UInt64 = 12_345
        func uniform() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) * 0x1p-53
        }
        let misses = (0..<4000).count { _ in
            !ConfidenceInterval.student((0..<6).map { _ in uniform() }, level: 0.9)!.contains(0.5)
        }
        #expect(BinomialInterval.clopperPearson(successes: misses, trials: 4000, level: 0.999).lower < 0.11)
        #expect(BinomialInterval.clopperPearson(successes: misses, trials: 4000, level: 0.999).upper > 0.09)
    }

    @Test("At a Clopper–Pearson bound, a count as extreme as the one seen has half the probability left out")
    func clopperPearson() {
        func atLeast(_ k: Int, _ n: Int, _ p: Double) -> Double {
            (k...n).reduce(0.0) { sum, i in
                let choose = lgamma(Double(n + 1)) - lgamma(Double(i + 1)) - lgamma(Double(n - i + 1))
                return sum + exp(choose + Double(i) * log(p) + Double(n - i) * log(1 - p))
            }
        }
        let some = BinomialInterval.clopperPearson(successes: 4, trials: 200, level: 0.95)
        #expect(abs(atLeast(4, 200, some.lower) - 0.025) < 1e-9)
        #expect(abs(1 - atLeast(5, 200, some.upper) - 0.025) < 1e-9)
        let none = BinomialInterval.clopperPearson(successes: 0, trials: 20, level: 0.95)
        #expect(none.lower == 0)
        #expect(abs(none.upper - (1 - pow(0.025, 1.0 / 20))) < 1e-9)
        #expect(BinomialInterval.clopperPearson(successes: 20, trials: 20, level: 0.95).upper == 1)
    }

    @Test("Two misses of 200 agree with 1 %, eight do not")
    func binomialTest() {
        #expect(binomialTwoSidedPValue(successes: 2, trials: 200, probability: 0.01) > 0.999_999)
        #expect(binomialTwoSidedPValue(successes: 8, trials: 200, probability: 0.01) < 0.002)
        // Fair coin, 1 of 6: both tails, (1 + 6) · 2 / 64.
        #expect(abs(binomialTwoSidedPValue(successes: 1, trials: 6, probability: 0.5) - 14.0 / 64) < 1e-12)
    }
}
