import Testing

@testable import Statistics

@Suite("Queueing formulas")
struct QueueingTests {
    @Test("Erlang C at 3.2 erlangs on 4 servers is 0.596")
    func erlangCKnown() { #expect(abs(erlangC(offeredLoad: 3.2, servers: 4) - 0.5964) < 1e-4) }

    @Test("Erlang B is the truncated Poisson distribution", arguments: [1, 4, 30])
    func erlangBDefinition(servers: Int) {
        let load = 5.0
        var term = 1.0
        var sum = 1.0
        for k in 1...servers {
            term *= load / Double(k)
            sum += term
        }
        #expect(abs(erlangB(offeredLoad: load, servers: servers) - term / sum) < 1e-14)
        #expect(erlangB(offeredLoad: load, servers: 0) == 1)
    }

    @Test("Thousands of servers do not overflow")
    func large() {
        let waiting = erlangC(offeredLoad: 4900, servers: 5000)
        #expect(waiting > 0.05 && waiting < 0.2)
    }

    @Test("M/M/1 waits ρs/(1−ρ), by either formula")
    func singleServer() {
        #expect(abs(meanWaitMMc(arrivalRate: 0.8, meanService: 1, servers: 1) - 4) < 1e-12)
        #expect(abs(meanWaitMG1(arrivalRate: 0.8, meanService: 1, squaredCV: 1) - 4) < 1e-12)
    }

    @Test("Constant service halves the wait of exponential service")
    func deterministic() {
        #expect(abs(meanWaitMG1(arrivalRate: 0.5, meanService: 1, squaredCV: 0) - 0.5) < 1e-12)
    }

    @Test("Four servers at the same load wait less than a quarter as long as one")
    func pooling() {
        let four = meanWaitMMc(arrivalRate: 3.2, meanService: 1, servers: 4)
        #expect(abs(four - 0.5964 / 0.8) < 1e-4)
        #expect(four < meanWaitMMc(arrivalRate: 0.8, meanService: 1, servers: 1) / 4)
    }

    @Test("Eight servers at half load: one request in seventeen waits, for 0.0148 of a service in the mean")
    func eightServers() {
        // C(8, 4) from tables of Erlang C; over 8 − 4 servers left.
        #expect(abs(erlangC(offeredLoad: 4, servers: 8) - 0.05904) < 1e-5)
        #expect(abs(meanWaitMMc(arrivalRate: 4, meanService: 1, servers: 8) - 0.01476) < 1e-5)
    }

    @Test("Pollaczek–Khinchine is linear in the variance: cv 1.5 waits 3.25 times as long as constant service")
    func highVariability() {
        #expect(abs(meanWaitMG1(arrivalRate: 0.8, meanService: 1, squaredCV: 2.25) - 6.5) < 1e-12)
    }

    @Test("M/M/4/6 at two erlangs, by hand: the states weigh 1, 2, 2, 4/3, 2/3, 1/3 and 1/6")
    func finiteByHand() {
        let queue = FiniteQueue(arrivalRate: 2, meanService: 1, servers: 4, capacity: 6)
        #expect(abs(queue.blocking - 1 / 45) < 1e-14)
        #expect(abs(queue.meanWaiting - (1 * 1 / 3 + 2 * 1 / 6) / 7.5) < 1e-14)
        #expect(abs(queue.meanWait - queue.meanWaiting / (2 * 44 / 45)) < 1e-14)
    }

    @Test("One server with K places blocks (1 − ρ)ρᴷ/(1 − ρᴷ⁺¹)", arguments: [1, 2, 5, 40])
    func finiteSingleServer(capacity: Int) {
        let power = (0..<capacity).reduce(1.0) { product, _ in product * 0.8 }
        let queue = FiniteQueue(arrivalRate: 0.8, meanService: 1, servers: 1, capacity: capacity)
        #expect(abs(queue.blocking - 0.2 * power / (1 - 0.8 * power)) < 1e-14)
    }

    @Test("Without waiting room it is Erlang B, with much of it M/M/c, and overload only fills it")
    func finiteLimits() {
        let none = FiniteQueue(arrivalRate: 6.4, meanService: 1, servers: 8, capacity: 8)
        #expect(none.blocking == erlangB(offeredLoad: 6.4, servers: 8) && none.meanWait == 0)
        // Erlang's table: 8 lines at 4 erlangs lose 3.04 %.
        #expect(abs(erlangB(offeredLoad: 4, servers: 8) - 0.0304) < 5e-5)
        let large = FiniteQueue(arrivalRate: 3.2, meanService: 1, servers: 4, capacity: 1_000)
        #expect(large.blocking < 1e-90)
        #expect(abs(large.meanWait - meanWaitMMc(arrivalRate: 3.2, meanService: 1, servers: 4)) < 1e-12)
        let flooded = FiniteQueue(arrivalRate: 40, meanService: 1, servers: 4, capacity: 5_000)
        #expect(abs(flooded.blocking - 0.9) < 1e-12)
    }
}
