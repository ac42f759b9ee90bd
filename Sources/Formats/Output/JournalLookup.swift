/// Finds one tick in a journal.
public enum JournalLookup {
    /// The line of the tick with this number, as it was written; `nil` when there is none.
    ///
    /// - Throws: `InputError` when the file cannot be read.
    public static func line(of sequence: Int, in path: String) throws(InputError) -> String? {
        let scanner = try LineScanner(path: path, name: path)
        // A tick's number stands once in its line under this name, and numbers are written one way.
        let mark = "\"sequence\":\(sequence),"
        while let line = try scanner.next() {
            let text = String(decoding: line, as: UTF8.self)
            if text.contains(mark) { return text }
        }
        return nil
    }
}
