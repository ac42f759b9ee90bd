import Subprocess
import Synchronization

/// The end of what a program wrote: what a log can hold of it.
final class OutputTail: Sendable {
    private let limit: Int
    private let bytes = Mutex<[UInt8]>([])

    init(limit: Int) { self.limit = limit }

    /// In one line: a log has one line for one event.
    var text: String {
        let text = String(decoding: bytes.withLock { $0 }, as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).joined(separator: " | ")
    }

    func follow(_ output: SubprocessOutputSequence) async throws {
        for try await piece in output { piece.withUnsafeBytes(append) }
    }

    private func append(_ piece: UnsafeRawBufferPointer) {
        bytes.withLock { bytes in
            bytes += piece.suffix(limit)
            if bytes.count > limit { bytes.removeFirst(bytes.count - limit) }
        }
    }
}
