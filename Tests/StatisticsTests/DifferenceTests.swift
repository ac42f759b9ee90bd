import Testing

@testable import Statistics

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Paired ratios")
struct PairedRatioTests {
    /// Costs over shared traffic: B is noise around 100 with the traffic's swing, A is 0.87 of B and noise of its own.
    private func pairs(_ draws: inout Draws, count: Int) -> (a: [Double], b: [Double]) {
        var (a, b): ([Double], [Double]) = ([], [])
        for _ in 0..<count {
            let traffic = 100 + 15 * draws.normal()
            b.append(traffic + 2 * draws.normal())
            a.append(0.87 * traffic + 3 * draws.normal())
        }
        return (a, b)
    }

    @Test("Fieller's 95 % interval covers the ratio of means in 95 of 100, and is far narrower than an unpaired one")
    func coverage() throws {
        var draws = Draws(seed: 21)
        var covered = 0
        var width = 0.0
        for _ in 0..<1_000 {
            let (a, b) = pairs(&draws, count: 8)
            let interval = try #require(ConfidenceInterval.pairedRatio(a, over: b, level: 0.95))
            covered += interval.contains(0.87) ? 1 : 0
            width += interval.halfWidth / 1_000
        }
        #expect(agrees(covered, of: 1_000, with: 0.95), "\(covered)")
        // Unpaired, two means of 8 with deviations of 15 % each: 2.1 · 0.87 · 0.15 · √(2/8) is 0.14.
        #expect(width < 0.05)
    }

    @Test("It leaves out 1 exactly when the paired differences leave out 0, and when their p-value is below 5 %")
    func agreesWithDifference() throws {
        var draws = Draws(seed: 22)
        var apart = 0
        for _ in 0..<400 {
            var (a, b) = pairs(&draws, count: 5)
            a = a.map { $0 / 0.87 * 0.97 }
            b = b.map { $0 }
            let ratio = try #require(ConfidenceInterval.pairedRatio(a, over: b, level: 0.95))
            let difference = try #require(ConfidenceInterval.paired(a, b, level: 0.95))
            #expect(ratio.contains(1) == difference.contains(0))
            let pValue = try #require(pairedPValue(a, b))
            #expect((pValue < 0.05) != difference.contains(0))
            apart += ratio.contains(1) ? 0 : 1
        }
        #expect((40...360).contains(apart))
    }

    @Test("A ratio whose divisor may be 0 has no bounds")
    func unbounded() {
        #expect(ConfidenceInterval.pairedRatio([1, 2, 3], over: [-1, 0, 1.5], level: 0.95) == nil)
        #expect(ConfidenceInterval.pairedRatio([1], over: [2], level: 0.95) == nil)
    }

    @Test("What is the same in every pair has an interval without width")
    func exact() throws {
        let interval = try #require(ConfidenceInterval.pairedRatio([4, 4, 4], over: [6, 6, 6], level: 0.95))
        #expect(abs(interval.lower - 2.0 / 3) < 1e-12 && abs(interval.upper - 2.0 / 3) < 1e-12)
        #expect(pairedPValue([4, 4, 4], [6, 6, 6]) == 0)
        #expect(pairedPValue([4, 5], [4, 5]) == 1)
    }

    /// - Source: the worked rule of Holm's paper: thresholds 0.05/4, 0.05/3, 0.05/2, 0.05, stopping at the first failure.
    @Test("Holm stops at the first p-value that is too large for its place")
    func holm() {
        #expect(holmRejections([0.02, 0.011, 0.04, 0.001], level: 0.05) == [true, true, true, true])
        #expect(holmRejections([0.03, 0.011, 0.02, 0.06], level: 0.05) == [false, true, false, false])
        #expect(holmRejections([], level: 0.05).isEmpty)
    }
}

@Suite("Sequential precision")
struct SequentialPrecisionTests {
    /// Plays the rule on normal values of mean 10 and deviation 2.
    private func stop(_ rule: SequentialPrecision, _ draws: inout Draws) -> ConfidenceInterval? {
        var values: [Double] = []
        while values.count < rule.maximum {
            values.append(10 + 2 * draws.normal())
            guard values.count >= rule.minimum, let interval = ConfidenceInterval.student(values, level: 0.95) else {
                continue
            }
            if rule.isReached(by: interval) { return interval }
        }
        return nil
    }

    @Test("The interval it stops at covers the mean in about 95 of 100, and the estimate is as near as was asked")
    func coverage() {
        let rule = SequentialPrecision(share: 0.08, minimum: 10, maximum: 500)
        var draws = Draws(seed: 31)
        let intervals = (0..<400).compactMap { _ in stop(rule, &draws) }
        #expect(intervals.count == 400)
        let covered = intervals.count { $0.contains(10) }
        // Stopping early where the spread looks small costs a point or two, and no more.
        #expect(agrees(covered, of: 400, with: 0.935), "\(covered)")
        #expect(!agrees(covered, of: 400, with: 0.85))
        #expect(intervals.allSatisfy { $0.halfWidth <= 0.08 / 1.08 * $0.estimate })
        #expect(intervals.count { abs($0.estimate - 10) <= 0.8 } >= 370)
    }

    @Test("It does not look before the minimum and gives up at the maximum")
    func limits() {
        var draws = Draws(seed: 32)
        #expect(stop(SequentialPrecision(share: 0.5, minimum: 10, maximum: 10), &draws) != nil)
        #expect(stop(SequentialPrecision(share: 0.001, minimum: 10, maximum: 30), &draws) == nil)
        let rule = SequentialPrecision(share: 0.02)
        let narrow = ConfidenceInterval(estimate: -50, lower: -50.98, upper: -49.02, level: 0.95)
        let wide = ConfidenceInterval(estimate: 50, lower: 49.01, upper: 50.99, level: 0.95)
        #expect(rule.isReached(by: narrow) && !rule.isReached(by: wide))
    }
}
