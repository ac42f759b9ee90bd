import FleetModel
import Scaling
import Units

/// What is wrong with one line of a journal.
public enum JournalFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The first line is no header of this format; the format it names, if any.
    case notAJournal(String?)
    /// The header's policy cannot be made again.
    case policy(PolicyErrors)
    /// The contents do not have the hash that the line carries.
    case changed
    /// The line names another one before it than the one that is there.
    case outOfChain
    /// A number or a time that no fleet has: where, and what.
    case implausible(String)
    /// The hash is right, and the text is not the one that hash is of: keys that are not known, or another spelling.
    case notCanonical
    /// Replayed, the line comes out otherwise: what differs, as recorded and as it is now.
    case differs(String, recorded: String, replayed: String)

    public var description: String {
        switch self {
        case .notAJournal(nil): "this is no journal: its first line is not a journal's header"
        case .notAJournal(let format?): "this is '\(format)'; expected '\(JournalHeader.format)'"
        case .policy(let errors): "the policy cannot be made again: \(errors)"
        case .changed: "the line was changed: its hash is not that of its contents"
        case .outOfChain: "the chain is broken: this line does not follow the one before it"
        case .implausible(let what): "\(what): no fleet has this"
        case .notCanonical: "the text is not as a journal is written: unknown keys, or another spelling of values"
        case .differs(let what, let recorded, let replayed):
            "the policy does not decide this again: \(what)\n    recorded: \(recorded)\n    replayed: \(replayed)"
        }
    }
}

/// Plays the policy of a journal again over the observations in it, one line after the other.
///
/// Everything but the observation is made anew and must come out as recorded, byte for byte: the decision, what the
/// guards made of it, the levels sent with their numbers, the digests of parameters and memory, the chain.
public struct JournalReplay: Sendable {
    private var loop: ControlLoop
    private var writer: JournalWriter
    private var last: Instant?

    /// - Parameters:
    ///   - text: The first line.
    ///   - policy: To be tried in place of the one in the header.
    public init(
        _ header: JournalHeader, text: String, policy file: PolicyFile? = nil
    ) throws(JournalFault) {
        guard header.format == JournalHeader.format else { throw .notAJournal(header.format) }
        guard header.isIntact else { throw .changed }
        guard (try? header.line) == text else { throw .notCanonical }
        if let problem = header.limits.implausibility { throw .implausible(problem) }
        if let file, file.digest != header.policy.digest || file != header.policy {
            throw .differs("another policy made this journal", recorded: header.policy.shown, replayed: file.shown)
        }
        let policy: any ScalingPolicy
        do {
            policy = try PolicyCatalog.checkedPolicy(from: header.policy)
        } catch {
            throw .policy(error)
        }
        if let problem = header.policy.parameters.implausibility { throw .implausible(problem) }
        loop = ControlLoop(
            observer: Observer(pools: [], window: .seconds(1), staleness: .seconds(1)), policy: policy,
            limits: header.limits)
        writer = JournalWriter(header)
        guard let before = header.continuation else { return }
        guard times.contains(before.time) else { throw .implausible("time \(before.time)") }
        if let problem = (try? ParameterValue(encoding: before.memory))?.implausibility {
            throw .implausible("what was remembered before: \(problem)")
        }
        try resume(before.memory)
        last = before.time
    }

    /// A replay that goes on behind `line`, without those before it.
    ///
    /// - Parameters:
    ///   - text: The journal's first line.
    ///   - memory: What the loop remembered after `line`.
    /// - Throws: A fault also when the policy's memory is not the one that `line` has the digest of.
    public init(
        _ header: JournalHeader, text: String, after line: JournalRecord, memory: ControlLoop.Memory
    ) throws(JournalFault) {
        try self.init(header, text: text)
        guard line.isIntact else { throw .changed }
        try resume(memory)
        let digest = (try? ParameterValue(encoding: loop.policy.memory).digest.hexadecimal) ?? ""
        guard digest == line.memoryDigest else {
            throw .differs("memoryDigest is another", recorded: line.memoryDigest, replayed: digest)
        }
        writer = JournalWriter(header, after: line.hash)
        last = line.record.observation.time
    }

    public var header: JournalHeader { writer.header }

    /// Of the last line.
    public var hash: String { writer.previous }

    private mutating func resume(_ memory: ControlLoop.Memory) throws(JournalFault) {
        do {
            loop.resume(memory, with: try PolicyCatalog.policy(from: header.policy, memory: memory.policy))
        } catch {
            throw .policy(error)
        }
    }

    /// Where the lines so far end; `nil` when there is none, or when what is remembered is not finite.
    public var end: JournalContinuation? {
        guard let last, let memory = try? loop.memory else { return nil }
        return JournalContinuation(hash: writer.previous, time: last, memory: memory)
    }

    /// Checks the next line and plays its tick.
    ///
    /// - Parameter text: What `line` was read from.
    public mutating func check(_ line: JournalRecord, text: String) throws(JournalFault) {
        guard line.previous == writer.previous else { throw line.isIntact ? .outOfChain : .changed }
        guard line.isIntact else { throw .changed }
        let observation = line.record.observation
        if let problem = observation.implausibility { throw .implausible(problem) }
        if let last, observation.time <= last {
            throw .implausible("time \(observation.time) is not after \(last), that of the line before")
        }
        last = observation.time
        let replayed = loop.tick(on: observation, in: line.record.context)
        if let difference = Self.difference(line.record, replayed) { throw difference }
        let again: String
        do {
            again = try writer.line(of: replayed, by: loop.policy)
        } catch {
            throw .implausible("a value that is not finite")
        }
        guard again != text else { return }
        let policy = type(of: loop.policy).name
        if line.policy != policy { throw .differs("policy", recorded: line.policy, replayed: policy) }
        for (what, digest) in [("parametersDigest", line.parametersDigest), ("memoryDigest", line.memoryDigest)]
        where !again.contains("\"\(what)\":\"\(digest)\"") {
            throw .differs("\(what) is another", recorded: digest, replayed: Self.digest(what, in: again))
        }
        throw .notCanonical
    }

