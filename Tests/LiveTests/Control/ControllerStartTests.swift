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

    private let chat = ObservedPool(id: PoolID("chat"), bounds: ReplicaBounds(minimum: 1, maximum: 2))

    /// - Parameter pool: What resizes its only pool; `nil` for one without pools.
    private func controller(of pool: LocalPool?) throws -> Controller {
        let control = ControlConfiguration(tick: .milliseconds(100), scrape: .milliseconds(100))
        return try Controller(
            Controller.Configuration(
                control: control, limits: limits, pools: pool == nil ? [] : [chat], policy: policy, folder: folder,
                origin: "tests", isActive: true, gateway: try LoadTarget("http://127.0.0.1:9")),
            actuators: pool.map { [$0] } ?? [], clock: LiveClock(), group: .singleton)
    }

    /// Leaves a journal whose last tick was at `now`.
    private func tick(at now: Instant, of pools: [ObservedPool] = []) throws {
        var opened = try JournalAppender.open(
            path: "\(folder)/journal.jsonl", origin: "tests", policy: policy, limits: limits,
            observer: Observer(pools: pools, window: .seconds(20), staleness: .seconds(20)))
        let record = opened.loop.tick(at: now, in: TickContext(epoch: 1, restarted: false, withheld: nil))
        try opened.journal.append(record, of: opened.loop)
    }

    /// Has a new controller lead while `body` looks at it.
    private func leading(_ pool: LocalPool? = nil, _ body: (Controller) async throws -> Void) async throws {
        let controller = try controller(of: pool)
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

    @Test("Charge periods are closed once for an hour that has ended, whoever led then", .timeLimit(.minutes(1)))
    func hourly() async throws {
        let pool = WaitingPool()
        defer {
            pool.end()
            try? FileManager.default.removeItem(atPath: folder)
        }
        // No other hour ends meanwhile.
        let left = 3600 - LiveClock().now.nanoseconds / 1_000_000_000 % 3600
        if left < 10 { try await Task.sleep(for: .seconds(left)) }
        try tick(at: LiveClock().now - .hours(1), of: [chat])
        try await leading(pool.controller()) { controller in
            try await until("it has ticked a few times") { await controller.status.ticks > 4 }
        }
        let records = try MachineUsageFile.read(path: "\(pool.folder)/usage.jsonl").map(\.record)
        #expect(records.map(\.instance).sorted() == ["chat-i0", "chat-i1"])
        #expect(records.allSatisfy { !$0.terminated && $0.start < $0.end })
    }
}
