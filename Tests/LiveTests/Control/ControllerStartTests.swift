import Control
import FleetModel
import Foundation
import NIOPosix
import Scaling
import Simulation
import Testing

@testable import Formats
@testable import Live
@testable import Units

@Suite("A controller that starts again")
struct ControllerStartTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "tidegate-controller-\(UUID())").path
    private let policy = StaticPolicy(parameters: .init(replicas: 3))
    private let limits = GuardLimits()

    /// A pool that cannot be seen, and hears when charge periods are closed.
    private actor ClosingPool: PoolActuator {
        private(set) var closed: [Instant] = []

        func closePeriod(at now: Instant) { closed.append(now) }
        func apply(_ target: AppliedTarget, epoch: Int, at now: Instant) throws(ActuationError) {}
        func status(at now: Instant) throws(ActuationError) -> ActuatorStatus { throw .refused("it is not here") }
    }

    private func controller(_ pool: ClosingPool? = nil) throws -> Controller {
        let control = ControlConfiguration(tick: .milliseconds(100), scrape: .milliseconds(100))
        let bounds = ReplicaBounds(minimum: 1, maximum: 9)
        let pools = pool.map { _ in [ObservedPool(id: PoolID("chat"), bounds: bounds)] } ?? []
        return try Controller(
            Controller.Configuration(
                control: control, limits: limits, pools: pools, policy: policy, folder: folder, origin: "tests",
                isActive: true, gateway: try LoadTarget("http://127.0.0.1:9")),
            actuators: pool.map { [$0] } ?? [], clock: LiveClock(), group: .singleton)
    }

    /// Has a new controller lead while `body` looks at it.
    private func leading(_ pool: ClosingPool? = nil, _ body: (Controller) async throws -> Void) async throws {
        let controller = try controller(pool)
        let running = Task { try await controller.run() }
        defer { running.cancel() }
        try await body(controller)
        running.cancel()
        _ = await running.result
    }

    @Test("An operator's pause lasts until it is lifted, whoever leads then", .timeLimit(.minutes(1)))
    func pause() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await leading { first in
            try await until("it acts") { await first.status.ticks > 0 }
            #expect(await first.status.role == .active)
            await first.pause()
        }
        try await leading { second in
            try await until("it ticks") { await second.status.ticks > 0 }
            #expect(await second.status.role == .paused)
            #expect(await second.status.problems.contains { $0.text.contains("paused") })
            await second.resume()
        }
        try await leading { third in
            try await until("it ticks") { await third.status.ticks > 0 }
            #expect(await third.status.role == .active)
        }
    }

    @Test("One whose clock is behind its journal says so, and decides nothing", .timeLimit(.minutes(1)))
    func clockBehind() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try tick(at: LiveClock().now + .hours(1))
        try await leading { controller in
            try await until("it says so") {
                await controller.status.problems.contains { $0.text.contains("this machine's clock is behind") }
            }
            #expect(await controller.status.ticks == 0)
        }
    }

    @Test("An hour that ended while nobody ticked is closed with the next tick, and once", .timeLimit(.minutes(1)))
    func missedHour() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try tick(at: LiveClock().now - .hours(3))
        let pool = ClosingPool()
        try await leading(pool) { controller in
            try await until("it has ticked") { await controller.status.ticks > 4 }
        }
        // A full hour may come while this runs.
        #expect((1...2).contains(await pool.closed.count))
    }

    /// Writes a tick of an earlier controller.
    private func tick(at now: Instant) throws {
        var opened = try JournalAppender.open(
            path: "\(folder)/journal.jsonl", origin: "tests", policy: policy, limits: limits,
            observer: Observer(pools: [], window: .seconds(20), staleness: .seconds(20)))
        let record = opened.loop.tick(at: now, in: TickContext(epoch: 1, restarted: false, withheld: nil))
        try opened.journal.append(record, of: opened.loop)
    }
}