    /// Goes on where the journal ends: with all that the policy and the guards remember, and nothing seen.
    ///
    /// - Parameter observer: Takes in what is to be observed from now on.
    public func resumed(with observer: Observer) -> (loop: ControlLoop, writer: JournalWriter, last: Instant?) {
        (loop.observing(by: observer), writer, last)
    }

    private static func digest(_ key: String, in line: String) -> String {
        let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
        guard let index = parts.firstIndex(of: Substring(key)), index + 2 < parts.count else { return "" }
        return String(parts[index + 2])
    }

    private static func difference(_ recorded: ControlRecord, _ replayed: ControlRecord) -> JournalFault? {
        func compare(_ what: String, _ a: some Encodable, _ b: some Encodable) -> JournalFault? {
            let (recorded, replayed) = (shown(a), shown(b))
            return recorded == replayed ? nil : .differs(what, recorded: recorded, replayed: replayed)
        }
        return compare("sequence", recorded.sequence, replayed.sequence)
            ?? compare("time", recorded.time, replayed.time)
            ?? compare("decision", recorded.decision, replayed.decision)
            ?? compare("interventions of the guards", recorded.interventions, replayed.interventions)
            ?? compare("targets", recorded.targets, replayed.targets)
    }

    private static func shown(_ value: some Encodable) -> String {
        (try? ParameterValue(encoding: value).canonicalJSON) ?? "\(value)"
    }
}

extension PolicyFile {
    fileprivate var shown: String { "\(name), digest \(digest)" }
}

// MARK: - What a fleet can have

// A journal is input like any other: whoever can write the file can sign it. Its numbers reach rules that add and
// multiply them, so what no fleet has is refused before.

/// Replicas, generations and everything else that is counted in whole numbers.
let wholeCounts = 0...1_000_000_000
/// Loads, token counts and coefficients. The observer believes no sample that would lead beyond.
let largestLoad = 1e15
private let longest = TimeSpan.hours(24 * 3660)
/// 1970 to 2190.
private let times = Instant.epoch...(.epoch + .hours(24 * 365 * 220))

extension FleetObservation {
    /// What is no possible value; `nil` when all are.
    var implausibility: String? {
        if !times.contains(time) { return "time \(time)" }
        if pools.count > 10_000 { return "\(pools.count) pools" }
        for pool in pools {
            if let problem = pool.implausibility { return "pool '\(pool.pool)': \(problem)" }
        }
        return nil
    }
}

extension PoolObservation {
    fileprivate var implausibility: String? {
        let whole = [
            ("ready", ready), ("starting", starting), ("draining", draining), ("target", target),
            ("bounds.minimum", bounds.minimum), ("bounds.maximum", bounds.maximum),
            ("appliedGeneration", appliedGeneration), ("reachedGeneration", reachedGeneration),
            ("missingReplicas", missingReplicas),
        ]
        for (name, value) in whole where !wholeCounts.contains(value) { return "\(name) \(value)" }
        if bounds.minimum > bounds.maximum { return "bounds \(bounds.minimum) to \(bounds.maximum)" }
        let measured: [(String, Double?)] = [
            ("queueDepth", queueDepth), ("runningSequences", runningSequences), ("kvUtilization", kvUtilization),
            ("offered.requests", offered?.requests), ("offered.promptTokens", offered?.promptTokens),
            ("offered.outputTokens", offered?.outputTokens),
        ]
        for (name, value) in measured where !(value.map { (0...largestLoad).contains($0) } ?? true) {
            return "\(name) \(value!)"
        }
        if let window = offered?.window, window < .milliseconds(1) || window > longest { return "window \(window)" }
        if let sampleAge, sampleAge < .zero || sampleAge > longest { return "sampleAge \(sampleAge)" }
        for offering in offerings {
            if !wholeCounts.contains(offering.replicasPerInstance) {
                return "replicasPerInstance \(offering.replicasPerInstance)"
            }
            if offering.expectedColdStart < .zero || offering.expectedColdStart > longest {
                return "expectedColdStart \(offering.expectedColdStart)"
            }
            if let price = offering.price, !(0...1_000_000_000_000_000).contains(price.nanodollars) {
                return "price \(price)"
            }
        }
        return nil
    }
}

extension GuardLimits {
    fileprivate var implausibility: String? {
        let limits = [maximumAdded, maximumRemoved, maximumDraining].compactMap { $0 }
        for value in limits where !wholeCounts.contains(value) {
            return "a limit of \(value) replicas"
        }
        for span in [scaleInStabilization, staleness, restartWindow, freeze] where span < .zero || span > longest {
            return "a limit of \(span)"
        }
        return nil
    }
}

extension ParameterValue {
    fileprivate var implausibility: String? {
        switch self {
        case .null, .bool: return nil
        case .number(let value): return value.magnitude <= largestLoad ? nil : "a parameter of \(value)"
        case .text(let text):
            guard let span = TimeSpan(text), span > longest || span < .zero else { return nil }
            return "a parameter of \(text)"
        case .list(let values): return values.lazy.compactMap(\.implausibility).first
        case .map(let values): return values.sorted { $0.key < $1.key }.lazy.compactMap(\.value.implausibility).first
        }
    }
}
