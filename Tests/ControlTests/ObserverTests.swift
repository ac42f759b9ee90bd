import Control
import FleetModel
import Foundation
import Scaling
import Testing
import Units

@Suite("Observer")
struct ObserverTests {
    static func observer() -> Observer {
        Observer(
            pools: [ObservedPool(id: chat, bounds: bounds)], window: .seconds(60), staleness: .seconds(45))
    }

    @Test("A pool is unknown until its first status, and other pools' samples are nobody's")
    func unknownPool() throws {
        var observer = Self.observer()
        observer.ingest(sample(0))
        observer.ingest(status(0, ready: [1], pool: PoolID("other")))
        #expect(observer.observation(at: at(1)).pools.isEmpty)
        observer.ingest(status(1, ready: [1], starting: 2))
        let pool = try #require(observer.observation(at: at(1)).pools.first)
        #expect(pool.ready == 1 && pool.starting == 2 && pool.target == 3 && pool.bounds == bounds)
    }

    @Test("Gauges are summed over ready replicas, and the gateway's held requests wait too")
    func gauges() throws {
        var observer = Self.observer()
        observer.ingest(status(10, ready: [1, 2]))
        observer.ingest(sample(4, replica: 1, running: 3, waiting: 1, kv: 0.25))
        observer.ingest(sample(7, replica: 2, running: 5, waiting: 0, kv: 0.75))
        observer.ingest(sample(7, replica: 3, running: 50, waiting: 50, kv: 1))
        var pool = try #require(observer.observation(at: at(10)).pools.first)
        #expect(pool.runningSequences == 8 && pool.queueDepth == 1 && pool.kvUtilization == 0.5)
        #expect(pool.sampleAge == .seconds(6) && pool.missingReplicas == 0 && pool.offered == nil)
        observer.ingest(gateway(9, requests: 0, held: 4))
        pool = try #require(observer.observation(at: at(10)).pools.first)
        #expect(pool.queueDepth == 5)
    }

    @Test("A sample is used up to the staleness and its replica is missing beyond", arguments: [45, 46])
    func staleness(age: Int64) throws {
        var observer = Self.observer()
        observer.ingest(status(age, ready: [1, 2]))
        observer.ingest(sample(0, replica: 1))
        observer.ingest(sample(age, replica: 2))
        let pool = try #require(observer.observation(at: at(age)).pools.first)
        #expect(pool.missingReplicas == (age == 45 ? 0 : 1))
        #expect(pool.runningSequences == (age == 45 ? 6 : 3))
        #expect(pool.sampleAge == .seconds(age == 45 ? 45 : 0))
    }

    @Test("With every replica silent the queue is unknown, whatever the gateway holds; with none it is what it holds")
    func silence() throws {
        var observer = Self.observer()
        observer.ingest(status(0, ready: [1]))
        observer.ingest(gateway(0, requests: 0, held: 7))
        var pool = try #require(observer.observation(at: at(0)).pools.first)
        #expect(pool.queueDepth == nil && pool.runningSequences == nil && pool.missingReplicas == 1)
        observer.ingest(status(1, ready: [], starting: 1))
        pool = try #require(observer.observation(at: at(1)).pools.first)
        #expect(pool.queueDepth == 7 && pool.runningSequences == nil && pool.missingReplicas == 0)
    }

