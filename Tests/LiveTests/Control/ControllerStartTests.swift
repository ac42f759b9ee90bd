import Control
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

    /// One without pools.
    private func controller() throws -> Controller {
        let control = ControlConfiguration(tick: .milliseconds(100), scrape: .milliseconds(100))
        return try Controller(
            Controller.Configuration(
                control: control, limits: limits, pools: [], policy: policy, folder: folder, origin: "tests",
                isActive: true, gateway: try LoadTarget("http://127.0.0.1:9")),
            actuators: [], clock: LiveClock(), group: .singleton)
    }

    /// Has a new controller lead while `body` looks at it.
    private func leading(_ body: (Controller) async throws -> Void) async throws {
        let controller = try controller()
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
        var opened = try JournalAppender.open(
            path: "\(folder)/journal.jsonl", origin: "tests", policy: policy, limits: limits,
            observer: Observer(pools: [], window: .seconds(20), staleness: .seconds(20)))
        let record = opened.loop.tick(
            at: LiveClock().now + .hours(1), in: TickContext(epoch: 1, restarted: false, withheld: nil))
        try opened.journal.append(record, of: opened.loop)
        try await leading { controller in
            try await until("it says so") {
                await controller.status.problems.contains { $0.text.contains("this machine's clock is behind") }
            }
            #expect(await controller.status.ticks == 0)
        }
    }
}
