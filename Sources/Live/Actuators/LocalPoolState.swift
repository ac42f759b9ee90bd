import Control
import FleetModel
import Formats
import Foundation
import Units

/// What a pool of processes must know after its controller has died.
struct LocalPoolState: Codable {
    struct Worker: Codable {
        var id: ReplicaID
        var machine: Int
        var process: ChildProcess?
        var log: String
        var url: String?
        /// A state of an earlier version has none.
        var socket: String?
        var phase: ReplicaPhase
        var meteredAt: Instant
        var busy: TimeSpan

        init(_ replica: LocalReplica) {
            id = replica.id
            machine = replica.machine
            process = replica.process
            log = replica.log
            url = replica.url
            socket = replica.socket
            phase = replica.lifecycle.phase
            meteredAt = replica.meteredAt
            busy = replica.meteredBusy
        }
    }

    /// Of the leader who gave the last order.
    var epoch = 0
    var target = 0
    var appliedGeneration = 0
    var reachedGeneration = 0
    /// What the scenario gives its replicas to finish in. A state of an earlier version has none.
    var drainDeadline: TimeSpan?
    /// Replicas ever started: the number of the next one.
    var started = 0
    var machines: MachineBook
    /// By machine: replicas that stood on it in the charge period under way. A state of an earlier version has none.
    var stood: [String: [ReplicaID]]?
    var workers: [Worker] = []
    /// Names the fleet that the workers end with; `nil` where they go on for the next controller.
    var fleet: String?
    /// When this was saved; `nil` in a state of an earlier version.
    var seen: Instant?
    /// Usage that could not be written yet, on a full disk for one; `nil` for none.
    var unwritten: [MachineUsage]?
    /// Of `usage.jsonl`: what follows was written and not saved here, and is not true. `nil` where that is not known.
    var usageBytes: Int?

    init(_ configuration: LocalPool.Configuration) {
        machines = MachineBook(
            pool: configuration.pool.id, offering: configuration.pool.offering,
            slots: configuration.pool.replicasPerInstance, tenantCount: configuration.tenantCount)
        drainDeadline = configuration.pool.drainDeadline
    }
}

// MARK: - Its file

extension LocalPoolState {
    static let name = "workers.json"

    static func path(_ folder: String) -> String { "\(folder)/\(name)" }

    /// The state in a pool's folder; `nil` when there is none.
    ///
    /// - Throws: When it cannot be read or understood.
    static func read(_ folder: String) throws(LocalPoolStateError) -> LocalPoolState? {
        guard FileManager.default.fileExists(atPath: path(folder)) else { return nil }
        guard let data = FileManager.default.contents(atPath: path(folder)),
            let state = try? JSONDecoder().decode(LocalPoolState.self, from: data)
        else { throw LocalPoolStateError(path: path(folder)) }
        return state
    }
}

// MARK: - Money

extension LocalPoolState {
    /// Writes down that a replica stands on a machine, by whose name its requests are found.
    mutating func stand(_ replica: ReplicaID, on machine: Int) {
        guard let name = machines.machines[machine]?.name else { return }
        stood = stood ?? [:]
        if stood![name]?.contains(replica) != true { stood![name, default: []].append(replica) }
    }

    /// Charges a replica's time up to now to its machine; nothing where it was charged further already.
    mutating func meter(_ replica: inout LocalReplica, at now: Instant) {
        let span = now - replica.meteredAt
        guard span > .zero else { return }
        let steps = min(span, replica.busy - replica.meteredBusy)
        (replica.meteredAt, replica.meteredBusy) = (now, replica.busy)
        machines.machines[replica.machine]!.tally.charge(span, steps: steps, in: replica.lifecycle.phase)
    }

    /// Gives back machines of a kind that the scenario had before, and has their replicas stand on those that it has now.
    ///
    /// - Returns: What the earlier ones did.
    mutating func exchangeMachines(
        of replicas: inout [LocalReplica], for configuration: LocalPool.Configuration, at now: Instant
    ) -> [UsageRecord] {
        let (old, pool) = (machines, configuration.pool)
        let next = old.followed(
            by: pool.offering, slots: pool.replicasPerInstance, tenantCount: configuration.tenantCount)
        guard (old.offering, old.slots, old.tenantCount) != (next.offering, next.slots, next.tenantCount) else {
            return []
        }
        for index in replicas.indices { meter(&replicas[index], at: now) }
        let records = replicas.compactMap { machines.leave($0.machine, at: now) }
        machines = next
        // Who is there already has a machine before those whose machine is still to come.
        let starts = replicas.map { max(now, $0.handedOver ?? now) }
        for index in replicas.indices.sorted(by: { (starts[$0], $0) < (starts[$1], $1) }) {
            replicas[index].machine = machines.place(handedOver: starts[index])
            stand(replicas[index].id, on: replicas[index].machine)
        }
        return records
    }

    /// Writes down what machines were used for, and which replicas stood on them.
    ///
    /// - Parameter records: Added to those that could not be written before.
    /// - Throws: `OutputError`; then they wait for the next time, for a bill takes no usage with gaps.
    mutating func write(_ records: [UsageRecord], to path: String) throws(OutputError) {
        let machines = (unwritten ?? []) + records.map { MachineUsage($0, replicas: stood?[$0.instance]) }
        for record in records where record.terminated { stood?[record.instance] = nil }
        unwritten = machines
        usageBytes = try MachineUsageFile.append(machines, to: path)
        unwritten = nil
    }
}

/// A pool's state file that cannot be read or understood.
public struct LocalPoolStateError: Error, CustomStringConvertible {
    var path: String

    public var description: String {
        "\(path): error: this is no state of a pool that can be read\n    end the workers it may name and move it away"
    }
}