    @Test("A value that no fleet has is not believed, and its journal can be played again", arguments: [1e10, 1e300])
    func beyondAllFleets(value: Double) throws {
        let policy = StaticPolicy(parameters: .init(replicas: 2))
        var loop = ControlLoop(observer: Self.observer(), policy: policy, limits: GuardLimits())
        loop.ingest(status(0, ready: [1, 2]))
        loop.ingest(sample(0, replica: 1, running: value))
        loop.ingest(sample(0, replica: 2, waiting: value))
        loop.ingest(gateway(0, requests: value > 1e15 ? value : 1, held: value))
        let record = loop.tick(at: at(0))
        #expect(record.observation.pools[0].runningSequences == nil)
        #expect(record.observation.pools[0].queueDepth == nil)
        // Nor is a level that is none, or the number of an order.
        loop.ingest(status(1, ready: [1], target: Int(min(value, 1e18))))
        #expect(loop.tick(at: at(1)).observation.pools[0].target == 2)
        loop.ingest(status(2, ready: [1], applied: Int(min(value, 1e18))))
        #expect(loop.tick(at: at(2)).observation.pools[0].target == 2)
        let header = try JournalHeader(origin: "a test", policy: policy, limits: GuardLimits())
        var writer = JournalWriter(header)
        let line = try writer.line(of: record, by: loop.policy)
        var replay = try JournalReplay(header, text: try header.line)
        try replay.check(try JSONDecoder().decode(JournalRecord.self, from: Data(line.utf8)), text: line)
    }

    @Test("A counter that no fleet has is not believed, a gateway's or a replica's")
    func countersBeyondAllFleets() {
        for index in 0..<3 {
            var observer = Self.observer()
            observer.ingest(status(0, ready: []))
            observer.ingest(gateway(0, requests: 0))
            let counters = (0..<3).map { $0 == index ? 1e300 : 1 }
            observer.ingest(gateway(60, requests: counters[0], prompt: counters[1], output: counters[2]))
            let pool = observer.observation(at: at(60)).pools[0]
            #expect(pool.offered == nil && pool.doubtful == 1)
        }
        let counters: [WritableKeyPath<ReplicaSample, Double?>] = [
            \.promptTokens, \.generationTokens, \.completedRequests, \.preemptions, \.prefixCacheQueries,
            \.prefixCacheHits,
        ]
        var odd = counters.map { counter in
            var sample = sample(0)
            sample[keyPath: counter] = 1e300
            return sample
        }
        odd.append(sample(0, ttft: [0, 0, 0, 1e300]))
        for sample in odd {
            var observer = Self.observer()
            observer.ingest(status(0, ready: [1]))
            observer.ingest(sample)
            #expect(observer.observation(at: at(0)).pools[0].missingReplicas == 1)
        }
    }

