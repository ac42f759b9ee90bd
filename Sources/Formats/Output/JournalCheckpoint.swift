import Control
import Units

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a controller's loop remembered at one line of its journal, so that a start need not play all lines before it again.
///
/// It only saves time. One that is missing, or does not belong to the journal beside it, is passed over, and the journal is
/// played from its first line.
struct JournalCheckpoint: Codable {
    /// Lines between two: what a start has to play again at most, in a tenth of a second or so.
    static let interval = 256

    /// The hash of the journal's first line.
    var header: String
    /// Bytes up to the end of the line.
    var length: Int
    /// The hash of that line.
    var hash: String
    var memory: ControlLoop.Memory

    /// Where the checkpoint of a journal lies.
    static func path(ofJournal path: String) -> String {
        (path.hasSuffix(".jsonl") ? String(path.dropLast(6)) : path) + ".checkpoint.json"
    }

    /// Takes the place of the one before.
    func write(besides journal: String) throws {
        let path = Self.path(ofJournal: journal)
        let folder = folderPart(of: path)
        let text = String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
        try AtomicOutput.write(
            [(String(path.dropFirst(folder.isEmpty ? 0 : folder.count + 1)), text)], to: folder.isEmpty ? "." : folder)
    }

    /// The journal played from its checkpoint to its end, and how many lines that took.
    ///
    /// - Returns: `nil` without a checkpoint, and when a line that was read is not as it should be.
    static func replay(journal path: String) -> (JournalReplay, lines: Int)? {
        guard let data = try? Data(contentsOf: URL(filePath: Self.path(ofJournal: path))),
            let checkpoint = try? JSONDecoder().decode(JournalCheckpoint.self, from: data),
            let scanner = try? LineScanner(path: path, name: path),
            let (header, text) = try? JournalVerification.header(scanner), header.hash == checkpoint.header,
            let line = try? checkpoint.line(scanner), line.hash == checkpoint.hash,
            var replay = try? JournalReplay(header, text: text, after: line, memory: checkpoint.memory)
        else { return nil }
        var lines = 0
        do {
            try JournalVerification.play(scanner, into: &replay) { _ in lines += 1 }
        } catch {
            return nil
        }
        return (replay, lines)
    }

    /// The line that it was written behind; the scanner stands at its end.
    private func line(_ scanner: LineScanner) throws -> JournalRecord? {
        let reach = min(length, LineScanner.longestLine)
        try scanner.seek(to: length - reach, line: 1)
        // The first of these may be the end of a line.
        var last: [UInt8]?
        while scanner.position < length, let bytes = try scanner.next() { last = Array(bytes) }
        guard scanner.position == length, let last else { return nil }
        return try JSONDecoder().decode(JournalRecord.self, from: Data(last))
    }
}
