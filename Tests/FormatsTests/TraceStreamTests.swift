import FleetModel
import Foundation
import Randomness
import Testing
import Units
import Workload

@testable import Formats

/// Numbers for tests, the same for each seed.
struct TestNumbers {
    private var state: UInt64

    init(seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next(below limit: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state % UInt64(limit))
    }
}

@Suite("Traces read from their file as they are played")
struct TraceStreamTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A trace as text, and what reading it must yield.
    private struct Sample {
        var text: String
        var records: [TraceRecord] = []
    }

    /// Some 700 kB: many places of the index, several deflate blocks, and records of one time across both.
    private static func sample(_ format: TraceFormat, seed: Int, lineEnd: String = "\n", records: Int = 20_000)
        -> Sample
    {
        var numbers = TestNumbers(seed: seed)
        var sample = Sample(text: format.header.map { $0 + lineEnd } ?? "")
        sample.text.reserveCapacity(records * 60)
        // Whole milliseconds from the start of a day; Azure's times begin anew each midnight.
        var time = 0
        var group: [TraceRecord] = []
        func close() {
            // Records of one time are spread over the tick, here always reached by one pair of neighbours.
            for (i, record) in group.enumerated() {
                var record = record
                if format == .mooncake {
                    record.offset = record.offset + TimeSpan(nanoseconds: 3_000_000_000 * Int64(i) / Int64(group.count))
                }
                sample.records.append(record)
            }
            group = []
        }
        for i in 0..<records {
            let step = i == 0 ? 0 : i == 1 ? 3000 : numbers.next(below: 3) == 0 ? 0 : 3000 * numbers.next(below: 4)
            if step > 0 { close() }
            time += step
            let (prompt, output) = (numbers.next(below: 100_000) + 1, numbers.next(below: 700) + 1)
            group.append(
                TraceRecord(
                    offset: .milliseconds(Int64(time)), promptTokens: Int32(prompt), outputTokens: Int32(output)))
            switch format {
            case .csv: sample.text += "\(time / 1000)\(time % 3 == 0 ? ".0" : ""),\(prompt),\(output)"
            case .azure:
                let (day, second) = (time / 86_400_000, time / 1000 % 86_400)
                let fields = [second / 3600, second / 60 % 60, second % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }
                sample.text += "2024-05-\(day < 9 ? "0" : "")\(day + 1) \(fields.joined(separator: ":")).000"
                sample.text += ",\(prompt),\(output)"
            case .mooncake:
                sample.text += "{\"timestamp\": \(time), \"input_length\": \(prompt), \"output_length\": \(output), "
                sample.text +=
                    "\"hash_ids\": [\((0..<numbers.next(below: 9)).map { "\(i + $0)" }.joined(separator: ", "))]}"
            }
            sample.text += numbers.next(below: 50) == 0 ? lineEnd + lineEnd : lineEnd
        }
        close()
        return sample
    }

    private func write(_ sample: Sample, gzip: Bool) throws -> String {
        guard gzip else { return try folder.write("trace", sample.text) }
        // Two members, cut anywhere.
        let bytes = Array(sample.text.utf8)
        let cut = bytes.count / 3
        return try folder.write("trace.gz", Gzip.compress(Array(bytes[..<cut])) + Gzip.compress(Array(bytes[cut...])))
    }

    private static let kinds: [(TraceFormat, Bool)] = TraceFormat.allCases.flatMap { [($0, false), ($0, true)] }

    @Test("Records, their number and the last time are those of the file", arguments: kinds)
    func reading(format: TraceFormat, gzip: Bool) throws {
        let sample = Self.sample(format, seed: 3, lineEnd: gzip ? "\n" : "\r\n")
        let trace = try FileTrace(path: try write(sample, gzip: gzip), digesting: true)
        #expect(trace.format == format)
        #expect(trace.count == sample.records.count)
        #expect(trace.last == sample.records.last!.offset)
        #expect(try trace.allRecords() == sample.records)
        #expect(trace.digest == Digest(of: try Data(contentsOf: URL(filePath: trace.path))))
        #expect(trace.scan.index.places.count > 20)
        #expect(gzip == !(trace.gzip?.places.isEmpty ?? true))
    }

    @Test("A reader goes to any moment, forward and back", arguments: kinds, 1...3)
    func seeking(kind: (TraceFormat, Bool), seed: Int) throws {
        let sample = Self.sample(kind.0, seed: seed)
        let trace = try FileTrace(path: try write(sample, gzip: kind.1))
        var numbers = TestNumbers(seed: seed + 100)
        var reader = try FileTraceReader(trace)
        var records: [TraceRecord] = []
        for _ in 0..<40 {
            // Often a time that records have, or one just beside it.
            let near = sample.records[numbers.next(below: sample.records.count)].offset
            let target = near + TimeSpan(nanoseconds: Int64(numbers.next(below: 3)) - 1)
            let first = sample.records.firstIndex { $0.offset >= target } ?? sample.records.count
            try reader.seek(to: target)
            for _ in 0..<numbers.next(below: 3) {
                let start = try #require(reader.position >= first ? reader.position : first)
                try reader.next(into: &records)
                #expect(records == Array(sample.records[start..<(start + records.count)]), "seed \(seed), \(target)")
                #expect(records.isEmpty == (start == sample.records.count))
            }
        }
        try reader.seek(to: trace.last + .seconds(1))
        try reader.next(into: &records)
        #expect(records.isEmpty)
    }

    @Test("A copy of a reader reads on by itself", arguments: kinds)
    func copies(format: TraceFormat, gzip: Bool) throws {
        let sample = Self.sample(format, seed: 9)
        let trace = try FileTrace(path: try write(sample, gzip: gzip))
        var reader = try FileTraceReader(trace)
        var records: [TraceRecord] = []
        try reader.seek(to: sample.records[7_000].offset)
        try reader.next(into: &records)
        var copy = reader
        func rest(_ reader: inout FileTraceReader) throws -> [TraceRecord] {
            var (all, some): ([TraceRecord], [TraceRecord]) = ([], [])
            repeat {
                try reader.next(into: &some)
                all += some
            } while !some.isEmpty
            return all
        }
        let expected = Array(sample.records[reader.position...])
        #expect(try rest(&reader) == expected)
        try reader.seek(to: .zero)
        #expect(try rest(&copy) == expected)
        #expect(try rest(&reader) == sample.records)
    }

    @Test("Resampling a file and resampling its records yield the same", arguments: kinds)
    func resampling(format: TraceFormat, gzip: Bool) throws {
        let sample = Self.sample(format, seed: 5, records: 6_000)
        let trace = try FileTrace(path: try write(sample, gzip: gzip))
        func resampled(_ source: any TraceSource) throws -> [TraceRecord] {
            let traffic = TraceTraffic(
                name: "t", pool: PoolID("p"), tenants: [TenantShare(tenant: 0, share: 1)], source: source)
            let generator = RandomStreams(seed: 7).generator("blocks")
            return try traffic.resampled(blocks: .minutes(1), generator: generator).source.allRecords()
        }
        let records = try resampled(trace)
        #expect(records.count > 4_000)
        #expect(try records == resampled(TraceRecords(sample.records)))
    }

    @Test("Records from a moment on are counted", arguments: kinds)
    func counting(format: TraceFormat, gzip: Bool) throws {
        let sample = Self.sample(format, seed: 4)
        let trace = try FileTrace(path: try write(sample, gzip: gzip))
        for seconds in [0.0, 1, 2_999.999, 3_000, 20_000, 60_000, 1e6] {
            let expected = sample.records.count { $0.offset.seconds >= seconds }
            let start = TimeSpan.estimate(seconds: max(0, seconds - 1))
            #expect(try trace.count(from: start) { $0.offset.seconds >= seconds } == expected, "from \(seconds) s")
        }
    }

    @Test("A file that was written to, replaced, cut or removed since it was checked is a failure", arguments: 0..<5)
    func changed(way: Int) throws {
        let sample = Self.sample(.csv, seed: 2, records: 3_000)
        let path = try write(sample, gzip: way % 2 == 1)
        let trace = try FileTrace(path: path, name: "mine")
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        switch way {
        case 0:  // Appended to.
            let file = try FileHandle(forWritingTo: URL(filePath: path))
            try file.seekToEnd()
            try file.write(contentsOf: Data("99999999,1,1\n".utf8))
        case 1:  // The same length, and the time of writing set back.
            let written = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate]!
            bytes[bytes.count / 2] ^= 1
            let file = try FileHandle(forWritingTo: URL(filePath: path))
            try file.write(contentsOf: Data(bytes))
            try FileManager.default.setAttributes([.modificationDate: written], ofItemAtPath: path)
        case 2:  // Another file of this name, with the same bytes.
            try Data(bytes).write(to: URL(filePath: path), options: .atomic)
        case 3: #expect(truncate(path, off_t(bytes.count / 2)) == 0)
        default: try FileManager.default.removeItem(atPath: path)
        }
        #expect {
            try trace.open()
        } throws: { error in
            let text = "\(error)"
            return error is TraceFailure && text.hasPrefix("mine: error: ")
                && text.contains(way == 4 ? "cannot be read" : "was written to")
        }
    }

    @Test("A file that is written to while it is played is a failure", arguments: [false, true])
    func changedUnderway(gzip: Bool) throws {
        let sample = Self.sample(.csv, seed: 2, records: 100_000)
        let path = try write(sample, gzip: gzip)
        let trace = try FileTrace(path: path)
        var reader = try trace.open()
        var records: [TraceRecord] = []
        try reader.next(into: &records)
        #expect(records.first == sample.records.first)
        #expect(truncate(path, 100_000) == 0)
        var read = 0
        #expect(throws: TraceFailure.self) {
            repeat {
                try reader.next(into: &records)
                read += records.count
            } while !records.isEmpty
        }
        #expect(read < sample.records.count / 2)
    }

    @Test("A time that goes back is an error on its line, however far in the file")
    func outOfOrder() throws {
        let lines = 30_000
        var text = "offset_s,prompt_tokens,output_tokens\r\n"
        for i in 0..<lines { text += "\(i == lines - 1 ? 5 : i / 3),1,1\r\n" }
        let path = try folder.write("t", text)
        #expect(throws: InputError(file: "t", line: lines + 1, problem: .outOfOrder)) {
            try FileTrace(path: path, name: "t")
        }
    }

    @Test("More records of one rounded time than can be held are an error on their line")
    func tooManyAtOnce() throws {
        let line = "{\"timestamp\":0,\"input_length\":1,\"output_length\":1}\n"
        let bytes = Gzip.compress(Array(String(repeating: line, count: TickSpread.limit + 1).utf8))
        let path = try folder.write("t", bytes)
        #expect(
            throws: InputError(
                file: "t", line: TickSpread.limit + 1, problem: .tooManyAtOnce(limit: TickSpread.limit))
        ) { try FileTrace(path: path, name: "t") }
    }

    @Test("A line is read alike fast and with care", arguments: 0..<60)
    func fastAndCareful(seed: Int) throws {
        var numbers = TestNumbers(seed: seed)
        for format in [TraceFormat.azure, .csv] {
            let good = format == .azure ? "2024-05-01 23:59:07.1234567,12,3" : "86400.123456789,2147483647,3"
            for _ in 0..<20 {
                var line = Array(good.utf8)
                for _ in 0..<numbers.next(below: 4) {
                    let at = numbers.next(below: line.count)
                    let byte = Array("0123456789.,:- \r+e\0".utf8)[numbers.next(below: 19)]
                    switch numbers.next(below: 3) {
                    case 0: line[at] = byte
                    case 1: line.insert(byte, at: at)
                    default: line.remove(at: at)
                    }
                }
                let head = Array(
                    "\(format.header!)\n\(format == .azure ? "2024-05-01 00:00:00,1,1\n" : "0,1,1\n")".utf8)
                // Only in a line with much behind it can its end go unlooked for.
                let blank = [UInt8](repeating: UInt8(ascii: "\n"), count: 1000)
                func read(_ bytes: [UInt8]) throws -> String {
                    do {
                        return "\(try TraceFile.read(path: try folder.write("t", bytes), name: "t").records)"
                    } catch let error as InputError { return "\(error)" }
                }
                let text = String(decoding: line, as: UTF8.self)
                #expect(try read(head + line + blank) == read(head + line), "\(text.debugDescription)")
            }
        }
    }

    @Test("Digits, commas and spaces are stepped over, and nothing else", arguments: 0..<20)
    func separators(position: Int) {
        for byte in UInt8.min...UInt8.max {
            var line = Array("0, 19,7 ,,  4512,  38, 6".utf8)
            line[position] = byte
            let isPassed = (48...57).contains(byte) || byte == 44 || byte == 32
            line.withUnsafeBytes { bytes in
                var fields = LineFields(file: "t")
                fields.begin(bytes, line: 1)
                fields.skipNumbersAndSeparators()
                #expect(fields.cursor == (isPassed ? line.count : position), "byte \(byte)")
            }
        }
    }

    @Test("An index keeps to its capacity however long the text, and its places stay in order and apart")
    func sparse() {
        struct Place: Placed { var position: Int }
        var index = SparseIndex<Place>(distance: 10, capacity: 8)
        for position in stride(from: 0, to: 100_000, by: 7) where position >= index.next {
            index.add(Place(position: position))
        }
        #expect((4...8).contains(index.places.count))
        #expect(zip(index.places, index.places.dropFirst()).allSatisfy { $1.position - $0.position >= index.distance })
        #expect(index.last { $0.position < 60_000 }!.position > 60_000 - 3 * index.distance)
        #expect(index.last { $0.position < 5 } == nil)
    }
}
