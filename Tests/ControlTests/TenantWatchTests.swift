import FleetModel
import Foundation
import Randomness
import Testing
import Units

@testable import Control

/// Plays tenants' traffic into a watch, a scrape every five seconds.
private struct Played {
    var watch = TenantWatch(pool: chat, rules: TenantWatchRules())
    var now: Int64 = 0
    private var totals: [String: TenantCounters] = [:]
    /// What scaling was told at each scrape.
    private(set) var signals: [GatewaySample] = []

    /// Whole requests of 100 tokens in and 50 out.
    mutating func play(_ seconds: Int64, _ requests: (Int64) -> [String: Double]) {
        for _ in 0..<(seconds / 5) {
            now += 5
            for (tenant, count) in requests(now) {
                let old =
                    totals[tenant] ?? TenantCounters(tenant: tenant, requests: 0, promptTokens: 0, outputTokens: 0)
                totals[tenant] = TenantCounters(
                    tenant: tenant, requests: old.requests + count, promptTokens: old.promptTokens + 100 * count,
                    outputTokens: old.outputTokens + 50 * count, spent: old.spent)
            }
            scrape()
        }
    }

    mutating func restartGateway() { for tenant in totals.keys { totals[tenant] = zero(tenant) } }
    mutating func spend(_ dollars: Double, of tenant: String) { totals[tenant]?.spent = dollars }

    private func zero(_ tenant: String) -> TenantCounters {
        TenantCounters(tenant: tenant, requests: 0, promptTokens: 0, outputTokens: 0)
    }

    private mutating func scrape() {
        let all = totals.values.sorted { $0.tenant < $1.tenant }
        watch.takeIn(all, at: at(now))
        func sum(_ field: (TenantCounters) -> Double) -> Double { all.reduce(0) { $0 + field($1) } }
        signals.append(
            watch.signal(
                of: gateway(now, requests: sum(\.requests), prompt: sum(\.promptTokens), output: sum(\.outputTokens)),
                at: at(now)))
    }

    /// Requests that the signal rose by in the last `seconds`.
    func signalled(_ seconds: Int64) -> Double {
        signals.last!.arrivedRequests - signals[signals.count - 1 - Int(seconds / 5)].arrivedRequests
    }
}

struct TenantWatchTests {
    @Test("A step to forty times is told, its excess never reaches the signal, and the counters only rise")
    func step() throws {
        var played = Played()
        played.play(600) { _ in ["a": 10, "b": 10] }
        #expect(played.watch.abuses.isEmpty)
        #expect(played.signals.last?.arrivedRequests == 2400)
        played.play(10) { _ in ["a": 400, "b": 10] }
        let abuse = try #require(played.watch.abuses.first)
        #expect(abuse.tenant == "a" && abuse.usual == 2 && abuse.since <= at(610))
        played.play(290) { _ in ["a": 400, "b": 10] }
        #expect(played.watch.abuses.map(\.tenant) == ["a"])
        // Five minutes of twenty requests a scrape are 1200; one scrape at the threshold came before the verdict.
        #expect(played.signalled(300) >= 1200 && played.signalled(300) <= 1300)
        #expect(zip(played.signals, played.signals.dropFirst()).allSatisfy { $0.arrivedRequests <= $1.arrivedRequests })
        #expect(zip(played.signals, played.signals.dropFirst()).allSatisfy { $0.streamedTokens <= $1.streamedTokens })
    }

    @Test("Pools are held for the stated time, and a cap comes after the stated time, at twice the usual")
    func cap() throws {
        var played = Played()
        played.play(600) { _ in ["a": 10, "b": 10] }
        #expect(played.signals.last?.excessTenants == nil)
        played.play(10) { _ in ["a": 400, "b": 10] }
        let abuse = try #require(played.watch.abuses.first)
        let rules = played.watch.rules
        #expect(played.signals.last?.excessTenants == 1)
        #expect(played.watch.cap(of: abuse, at: abuse.since + rules.capAfter - .seconds(1)) == nil)
        // Two requests a second of 150 tokens, a minute, twice.
        #expect(played.watch.cap(of: abuse, at: abuse.since + rules.capAfter) == 36_000)
        played.play(200) { _ in ["a": 400, "b": 10] }
        #expect(played.watch.abuses.count == 1)
        #expect(played.signals.last?.excessTenants == nil)
    }

    @Test("Traffic that doubles over the history is usual")
    func slowGrowth() {
        var played = Played()
        played.play(600) { _ in ["a": 10] }
        for _ in 0..<4 {
            let (from, start) = (10.0, played.now)
            played.play(600) { ["a": from * (1 + Double($0 - start) / 600)] }
            #expect(played.watch.abuses.isEmpty)
        }
        #expect(played.signals.last!.arrivedRequests > 600 / 5 * 10)
    }

    @Test("A new tenant has no usual, whatever it brings, and all of it counts")
    func newTenant() {
        var played = Played()
        played.play(600) { _ in ["a": 10] }
        let before = played.signals.last!.arrivedRequests
        played.play(120) { _ in ["a": 10, "new": 400] }
        #expect(played.watch.abuses.isEmpty)
        // The first scrape of a tenant is where its counts begin.
        #expect(played.signals.last!.arrivedRequests - before == 120 / 5 * 410)
    }

    @Test("Noise is not abuse: Poisson traffic of any size", arguments: [0.05, 0.5, 5, 50])
    func noise(mean: Double) {
        for seed in UInt64(1)...5 {
            let random = RandomStreams(seed: seed).generator("noise", "tenant")
            var played = Played()
            played.play(7200) { _ in ["a": Double(random.poisson(mean: mean * 5))] }
            #expect(played.watch.abuses.isEmpty, "mean \(mean), seed \(seed)")
        }
    }

