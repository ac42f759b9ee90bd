import Control
import FleetModel
import Foundation
import Glibc
import Units

/// A worker process as its pool knows it.
struct LocalReplica {
    let id: ReplicaID
    /// Its machine's position.
    var machine: Int
    var lifecycle: ReplicaLifecycle
    /// `nil` until it is started.
    var process: ChildProcess?
    /// Where its standard output goes: events, one JSON object a line.
    let log: String
    private(set) var url: String?
    private(set) var socket: String?
    private var saysReady = false
    /// Bytes of the log that were read.
    private var read = 0
    /// Whether the gateway sends it nothing new and it was told to drain.
    var isToldToStop = false
    /// Whether it has printed that it drains.
    private(set) var saysDraining = false
    /// When it was taken over from an earlier controller, which may have told it to drain.
    private(set) var adopted: Instant?
    var meteredAt: Instant
    /// How long its engine has computed, and of that what was charged.
    var busy = TimeSpan.zero
    var meteredBusy = TimeSpan.zero

    init(id: ReplicaID, machine: Int, lifecycle: ReplicaLifecycle, log: String, at now: Instant) {
        self.id = id
        self.machine = machine
        self.lifecycle = lifecycle
        self.log = log
        meteredAt = now
    }

    /// One that an earlier controller started.
    init(_ worker: LocalPoolState.Worker, coldStart: ColdStart, at now: Instant) {
        adopted = now
        id = worker.id
        machine = worker.machine
        process = worker.process
        log = worker.log
        (url, socket) = (worker.url, worker.socket)
        meteredAt = worker.meteredAt
        (busy, meteredBusy) = (worker.busy, worker.busy)
        switch worker.phase {
        case .starting(_, let since): lifecycle = ReplicaLifecycle(coldStart: coldStart, at: since)
        case .draining(let since, let deadline):
            lifecycle = ReplicaLifecycle(readyAt: since)
            _ = lifecycle.handle(.drain(deadline: deadline), at: since)
        case .ready(let since), .terminated(let since, _): lifecycle = ReplicaLifecycle(readyAt: since)
        }
    }

    /// Whether its engine and its server are there.
    var isUp: Bool { saysReady && url != nil }

    var isStarting: Bool {
        if case .starting = lifecycle.phase { true } else { false }
    }

    /// When its machine is handed over; `nil` where it is.
    var handedOver: Instant? {
        if case .starting(.provision, _) = lifecycle.phase { lifecycle.nextTimer } else { nil }
    }

    var isInLastStage: Bool {
        if case .starting(.warmUp, _) = lifecycle.phase { true } else { false }
    }

    var isReady: Bool {
        if case .ready = lifecycle.phase { true } else { false }
    }

    var isDraining: Bool {
        if case .draining = lifecycle.phase { true } else { false }
    }

    /// Whether its drain deadline has passed.
    func isOverdue(at now: Instant) -> Bool { isDraining && lifecycle.nextTimer.map { $0 <= now } ?? false }

    /// Whether it may be told to drain: a second signal would end it at once, with all that it runs. What an earlier
    /// controller told it shows in its log, a moment later.
    mutating func mayBeTold(at now: Instant) -> Bool {
        guard let adopted else { return true }
        _ = readLog()
        return !saysDraining && now - adopted > .seconds(1)
    }

    /// Forgets what was not charged yet.
    mutating func beginMetering(at now: Instant) {
        meteredAt = now
        meteredBusy = busy
    }

    var endpoint: ReplicaEndpoint {
        ReplicaEndpoint(
            id: id, name: process.map { "process \($0.pid)" } ?? "not started", url: url, socket: socket,
            phase: isReady ? .ready : isDraining ? .draining : .starting)
    }

    private struct Event: Decodable {
        var event: String
        var url: String?
        var socket: String?
    }

    /// Takes in the lines that the worker has printed since the last look.
    ///
    /// - Returns: Whether there were any.
    mutating func readLog() -> Bool {
        guard let text = SmallFile.read(log, from: read), let end = text.utf8.lastIndex(of: UInt8(ascii: "\n")) else {
            return false
        }
        let lines = text[...end]
        read += lines.utf8.count
        for line in lines.split(separator: "\n") {
            guard let event = try? JSONDecoder().decode(Event.self, from: Data(line.utf8)) else { continue }
            if event.event == "listening" { (url, socket) = (event.url, event.socket) }
            if event.event == "ready" { saysReady = true }
            if event.event == "draining" { saysDraining = true }
        }
        return true
    }
}
