import Control
import Scaling
import Synchronization
import Units

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The journal of a run: one line a control tick, as JSON, chained by hashes.
public final class JournalFile: Sendable {
    private let file: StreamedFile
    private let writer: Mutex<JournalWriter?> = Mutex(nil)

    public var failure: OutputError? { file.failure }

    /// Opens it; nothing but a hidden file is there before `close`.
    public init(path: String) throws(OutputError) { file = try StreamedFile(path: path) }

    /// Writes the first line.
    ///
    /// - Parameter origin: The command that plays the run again.
    public func begin(origin: String, policy: any ScalingPolicy, limits: GuardLimits) {
        writer.withLock { writer in
            do {
                let header = try JournalHeader(origin: origin, policy: policy, limits: limits)
                file.append(try header.line + "\n")
                writer = JournalWriter(header)
            } catch {
                preconditionFailure("a policy that cannot be written: \(error)")
            }
        }
    }

    /// Writes the line of a tick.
    ///
    /// - Parameter policy: The one that decided, as the tick left it.
    /// - Precondition: `begin` was called.
    public func append(_ record: ControlRecord, by policy: any ScalingPolicy) {
        writer.withLock { writer in
            do {
                file.append(try writer!.line(of: record, by: policy) + "\n")
            } catch {
                preconditionFailure("a tick that cannot be written: \(error)")
            }
        }
    }

    public func close() throws(OutputError) { try file.close() }
    public func discard() { file.discard() }
}

/// What a journal was found to be.
public struct JournalSummary: Hashable, Sendable {
    public var header: JournalHeader
    /// Ticks, and of them those that sent something.
    public var ticks = 0
    public var changes = 0
    public var first: Instant?
    public var last: Instant?
    /// Names the whole of it: the hash of the last line.
    public var hash: String

    fileprivate mutating func add(_ line: JournalRecord) {
        ticks += 1
        changes += line.record.targets.isEmpty ? 0 : 1
        if first == nil { first = line.record.time }
        last = line.record.time
        hash = line.hash
    }
}

/// A line of a journal at which it is not what it should be.
public struct JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Problem: Hashable, Sendable {
        case fault(JournalFault)
        /// The line is no record: what the reader says.
        case unreadable(String)
        /// The last line has no end and is no record: the file was cut short.
        case cutShort
        case empty
    }

    public var path: String
    /// From 1.
    public var line: Int
    public var problem: Problem

    public var description: String {
        let what =
            switch problem {
            case .fault(let fault): fault.description
            case .unreadable(let reason): "this is no record of a journal: \(reason)"
            case .cutShort: "the last line is cut short"
            case .empty: "there is no line"
            }
        return "\(path):\(line): error: \(what)"
    }
}

public enum JournalVerification {
    /// Reads a journal as a stream, checks its chain and plays its policy again over its observations.
    ///
    /// - Parameters:
    ///   - policy: To be tried in place of the header's: it must be the same.
    ///   - progress: Called now and then with the lines read.
    /// - Returns: What it holds, when every line comes out as it was recorded.
    /// - Throws: `InputError` when it cannot be read, `JournalError` for the first line that is wrong.
    /// - Complexity: Memory does not grow with its length.
    public static func verify(
        path: String, policy: PolicyFile? = nil, progress: ((Int) -> Void)? = nil
    ) throws -> JournalSummary {
        try replay(path: path, policy: policy, progress: progress).0
    }

    /// Verifies the files of a controller's journal in their order, and that each goes on where the one before it ends.
    ///
    /// - Parameter each: Called with each file that is right.
    /// - Throws: As for one file; a `JournalError` for the first line of one that does not follow the one before.
    public static func verify(
        segments paths: [String], policy: PolicyFile? = nil, each: (_ path: String, JournalSummary) -> Void
    ) throws {
        var before: JournalReplay?
        for path in paths {
            let (summary, replay) = try replay(path: path, policy: policy, progress: nil)
            if let before, !follows(summary.header, before) {
                throw JournalError(path: path, line: 1, problem: .fault(.outOfChain))
            }
            each(path, summary)
            before = replay
        }
    }

    /// With another policy nothing is remembered, and the header only names the hash.
    private static func follows(_ header: JournalHeader, _ before: JournalReplay) -> Bool {
        guard let continuation = header.continuation else { return header.origin.hasSuffix(before.hash) }
        return continuation == before.end
    }

