/// Finds one tick in a controller's journal.
public enum JournalLookup {
    /// The line of the tick with this number, as it was written; `nil` when there is none.
    ///
    /// Looks also in the files that were put aside, as far as the one that goes on continues them: with another policy ticks
    /// are counted anew.
    ///
    /// - Parameter path: Of the file that goes on.
    /// - Throws: `InputError` when a file cannot be read.
    public static func line(of sequence: Int, in path: String) throws(InputError) -> String? {
        // A tick's number stands once in its line under this name, and numbers are written one way.
        let mark = "\"sequence\":\(sequence),"
        for file in JournalSegments.files(endingWith: path).reversed() {
            let scanner = try LineScanner(path: file, name: file)
            var isFirst = true
            var continues = false
            while let line = try scanner.next() {
                let text = String(decoding: line, as: UTF8.self)
                if isFirst {
                    continues = text.contains("\"continuation\":{")
                } else if text.contains(mark) {
                    return text
                }
                isFirst = false
            }
            guard continues else { return nil }
        }
        return nil
    }
}
