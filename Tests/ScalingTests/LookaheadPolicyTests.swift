import FleetModel
import Scaling
import Testing
import Units

@Suite("Lookahead")
struct LookaheadPolicyTests {
    static let bounds = ReplicaBounds(minimum: 1, maximum: 40)

    /// Runs `policy` around a pool whose replicas serve 10 requests/s and takes 4 minutes to start.
    static func run(
        _ policy: inout some ScalingPolicy, pool: inout ToyPool, ticks: Int, rate: (Double) -> Double,
        each: (ToyPool, ScalingDecision) -> Void = { _, _ in }
    ) {
        for _ in 0..<ticks {
            let observation = pool.advance(rate: rate((pool.now - .epoch).seconds))
            let decision = policy.decide(observation)
            pool.apply(decision)
            each(pool, decision)
        }
    }

    static func pool(ready: Int, coldStart: TimeSpan = .minutes(4), seed: UInt64 = 1) -> ToyPool {
        ToyPool(coldStart: coldStart, bounds: bounds, service: 10, ready: ready, seed: seed)
    }

    /// 40 requests/s for an hour, then one more every 30 s for an hour: 4 to 16 replicas of work.
    static func ramp(_ seconds: Double) -> Double { 40 + max(0, min(seconds - 3600, 3600)) / 30 }

    /// Ticks at which fewer were ready than the work, once the ramp has been visible for 15 minutes, and by how much
    /// each order came before its level was needed, in seconds.
    static func climb(_ policy: LookaheadPolicy) -> (shortTicks: Int, leads: [Double], pool: ToyPool) {
        var pool = Self.pool(ready: 5)
        var policy = policy
        var shortTicks = 0
        var leads: [Double] = []
        run(&policy, pool: &pool, ticks: 480, rate: ramp) { pool, decision in
            let seconds = (pool.now - .epoch).seconds
            guard seconds > 4500 else { return }
            if Double(pool.ready) * 10 < ramp(seconds) { shortTicks += 1 }
            // A level is needed when work exceeds the one below it.
            if let level = decision.level, level <= 16 {
                leads.append(3600 + (Double(level - 1) * 10 - 40) * 30 - seconds)
            }
        }
        return (shortTicks, leads, pool)
    }

    @Test("On a ramp each order leads the demand by the cold start, so the pool never runs short")
    func leadsARamp() {
        let (shortTicks, leads, pool) = Self.climb(ToyPool.lookahead())
        #expect(leads.count > 4 && leads.allSatisfy { $0 >= 240 }, "leads in seconds: \(leads)")
        #expect(shortTicks == 0)
        #expect(pool.target <= 20)
        // The same policy that looks no further than a window is late: it is the horizon that leads.
        let (shortTicksBlind, leadsBlind, _) = Self.climb(ToyPool.lookahead { $0.horizon = .seconds(1) })
        #expect(shortTicksBlind > 20 && leadsBlind.contains { $0 < 240 }, "leads in seconds: \(leadsBlind)")
    }

    @Test("Noise does not make it flap, wherever the need lies between two levels", arguments: 0...5)
    func doesNotFlap(fifths: Int) {
        // Half a day at 5.0, 5.2 … 6.0 replicas of work: with head-room one of them lies on a boundary.
        var pool = Self.pool(ready: 5, seed: UInt64(fifths))
        var policy: some ScalingPolicy = ToyPool.lookahead()
        var directions: [(time: Instant, up: Bool)] = []
        var level = pool.target
        func rate(_ seconds: Double) -> Double { 50 + 2 * Double(fifths) }
        Self.run(&policy, pool: &pool, ticks: 2880, rate: rate) { pool, decision in
            guard let next = decision.level else { return }
            directions.append((pool.now, next > level))
            level = next
        }
        let reversals = zip(directions, directions.dropFirst()).filter {
            $0.up != $1.up && $1.time - $0.time < .minutes(30)
        }
        #expect(reversals.count <= 2, "\(directions.count) changes")
        #expect((5...8).contains(pool.target))
    }

    @Test("It follows a day down as well as up")
    func followsADay() {
        func rate(_ seconds: Double) -> Double {
            let hour = seconds / 3600
            return hour < 8 ? 20 : hour < 16 ? 100 : 20
        }
        var pool = Self.pool(ready: 3)
        var policy: some ScalingPolicy = ToyPool.lookahead()
        var atNoon = 0
        Self.run(&policy, pool: &pool, ticks: 5760, rate: rate) { pool, _ in
            if pool.now == .epoch + .hours(12) { atNoon = pool.target }
        }
        #expect((10...14).contains(atNoon))
        #expect((2...4).contains(pool.target))
    }

