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
///     try opened.journal.append(loop.tick(at: now), of: loop)
///
/// A controller that starts again goes on where its journal ends. It plays only the lines behind the last
/// `JournalCheckpoint` again, so a start takes no longer after a year than after an hour. A last line without an end was
/// being written when its controller died: nobody has acted on it, and it is taken off. A journal of another policy, or
/// with other limits, is put aside under a number, and the new one names it and its last hash. So is one whose day is over,
/// and the new one begins with what policy and guards remember (`JournalSegments`).
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
    private var descriptor: Int32
    private var writer: JournalWriter
    /// Bytes that are whole lines.
    private var length: Int
    /// Lines behind the last checkpoint.
    private var linesToReplay: Int
    /// Whether each day has a file of its own, by UTC.
    private var isDaily = false
    /// Of the last tick, counted from 1970; and whether the file should have been put aside.
    private var day: Int64?
    private var isDayOver = false

    private init(path: String, descriptor: Int32, writer: JournalWriter, length: Int, linesToReplay: Int) {
        self.path = path
        self.descriptor = descriptor
        self.writer = writer
        self.length = length
        self.linesToReplay = linesToReplay
    }

    deinit { systemClose(descriptor) }

    public var header: JournalHeader { writer.header }

    /// - Parameters:
    ///   - origin: Who writes it, for people.
    ///   - policy: As it starts, without memory.
    ///   - observer: What the loop is to see with.
    ///   - isDaily: Whether the first tick of a day, by UTC, is the last in its file.
    /// - Throws: `JournalError` when the file is no journal or was changed, `InputError` when it cannot be read, and
    ///   `OutputError` when it cannot be written.
    public static func open(
        path: String, origin: String, policy: any ScalingPolicy, limits: GuardLimits, observer: Observer,
        isDaily: Bool = false
    ) throws -> Opened {
        let opened = try open(path, origin, policy, limits, observer)
        opened.journal.isDaily = isDaily
        opened.journal.day = opened.last.map(Self.day)
        return opened
    }

    private static func open(
        _ path: String, _ origin: String, _ policy: any ScalingPolicy, _ limits: GuardLimits, _ observer: Observer
    ) throws -> Opened {
        var torn = try access(path, F_OK) == 0 ? cutTornLine(of: path) : 0
        // Its controller died after it was put aside and before the next one had its first line.
        if try !isBegun(path), let last = JournalSegments.last(before: path) {
            guard rename(last, path) == 0 else { throw OutputError(path: path, reason: lastErrorText()) }
            torn += try cutTornLine(of: path)
        }
        var origin = origin
        var putAside: String?
        if try isBegun(path) {
            if let (replay, lines) = replay(path), replay.header.policy == (try PolicyFile(policy)),
                replay.header.limits == limits
            {
                let (loop, writer, last) = replay.resumed(with: observer)
                let journal = try JournalAppender(path: path, writer: writer, linesToReplay: lines)
                journal.keepCheckpoint(of: loop)
                return Opened(journal: journal, loop: loop, last: last, torn: torn)
            }
            let summary = try JournalVerification.verify(path: path)
            let name = JournalSegments.nextName(before: path)
            guard rename(path, name) == 0 else { throw OutputError(path: path, reason: lastErrorText()) }
            putAside = name
            origin = Self.origin(origin, after: name, hash: summary.hash)
        }
        let header = try JournalHeader(origin: origin, policy: policy, limits: limits)
        let folder = folderPart(of: path)
        if !folder.isEmpty { _ = try AtomicOutput.makeFolder(folder) }
        let journal = try JournalAppender(path: path, writer: JournalWriter(header), linesToReplay: 0)
        try journal.write(try header.line)
        try syncFolder(folder)
        let loop = ControlLoop(observer: observer, policy: policy, limits: limits)
        return Opened(journal: journal, loop: loop, last: nil, torn: torn, putAside: putAside)
    }

    /// The journal played again, and how many lines that took; `nil` when it is none, or was changed.
    private static func replay(_ path: String) -> (JournalReplay, lines: Int)? {
        if let resumed = JournalCheckpoint.replay(journal: path) { return resumed }
        guard let (summary, replay) = try? JournalVerification.replay(path: path, policy: nil, progress: nil) else {
            return nil
        }
        return (replay, summary.ticks)
    }

    private convenience init(path: String, writer: JournalWriter, linesToReplay: Int) throws(OutputError) {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw OutputError(path: path, reason: lastErrorText()) }
        self.init(
            path: path, descriptor: descriptor, writer: writer, length: Int(lseek(descriptor, 0, SEEK_END)),
            linesToReplay: linesToReplay)
    }

    /// Writes the line of a tick and waits until the disk has it.
    ///
    /// - Parameter loop: The one that decided, as the tick left it.
    /// - Throws: `OutputError`, and the file is as it was: nothing of the tick may be acted on.
    public func append(_ record: ControlRecord, of loop: ControlLoop) throws {
        var next = writer
        try write(try next.line(of: record, by: loop.policy))
        writer = next
        linesToReplay += 1
        keepCheckpoint(of: loop)
        turnDay(at: record.time, of: loop)
    }

    // MARK: - Days

    private static func day(of instant: Instant) -> Int64 { instant.nanoseconds / TimeSpan.hours(24).nanoseconds }

    /// Puts the file aside when its day is over, and goes on in a new one, unless that could not be read.
    ///
    /// - Parameter loop: As the last line left it.
    private func turnDay(at now: Instant, of loop: ControlLoop) {
        let today = Self.day(of: now)
        isDayOver = isDayOver || (day ?? today) != today
        day = today
        // Where that fails the file grows, and nothing else: the next lines try again.
        guard isDaily, isDayOver, (try? goOn(at: now, with: loop)) != nil else { return }
        isDayOver = false
    }

    private func goOn(at now: Instant, with loop: ControlLoop) throws {
        let end = JournalContinuation(hash: writer.previous, time: now, memory: try loop.memory)
        let aside = JournalSegments.nextName(before: path)
        let header = try writer.header.followed(
            after: end, origin: Self.origin(writer.header.origin, after: aside, hash: end.hash))
        // What very many pools remember is more than a reader takes in one line: their journal goes on as it is.
        guard try header.line.utf8.count <= LineScanner.longestLine else { return }
        // It is whole before it has the name.
        let unnamed = path + ".next"
        unlink(unnamed)
        let next = try JournalAppender(path: unnamed, writer: JournalWriter(header), linesToReplay: 0)
        try next.write(try header.line)
        guard rename(path, aside) == 0 else { throw OutputError(path: path, reason: lastErrorText()) }
        guard rename(unnamed, path) == 0 else {
            let error = OutputError(path: path, reason: lastErrorText())
            rename(aside, path)
            throw error
        }
        // The old file is closed with `next`.
        swap(&descriptor, &next.descriptor)
        (writer, length, linesToReplay) = (next.writer, next.length, 0)
        try? Self.syncFolder(folderPart(of: path))
    }

    /// Who writes a journal, and after which one it goes on.
    private static func origin(_ origin: String, after path: String, hash: String) -> String {
        let mark = "; goes on after "
        let own = origin.firstRange(of: mark).map { origin[..<$0.lowerBound] } ?? origin[...]
        return "\(own)\(mark)\(path.split(separator: "/").last ?? ""), hash \(hash)"
    }

    // MARK: - Bytes

    /// Writes down what the loop remembers, when much would have to be played again without it.
    private func keepCheckpoint(of loop: ControlLoop) {
        guard linesToReplay >= JournalCheckpoint.interval, let memory = try? loop.memory else { return }
        let checkpoint = JournalCheckpoint(
            header: writer.header.hash, length: length, hash: writer.previous, memory: memory)
        // Without it a start takes longer, and nothing else: the next lines try again.
        guard (try? checkpoint.write(besides: path)) != nil else { return }
        linesToReplay = 0
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
        guard keep < size else { return 0 }
        // The first line that way, if it is one: with a file that is something else it is left to the reader.
        if keep == 0, !isHeaderBegun(descriptor, size: size) { return 0 }
        guard ftruncate(descriptor, off_t(keep)) == 0, fsync(descriptor) == 0 else {
            throw OutputError(path: path, reason: lastErrorText())
        }
        return size - keep
    }

    /// Whether a file without a whole line is the beginning of a journal's first one.
    private static func isHeaderBegun(_ descriptor: Int32, size: Int) -> Bool {
        let mark = Array("{\"format\":\"\(JournalHeader.format)\"".utf8)
        var bytes = [UInt8](repeating: 0, count: min(size, mark.count))
        guard pread(descriptor, &bytes, bytes.count, 0) == bytes.count else { return false }
        return mark.starts(with: bytes)
    }

    /// Whether a line is there: a controller may have died before it wrote the first.
    private static func isBegun(_ path: String) throws(OutputError) -> Bool {
        var status = stat()
        if stat(path, &status) == 0 { return status.st_size > 0 }
        guard errno == ENOENT else { throw OutputError(path: path, reason: lastErrorText()) }
        return false
    }

    private static func syncFolder(_ folder: String) throws(OutputError) {
        let path = folder.isEmpty ? "." : folder
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw OutputError(path: path, reason: lastErrorText()) }
        defer { systemClose(descriptor) }
        guard fsync(descriptor) == 0 else { throw OutputError(path: path, reason: lastErrorText()) }
    }
}
