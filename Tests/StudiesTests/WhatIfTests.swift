import EngineModel
import FleetModel
import Randomness
import Simulation
import Statistics
import Testing
import Units
import Workload

@testable import Studies

@Suite struct PickFreezeTests {
    /// f = 3·s + 2·c + 1·d of independent standard normals: shares 9, 4 and 1 of 14.
    private func rows(_ count: Int, _ f: ([Double]) -> Double) -> [PickFreeze.Row] {
        let draw = RandomStreams(seed: 4).generator("test")
        return (0..<count).map { _ in
            let a = (0..<3).map { _ in draw.normal(mean: 0, deviation: 1) }
            let b = (0..<3).map { _ in draw.normal(mean: 0, deviation: 1) }
            return PickFreeze.Row(
                plain: f(a), other: f(b),
                swapped: (0..<3).map { i in
                    var point = a
                    point[i] = b[i]
                    return f(point)
                })
        }
    }

    @Test func `shares of a sum are those of its terms' variances`() {
        let shares = PickFreeze.shares(
            rows(20_000) { 3 * $0[0] + 2 * $0[1] + $0[2] }, active: [true, true, true])
        for (share, exact) in zip(shares, [9.0 / 14, 4.0 / 14, 1.0 / 14]) { #expect(abs(share - exact) < 0.02) }
    }

    @Test func `an interaction is shared out evenly`() {
        // s·c has no first-order effects at all; d adds a quarter of the variance.
        let shares = PickFreeze.shares(
            rows(20_000) { $0[0] * $0[1] + (1.0 / 3).squareRoot() * $0[2] }, active: [true, true, true])
        for (share, exact) in zip(shares, [0.375, 0.375, 0.25]) { #expect(abs(share - exact) < 0.03) }
    }

    @Test func `what does not vary has no share, and the interval holds the share`() {
        let drawn = rows(60) { 3 * $0[0] + 2 * $0[1] }
        let shares = PickFreeze.shares(drawn, active: [true, true, false])
        #expect(shares[2] == 0 && abs(shares.reduce(0, +) - 1) < 1e-12)
        #expect(PickFreeze.shares(rows(20) { _ in 5 }, active: [true, true, true]) == [0, 0, 0])
        let intervals = PickFreeze.intervals(
            drawn, active: [true, true, false], generator: RandomStreams(seed: 1).generator("bootstrap"))
        #expect(intervals[0].lower < 9.0 / 13 && 9.0 / 13 < intervals[0].upper)
        #expect(intervals[0].upper - intervals[0].lower < 0.6)
    }
}

/// A world of a trust study whose policy resizes at once, cut to a hundred requests or two.
private let smallWorld: Scenario = {
    var scenario = (0...).lazy.map { TrustWorld(seed: 12, index: $0).scenario }.first {
        $0.policies[0].policy == "hpa"
    }!
    scenario.duration = TimeSpan(nanoseconds: scenario.duration.nanoseconds / 8)
    return scenario
}()

@Suite struct UncertaintyTests {
    private func scenario(errors: [String: Double], evidence: DemandEvidence?) -> Scenario {
        var scenario = smallWorld
        scenario.pools[0].profile.fit.standardErrors = errors
        scenario.sources[0].evidence = evidence
        return scenario
    }

    @Test func `the source with the larger errors has the larger share`() async throws {
        let constant = smallWorld.pools[0].profile.stepTime.decode.constant
        func shares(_ errors: [String: Double], _ evidence: DemandEvidence?) async throws -> [Double] {
            let scenario = scenario(errors: errors, evidence: evidence)
            let split = try await Uncertainty.run(
                scenario, policy: scenario.policies[0], draws: 12, seed: nil, workers: 2)
            let figure = split.figures[HeadlineFigure.ttftP99.index]
            #expect(abs(figure.shares.reduce(0) { $0 + $1.value } - 1) < 1e-9)
            #expect(figure.range.lower < figure.mean && figure.mean < figure.range.upper)
            return figure.shares.map(\.value)
        }
        #expect(try await shares([:], nil) == [1, 0, 0])
        let engine = try await shares(["decode.constant": constant, "mixed.constant": constant], nil)
        #expect(engine[1] > 0.5 && engine[2] == 0, "\(engine)")
        let demand = try await shares(["decode.constant": constant / 300], DemandEvidence(rate: 0.8))
        #expect(demand[2] > 0.5 && demand[2] > demand[1], "\(demand)")
    }

    @Test func `equal seeds give equal splits on any number of workers`() async throws {
        let scenario = scenario(errors: ["decode.constant": 1e6], evidence: DemandEvidence(requests: 500))
        let alone = try await Uncertainty.run(scenario, policy: scenario.policies[0], draws: 8, seed: 5, workers: 1)
        let together = try await Uncertainty.run(scenario, policy: scenario.policies[0], draws: 8, seed: 5, workers: 4)
        #expect(alone == together && alone.runs == 40)
        #expect(alone.notes.contains { $0.contains("does not say how its errors go together") })
    }

    @Test func `drawn step times err as the covariance says, and never run backwards`() throws {
        var profile = TrustWorld(seed: 1, index: 0).scenario.pools[0].profile
        let (a, b) = (profile.stepTime.decode.constant, profile.stepTime.decode.perSequence)
        profile.fit.covariance = CoefficientCovariance(
            names: ["decode.constant", "decode.perSequence"],
            values: [[a * a / 100, -0.9 * a * b / 100], [-0.9 * a * b / 100, b * b / 100]])
        let draw = try #require(CalibrationDraw(profile))
        let drawn = (0..<2000).map { draw.stepTime($0, streams: RandomStreams(seed: 3)).decode }
        let (x, y) = (drawn.map { $0.constant / a - 1 }, drawn.map { $0.perSequence / b - 1 })
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        #expect(abs(mean(zip(x, x).map(*)).squareRoot() - 0.1) < 0.006)
        #expect(abs(mean(zip(x, y).map(*)) + 0.009) < 0.0008)
        profile.fit.covariance = nil
        profile.fit.standardErrors = ["decode.perSequence": 2 * b]
        let wild = try #require(CalibrationDraw(profile))
        #expect((0..<200).allSatisfy { wild.stepTime($0, streams: RandomStreams(seed: 3)).isMonotone })
        profile.fit.standardErrors = [:]
        #expect(CalibrationDraw(profile) == nil)
    }
}

@Suite struct SensitivityTests {
    @Test func `a field's effect is its own, on the same draws`() async throws {
        let base = smallWorld
        func variation(_ name: String, _ change: (inout Scenario, Double) -> Void) -> Sensitivity.Variation {
            var (low, high) = (base, base)
            change(&low, 0.9)
            change(&high, 1.1)
            return Sensitivity.Variation(path: name, low: ("−10%", low), high: ("+10%", high))
        }
        let sensitivity = try await Sensitivity.run(
            base, policy: base.policies[0],
            variations: [
                variation("rate") { $0.sources[0].rate = $0.sources[0].rate.scaled(by: $1) },
                variation("price") {
                    $0.priceBook.prices[0].rate = USDPerHour(nanodollars: Int64((1e10 * $1).rounded()))
                },
                variation("nothing") { _, _ in },
            ], replications: 3, seed: nil, workers: 2)
        let (rate, price, nothing) = (sensitivity.entries[0], sensitivity.entries[1], sensitivity.entries[2])
        let cost = sensitivity.base[0].value
        // Prices do not change what happens: the cost follows them exactly, in every replication.
        #expect(abs(price.high.changes[0].value - cost / 10) < 1e-6 && price.high.changes[1].value == 0)
        #expect(rate.low.changes[0].value < 0 && rate.high.changes[0].value > 0)
        #expect(nothing.swing(.cost) == 0 && nothing.low.changes.allSatisfy { $0.value == 0 })
        #expect(rate.swing(.cost) > 0 && price.low.changes[0].ci95 != nil)
    }
}

@Suite struct TrustTests {
    @Test func `worlds are drawn by seed and number alone, and run`() throws {
        let worlds = (0..<8).map { TrustWorld(seed: 8, index: $0) }
        #expect(worlds[3].scenario.sources == TrustWorld(seed: 8, index: 3).scenario.sources)
        #expect(Set(worlds.map(\.scenario.seed)).count == 8)
        #expect(worlds[0].scenario.sources != TrustWorld(seed: 9, index: 0).scenario.sources)
        for world in worlds {
            #expect(world.scenario.sources[0].problem == nil)
            let run = try Simulation.run(world.scenario, policy: world.policy)
            #expect((300...3000).contains(run.outcomes.arrived))
            #expect(run.outcomes.completed == run.outcomes.arrived)
        }
    }

    @Test func `an interval covers a truth as far as the truth is known`() {
        func result(_ truth: Double, _ half: Double) -> TrustStudy.Trial.Result {
            TrustStudy.Trial.Result(
                interval: ConfidenceInterval(estimate: 10, lower: 8, upper: 11, level: 0.9),
                truth: ConfidenceInterval(estimate: truth, lower: truth - half, upper: truth + half, level: 0.9))
        }
        #expect([7.9, 8.1, 10.9, 11.1].map { result($0, 0).side } == [-1, 0, 0, 1])
        #expect(result(11.1, 0.5).side == 0 && result(11.2, 0.5).side == 1)
        #expect(result(10, 0).relativeHalfWidth == 0.15)
    }

    @Test func `a count outside the band is a problem when it is certain`() {
        func figure(_ covered: Int, of worlds: Int, half: Double = 0.1) -> TrustFigure {
            let results = (0..<worlds).map { index in
                TrustStudy.Trial.Result(
                    interval: ConfidenceInterval(estimate: 1, lower: 1 - half, upper: 1 + half, level: 0.9),
                    truth: ConfidenceInterval(
                        estimate: index < covered ? 1 : 9, lower: index < covered ? 1 : 9,
                        upper: index < covered ? 1 : 9,
                        level: 0.9))
            }
            return TrustFigure(.cost, results)
        }
        #expect(figure(900, of: 1000).problem == nil)
        #expect(figure(879, of: 1000).problem != nil && figure(921, of: 1000).problem != nil)
        #expect(figure(43, of: 50).problem == nil && figure(30, of: 50).problem != nil)
        #expect(figure(900, of: 1000, half: 0.16).problem != nil)
        #expect(figure(900, of: 1000).above == 100)
    }

    @Test func `the study is the same on one worker and four`() async throws {
        let alone = try await TrustStudy.run(worlds: 2, seed: 3, workers: 1, referenceRuns: 2)
        let together = try await TrustStudy.run(worlds: 2, seed: 3, workers: 4, referenceRuns: 2)
        #expect(alone == together && alone.worlds == 2 && alone.figures.count == 3)
    }
}
