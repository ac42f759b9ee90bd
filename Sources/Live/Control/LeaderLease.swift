import Formats
import Foundation
import Glibc
import Units

/// Leadership on one host: a locked file that says who leads, in which term, and since when they were last heard of.
///
/// Every change of leader begins a new epoch, which goes with everything the leader does, so that what an old one sends
/// late is refused. A leader that is silent for longer than the lease has lost it, whether it knows or not: so it asks
/// before each act, and acts while it holds the lock. One whose process has ended has lost it at once.
///
///     var lease = try LeaderLease(path: "state/leader.json", duration: .seconds(10))
///     guard lease.acquire() else { … }          // somebody else leads: ask again later
///     try lease.whileLeading { epoch in … }     // throws when leadership was lost meanwhile
public struct LeaderLease: Sendable {
    /// Why an act is not done.
    public enum Loss: Error, Hashable, Sendable, CustomStringConvertible {
        /// Another process leads since.
        case taken(epoch: Int)
        /// The lease ran out before it was renewed.
        case expired
        case unusable(OutputError)

        public var description: String {
            switch self {
            case .taken(let epoch): "another controller leads since epoch \(epoch)"
            case .expired: "the lease ran out before it was renewed"
            case .unusable(let error): "\(error)"
            }
        }
    }

    /// What the file holds.
    struct Holding: Codable, Hashable {
        var epoch: Int
        /// Names one start of one controller.
        var holder: String
        /// On the monotonic clock of this start of the machine.
        var renewed: Instant
        /// How long it holds without renewal, as its holder has it.
        var duration: TimeSpan
        /// The machine's start; another one's times mean nothing.
        var boot: String
        /// Whether the holder shows a `LifeSign`; without one only the lease tells that it is gone.
        var shows: Bool?
    }

    /// Who leads in another's place.
    public struct Leader: Hashable, Sendable {
        public var epoch: Int
        /// Its process's number.
        public var process: String
    }

    public let path: String
    public let duration: TimeSpan
    /// The term in which this process leads; `nil` while it does not.
    public private(set) var epoch: Int?
    /// Who stood in the way of the last `acquire`; `nil` while nobody does.
    public private(set) var leader: Leader?
    private let holder: String
    private let boot: String
    private var sign: LifeSign?

    /// - Parameter duration: After so long without renewal the lease is free.
    /// - Throws: `OutputError` when the folder cannot be made.
    public init(path: String, duration: TimeSpan) throws(OutputError) {
        self.path = path
        self.duration = duration
        holder = "\(getpid())-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        boot = (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? ""
        // Makes the folder.
        try AtomicOutput.write([], to: (path as NSString).deletingLastPathComponent.orHere)
    }

    /// Takes the lease when it is free, or renews it.
    ///
    /// - Returns: Whether this process leads.
    public mutating func acquire() throws(OutputError) -> Bool {
        let file = try LockedFile(path: path)
        let held = try Self.holding(of: file)
        let now = MonotonicTime.now
        leader = nil
        if let held, held.holder == holder, epoch == held.epoch {
            // One that ran out and that nobody took is still lost: what was ordered meanwhile is not known here.
            guard !isExpired(held, at: now) else {
                epoch = nil
                return try take(file, after: held, at: now)
            }
            try renew(file, held, at: now)
            return true
        }
        epoch = nil
        if let held, !isExpired(held, at: now), !isGone(held, file) {
            leader = Leader(epoch: held.epoch, process: String(held.holder.prefix { $0 != "-" }))
            return false
        }
        return try take(file, after: held, at: now)
    }

    private static func holding(of file: borrowing LockedFile) throws(OutputError) -> Holding? {
        try file.contents(as: Holding.self, what: "lease")
    }

    private func renew(_ file: borrowing LockedFile, _ held: Holding, at now: Instant) throws(OutputError) {
        var held = held
        (held.renewed, held.duration) = (now, duration)
        try file.write(held)
    }

    private mutating func take(_ file: borrowing LockedFile, after held: Holding?, at now: Instant) throws(OutputError)
        -> Bool
    {
        let next = (held?.epoch ?? 0) + 1
        sign = LifeSign(path: path, epoch: next)
        try file.write(
            Holding(
                epoch: next, holder: holder, renewed: now, duration: duration, boot: boot, shows: sign != nil))
        epoch = next
        return true
    }

    /// Does something that only a leader may, while nobody can take the lease, which is renewed when that took long.
    public mutating func whileLeading<Value>(_ act: (_ epoch: Int) throws -> Value) throws -> Value {
        let file = try LockedFile(path: path)
        let held = try Self.holding(of: file)
        guard let epoch, let held, held.epoch == epoch, held.holder == holder else {
            self.epoch = nil
            throw Loss.taken(epoch: held?.epoch ?? 0)
        }
        let start = MonotonicTime.now
        guard !isExpired(held, at: start) else {
            self.epoch = nil
            throw Loss.expired
        }
        let value = try act(epoch)
        // Nobody could take it meanwhile, so it has not been lost, however long that took.
        let end = MonotonicTime.now
        if (end - start).nanoseconds > duration.nanoseconds / 4 { try renew(file, held, at: end) }
        return value
    }

    /// Gives the lease back, so that another may lead at once.
    public mutating func release() {
        guard let epoch, let file = try? LockedFile(path: path), let held = try? Self.holding(of: file),
            held.epoch == epoch, held.holder == holder
        else { return }
        try? file.write(Holding(epoch: epoch, holder: "", renewed: .epoch, duration: duration, boot: boot))
        self.epoch = nil
        sign = nil
    }

    private func isExpired(_ held: Holding, at now: Instant) -> Bool {
        held.boot != boot || held.holder.isEmpty || now - held.renewed > held.duration
    }

    private func isGone(_ held: Holding, _ file: borrowing LockedFile) -> Bool {
        held.shows == true && LifeSign.isGone(file, epoch: held.epoch)
    }
}

extension String {
    fileprivate var orHere: String { isEmpty ? "." : self }
}
