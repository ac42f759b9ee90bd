import FleetModel

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#endif

/// `usage.jsonl`: what a pool's machines were used for, as their charge periods end, one JSON object a line.
public enum MachineUsageFile {
    /// Adds records and waits until the disk has them.
    ///
    /// - Returns: The file's length afterwards.
    /// - Throws: `OutputError`, and the file is as it was.
    @discardableResult
    public static func append(_ records: [MachineUsage], to path: String) throws(OutputError) -> Int {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw OutputError(path: path, reason: lastErrorText()) }
        defer { systemClose(descriptor) }
        let length = lseek(descriptor, 0, SEEK_END)
        /// Takes off what was written of a line: the next one would be joined to it.
        func undo() -> OutputError {
            let error = OutputError(path: path, reason: lastErrorText())
            ftruncate(descriptor, length)
            return error
        }
        var text: [UInt8] = []
        for record in records {
            // Integers and texts alone, which cannot fail.
            guard let line = try? JSONEncoder().encode(record) else { continue }
            text += line + [UInt8(ascii: "\n")]
        }
        var done = 0
        while done < text.count {
            let count = text[done...].withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { throw undo() }
            done += max(0, count)
        }
        guard fdatasync(descriptor) == 0 else { throw undo() }
        return Int(lseek(descriptor, 0, SEEK_END))
    }

    /// 0 when there is none.
    public static func length(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Takes off what follows the first `bytes`.
    public static func cut(_ path: String, to bytes: Int) {
        if length(of: path) > bytes { truncate(path, off_t(bytes)) }
    }

    /// Every record of a file. A last line without an end is being written, and is left out.
    ///
    /// - Throws: `InputError` with the line that is no record.
    public static func read(path: String) throws(InputError) -> [MachineUsage] {
        let scanner = try LineScanner(path: path, name: path)
        let decoder = JSONDecoder()
        var records: [MachineUsage] = []
        while let line = try scanner.next() {
            if let record = try? decoder.decode(MachineUsage.self, from: Data(line)) {
                records.append(record)
            } else if !scanner.isUnended {
                throw InputError(
                    file: path, line: scanner.line,
                    problem: .badField(
                        name: "line", expected: "a usage record of a machine",
                        found: shown(String(decoding: line, as: UTF8.self))))
            }
        }
        return records
    }
}
