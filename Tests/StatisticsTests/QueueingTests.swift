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
}
