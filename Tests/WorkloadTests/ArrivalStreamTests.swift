import FleetModel
import Randomness
import Testing
import Units

@testable import Workload

@Suite("Arrival stream")
struct ArrivalStreamTests {
    private let law = LengthDistribution(.lognormal(p50: 200, p99: 2000))
    private var chat: TrafficSource { source("chat", arrivals: .gamma(cv: 2), prompt: law, output: law) }
    private var code: TrafficSource {
        source("code", arrivals: .weibull(cv: 1.5), rate: .steps(every: .minutes(1), values: [2, 30]), prompt: law)
    }

    @Test("The same seed gives the same requests, another seed others")
    func reproducible() {
        let first = requests([chat, code], seed: 3)
        #expect(first == requests([chat, code], seed: 3))
        #expect(first != requests([chat, code], seed: 4))
    }

    @Test("Requests come in order of time, inside the run, from every source")
    func ordered() {
        let all = requests([chat, code, source("idle", rate: .constant(0)), source("rest")])
        #expect(zip(all, all.dropFirst()).allSatisfy { $0.arrival.time <= $1.arrival.time })
        #expect(all.allSatisfy { $0.arrival.time >= midnight && $0.arrival.time < midnight + .minutes(10) })
        #expect(Set(all.map(\.source)) == [0, 1, 3])
        let alone = requests([code]).map(\.arrival)
        #expect(all.filter { $0.source == 1 }.map(\.arrival) == alone)
    }

    @Test("Requests of one moment come in order of their source")
    func ties() {
        let records = (0..<50).map { TraceRecord(offset: .seconds($0 / 5), promptTokens: 1, outputTokens: 1) }
        let traces = (0..<4).map { trace(records, name: "t\($0)") }
        let all = requests([], traces: traces)
        #expect(all.count == 200)
        let keys = all.map { ($0.arrival.time.nanoseconds, $0.source) }
        #expect(zip(keys, keys.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test("Changing one source leaves the draws of the others unchanged")
    func commonRandomNumbers() {
        var other = code
        other.rate = .constant(50)
        other.promptTokens = .fixed(1)
        let before = requests([code, chat]).filter { $0.source == 1 }
        #expect(requests([other, chat]).filter { $0.source == 1 } == before)
    }

    @Test("Changing a source's lengths or tenants leaves its times, and changing its prompts leaves its answers")
    func independentPurposes() {
        var other = chat
        other.promptTokens = .fixed(7)
        other.tenants = [TenantShare(tenant: 0, share: 1), TenantShare(tenant: 1, share: 2)]
        let (before, after) = (requests([chat]), requests([other]))
        #expect(before.map(\.arrival.time) == after.map(\.arrival.time))
        #expect(before.map(\.arrival.outputTokens) == after.map(\.arrival.outputTokens))
    }

    @Test("A request keeps its lengths when its source comes faster")
    func lengthsByNumber() {
        var faster = chat
        faster.rate = .constant(20)
        let lengths = requests([chat]).map(\.arrival.promptTokens)
        #expect(Array(requests([faster]).map(\.arrival.promptTokens).prefix(lengths.count)) == lengths)
    }

    @Test("A copy of a stream goes on as the original does")
    func copies() {
        var stream = ArrivalStream(
            sources: [chat, code], streams: RandomStreams(seed: 1), start: midnight, duration: .minutes(10))
        for _ in 0..<100 { _ = stream.next() }
        var copy = stream
        let rest = (0..<100).map { _ in stream.next() }
        let copied = (0..<100).map { _ in copy.next() }
        #expect(copied == rest)
    }

    @Test("Tenants send in proportion to their shares")
    func tenants() {
        let shares = [TenantShare(tenant: 2, share: 3), TenantShare(tenant: 0, share: 1)]
        let all = requests([source(tenants: shares)])
        let heavy = all.count { $0.arrival.tenant == 2 }
        #expect(all.allSatisfy { $0.arrival.tenant == 2 || $0.arrival.tenant == 0 })
        #expect(abs(Double(heavy) / Double(all.count) - 0.75) < 4 * (0.1875 / Double(all.count)).squareRoot())
    }

    @Test("A source says what is wrong with it")
    func problems() {
        #expect(chat.problem == nil)
        #expect(source(tenants: []).problem != nil)
        #expect(source(tenants: [TenantShare(tenant: 0, share: 0)]).problem != nil)
        #expect(source(rate: .constant(-1)).problem != nil)
        #expect(source(output: .fixed(0)).problem?.hasPrefix("output tokens: ") == true)
    }
}