    /// The same, with the policy as the journal leaves it.
    static func replay(
        path: String, policy: PolicyFile?, progress: ((Int) -> Void)?
    ) throws -> (JournalSummary, JournalReplay) {
        let scanner = try LineScanner(path: path, name: path)
        let (header, text) = try header(scanner)
        var replay: JournalReplay
        do {
            replay = try JournalReplay(header, text: text, policy: policy)
        } catch {
            throw JournalError(path: path, line: scanner.line, problem: .fault(error))
        }
        var summary = JournalSummary(header: header, hash: header.hash)
        try play(scanner, into: &replay) { line in
            summary.add(line)
            if summary.ticks % 1000 == 0 { progress?(summary.ticks) }
        }
        return (summary, replay)
    }

    /// Reads a journal as a stream and checks its chain, and does not play its policy again.
    ///
    /// A last line without an end is left out: its controller is writing it, or died over it, and nobody has acted on it.
    ///
    /// - Parameter body: Called with each tick; `false` ends the reading.
    /// - Returns: What was read of it.
    /// - Throws: `InputError` when it cannot be read, `JournalError` for the first line that is wrong.
    public static func records(path: String, _ body: (ControlRecord) -> Bool) throws -> JournalSummary {
        let scanner = try LineScanner(path: path, name: path)
        let (header, _) = try header(scanner)
        func fail(_ fault: JournalFault) -> JournalError { JournalError(path: path, line: 1, problem: .fault(fault)) }
        guard header.format == JournalHeader.format else { throw fail(.notAJournal(header.format)) }
        guard header.isIntact else { throw fail(.changed) }
        var summary = JournalSummary(header: header, hash: header.hash)
        try lines(scanner, allowsTornLine: true) { line, bytes throws(JournalFault) in
            guard JournalRecord.isIntact(line: bytes) else { throw .changed }
            guard line.previous == summary.hash else { throw .outOfChain }
            summary.add(line)
            return body(line.record)
        }
        return summary
    }

    /// The first line, and its text.
    static func header(_ scanner: LineScanner) throws -> (JournalHeader, text: String) {
        guard let first = try scanner.next() else {
            throw JournalError(path: scanner.name, line: 1, problem: .empty)
        }
        func fail(_ problem: JournalError.Problem) -> JournalError {
            JournalError(path: scanner.name, line: scanner.line, problem: problem)
        }
        let decoder = JSONDecoder()
        guard let header = try? decoder.decode(JournalHeader.self, from: Data(first)) else {
            struct Format: Decodable { var format: String }
            let format = (try? decoder.decode(Format.self, from: Data(first)))?.format
            if format == JournalHeader.format { throw fail(.unreadable("the header lacks what it should say")) }
            throw fail(.fault(.notAJournal(format.map { shown($0) })))
        }
        return (header, String(decoding: first, as: UTF8.self))
    }

    /// Plays the lines that follow.
    static func play(
        _ scanner: LineScanner, into replay: inout JournalReplay, each: (JournalRecord) -> Void
    ) throws {
        try lines(scanner) { line, bytes throws(JournalFault) in
            try replay.check(line, text: String(decoding: bytes, as: UTF8.self))
            each(line)
            return true
        }
    }

    /// Reads the lines that follow.
    ///
    /// - Parameters:
    ///   - allowsTornLine: Whether a last line that is cut short is left out, in place of an error.
    ///   - each: Checks a line, by its bytes too; `false` ends the reading.
    private static func lines(
        _ scanner: LineScanner, allowsTornLine: Bool = false,
        each: (JournalRecord, UnsafeRawBufferPointer) throws(JournalFault) -> Bool
    ) throws {
        func fail(_ problem: JournalError.Problem) -> JournalError {
            JournalError(path: scanner.name, line: scanner.line, problem: problem)
        }
        let decoder = JSONDecoder()
        while let bytes = try scanner.next() {
            let line: JournalRecord
            do {
                line = try decoder.decode(JournalRecord.self, from: Data(bytes))
            } catch {
                if scanner.isUnended, allowsTornLine { return }
                throw fail(scanner.isUnended ? .cutShort : .unreadable(reason(error)))
            }
            let goesOn: Bool
            do {
                goesOn = try each(line, bytes)
            } catch {
                throw fail(.fault(error))
            }
            guard goesOn else { return }
        }
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        func at(_ path: [any CodingKey], _ text: String) -> String {
            let keys = path.map(\.stringValue).joined(separator: ".")
            return keys.isEmpty ? text : "\(keys): \(text)"
        }
        switch error {
        case .keyNotFound(let key, let context): return at(context.codingPath + [key], "missing")
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return at(context.codingPath, "a value of the wrong kind")
        case .dataCorrupted(let context):
            return context.codingPath.isEmpty ? "not valid JSON" : at(context.codingPath, context.debugDescription)
        @unknown default: return "not a record"
        }
    }
}