    @Test("A gateway that starts again is no abuse, and the signal starts again with it")
    func reset() {
        var played = Played()
        played.play(600) { _ in ["a": 10] }
        played.play(60) { _ in ["a": 400] }
        #expect(played.watch.abuses.count == 1)
        played.restartGateway()
        played.play(5) { _ in ["a": 10] }
        #expect(played.signals.last?.arrivedRequests == 10)
        played.play(115) { _ in ["a": 10] }
        #expect(played.watch.abuses.isEmpty)
        #expect(abs(played.signals.last!.arrivedRequests - 240) <= 10)
    }

    @Test("A watch goes on where another stopped: with everybody's usual, and with who is abusive")
    func goesOn() throws {
        var played = Played()
        played.play(600) { _ in ["a": 10, "b": 10] }
        played.play(60) { _ in ["a": 400, "b": 10] }
        let before = played.watch.abuses
        let memory = try JSONDecoder().decode(
            TenantWatch.Memory.self, from: try JSONEncoder().encode(played.watch.memory))
        played.watch = TenantWatch(pool: chat, rules: TenantWatchRules())
        played.watch.resume(memory)
        #expect(played.watch.abuses == before)
        played.play(5) { _ in ["a": 400, "b": 10] }
        played.play(60) { _ in ["a": 400, "b": 10] }
        #expect(abs(played.signalled(60) - 240) <= 20)
        #expect(played.watch.abuses.map(\.since) == before.map(\.since))
        // Another's sudden traffic is told at once, without windows to learn from.
        played.play(30) { _ in ["a": 10, "b": 400] }
        #expect(played.watch.abuses.map(\.tenant) == ["a", "b"])
        played.play(100) { _ in ["a": 10, "b": 10] }
        #expect(played.watch.abuses.isEmpty)
    }

    @Test("An abuser of whom a gateway that has started again knows nothing is calm")
    func forgotten() throws {
        var played = Played()
        played.play(600) { _ in ["a": 10] }
        played.play(60) { _ in ["a": 400] }
        var watch = TenantWatch(pool: chat, rules: TenantWatchRules())
        watch.resume(played.watch.memory)
        for second in stride(from: Int64(5), through: 70, by: 5) { watch.takeIn([], at: at(played.now + second)) }
        #expect(watch.abuses.isEmpty)
    }

    @Test("The way back takes two calm windows; afterwards all of a tenant counts again")
    func wayBack() {
        var played = Played()
        played.play(600) { _ in ["a": 10] }
        played.play(120) { _ in ["a": 400] }
        // Thrice its usual is no new abuse, and not calm either.
        played.play(300) { _ in ["a": 30] }
        #expect(played.watch.abuses.count == 1)
        played.play(35) { _ in ["a": 10] }
        #expect(played.watch.abuses.count == 1)
        played.play(60) { _ in ["a": 10] }
        #expect(played.watch.abuses.isEmpty)
        played.play(60) { _ in ["a": 12] }
        #expect(played.signalled(60) == 144)
    }

    @Test("What lasts for an hour is the new usual")
    func lasting() {
        var played = Played()
        played.play(600) { _ in ["a": 10] }
        played.play(3500) { _ in ["a": 400] }
        #expect(played.watch.abuses.count == 1)
        played.play(700) { _ in ["a": 400] }
        #expect(played.watch.abuses.isEmpty)
        #expect(played.signalled(60) == 4800)
    }

    @Test("A dearer habit is told by what it costs, and nothing is kept from scaling")
    func spend() {
        var played = Played()
        var dollars = 0.0
        for second in 0..<180 {
            dollars += second < 120 ? 0.01 : 0.4
            played.play(5) { _ in ["a": 10] }
            played.spend(dollars, of: "a")
        }
        #expect(played.watch.abuses.map(\.measure) == [.spend])
        #expect(played.signals.last?.excessTenants == nil)
        #expect(played.signalled(60) == 120)
        // Midnight.
        played.spend(0, of: "a")
        played.play(60) { _ in ["a": 10] }
        #expect(played.watch.abuses.count <= 1)
    }

    @Test("Counts that none can be are not taken in")
    func impossible() {
        var played = Played()
        played.play(600) { _ in ["a": 10] }
        let before = played.watch.abuses
        for bad in [Double.nan, .infinity, -1, 1e300] {
            played.watch.takeIn(
                [TenantCounters(tenant: "a", requests: bad, promptTokens: 0, outputTokens: 0)], at: at(played.now + 1))
        }
        #expect(played.watch.abuses == before)
        played.play(5) { _ in ["a": 10] }
        #expect(played.signalled(5) == 10)
    }

    @Test("A guard keeps a pool from growing while a tenant's excess is in its queue, and lets it shrink")
    func holding() {
        var pool = seen(target: 4)
        #expect(GuardRules.tenantAbuse(pool, proposed: 9) == nil)
        pool.excessTenants = 1
        #expect(GuardRules.tenantAbuse(pool, proposed: 9)?.allowed == 4)
        #expect(GuardRules.tenantAbuse(pool, proposed: 3) == nil)
        var loop = ControlLoop(
            observer: Observer(
                pools: [ObservedPool(id: chat, bounds: bounds)], window: .seconds(15), staleness: .seconds(45)),
            policy: Scripted(9), limits: GuardLimits())
        loop.ingest(status(10, ready: [1, 2, 3, 4]))
        for replica in 1...4 { loop.ingest(sample(10, replica: replica)) }
        var excess = gateway(10, requests: 0)
        excess.excessTenants = 1
        loop.ingest(excess)
        let record = loop.tick(at: at(10))
        #expect(record.targets.isEmpty && record.interventions.map(\.rule) == [.tenantAbuse])
    }
}
