import FleetModel
import Randomness
import Simulation
import Statistics
import Testing
import Units
import Workload

@testable import Studies

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct BatchEstimatesTests {
    /// M/M/1 at load 0.3: relaxation takes five services, a batch some hundred.
    private static let queue = QueueingCase(name: "M/M/1", service: .exponential, servers: 1, load: 0.3)
    private static let scenario = queue.scenario(seed: 9, requests: 1_000)
    /// Runs made once for all tests.
    private static let runs: [RunResult] = (0..<25).map {
        try! Simulation.run(scenario, policy: scenario.policies[0], options: RunOptions(replication: $0))
    }

    @Test(arguments: [WarmUpChoice.keep, .auto])
    func `one run's interval covers the closed form of M/M/1 in 95 of 100`(choice: WarmUpChoice) throws {
        let exact = Self.queue.exact * 1_000
        let other = QueueingCase(name: "M/D/1", service: .constant, servers: 1, load: 0.3).exact * 1_000
        var (given, covered, wrong) = (0, 0, 0)
        for run in Self.runs {
            let estimates = BatchEstimates(run, of: Self.scenario, warmUp: choice)!
            guard let bounds = estimates["ttft_ms", "mean"]?.ci95 else { continue }
            given += 1
            covered += (bounds.lower...bounds.upper).contains(exact) ? 1 : 0
            wrong += (bounds.lower...bounds.upper).contains(other) ? 1 : 0
        }
        #expect(given >= 21)
        let seen = BinomialInterval.clopperPearson(successes: covered, trials: given, level: 0.99)
        #expect(seen.contains(0.95), "\(covered) of \(given)")
        // Narrow enough to tell the wait of constant service, half as long, from it.
        #expect(wrong <= given / 10, "\(wrong) of \(given)")
    }

    /// Waits by Lindley's recursion; P(wait > t) = ρ·exp(−(1 − ρ)·t) in services of 1 ms.
    @Test func `the interval of the 99th percentile covers that of M/M/1`() throws {
        let load = 0.3
        let exact = log(load / 0.01) / (1 - load)
        let generator = RandomStreams(seed: 17).generator("waits")
        var (given, covered, width) = (0, 0, 0.0)
        for _ in 0..<80 {
            var batches = [CompactHistogram](repeating: CompactHistogram(), count: 32)
            var wait = 0.0
            for index in 0..<32 * 125 {
                batches[index / 125].record(.estimate(seconds: wait / 1_000))
                wait = max(0, wait + generator.exponential(mean: 1) - generator.exponential(mean: 1 / load))
            }
            guard let tail = try? TTFTTail(batches[...]) else { continue }
            given += 1
            covered += (tail.bounds.lower...tail.bounds.upper).contains(exact) ? 1 : 0
            width += tail.bounds.upper - tail.bounds.lower
        }
        #expect(given >= 70)
        let seen = BinomialInterval.clopperPearson(successes: covered, trials: given, level: 0.99)
        #expect(seen.contains(0.95), "\(covered) of \(given)")
        #expect(!seen.contains(0.8), "\(covered) of \(given)")
        #expect(width / Double(given) < 0.6 * exact)
    }

    @Test func `a run is its batches`() {
        let run = Self.runs[0]
        let batches = run.batches
        #expect(batches.slices.reduce(0) { $0 + $1.arrived } == run.outcomes.arrived)
        #expect(batches.slices.reduce(0) { $0 + $1.completed } == run.outcomes.completed)
        #expect(batches.slices.reduce(0) { $0 + $1.met } == run.sloClasses[0].met)
        #expect(batches.slices.reduce(0) { $0 + $1.ttftNanoseconds } == run.ttft.sum)
        #expect(batches.ttft.reduce(0) { $0 + $1.count } == run.ttft.count)
        #expect(batches.ttft.allSatisfy { $0.count > 0 })
        var twice = batches
        twice.merge(batches)
        #expect(twice.slices[7].arrived == 2 * batches.slices[7].arrived)
        #expect(twice.ttft[3].count == 2 * batches.ttft[3].count)
    }

    @Test func `a backlog at the start is found and left out where rates are constant, and kept where they vary`()
        throws
    {
        // Six replicas' worth of rate for the first sixteenth of the run, then a load of 0.3.
        var scenario = Self.scenario
        let slice = TimeSpan(nanoseconds: scenario.duration.nanoseconds / 16)
        scenario.sources[0].rate = .steps(
            every: slice, values: [1.2] + Array(repeating: 0.3, count: 15))
        let run = try Simulation.run(scenario, policy: scenario.policies[0])
        let kept = BatchEstimates(run, of: scenario)!
        let found = try #require(kept.warmUp.detected)
        #expect(found >= slice && found <= slice * 4)
        #expect(!kept.warmUp.isCut && !kept.warmUp.isTrafficStationary)
        let cut = BatchEstimates(run, of: scenario, warmUp: .cut)!
        #expect(cut.warmUp.isCut)
        let exact = Self.queue.exact * 1_000
        let bounds = try #require(cut["ttft_ms", "mean"]?.ci95)
        #expect((bounds.lower...bounds.upper).contains(exact))
        #expect(run.ttft.mean!.milliseconds > 1.5 * bounds.upper)
        // The same run, believed to be of constant traffic.
        #expect(BatchEstimates(run, of: Self.scenario)!.warmUp.isCut)
        #expect(!BatchEstimates(run, of: Self.scenario, warmUp: .keep)!.warmUp.isCut)
    }

    @Test func `what batches cannot tell has a reason`() throws {
        let estimates = BatchEstimates(Self.runs[0], of: Self.scenario)!
        func reason(_ headline: Headline) -> String? {
            guard case .refused(let reason) = estimates.entries.first(where: { $0.path == headline.path })?.outcome
            else { return nil }
            return reason
        }
        #expect(reason(.itlP99) == "gaps between tokens are not kept by batch")
        // No class has a target, so every request is met; one replica costs the same in every batch.
        #expect(reason(.attainment) == "it is the same in every batch")
        #expect(reason(.cost) != nil)
    }
}
