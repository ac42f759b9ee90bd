import FleetModel
import Formats
import NIOCore
import NIOPosix
import Units

/// Reads the metrics pages of replicas, all at the same time.
struct MetricsScraper: Sendable {
    let group: MultiThreadedEventLoopGroup
    /// For replicas with an `https` URL.
    var tls: TLSMaterial?

    /// What a page gave.
    enum Reading: Sendable {
        case sample(ReplicaSample, busy: TimeSpan?)
        /// Why there is no sample, for the status page.
        case failure(ScrapeFailure, reason: String)
    }

    /// Scrapes every replica that is ready or draining.
    ///
    /// - Parameters:
    ///   - round: The time that all pages of one round carry, so that spans between rounds are whole; an answer comes
    ///     within `patience` of it.
    ///   - patience: How long a page may take.
    func scrape(
        _ endpoints: [(pool: PoolID, endpoint: ReplicaEndpoint)], at round: Instant, patience: TimeSpan
    ) async -> [Reading] {
        await withTaskGroup(of: (Int, Reading).self) { tasks in
            for (index, (pool, endpoint)) in endpoints.enumerated() where endpoint.phase != .starting {
                tasks.addTask { (index, await read(endpoint, of: pool, at: round, patience: patience)) }
            }
            var readings: [(Int, Reading)] = []
            for await reading in tasks { readings.append(reading) }
            return readings.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func read(
        _ endpoint: ReplicaEndpoint, of pool: PoolID, at round: Instant, patience: TimeSpan
    ) async -> Reading {
        func failure(_ reason: String) -> Reading {
            .failure(
                ScrapeFailure(pool: pool, replica: endpoint.id, time: round),
                reason: "\(pool) \(endpoint.id): \(reason)")
        }
        guard let url = endpoint.url else { return failure("it has no address") }
        do {
            let isTLS = url.hasPrefix("https://")
            if isTLS, tls == nil { return failure("it wants TLS, and the section 'controller' has no 'tls'") }
            let target = try LoadTarget(isTLS ? "http://" + url.dropFirst(8) : url)
            let answer = try await PlainCall.send(
                "GET", "/metrics", to: target, on: group.next(), within: patience,
                tls: isTLS ? tls.map { ($0, .worker) } : nil)
            guard answer.status == 200 else { return failure("its metrics page answers \(answer.status)") }
            let page = try MetricsPage(Array(answer.body.utf8))
            return .sample(
                try ReplicaSample(page, pool: pool, replica: endpoint.id, time: round),
                busy: Self.busy(page))
        } catch {
            return failure("\(error)")
        }
    }

    /// How long an engine has computed; `nil` where its page does not tell, or tells what no engine can have.
    private static func busy(_ page: MetricsPage) -> TimeSpan? {
        guard let seconds = page.sum("tidegate:step_seconds_total"), (0...1e9).contains(seconds) else { return nil }
        return .estimate(seconds: seconds)
    }
}
