import FleetModel
import Formats
import Foundation
import NIOPosix
import Simulation
import Units
import Workload

@testable import Live

/// Traffic for tests, and a load of it.
enum TestLoad {
    /// The shipped scenario for laptops, with other traffic.
    static func scenario(
        rate: Double, prompt: Int = 8, output: Int = 4, timeout: TimeSpan? = nil, prefix: SharedPrefix? = nil,
        sessions: Sessions? = nil, arrivals: ArrivalProcess = .constant
    ) throws -> Scenario {
        let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        var scenario = try ScenarioReader.read(path: repository.appending(path: "Scenarios/laptop").path)
        scenario.traces = []
        scenario.sloClasses = [
            SLOClass(name: "urgent", ttft: .seconds(1), timeout: timeout, priority: -1),
            SLOClass(name: "plain"),
        ]
        scenario.tenants = [Tenant(name: "a\"b"), Tenant(name: "c")]
        scenario.sources = [
            TrafficSource(
                name: "only", pool: scenario.pools[0].id, tenants: [TenantShare(tenant: 0, share: 1)],
                arrivals: arrivals, rate: .constant(rate), promptTokens: .fixed(prompt), outputTokens: .fixed(output),
                sharedPrefix: prefix, sessions: sessions)
        ]
        return scenario
    }

    /// Sends traffic to a server and follows it to its end.
    ///
    /// - Parameter onProgress: Whether to go on.
    static func play(
        _ traffic: LoadTraffic, to target: LoadTarget, connections: Int = 512, reusingConnections: Bool = true,
        drain: TimeSpan = .seconds(5), style: RequestStyle = RequestStyle(model: "m"), requestsPath: String? = nil,
        onProgress: (LoadRun.Progress) -> Bool = { _ in true }
    ) async throws -> LoadResult {
        var limits = LoadLimits(
            connections: connections, timeouts: traffic.classes.map(\.timeout), drain: drain)
        limits.reusesConnections = reusingConnections
        var run = LoadRun(traffic: traffic, target: target, style: style, limits: limits)
        run.requestsPath = requestsPath
        // Tests run beside one another.
        run.isUrgent = false
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result = try await run.play(on: group, onProgress: onProgress)
        try await group.shutdownGracefully()
        return result
    }
}