    @Test("Offered traffic is the increase over the window, once two scrapes span it")
    func offered() throws {
        var observer = Self.observer()
        observer.ingest(status(0, ready: []))
        for (time, requests) in [(0, 100.0), (15, 110), (30, 130), (45, 135), (59, 160)] {
            observer.ingest(gateway(Int64(time), requests: requests, prompt: requests * 10, output: requests * 2))
            #expect(observer.observation(at: at(Int64(time))).pools[0].offered == nil)
        }
        observer.ingest(gateway(75, requests: 175, prompt: 1750, output: 350))
        // The newest scrape at least 60 s back is that of second 15.
        #expect(
            observer.observation(at: at(75)).pools[0].offered
                == OfferedTraffic(window: .seconds(60), requests: 65, promptTokens: 650, outputTokens: 130))
        // A gap of scrapes widens the window rather than inventing a rate.
        observer.ingest(gateway(200, requests: 300, prompt: 3000, output: 600))
        let wide = try #require(observer.observation(at: at(200)).pools[0].offered)
        #expect(wide.window == .seconds(125) && wide.requests == 125)
        #expect(observer.observation(at: at(246)).pools[0].offered == nil)
    }

    @Test("A counter that starts again from zero loses nothing that was seen")
    func counterReset() {
        var observer = Self.observer()
        observer.ingest(status(0, ready: []))
        for (time, requests) in [(0, 1000.0), (20, 1010), (40, 4), (60, 9)] {
            observer.ingest(gateway(Int64(time), requests: requests))
        }
        // 10 before the restart, 4 and 5 after it.
        #expect(observer.observation(at: at(60)).pools[0].offered?.requests == 19)
        observer.ingest(gateway(80, requests: 2))
        // From second 20: 4, 5 and, after another restart, 2.
        #expect(observer.observation(at: at(80)).pools[0].offered?.requests == 11)
    }

    @Test("Quantiles are interpolated inside the buckets of the increase, summed over replicas")
    func quantiles() throws {
        var observer = Self.observer()
        observer.ingest(status(0, ready: [1, 2]))
        observer.ingest(sample(0, replica: 1, ttft: [100, 200, 300, 300]))
        observer.ingest(sample(0, replica: 2, ttft: [0, 0, 0, 0]))
        #expect(observer.observation(at: at(0)).pools[0].ttft == nil)
        observer.ingest(sample(30, replica: 1, ttft: [102, 206, 308, 309]))
        observer.ingest(sample(30, replica: 2, ttft: [2, 8, 10, 11]))
        // Increases 4, 14, 18, 20 in all: p50 is rank 10 of (0.1, 0.5], p90 rank 18 ends (0.5, 1], p99 lies beyond.
        let ttft = try #require(observer.observation(at: at(30)).pools[0].ttft)
        #expect((ttft.p50 - (0.1 + 0.4 * 6 / 10)).magnitude < 1e-12)
        #expect(ttft.p90 == 1 && ttft.p99 == 1 && ttft.count == 20)
        // Replica 1 restarts; what it counted since adds up: 4, 14, 18, 20 and 3, 3, 3, 3.
        observer.ingest(sample(45, replica: 1, ttft: [3, 3, 3, 3]))
        observer.ingest(sample(45, replica: 2, ttft: [2, 8, 10, 11]))
        let after = try #require(observer.observation(at: at(45)).pools[0].ttft)
        #expect(after.count == 23)
        // The first bucket starts at zero: rank 2.3 of 7 for p10 would lie in it; p50 is rank 11.5, 4.5 into 10.
        #expect((after.p50 - (0.1 + 0.4 * 4.5 / 10)).magnitude < 1e-12)
    }

    @Test("A replica that comes or goes changes nobody else's increase")
    func newAndRemovedReplicas() {
        var observer = Self.observer()
        observer.ingest(status(0, ready: [1]))
        observer.ingest(sample(0, replica: 1, ttft: [10, 10, 10, 10]))
        observer.ingest(sample(30, replica: 1, ttft: [14, 14, 14, 14]))
        // Replica 2 is first seen with a history: what it counted before is not of this window.
        observer.ingest(sample(30, replica: 2, ttft: [500, 500, 500, 500]))
        #expect(observer.observation(at: at(30)).pools[0].ttft?.count == 4)
        observer.ingest(sample(45, replica: 2, ttft: [501, 501, 501, 501]))
        #expect(observer.observation(at: at(45)).pools[0].ttft?.count == 5)
        // Replica 1 has gone; when its last sample is stale, so is its share.
        observer.ingest(sample(76, replica: 2, ttft: [502, 502, 502, 502]))
        #expect(observer.observation(at: at(76)).pools[0].ttft?.count == 2)
    }

    @Test("Impossible values, duplicates and old samples are refused, and what was known stays and ages")
    func refusals() throws {
        var observer = Self.observer()
        observer.ingest(status(0, ready: [1]))
        observer.ingest(sample(10, running: 3, waiting: 2, kv: 0.5, ttft: [0, 0, 0, 0]))
        observer.ingest(sample(20, running: 3, waiting: 2, kv: 0.5, ttft: [1, 2, 3, 4]))
        let known = observer.observation(at: at(20)).pools[0]
        let refused = [
            sample(20, running: 99, waiting: 99, kv: 0.9), sample(5, running: 99, waiting: 99, kv: 0.9),
            sample(21, running: .nan, waiting: 9, kv: 0.5, ttft: [5, 6, 7, 8]),
            sample(22, running: 9, waiting: -1, kv: 0.5, ttft: [5, 6, 7, 8]),
            sample(23, running: 9, waiting: 9, kv: 1.5, ttft: [5, 6, 7, 8]),
            sample(24, running: 9, waiting: 9, kv: 0.5, ttft: [6, 5, 7, 8]),
            sample(25, running: 9, waiting: 9, kv: 0.5, ttft: [5, 6, 7, .infinity]),
            sample(26, running: nil, waiting: 9, kv: 0.5, ttft: [5, 6, 7, 8]),
            sample(27, running: 9, waiting: 9, kv: nil, ttft: [5, 6, 7, 8]),
        ]
        for sample in refused { observer.ingest(sample) }
        observer.ingest(status(0, ready: [1, 2, 3]))
        var seen = observer.observation(at: at(20)).pools[0]
        #expect(seen.doubtful == 1)
        seen.doubtful = 0
        #expect(seen == known)
        #expect(observer.observation(at: at(65)).pools[0].missingReplicas == 0)
        #expect(observer.observation(at: at(66)).pools[0].missingReplicas == 1)

        observer.ingest(gateway(0, requests: 10, held: 1))
        observer.ingest(gateway(60, requests: 20, held: 2))
        for bad in [gateway(60, requests: 90), gateway(30, requests: 90), gateway(61, requests: .nan)] {
            observer.ingest(bad)
        }
        observer.ingest(gateway(62, requests: 20, prompt: -1))
        #expect(observer.observation(at: at(62)).pools[0].offered?.requests == 10)
    }

    @Test("A value that never was there hides nothing; one that is gone hides its page until the replica starts again")
    func partialPage() throws {
        var observer = Self.observer()
        observer.ingest(status(0, ready: [1]))
        observer.ingest(sample(0, running: 3, waiting: 2, kv: nil, ttft: [9, 9, 9, 9]))
        let pool = try #require(observer.observation(at: at(0)).pools.first)
        #expect(pool.runningSequences == 3 && pool.kvUtilization == nil && pool.missingReplicas == 0)
        for time in [Int64(20), 40, 60, 80, 100] {
            observer.ingest(sample(time, running: 0, waiting: 0, ttft: nil))
            let pool = observer.observation(at: at(time)).pools[0]
            #expect(pool.missingReplicas == (time <= 45 ? 0 : 1) && pool.runningSequences != 0, "at \(time)")
        }
        // Its counters fall: another process, which may have another page.
        observer.ingest(sample(120, running: 1, waiting: 0, ttft: [1, 1, 1, 1]))
        observer.ingest(sample(140, running: 1, waiting: 0, kv: 0.5, ttft: [1, 1, 1, 1]))
        #expect(observer.observation(at: at(140)).pools[0].runningSequences == 1)
    }

    @Test("What has started again is doubtful for one window, and what failed until it reports")
    func doubts() {
        var observer = Self.observer()
        observer.ingest(status(0, ready: [1, 2]))
        for (time, first) in [(Int64(0), 100.0), (30, 110), (60, 3), (90, 8), (120, 9)] {
            observer.ingest(sample(time, replica: 1, ttft: [first, first, first, first]))
            observer.ingest(sample(time, replica: 2, ttft: [5, 5, 5, 5]))
            observer.ingest(gateway(time, requests: time < 90 ? 50 : 1))
            let doubtful = observer.observation(at: at(time)).pools[0].doubtful
            // The replica at second 60, the gateway at 90.
            #expect(doubtful == [0: 0, 30: 0, 60: 1, 90: 2, 120: 1][time], "at \(time)")
        }
        #expect(observer.observation(at: at(149)).pools[0].doubtful == 1)
        #expect(observer.observation(at: at(150)).pools[0].doubtful == 0)
        observer.ingest(ScrapeFailure(pool: chat, replica: ReplicaID(2), time: at(151)))
        observer.ingest(ScrapeFailure(pool: chat, replica: ReplicaID(7), time: at(151)))
        observer.ingest(ScrapeFailure(pool: chat, replica: nil, time: at(151)))
        #expect(observer.observation(at: at(152)).pools[0].doubtful == 2)
        observer.ingest(sample(153, replica: 2, ttft: [6, 6, 6, 6]))
        observer.ingest(gateway(153, requests: 1))
        #expect(observer.observation(at: at(153)).pools[0].doubtful == 0)
    }
}