    @Test("A backlog adds what drains it in the drain time, and not more")
    func backlog() throws {
        var policy = ToyPool.lookahead { $0.horizon = .seconds(60) }
        var pool = Self.pool(ready: 5)
        Self.run(&policy, pool: &pool, ticks: 40, rate: { _ in 30 })
        var observation = pool.advance(rate: 30)
        let base = policy.decide(observation).level ?? pool.target
        observation.time += .seconds(15)
        observation.pools[0].queueDepth = 2405
        // 5 ready serve 3 of work: the queue of 2400 shrinks by about 20 requests/s for the two minutes ahead, then
        // takes one replica per 1,200 requests (10/s for 120 s).
        let level = try #require(policy.decide(observation).level)
        #expect(level > base || level > pool.target)
        #expect(level <= pool.target + 3)
    }

    @Test("Zero traffic needs the minimum, even zero, and a first request wakes the pool")
    func zeroTraffic() {
        var pool = ToyPool(
            coldStart: .minutes(1), bounds: ReplicaBounds(minimum: 0, maximum: 10), service: 10, ready: 2)
        var policy: some ScalingPolicy = ToyPool.lookahead()
        Self.run(&policy, pool: &pool, ticks: 120, rate: { _ in 0 })
        #expect(pool.target == 0)
        Self.run(&policy, pool: &pool, ticks: 8, rate: { _ in 1 })
        #expect(pool.target >= 1)
    }

    @Test("Whatever is unknown, nothing is removed, and without traffic nothing changes")
    func holdsWhenBlind() {
        let blinds: [(inout PoolObservation) -> Void] = [
            { $0.queueDepth = nil }, { $0.missingReplicas = 1 }, { $0.offered = nil },
        ]
        for blind in blinds {
            var pool = Self.pool(ready: 20)
            var policy: some ScalingPolicy = ToyPool.lookahead()
            for _ in 0..<200 {
                var observation = pool.advance(rate: 10)
                blind(&observation.pools[0])
                #expect(policy.decide(observation).hold == .missingMetrics)
            }
        }
        var policy = LookaheadPolicy(parameters: LookaheadParameters(engines: ["other": ToyPool.engine(servers: 4)]))
        var pool = Self.pool(ready: 3)
        #expect(policy.decide(pool.advance(rate: 1000)).hold == .missingMetrics)
    }

    @Test("Unknown prices, offerings and cold starts change the words and not the decision")
    func unknownPrices() throws {
        var observation = FleetObservation(time: .epoch, pools: [])
        var pool = Self.pool(ready: 1)
        for _ in 0..<5 { observation = pool.advance(rate: 35) }
        var known = ToyPool.lookahead { $0.horizon = .minutes(4) }
        let priced = known.decide(observation)
        observation.pools[0].offerings = []
        var unknown = ToyPool.lookahead { $0.horizon = .minutes(4) }
        let unpriced = unknown.decide(observation)
        #expect(priced.action == unpriced.action)
        #expect(unpriced.rejected.allSatisfy { $0.costPerHour == nil })
        let level = try #require(priced.level)
        let oneMore = try #require(priced.rejected.first { $0.replicas == level + 1 })
        #expect(oneMore.costPerHour == USD("\(12 * (level + 1))"))
        #expect(priced.rejected.map(\.replicas) == [1, level - 1, level + 1])
        #expect(priced.rejected.allSatisfy { !$0.risk.isEmpty })
    }

    @Test("Decisions continue from an encoded memory as if there had been no restart")
    func memoryRoundTrip() throws {
        var pool = Self.pool(ready: 5)
        var policy = ToyPool.lookahead()
        func rate(_ seconds: Double) -> Double { 50 + 40 * (seconds / 3600).truncatingRemainder(dividingBy: 2) }
        Self.run(&policy, pool: &pool, ticks: 500, rate: rate)
        let memory = try ParameterValue(encoding: policy.memory).decoded(as: LookaheadPolicy.Memory.self)
        #expect(memory == policy.memory)
        var restarted = LookaheadPolicy(parameters: policy.parameters, memory: memory)
        var changes = 0
        for _ in 0..<500 {
            let observation = pool.advance(rate: rate((pool.now - .epoch).seconds))
            let decision = policy.decide(observation)
            #expect(restarted.decide(observation) == decision)
            if decision.level != nil { changes += 1 }
            pool.apply(decision)
        }
        #expect(changes > 0)
    }

    @Test("Bounds hold whatever is forecast")
    func boundsHold() {
        var pool = ToyPool(coldStart: .minutes(4), bounds: ReplicaBounds(minimum: 3, maximum: 6), service: 10, ready: 4)
        var policy: some ScalingPolicy = ToyPool.lookahead()
        Self.run(&policy, pool: &pool, ticks: 60, rate: { _ in 200 })
        #expect(pool.target == 6)
        Self.run(&policy, pool: &pool, ticks: 1000, rate: { _ in 0 })
        #expect(pool.target == 3)
    }
}
