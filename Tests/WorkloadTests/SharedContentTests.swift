import FleetModel
import Randomness
import Testing
import Units

@testable import Workload

@Suite("Shared prefixes")
struct SharedPrefixTests {
    private let plain = source(prompt: LengthDistribution(.geometric(mean: 300)), output: .fixed(20))

    private func sharing(_ prefix: SharedPrefix) -> TrafficSource {
        var source = plain
        source.sharedPrefix = prefix
        return source
    }

    @Test("A shared prefix is part of the prompt, and changes nothing else of a request")
    func partOfPrompt() {
        let before = requests([plain]).map(\.arrival)
        let after = requests([sharing(SharedPrefix(tokens: 200, variants: 4))]).map(\.arrival)
        #expect(before.allSatisfy { $0.content.isNone })
        #expect(before.count == after.count && after.contains { $0.promptTokens == 201 })
        for (old, new) in zip(before, after) {
            #expect(new.promptTokens == max(old.promptTokens, 201) && new.content.sharedTokens == 200)
            #expect(new.time == old.time && new.outputTokens == old.outputTokens && new.tenant == old.tenant)
        }
        // What follows the shared text is nobody else's.
        #expect(Set(after.map(\.content.own)).count == after.count)
    }

    @Test("Each tenant has its own texts, used as often as Zipf's law says")
    func variants() {
        var source = sharing(SharedPrefix(tokens: 50, variants: 3, zipf: 1))
        source.tenants = [TenantShare(tenant: 0, share: 1), TenantShare(tenant: 1, share: 1)]
        let all = requests([source], duration: .hours(1)).map(\.arrival)
        for tenant in Int32(0)...1 {
            let mine = all.filter { $0.tenant == tenant }
            let counts = Dictionary(grouping: mine, by: \.content.shared).mapValues(\.count)
            #expect(counts.count == 3)
            // 6/11, 3/11 and 2/11 of some 18,000.
            let shares = counts.values.sorted(by: >).map { Double($0) / Double(mine.count) }
            for (share, expected) in zip(shares, [6.0 / 11, 3.0 / 11, 2.0 / 11]) {
                #expect(abs(share - expected) < 0.015)
            }
        }
        #expect(Set(all.map(\.content.shared)).count == 6)
        source.sharedPrefix!.zipf = 0
        let equal = requests([source], duration: .hours(1)).map(\.arrival).filter { $0.tenant == 0 }
        for (_, some) in Dictionary(grouping: equal, by: \.content.shared) {
            let share = Double(some.count) / Double(equal.count)
            #expect(abs(share - 1.0 / 3) < 0.015)
        }
    }

    @Test("What cannot be is a problem in words")
    func problems() {
        #expect(sharing(SharedPrefix(tokens: 0)).problem == "a shared prefix of 0 tokens")
        #expect(sharing(SharedPrefix(tokens: 9, variants: 0)).problem == "0 variants of a shared prefix")
        var short = sharing(SharedPrefix(tokens: 100))
        short.promptTokens.maximum = 100
        #expect(short.problem == "prompts of at most 100 tokens that start with 100")
        short.promptTokens.maximum = 101
        #expect(short.problem == nil)
    }
}

@Suite("Sessions")
struct SessionTests {
    private func talking(turns: Double = 4, think: TimeSpan = .seconds(20), maximum: Int? = nil) -> TrafficSource {
        var source = source(
            prompt: LengthDistribution(.geometric(mean: 60), maximum: maximum),
            output: LengthDistribution(.geometric(mean: 30)),
            tenants: [TenantShare(tenant: 0, share: 1), TenantShare(tenant: 1, share: 1)])
        source.sharedPrefix = SharedPrefix(tokens: 40, variants: 2)
        source.sessions = Sessions(turns: turns, thinkTime: think)
        return source
    }

    private func sessions(_ source: TrafficSource, duration: TimeSpan = .hours(2)) -> [[Arrival]] {
        Dictionary(grouping: requests([source], duration: duration).map(\.arrival), by: \.content.own)
            .values.sorted { $0[0].time < $1[0].time }
    }

    @Test("A turn's prompt is all that was said before and a new message")
    func history() {
        var longest = 0
        for turns in sessions(talking()) {
            longest = max(longest, turns.count)
            #expect(Set(turns.map(\.content)).count == 1 && Set(turns.map(\.tenant)).count == 1)
            #expect(turns[0].promptTokens > 40)
            for (last, next) in zip(turns, turns.dropFirst()) {
                #expect(next.promptTokens > last.promptTokens + last.outputTokens && next.time >= last.time)
            }
        }
        #expect(longest > 15)
    }

    @Test("The stated rate is that of all requests, and think times and turns have their means")
    func means() {
        let all = sessions(talking())
        // 2.5 sessions a second of four turns. The first minutes have fewer: nobody is in a later turn yet.
        let late = all.joined().count { $0.time >= midnight + .minutes(20) }
        let rate = Double(late) / 6000
        #expect(abs(rate - 10) < 0.35)
        let done: [[Arrival]] = all.filter { $0[0].time < midnight + .minutes(90) }
        let turns = Double(done.joined().count) / Double(done.count)
        #expect(abs(turns - 4) < 0.15)
        let gaps: [Double] = done.flatMap { turns -> [Double] in
            zip(turns, turns.dropFirst()).map { last, next -> Double in (next.time - last.time).seconds }
        }
        let gap = gaps.reduce(0, +) / Double(gaps.count)
        #expect(abs(gap - 20) < 0.6)
    }

    @Test("Prompts are cut at the source's maximum")
    func cut() {
        let prompts: [Int32] = sessions(talking(maximum: 500)).flatMap { $0.map(\.promptTokens) }
        #expect(prompts.max() == 500 && prompts.count { $0 == 500 } > 100)
    }

    @Test("Draws belong to the conversation and the turn: another think time or rate leaves what is said")
    func commonRandomNumbers() {
        func said(_ source: TrafficSource) -> [[Int32]] {
            sessions(source).prefix(200).map { turns -> [Int32] in
                turns.prefix(3).flatMap { turn -> [Int32] in [turn.promptTokens, turn.outputTokens] }
            }
        }
        #expect(said(talking()) == said(talking(think: .seconds(5))))
        var faster = talking()
        faster.rate = .constant(30)
        #expect(said(talking()) == said(faster))
    }

    @Test("Requests come in order, and a copy of the stream goes on as the original does")
    func copies() {
        var stream = ArrivalStream(
            sources: [talking(), source("other")], streams: RandomStreams(seed: 1), start: midnight,
            duration: .minutes(10))
        let before = (0..<2000).compactMap { _ in stream.next()?.arrival.time }
        #expect(zip(before, before.dropFirst()).allSatisfy { $0 <= $1 })
        var copy = stream
        let rest = (0..<2000).map { _ in stream.next() }
        let copied = (0..<2000).map { _ in copy.next() }
        #expect(copied == rest)
    }
}
