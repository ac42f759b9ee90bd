import Randomness
import Statistics
import Testing
import Units

@testable import Workload

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Arrival process")
struct ArrivalProcessTests {
    private static let processes: [(ArrivalProcess, Double)] = [
        (.poisson, 1), (.gamma(cv: 0.4), 0.4), (.gamma(cv: 2.5), 2.5), (.weibull(cv: 0.6), 0.6), (.weibull(cv: 2), 2),
        (.constant, 0),
    ]

    @Test("Gaps have mean 1 and the coefficient of variation asked for", arguments: processes)
    func moments(process: ArrivalProcess, cv: Double) {
        let generator = RandomStreams(seed: 4).generator("gaps")
        let sampler = GapSampler(process)
        let n = 100_000
        let gaps = (0..<n).map { _ in sampler.next(generator) }
        let mean = gaps.reduce(0, +) / Double(n)
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(n)
        #expect(abs(mean - 1) <= 5 * cv / Double(n).squareRoot())
        #expect(abs(variance.squareRoot() - cv) <= 0.05 * cv)
    }

    @Test("The first gap has the mean of the equilibrium law, (1 + cv²)/2", arguments: processes)
    func equilibrium(process: ArrivalProcess, cv: Double) {
        let generator = RandomStreams(seed: 5).generator("first")
        let sampler = GapSampler(process)
        let mean = (0..<100_000).reduce(0.0) { sum, _ in sum + sampler.first(generator) } / 100_000
        #expect(abs(mean - (1 + cv * cv) / 2) < 0.03 * (1 + cv * cv) / 2)
    }

    @Test("Poisson gaps are exponential")
    func exponentialGaps() {
        let times = requests([source(rate: .constant(8))], duration: .minutes(20)).map(\.seconds)
        let gaps = zip(times.dropFirst(), times).map(-)
        #expect(kolmogorovSmirnov(samples: gaps) { 1 - exp(-8 * $0) }.pValue > 0.001)
        #expect(kolmogorovSmirnov(samples: gaps) { 1 - exp(-9 * $0) }.pValue < 0.001)
    }

    /// Over 60 seeds the mean count of ten minutes is held to four of its standard errors: deviation cv · √Λ each.
    @Test("The expected count is the integral of the rate, however bursty the gaps", arguments: processes)
    func counts(process: ArrivalProcess, cv: Double) throws {
        let rate = RateProfile.linear(every: .minutes(4), values: [0.2, 2, 0])
        let expected = rate.expectedRequests(until: .minutes(10))
        let seeds: [UInt64] = Array(1...60)
        let counts = seeds.map { Double(requests([source(arrivals: process, rate: rate)], seed: $0).count) }
        let mean = counts.reduce(0, +) / 60
        #expect(abs(mean - expected) <= 4 * max(cv, 0.1) * (expected / 60).squareRoot())
    }

    @Test("Requests come where the rate is")
    func shape() {
        let rate = RateProfile.steps(every: .minutes(1), values: [0, 20, 5])
        let times = requests([source(rate: rate)], duration: .minutes(30)).map(\.seconds)
        let byPhase = (0..<3).map { phase in times.count { Int($0 / 60) % 3 == phase } }
        #expect(byPhase[0] == 0)
        #expect(abs(Double(byPhase[1]) - 12_000) < 4 * 12_000.0.squareRoot())
        #expect(abs(Double(byPhase[2]) - 3_000) < 4 * 3_000.0.squareRoot())
    }

    @Test("Constant arrivals are one period apart")
    func constantArrivals() {
        let times = requests([source(arrivals: .constant, rate: .constant(4))], duration: .minutes(1)).map(\.seconds)
        #expect(times.count == 240)
        #expect(zip(times.dropFirst(), times).allSatisfy { abs($0 - $1 - 0.25) < 2e-9 })
    }

    @Test("A coefficient of variation outside the range is refused", arguments: [0, 0.001, 101, .nan, -1])
    func problems(cv: Double) {
        #expect(ArrivalProcess.gamma(cv: cv).problem != nil)
        #expect(ArrivalProcess.weibull(cv: cv).problem != nil)
    }
}
