import Control

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Finds one tick in a controller's journal.
public enum JournalLookup {
    /// The line of the tick with this number, as it was written; `nil` when there is none.
    ///
    /// Looks also in the files that were put aside, as far as the one that goes on continues them: with another policy ticks
    /// are counted anew.
    ///
    /// - Parameter path: Of the file that goes on.
    /// - Throws: `InputError` when a file cannot be read.
    /// - Complexity: O(first lines + the lines of one file): a first line says how many ticks were before it.
    public static func line(of sequence: Int, in path: String) throws(InputError) -> String? {
        for file in JournalSegments.files(endingWith: path).reversed() {
            let scanner = try LineScanner(path: file, name: file)
            guard let first = try scanner.next(),
                let header = try? JSONDecoder().decode(JournalHeader.self, from: Data(first))
            else { return nil }
            guard let before = header.continuation?.ticks, sequence <= before else {
                return try line(of: sequence, scanner)
            }
        }
        return nil
    }

    private static func line(of sequence: Int, _ scanner: LineScanner) throws(InputError) -> String? {
        // A tick's number stands once in its line under this name, and numbers are written one way.
        let mark = "\"sequence\":\(sequence),"
        while let line = try scanner.next() {
            let text = String(decoding: line, as: UTF8.self)
            if text.contains(mark) { return text }
        }
        return nil
    }
}
