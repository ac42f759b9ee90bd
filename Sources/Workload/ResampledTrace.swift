import Randomness
import Units

/// Blocks of another trace's time, drawn with replacement and laid end to end over the same span.
///
/// Memory is 8 bytes for each block: records are taken from the other trace as they are read.
struct ResampledTrace: TraceSource {
    private let base: any TraceSource
    /// Nanoseconds, as all times here.
    private let block: Int64
    /// From the first record to where the trace would begin anew.
    private let span: Int64
    /// Where each block begins in the other trace. The last one is cut at the end of the span.
    private let starts: [Int64]

    /// - Precondition: `base` has two records or more, and `block` is positive.
    init(_ base: any TraceSource, block: TimeSpan, generator: RandomGenerator) {
        precondition(block > .zero, "blocks of \(block)")
        self.base = base
        self.block = block.nanoseconds
        let last = base.last.nanoseconds
        // The last gap is unseen: take the mean one, so that the end does not meet the beginning in one moment.
        let span = last + max(1, last / Int64(base.count - 1))
        self.span = span
        let count = (span - 1) / block.nanoseconds + 1
        starts = (0..<count).map { _ in Int64(generator.uniform(below: Int(span))) }
    }

    var count: Int { base.count }
    /// No record comes later than this.
    var last: TimeSpan { TimeSpan(nanoseconds: span - 1) }

    func open() throws(TraceFailure) -> any TraceReader {
        var reader = Reader(blocks: self, base: try base.open())
        try reader.enter(block: 0)
        return reader
    }

    private struct Reader: TraceReader {
        static let batch = 256

        let blocks: ResampledTrace
        var base: any TraceReader
        /// Records of the other trace, and the first of them that is not used up.
        var read: [TraceRecord] = []
        var index = 0
        var number = 0
        /// What the other trace's times are behind, once a block has run over its end.
        var lap: Int64 = 0

        init(blocks: ResampledTrace, base: any TraceReader) {
            self.blocks = blocks
            self.base = base
        }

        mutating func enter(block: Int) throws(TraceFailure) {
            (number, lap) = (block, 0)
            guard block < blocks.starts.count else { return }
            try seekBase(to: blocks.starts[block])
        }

        private mutating func seekBase(to time: Int64) throws(TraceFailure) {
            try base.seek(to: TimeSpan(nanoseconds: time))
            read.removeAll(keepingCapacity: true)
            index = 0
        }

        mutating func next(into batch: inout [TraceRecord]) throws(TraceFailure) {
            batch.removeAll(keepingCapacity: true)
            while batch.count < Self.batch, number < blocks.starts.count {
                if index == read.count {
                    try base.next(into: &read)
                    index = 0
                    if read.isEmpty {
                        lap += blocks.span
                        try seekBase(to: 0)
                        continue
                    }
                }
                let position = Int64(number) * blocks.block
                let length = min(blocks.block, blocks.span - position)
                let since = read[index].offset.nanoseconds + lap - blocks.starts[number]
                guard since < length else {
                    try enter(block: number + 1)
                    continue
                }
                var record = read[index]
                record.offset = TimeSpan(nanoseconds: position + since)
                batch.append(record)
                index += 1
            }
        }

        mutating func seek(to offset: TimeSpan) throws(TraceFailure) {
            // Blocks are laid end to end, so the one that holds `offset` is known.
            let since = max(0, offset.nanoseconds)
            try enter(block: Int(min(since / blocks.block, Int64(blocks.starts.count))))
            guard number < blocks.starts.count else { return }
            let target = blocks.starts[number] + since - Int64(number) * blocks.block
            lap = target >= blocks.span ? blocks.span : 0
            try seekBase(to: target - lap)
        }
    }
}
