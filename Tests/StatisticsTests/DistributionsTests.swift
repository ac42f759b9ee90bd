import Testing

@testable import Statistics

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Distributions")
struct DistributionsTests {
    @Test("A quantile between two values is interpolated")
    func sampleQuantile() {
        #expect(quantile(of: [1, 2, 4], 0.5) == 2)
        #expect(quantile(of: [1, 2, 4], 0.75) == 3)
        #expect(quantile(of: [1, 2, 4], 1) == 4)
        #expect(quantile(of: [7], 0.3) == 7)
        #expect(quantile(of: [], 0.3) == nil)
    }

    @Test("The normal 99th percentile is 2.3263")
    func normal() { #expect(abs(normalQuantile(0.99) - 2.3263478740408408) < 1e-14) }

    @Test("The Weibull shape gives back its coefficient of variation", arguments: [0.05, 0.5, 1, 2.2, 13.15])
    func weibull(cv: Double) {
        let shape = weibullShape(coefficientOfVariation: cv)
        let ratio = exp(lgamma(1 + 2 / shape) - 2 * lgamma(1 + 1 / shape))
        #expect(abs((ratio - 1).squareRoot() - cv) < 1e-6 * cv)
        #expect(cv != 1 || abs(shape - 1) < 1e-10)
    }

    /// - Source: 1.358 is the 95 % point of Kolmogorov's limiting distribution in any table.
    @Test("Kolmogorov–Smirnov measures the greatest gap, and 1.358/√n is its 5 % point")
    func kolmogorovSmirnovKnown() {
        #expect(abs(kolmogorovSmirnov(samples: [0.8, 0.2, 0.6, 0.4], cdf: { $0 }).statistic - 0.2) < 1e-12)
        let n = 10_000
        let shifted = (0..<n).map { (Double($0) + 0.5) / Double(n) + 1.358 / Double(n).squareRoot() }
        #expect(abs(kolmogorovSmirnov(samples: shifted, cdf: { min(1, $0) }).pValue - 0.05) < 0.002)
    }
}
