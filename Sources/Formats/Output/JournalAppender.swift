import Control
import Scaling
import Units

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The journal of a live controller: every line is on the disk before anybody acts on it.
///
///     let opened = try JournalAppender.open(path: path, origin: origin, policy: policy, limits: limits, observer: observer)
///     var loop = opened.loop                             // as the journal left it, or new
///     try opened.journal.append(loop.tick(at: now), by: loop.policy)
///
/// A controller that starts again goes on where its journal ends. A last line without an end was being written when its
/// controller died: nobody has acted on it, and it is taken off. A journal of another policy, or with other limits, is put
/// aside under a number, and the new one names it and its last hash.
public final class JournalAppender {
    /// A journal ready to go on, and the loop that it left.
    public struct Opened {
        public var journal: JournalAppender
        public var loop: ControlLoop
        /// When the journal's last tick was; `nil` in a new one.
        public var last: Instant?
        /// Bytes of an unfinished line that were taken off.
        public var torn = 0
        /// Where the journal of an earlier policy lies now.
        public var putAside: String?
    }

    public let path: String
    private let descriptor: Int32
    private var writer: JournalWriter
    /// Bytes that are whole lines.
    private var length: Int

    private init(path: String, descriptor: Int32, writer: JournalWriter, length: Int) {
        self.path = path
        self.descriptor = descriptor
        self.writer = writer
        self.length = length
    }

    deinit { systemClose(descriptor) }

    public var header: JournalHeader { writer.header }

    /// - Parameters:
    ///   - origin: Who writes it, for people.
    ///   - policy: As it starts, without memory.
    ///   - observer: What the loop is to see with.
    /// - Throws: `JournalError` when the file is no journal or was changed, `InputError` when it cannot be read, and
    ///   `OutputError` when it cannot be written.
    public static func open(
        path: String, origin: String, policy: any ScalingPolicy, limits: GuardLimits, observer: Observer
    ) throws -> Opened {
        var origin = origin
        var putAside: String?
        if access(path, F_OK) == 0 {
            let torn = try cutTornLine(of: path)
            if let (summary, replay) = try? JournalVerification.replay(path: path, policy: nil, progress: nil),
                summary.header.policy == (try PolicyFile(policy)), summary.header.limits == limits
            {
                let (loop, writer, last) = replay.resumed(with: observer)
                let journal = try JournalAppender(path: path, writer: writer)
                return Opened(journal: journal, loop: loop, last: last, torn: torn)
            }
            let summary = try JournalVerification.verify(path: path)
            let name = try asideName(of: path)
            guard rename(path, name) == 0 else { throw OutputError(path: path, reason: lastErrorText()) }
            putAside = name
            origin += "; goes on after \(name.split(separator: "/").last ?? ""), hash \(summary.hash)"
        }
        let header = try JournalHeader(origin: origin, policy: policy, limits: limits)
        let folder = folderPart(of: path)
        if !folder.isEmpty { _ = try AtomicOutput.makeFolder(folder) }
        let journal = try JournalAppender(path: path, writer: JournalWriter(header))
        try journal.write(try header.line)
        try syncFolder(folder)
        let loop = ControlLoop(observer: observer, policy: policy, limits: limits)
        return Opened(journal: journal, loop: loop, last: nil, putAside: putAside)
    }

    private convenience init(path: String, writer: JournalWriter) throws(OutputError) {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw OutputError(path: path, reason: lastErrorText()) }
        self.init(path: path, descriptor: descriptor, writer: writer, length: Int(lseek(descriptor, 0, SEEK_END)))
    }

    /// Writes the line of a tick and waits until the disk has it.
    ///
    /// - Parameter policy: The one that decided, as the tick left it.
    /// - Throws: `OutputError`, and the file is as it was: nothing of the tick may be acted on.
    public func append(_ record: ControlRecord, by policy: any ScalingPolicy) throws {
        var next = writer
        try write(try next.line(of: record, by: policy))
        writer = next
    }

    private func write(_ line: String) throws(OutputError) {
        let bytes = Array((line + "\n").utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { throw undo() }
            done += max(0, count)
        }
        guard fdatasync(descriptor) == 0 else { throw undo() }
        length += bytes.count
    }

    /// Takes off what was written of a line.
    private func undo() -> OutputError {
        let error = OutputError(path: path, reason: lastErrorText())
        ftruncate(descriptor, off_t(length))
        return error
    }

    /// - Returns: Bytes that were taken off.
    private static func cutTornLine(of path: String) throws(OutputError) -> Int {
        let descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw OutputError(path: path, reason: lastErrorText()) }
        defer { systemClose(descriptor) }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        var keep = size
        var byte: UInt8 = 0
        while keep > 0, pread(descriptor, &byte, 1, off_t(keep - 1)) == 1, byte != UInt8(ascii: "\n") { keep -= 1 }
        guard keep < size, keep > 0 else { return 0 }
        guard ftruncate(descriptor, off_t(keep)) == 0, fsync(descriptor) == 0 else {
            throw OutputError(path: path, reason: lastErrorText())
        }
        return size - keep
    }

    /// The first name of `journal.1.jsonl`, `journal.2.jsonl` … that is free.
    private static func asideName(of path: String) throws(OutputError) -> String {
        let stem = path.hasSuffix(".jsonl") ? String(path.dropLast(6)) : path
        for number in 1...10_000 {
            let name = "\(stem).\(number).jsonl"
            if access(name, F_OK) != 0 { return name }
        }
        throw OutputError(path: path, reason: "ten thousand journals were put aside here")
    }

    private static func syncFolder(_ folder: String) throws(OutputError) {
        let path = folder.isEmpty ? "." : folder
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw OutputError(path: path, reason: lastErrorText()) }
        defer { systemClose(descriptor) }
        guard fsync(descriptor) == 0 else { throw OutputError(path: path, reason: lastErrorText()) }
    }
}
