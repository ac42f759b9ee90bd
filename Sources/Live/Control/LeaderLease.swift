import Formats
import Foundation
import Glibc
import Units

/// Leadership on one host: a locked file that says who leads, in which term, and since when they were last heard of.
///
/// Every change of leader begins a new epoch, which goes with everything the leader does, so that what an old one sends
/// late is refused. A leader that is silent for longer than the lease has lost it, whether it knows or not: so it asks
/// before each act, and acts while it holds the lock.
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
    }

    public let path: String
    public let duration: TimeSpan
    /// The term in which this process leads; `nil` while it does not.
    public private(set) var epoch: Int?
    private let holder: String
    private let boot: String

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
        let held = try file.holding()
        let now = MonotonicTime.now
        if let held, held.holder == holder, epoch == held.epoch {
            // One that ran out and that nobody took is still lost: what was ordered meanwhile is not known here.
            guard !isExpired(held, at: now) else {
                epoch = nil
                return try take(file, after: held, at: now)
            }
            try file.write(Holding(epoch: held.epoch, holder: holder, renewed: now, duration: duration, boot: boot))
            return true
        }
        epoch = nil
        guard held.map({ isExpired($0, at: now) }) ?? true else { return false }
        return try take(file, after: held, at: now)
    }

    private mutating func take(_ file: borrowing LockedFile, after held: Holding?, at now: Instant) throws(OutputError)
        -> Bool
    {
        let next = (held?.epoch ?? 0) + 1
        try file.write(Holding(epoch: next, holder: holder, renewed: now, duration: duration, boot: boot))
        epoch = next
        return true
    }

    /// Does something that only a leader may, while nobody can take the lease.
    public mutating func whileLeading<Value>(_ act: (_ epoch: Int) throws -> Value) throws -> Value {
        let file = try LockedFile(path: path)
        let held = try file.holding()
        guard let epoch, let held, held.epoch == epoch, held.holder == holder else {
            self.epoch = nil
            throw Loss.taken(epoch: held?.epoch ?? 0)
        }
        guard !isExpired(held, at: MonotonicTime.now) else {
            self.epoch = nil
            throw Loss.expired
        }
        return try act(epoch)
    }

    /// Gives the lease back, so that another may lead at once.
    public mutating func release() {
        guard let epoch, let file = try? LockedFile(path: path), let held = try? file.holding(), held.epoch == epoch,
            held.holder == holder
        else { return }
        try? file.write(Holding(epoch: epoch, holder: "", renewed: .epoch, duration: duration, boot: boot))
        self.epoch = nil
    }

    private func isExpired(_ held: Holding, at now: Instant) -> Bool {
        held.boot != boot || held.holder.isEmpty || now - held.renewed > held.duration
    }
}

/// A small file that one process at a time reads and writes. The lock ends with the value, or with the process.
private struct LockedFile: ~Copyable {
    let path: String
    let descriptor: Int32

    init(path: String) throws(OutputError) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw OutputError(path: path, reason: String(cString: strerror(errno))) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let reason = String(cString: strerror(errno))
                close(descriptor)
                throw OutputError(path: path, reason: reason)
            }
        }
    }

    deinit { close(descriptor) }

    /// What is there; `nil` in a new file.
    ///
    /// - Throws: For a file that is none: with its epoch lost, an old leader could no longer be told from a new one.
    func holding() throws(OutputError) -> LeaderLease.Holding? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count != 0 else { return nil }
        guard count > 0, let holding = try? JSONDecoder().decode(LeaderLease.Holding.self, from: Data(bytes[..<count]))
        else { throw OutputError(path: path, reason: "this is no lease; stop every controller and remove it") }
        return holding
    }

    /// Writes in place, one sector: the file is the lock, and may not be replaced.
    func write(_ holding: LeaderLease.Holding) throws(OutputError) {
        guard var bytes = try? [UInt8](JSONEncoder().encode(holding)) else { return }
        // Shorter texts overwrite longer ones.
        while bytes.count < 512 { bytes.append(UInt8(ascii: " ")) }
        guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count, fdatasync(descriptor) == 0 else {
            throw OutputError(path: path, reason: String(cString: strerror(errno)))
        }
    }
}

extension String {
    fileprivate var orHere: String { isEmpty ? "." : self }
}
