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
    func resampling() throws {
        let counts = try (0..<200).map { seed in
            let generator = RandomStreams(seed: UInt64(seed)).generator("blocks")
            let other = try trace(hour).resampled(blocks: .minutes(5), generator: generator).source.allRecords()
            #expect(TraceRecords(other).problem == nil)
            #expect(other.last!.offset < .hours(1))
            return Double(other.count)
        }
        let mean = counts.reduce(0, +) / 200
        // Blocks of five minutes hold 40 to 60 records: at most 10 off in each of 12 blocks, in 200 traces.
        #expect(abs(mean - 600) < 10)
        #expect(Set(counts).count > 1)
    }

    @Test("Each record is as likely as any other, also at the ends")
    func unbiased() throws {
        var seen = [Int](repeating: 0, count: 60)
        for seed in 0..<300 {
            let generator = RandomStreams(seed: UInt64(seed)).generator("blocks")
            let other = trace(hour).resampled(blocks: .minutes(1), generator: generator)
            for record in try other.source.allRecords() {
                seen[Int(record.promptTokens) / 100] += 1
            }
        }
        // 3,000 expected for each minute, in about 300 whole bursts of 10: a deviation of 10·√300.
        for count in seen { #expect(abs(Double(count) - 3000) < 4.5 * 10 * 300.0.squareRoot()) }
    }

    @Test("What happens within a block stays together")
    func blocksStayTogether() throws {
        let generator = RandomStreams(seed: 1).generator("blocks")
        let records = try trace(hour).resampled(blocks: .minutes(10), generator: generator).source.allRecords()
        let torn = zip(records, records.dropFirst()).count { a, b in
            b.promptTokens != a.promptTokens + 1 && b.promptTokens != a.promptTokens + 91
        }
        // Seven blocks at most have six seams, and the end of the trace may fall into each.
        #expect(torn <= 13)
        #expect(records != hour)
    }

    @Test("One block as long as the trace only rotates it")
    func rotation() throws {
        let generator = RandomStreams(seed: 8).generator("blocks")
        let records = try trace(hour).resampled(blocks: .hours(2), generator: generator).source.allRecords()
        #expect(records.map(\.promptTokens).sorted() == hour.map(\.promptTokens).sorted())
    }

    @Test("Resampling record by record yields what resampling the whole trace at once does", arguments: 0..<50)
    func lazyResampling(seed: UInt64) throws {
        let numbers = RandomStreams(seed: seed).generator("records")
        var time: Int64 = 0
        let records = (0..<(2 + numbers.uniform(below: 900))).map { i in
            // Some at one moment, some far apart.
            time += Int64(numbers.uniform(below: 3)) * Int64(numbers.uniform(below: 40_000_000_000))
            return TraceRecord(offset: TimeSpan(nanoseconds: time), promptTokens: Int32(i + 1), outputTokens: 1)
        }
        let blocks = TimeSpan.seconds([7, 60, 3600, 1_000_000][numbers.uniform(below: 4)])
        let streams = RandomStreams(seed: seed)
        let expected = resampledAtOnce(records, blocks: blocks, generator: streams.generator("blocks"))
        let source = trace(records).resampled(blocks: blocks, generator: streams.generator("blocks")).source
        #expect(try source.allRecords() == expected, "seed \(seed)")
        for target in [TimeSpan.zero, blocks, expected[expected.count / 2].offset, source.last] {
            var reader = try source.open()
            var next: [TraceRecord] = []
            try reader.seek(to: target)
            try reader.next(into: &next)
            #expect(next.first == expected.first { $0.offset >= target }, "seed \(seed), from \(target)")
        }
    }

    /// What `resampled` promises, on arrays.
    private func resampledAtOnce(
        _ records: [TraceRecord], blocks: TimeSpan, generator: RandomGenerator
    ) -> [TraceRecord] {
        let last = records.last!.offset.nanoseconds
        let span = last + max(1, last / Int64(records.count - 1))
        let laps =
            records
            + records.map {
                TraceRecord(
                    offset: $0.offset + TimeSpan(nanoseconds: span), promptTokens: $0.promptTokens,
                    outputTokens: $0.outputTokens)
            }
        var result: [TraceRecord] = []
        for position in stride(from: 0, to: span, by: Int(blocks.nanoseconds)) {
            let start = Int64(generator.uniform(below: Int(span)))
            let end = start + min(blocks.nanoseconds, span - position)
            for var record in laps where (start..<end).contains(record.offset.nanoseconds) {
                record.offset = TimeSpan(nanoseconds: record.offset.nanoseconds - start + position)
                result.append(record)
            }
        }
        return result
    }

    @Test("A copy of a stream over a resampled trace goes on as the original does")
    func copies() {
        let streams = RandomStreams(seed: 4)
        let other = trace(hour).resampled(blocks: .minutes(1), generator: streams.generator("blocks"))
        var stream = ArrivalStream(
            sources: [], traces: [other], streams: streams, start: midnight, duration: .hours(1))
        for _ in 0..<250 { _ = stream.next() }
        var copy = stream
        let rest = (0..<300).map { _ in stream.next() }
        #expect(rest.contains { $0 != nil })
        #expect((0..<300).map { _ in copy.next() } == rest)
    }

    @Test("A trace that fails while it is played ends its requests, and the stream says why")
    func failing() {
        struct Failing: TraceSource, TraceReader {
            var left = 2
            var count: Int { 1000 }
            var last: TimeSpan { .hours(1) }
            func open() -> any TraceReader { self }
            mutating func seek(to offset: TimeSpan) {}
            mutating func next(into records: inout [TraceRecord]) throws(TraceFailure) {
                if left == 0 { throw TraceFailure("gone") }
                records = [
                    TraceRecord(offset: .seconds(Int64(2 - left)), promptTokens: 1, outputTokens: 1)
                ]
                left -= 1
            }
        }
        var failing = trace([])
        failing.name = "failing"
        failing.source = Failing()
        var stream = ArrivalStream(
            sources: [], traces: [trace(hour), failing], streams: RandomStreams(seed: 1), start: midnight,
            duration: .hours(1))
        #expect(stream.failure == nil)
        var seen = [0, 0]
        while let next = stream.next() { seen[next.source] += 1 }
        #expect(seen == [600, 2])
        #expect(stream.failure?.trace == 1)
        #expect(stream.failure?.reason == TraceFailure("gone"))
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
