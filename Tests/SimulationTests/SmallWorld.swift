import EngineModel
import FleetModel
import Randomness
import Serving
import Statistics
import Units

@testable import Simulation

/// A replica with tight limits and a few requests, drawn from a seed.
struct SmallWorld {
    struct Request: Hashable {
        var time: Instant
        var prompt: Int
        var output: Int
        var priority: Int
        var deadline: Instant
        var content = PromptContent.none
    }

    var limits: BatcherConfiguration
    var clock: StepClock
    var noise: PlainNoise
    var requests: [Request]
    /// When somebody looks at the replica.
    var scrapes: [Instant]

    init(seed: UInt64) {
        let draw = RandomStreams(seed: seed).generator("small world")
        func pick(_ range: ClosedRange<Int>) -> Int { range.lowerBound + draw.uniform(below: range.count) }
        let maxSequences = pick(1...6)
        let blockSize = [1, 2, 4, 16][pick(0...3)]
        let maxContext = [12, 40, 200, 900][pick(0...3)]
        let totalBlocks =
            (maxContext + blockSize - 1) / blockSize + pick(0...(maxContext / blockSize / (1 << pick(0...2))))
        limits = BatcherConfiguration(
            maxBatchedTokens: maxSequences + pick(0...(maxContext / 2)), maxSequences: maxSequences,
            blockSize: blockSize, totalBlocks: totalBlocks, maxContext: maxContext)
        // Fractions of a nanosecond, so that a step's end is rarely on one.
        clock = StepClock(
            StepTimeCoefficients(
                decode: .init(
                    constant: 40 + draw.uniform() * 100, perSequence: draw.uniform() * 9,
                    perContextToken: draw.uniform() / 3, perSequenceBeyondHinge: draw.uniform() * 3, hingeSequences: 2),
                mixed: .init(
                    constant: 50 + draw.uniform() * 100, perPrefillToken: draw.uniform() * 5,
                    perTokenBeyondFirstHinge: draw.uniform(), firstHinge: 20, perContextToken: draw.uniform() / 2,
                    perPrefillArea: draw.uniform() / 9, perPrefillContextToken: draw.uniform() / 5,
                    perSequence: draw.uniform() * 7),
                hostOverhead: draw.uniform() * 10))
        noise = PlainNoise(
            stream: CounterStream(seed: seed, names: "noise"), replica: 3, deviation: pick(0...1) == 0 ? 0 : 0.2)
        let priorities = pick(1...3)
        let patience = [0, 2_000, 20_000, 200_000][pick(0...3)]
        let spread = [3, 500, 5_000, 60_000][pick(0...3)]
        var now = 0
        requests = (0..<pick(1...14)).map { _ in
            // Some share their nanosecond with the one before.
            if pick(0...3) > 0 { now += pick(0...spread) }
            let prompt = pick(1...(maxContext - 1))
            let time = Instant(nanoseconds: Int64(now))
            let limit = pick(0...2) == 0 ? 3 : maxContext
            return Request(
                time: time, prompt: prompt, output: pick(1...min(limit, maxContext - prompt)),
                priority: pick(0...(priorities - 1)),
                deadline: patience == 0 || pick(0...2) == 0
                    ? .never : time + TimeSpan(nanoseconds: Int64(pick(1...patience))))
        }
        scrapes = (0..<pick(0...20)).map { _ in Instant(nanoseconds: Int64(pick(0...(now + 20_000)))) }.sorted()
        if seed % 2 == 0 { shareContents(seed: seed) }
    }

    /// Lets the replica cache prefixes, and gives requests shared texts and conversations: few, so that they meet.
    private mutating func shareContents(seed: UInt64) {
        let draw = RandomStreams(seed: seed).generator("small world contents")
        func pick(_ range: ClosedRange<Int>) -> Int { range.lowerBound + draw.uniform(below: range.count) }
        limits.prefixCaching = true
        let conversations = pick(1...4)
        let sharedTokens = (0...1).map { _ in pick(1...(limits.maxContext / 2)) }
        // Many requests more, of the same kinds, so that what one left is there for another.
        let more = pick(0...3)
        for _ in 0..<more {
            let gap = TimeSpan(nanoseconds: Int64(pick(0...60_000)))
            let last = requests.last!.time
            for request in requests.prefix(14) {
                var again = request
                let delay = last + gap - request.time
                again.time = request.time + delay
                if again.deadline != .never { again.deadline = again.deadline + delay }
                requests.append(again)
            }
        }
        for index in requests.indices where pick(0...6) > 0 {
            let text = pick(0...2)
            let tokens = text == 0 ? 0 : sharedTokens[text - 1]
            guard tokens <= requests[index].prompt else { continue }
            let own = pick(0...conversations)
            requests[index].content = PromptContent(
                shared: UInt64(text), sharedTokens: tokens, own: own == 0 ? 0 : UInt64(text * 100 + own))
        }
    }

    /// Plays the world on the plain engine. Of one nanosecond, arrivals come first.
    func playPlain() -> (records: [RequestRecord], engine: PlainEngine) {
        var engine = PlainEngine(limits: limits, steps: clock, noise: noise, at: .epoch)
        var next = 0
        while true {
            let arrival = next < requests.count ? requests[next].time : .never
            let event = engine.nextTime
            if arrival == .never, event == .never { break }
            if arrival <= event {
                engine.submit(next, requests[next], at: arrival)
                next += 1
            } else {
                engine.play(at: event)
            }
        }
        var records = requests.map { _ in RequestRecord() }
        for end in engine.ends {
            precondition(records[end.id].outcome == nil, "request \(end.id) ended twice")
            records[end.id] = RequestRecord(outcome: end.outcome, firstToken: end.firstToken, end: end.time)
        }
        return (records, engine)
    }

    /// Plays the world on the engine that the simulator uses.
    func playSimulated() -> (records: [RequestRecord], engine: SimulatedEngine, gaps: LatencyHistogram, end: Instant) {
        let source = NoiseSource(stream: noise.stream, replica: noise.replica, deviation: noise.deviation)
        var engine = SimulatedEngine(configuration: limits, steps: clock, noise: source, at: .epoch)
        var records = requests.map { _ in RequestRecord() }
        var gaps = LatencyHistogram()
        var ended: [Ended] = []
        var next = 0
        var looks = scrapes[...]
        var now = Instant.epoch
        while true {
            let arrival = next < requests.count ? requests[next].time : .never
            let event = engine.nextEvent
            let look = looks.first ?? .never
            if arrival == .never, event == .never, look == .never { break }
            now = min(arrival, event, look)
            if arrival == now {
                let request = requests[next]
                // The tenant carries the request's number through the engine.
                let sent = Arrival(
                    time: now, promptTokens: Int32(request.prompt), outputTokens: Int32(request.output),
                    tenant: Int32(next), sloClass: 0, content: request.content)
                engine.submit(InFlight(arrival: sent, deadline: request.deadline), priority: request.priority, at: now)
                next += 1
            } else if event == now {
                engine.handleTimer(at: now, gaps: &gaps, ended: &ended)
            } else {
                engine.synchronise(at: now, gaps: &gaps, ended: &ended)
                looks.removeFirst()
            }
        }
        for end in ended {
            let id = Int(end.request.arrival.tenant)
            precondition(records[id].outcome == nil, "request \(id) ended twice")
            records[id] = RequestRecord(outcome: end.outcome, firstToken: end.request.firstToken, end: end.time)
        }
        return (records, engine, gaps, now)
    }
}
