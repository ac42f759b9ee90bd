import EngineModel
import FleetModel
import Foundation
import Simulation
import Units

@testable import Live

/// A pool whose workers are programs that only wait, and say that they serve and how they were started.
struct WaitingPool {
    /// Of all pools.
    let root = FileManager.default.temporaryDirectory.appending(path: "tidegate-pools-\(UUID())").path
    var name = "chat"
    var folder: String { "\(root)/\(name)" }
    /// What a worker is.
    var command = [
        "/bin/sh", "-c",
        #"echo '{"event":"listening","url":"http://127.0.0.1:1"}'; echo '{"event":"ready"}'; echo "$0"; exec sleep 60"#,
    ]

    /// Workers that serve, emulated.
    static var serving: WaitingPool {
        var pool = WaitingPool()
        let profile = OtherPrograms.root.path + "/Scenarios/profiles/llama-3.1-8b-h100-tp1.json"
        pool.command = [
            WorkerProcessTests.tidegate, "worker", "--port", "0", "--json", "--executor", "emulated", "--profile",
            profile,
            "--no-cold-start",
        ]
        return pool
    }

    var drainDeadline = TimeSpan.seconds(30)
    /// How long a machine takes to come, of all but the first ones.
    var provision = TimeSpan.zero
    /// How often a fleet says that it is there.
    var sightings = TimeSpan.minutes(1)

    /// What one controller knows of the pool.
    ///
    /// - Parameter lifeline: That of a fleet, whose workers end with it.
    func controller(lifeline: Lifeline? = nil, instance: String = "this-machine") -> LocalPool {
        var configuration = configuration(instance: instance)
        configuration.lifeline = lifeline
        return LocalPool(configuration, clock: LiveClock())
    }

    /// - Parameter slots: Replicas on a machine.
    func configuration(instance: String = "this-machine", slots: Int = 1) -> LocalPool.Configuration {
        let profile = TestProfiles.flat(step: 1e6)
        let pool = PoolConfiguration(
            id: PoolID("chat"), profile: profile, batcher: TestProfiles.limits(profile),
            offering: Offering(
                provider: "local", instanceType: instance, zone: "here", capacityType: .onDemand),
            replicasPerInstance: slots,
            coldStart: ColdStart(provision: provision, pull: .zero, load: .zero, warmUp: .zero),
            bounds: ReplicaBounds(minimum: 1, maximum: 9), initialReplicas: 2, router: .leastOutstanding,
            maxWaitingPerReplica: 10, drainDeadline: drainDeadline)
        var configuration = LocalPool.Configuration(
            pool: pool, price: nil, tenantCount: 1, folder: folder, command: { [command] _, _ in command })
        configuration.sightings = sightings
        return configuration
    }

    /// Has a controller begin the pool, and look after it while `body` runs, from when both workers are ready.
    func tended(by local: LocalPool, _ body: () async throws -> Void = {}) async throws {
        try await local.begin(epoch: 1)
        let tending = Task { await local.run() }
        defer { tending.cancel() }
        try await until("both are ready") { try await local.status(at: .epoch).pool.readyReplicas.count == 2 }
        try await body()
        tending.cancel()
        await tending.value
    }

    /// Sockets in the pool's folder.
    var sockets: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".sock") }.sorted()
    }

    func signal(_ replica: String, _ number: Int32) {
        for (mark, process) in ChildProcess.marked(under: folder) where mark.hasSuffix("#\(replica)") {
            process.signal(number)
        }
    }

    /// Names of the processes that run, one for each.
    var running: [String] { ChildProcess.marked(under: folder).map { String($0.mark.split(separator: "#").last!) } }

    func end() {
        for (_, process) in ChildProcess.marked(under: folder) { process.signal(SIGKILL) }
        try? FileManager.default.removeItem(atPath: root)
    }
}
