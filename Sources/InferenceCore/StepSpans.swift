import CKernels

/// The entries of a step as the kernels read them: which rows are whose, and the numbers of their blocks.
///
/// Keeps its room from step to step.
final class StepSpans {
    private var spans = [ck_span]()
    private var blocks = [Int32]()

    /// - Parameter blocks: That there are: so many can be named without taking memory.
    init(blocks: Int) { self.blocks.reserveCapacity(2 * blocks) }

    /// Takes the entries' rows, which follow one another.
    func set(_ entries: [StepEntry]) {
        spans.removeAll(keepingCapacity: true)
        blocks.removeAll(keepingCapacity: true)
        for entry in entries { blocks.append(contentsOf: entry.blocks.lazy.map { Int32($0) }) }
        var row = 0
        for entry in entries {
            spans.append(ck_span(row: row, count: entry.tokens.count, position: entry.start, blocks: nil))
            row += entry.tokens.count
        }
    }

    /// The spans of `entries`, those that were set, for the time of a call.
    func withSpans(of entries: [StepEntry], _ body: (UnsafePointer<ck_span>, Int) -> Void) {
        blocks.withUnsafeBufferPointer { numbers in
            var first = numbers.baseAddress!
            for (index, entry) in entries.enumerated() {
                spans[index].blocks = first
                first += entry.blocks.count
            }
            spans.withUnsafeBufferPointer { body($0.baseAddress!, $0.count) }
        }
    }
}
