import Randomness
import Testing
import Units

@testable import Workload

@Suite("Trace traffic")
struct TraceTrafficTests {
    /// An hour of a burst each minute: record k of minute m is m·100 + k tokens long.
    private let hour = (0..<600).map { (i: Int) -> TraceRecord in
        let (minute, k) = (i / 10, i % 10)
        return TraceRecord(
            offset: .seconds(Int64(minute) * 60) + .milliseconds(Int64(k) * 7),
            promptTokens: Int32(minute * 100 + k + 1), outputTokens: 5)
    }

    @Test("A trace is replayed record by record, to the nanosecond")
    func replay() {
        let all = requests([], traces: [trace(hour)], duration: .hours(1))
        #expect(all.map { $0.arrival.time - midnight } == hour.map(\.offset))
        #expect(all.map(\.arrival.promptTokens) == hour.map(\.promptTokens))
    }

    @Test("It is cut at the end of the run, and played faster at a higher speed")
    func speed() {
        #expect(requests([], traces: [trace(hour)], duration: .minutes(10)).count == 100)
        let fast = requests([], traces: [trace(hour, speed: 4)], duration: .minutes(10))
        #expect(fast.count == 400)
        #expect(fast[10].arrival.time == midnight + .seconds(15))
    }

    @Test("Traces are numbered after the sources")
    func numbering() {
        let all = requests([source()], traces: [trace(hour)])
        #expect(Set(all.map(\.source)) == [0, 1])
        #expect(all.filter { $0.source == 1 }.count == 100)
    }

    @Test("Resampled traces are in order, of the same span, and as long on average")
    func resampling() {
        let counts = (0..<200).map { seed in
            let generator = RandomStreams(seed: UInt64(seed)).generator("blocks")
            let other = trace(hour).resampled(blocks: .minutes(5), generator: generator)
            #expect(other.problem == nil)
            #expect(other.records.last!.offset < .hours(1))
            return Double(other.records.count)
        }
        let mean = counts.reduce(0, +) / 200
        // Blocks of five minutes hold 40 to 60 records: at most 10 off in each of 12 blocks, in 200 traces.
        #expect(abs(mean - 600) < 10)
        #expect(Set(counts).count > 1)
    }

    @Test("Each record is as likely as any other, also at the ends")
    func unbiased() {
        var seen = [Int](repeating: 0, count: 60)
        for seed in 0..<300 {
            let generator = RandomStreams(seed: UInt64(seed)).generator("blocks")
            for record in trace(hour).resampled(blocks: .minutes(1), generator: generator).records {
                seen[Int(record.promptTokens) / 100] += 1
            }
        }
        // 3,000 expected for each minute, in about 300 whole bursts of 10: a deviation of 10·√300.
        for count in seen { #expect(abs(Double(count) - 3000) < 4.5 * 10 * 300.0.squareRoot()) }
    }

    @Test("What happens within a block stays together")
    func blocksStayTogether() {
        let generator = RandomStreams(seed: 1).generator("blocks")
        let records = trace(hour).resampled(blocks: .minutes(10), generator: generator).records
        let torn = zip(records, records.dropFirst()).count { a, b in
            b.promptTokens != a.promptTokens + 1 && b.promptTokens != a.promptTokens + 91
        }
        // Seven blocks at most have six seams, and the end of the trace may fall into each.
        #expect(torn <= 13)
        #expect(records != hour)
    }

    @Test("One block as long as the trace only rotates it")
    func rotation() {
        let generator = RandomStreams(seed: 8).generator("blocks")
        let records = trace(hour).resampled(blocks: .hours(2), generator: generator).records
        #expect(records.map(\.promptTokens).sorted() == hour.map(\.promptTokens).sorted())
    }

    @Test("A trace that cannot be played says why")
    func problems() {
        func record(_ seconds: Int64, _ tokens: Int32 = 1) -> TraceRecord {
            TraceRecord(offset: .seconds(seconds), promptTokens: tokens, outputTokens: 1)
        }
        #expect(trace([]).problem == nil)
        #expect(trace([record(2), record(1)]).problem != nil)
        #expect(trace([record(-1)]).problem != nil)
        #expect(trace([record(1, 0)]).problem != nil)
        #expect(trace([record(1)], speed: 0).problem != nil)
    }
}
