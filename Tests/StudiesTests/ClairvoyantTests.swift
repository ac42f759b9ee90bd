import Randomness
import Testing

@testable import Studies

@Suite struct ClairvoyantTests {
    /// A few intervals and sizes, so that every plan can be listed.
    private func problem(_ generator: RandomGenerator) -> ClairvoyantProblem {
        func whole(_ range: ClosedRange<Int64>) -> Int64 {
            min(range.upperBound, range.lowerBound + Int64(generator.uniform() * Double(range.count)))
        }
        let intervals = Int(whole(1...6))
        let minimum = Int(whole(0...1))
        let maximum = minimum + Int(whole(0...3))
        let arrivals = (0..<intervals).map { _ in whole(0...30) }
        return ClairvoyantProblem(
            arrivals: arrivals, capacity: (0..<intervals).map { _ in whole(4...9) },
            price: (0..<intervals).map { _ in whole(1...20) }, startPrice: whole(0...40),
            initial: Int(whole(Int64(minimum)...Int64(maximum))), bootIntervals: Int(whole(0...2)), minimum: minimum,
            maximum: maximum, allowedLate: whole(0...12))
    }

    /// Every plan that grows only once a boot can have ended, with its cost and what it leaves late.
    private func plans(_ problem: ClairvoyantProblem) -> [(cost: Int64, late: Int64)] {
        var plans: [[Int]] = [[]]
        for interval in problem.arrivals.indices {
            plans = plans.flatMap { head -> [[Int]] in
                let before = head.last ?? problem.initial
                let top = interval >= problem.bootIntervals ? problem.maximum : before
                return (problem.minimum...max(problem.minimum, top)).map { head + [$0] }
            }
        }
        return plans.map { sizes in
            var (cost, late, before) = (Int64(0), Int64(0), problem.initial)
            for (interval, size) in sizes.enumerated() {
                cost += problem.price[interval] * Int64(size)
                if size > before { cost += problem.startPrice * Int64(size - before) }
                late += max(0, problem.arrivals[interval] - problem.capacity[interval] * Int64(size))
                before = size
            }
            return (cost, late)
        }
    }

    @Test(arguments: 1...200)
    func `the plan is the best of all plans`(seed: Int) {
        let generator = RandomStreams(seed: UInt64(seed)).generator("clairvoyant")
        let problem = problem(generator)
        let all = plans(problem)
        for penalty: Int64 in [0, 1, 3, 10, 1000] {
            let plan = problem.plan(penalty: penalty)
            #expect(plan.cost + penalty * plan.late == all.map { $0.cost + penalty * $0.late }.min()!, "\(problem)")
            #expect(plan.cost == problem.cost(of: plan.instances))
        }
    }

    @Test func `the bound lies below the cheapest plan within the allowance, near it, and on it without one`() throws {
        var tightness: [Double] = []
        for seed in 1...300 {
            var problem = problem(RandomStreams(seed: UInt64(seed)).generator("bound"))
            for allowed in [problem.allowedLate, 0] {
                problem.allowedLate = allowed
                let optimum = plans(problem).filter { $0.late <= allowed }.map(\.cost).min()
                let bound = problem.bound()
                #expect((bound == nil) == (optimum == nil), "seed \(seed)")
                guard let bound, let optimum else { continue }
                #expect(bound.lower <= optimum && optimum <= bound.plan.cost, "seed \(seed)")
                #expect(bound.plan.late <= allowed)
                if allowed == 0 { #expect(bound.lower == optimum, "seed \(seed)") }
                if optimum > 0 { tightness.append(Double(bound.lower) / Double(optimum)) }
            }
        }
        // A bound of zero would be true, and worth nothing.
        #expect(tightness.count > 80)
        #expect(tightness.reduce(0, +) / Double(tightness.count) > 0.93)
    }
}
