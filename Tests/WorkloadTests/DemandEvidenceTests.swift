import FleetModel
import Randomness
import Testing
import Units

@testable import Workload

@Suite("Demand within its errors")
struct DemandEvidenceTests {
    private func source(_ evidence: DemandEvidence?, arrivals: ArrivalProcess = .poisson) -> TrafficSource {
        TrafficSource(
            name: "chat", pool: PoolID("pool"), tenants: [TenantShare(tenant: 0, share: 1)], arrivals: arrivals,
            rate: .constant(10), promptTokens: LengthDistribution(.lognormal(p50: 1000, p99: 4000), maximum: 9000),
            outputTokens: LengthDistribution(.geometric(mean: 50)), evidence: evidence)
    }

    private func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
        let mean = values.reduce(0, +) / Double(values.count)
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (mean, (squares / Double(values.count - 1)).squareRoot())
    }

    private func draws(_ evidence: DemandEvidence, arrivals: ArrivalProcess = .poisson) -> [TrafficSource] {
        let source = source(evidence, arrivals: arrivals)
        return (0..<4000).map { source.drawn($0, streams: RandomStreams(seed: 6)) }
    }

    private func rates(_ sources: [TrafficSource]) -> [Double] {
        sources.map { $0.rate.mean(over: .seconds(1)) }
    }

    @Test("The rate errs as a count does, more with burstier gaps, and a stated error takes its place")
    func rate() {
        let poisson = moments(rates(draws(DemandEvidence(requests: 400))))
        #expect(abs(poisson.mean - 10) < 0.05 && abs(poisson.deviation - 0.5) < 0.03)
        let bursty = moments(rates(draws(DemandEvidence(requests: 400), arrivals: .gamma(cv: 2))))
        #expect(abs(bursty.deviation - 1) < 0.06)
        let stated = moments(rates(draws(DemandEvidence(requests: 400, rate: 0.2))))
        #expect(abs(stated.deviation - 2) < 0.15)
        #expect(Set(rates(draws(DemandEvidence(requests: 400), arrivals: .constant))) == [10])
    }

    @Test("Lengths err by their deviation over the root of the count")
    func lengths() {
        let sources = draws(DemandEvidence(requests: 100))
        let medians = moments(
            sources.map {
                guard case .lognormal(let p50, _) = $0.promptTokens.law else { return 0 }
                return p50
            })
        // ln(4) / 2.3263 = 0.596 is the deviation of the logarithm; a tenth of it that of the median's.
        #expect(abs(medians.deviation / 1000 - 0.0596) < 0.004)
        let means = moments(
            sources.map {
                guard case .geometric(let mean) = $0.outputTokens.law else { return 0 }
                return mean
            })
        #expect(abs(means.mean - 50) < 0.3 && abs(means.deviation - 4.95) < 0.3)
        #expect(sources.allSatisfy { $0.promptTokens.maximum == 9000 && $0.problem == nil })
    }

    @Test("Shares of a measured distribution err as another sample's, and stay a distribution")
    func quantiles() {
        var source = source(DemandEvidence(requests: 50))
        source.promptTokens = LengthDistribution(
            .quantiles([
                QuantilePoint(p: 0, tokens: 1), QuantilePoint(p: 0.5, tokens: 100), QuantilePoint(p: 0.99, tokens: 900),
                QuantilePoint(p: 1, tokens: 1000),
            ]))
        let shares = (0..<4000).compactMap { index -> Double? in
            let drawn = source.drawn(index, streams: RandomStreams(seed: 2)).promptTokens
            guard drawn.problem == nil, case .quantiles(let points) = drawn.law else { return nil }
            return points.first { $0.tokens == 100 }?.p
        }
        #expect(shares.count == 4000)
        let found = moments(shares)
        #expect(abs(found.mean - 0.5) < 0.005 && abs(found.deviation - 0.07) < 0.004)
    }

    @Test("Without evidence a source is what it is, and with it every draw can be had again")
    func repeatable() {
        #expect(source(nil).drawn(3, streams: RandomStreams(seed: 1)) == source(nil))
        let sure = source(DemandEvidence(requests: 100))
        #expect(sure.drawn(3, streams: RandomStreams(seed: 1)) == sure.drawn(3, streams: RandomStreams(seed: 1)))
        #expect(sure.drawn(3, streams: RandomStreams(seed: 1)) != sure.drawn(4, streams: RandomStreams(seed: 1)))
        // Rate and lengths have draws of their own: stating one leaves the other.
        let stated = source(DemandEvidence(requests: 100, rate: 0.5)).drawn(3, streams: RandomStreams(seed: 1))
        #expect(stated.promptTokens == sure.drawn(3, streams: RandomStreams(seed: 1)).promptTokens)
    }
}
