import FleetModel
import Formats
import Foundation
import GRDB
import Store
import Synchronization
import Units

@testable import Live

/// A gateway in this process, on ports of its own, with a folder of its own.
struct TestGateway: Sendable {
    let server: GatewayServer
    let port: Int
    let adminPort: Int
    let folder: String
    let lines: Lines
    private let serving: Task<Void, any Error>

    /// What it logged.
    final class Lines: Sendable {
        private let bytes = Mutex<[UInt8]>([])
        func add(_ more: [UInt8]) { bytes.withLock { $0 += more } }
        var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }
    }

    static func temporaryFolder() -> String {
        FileManager.default.temporaryDirectory.appending(path: "tidegate-gateway-\(UUID().uuidString)").path
    }

    /// A pool that costs a dollar for a million of either tokens.
    static let dollar = TokenPrice(
        perMillionPrompt: USD(nanodollars: 1_000_000_000), perMillionOutput: USD(nanodollars: 1_000_000_000))

    static func configuration(
        pool: GatewayConfiguration.Pool = .init(
            id: PoolID("flat-model"), maxSequences: 4, maxContext: 512, price: dollar),
        tenants: [TenantTerms] = [TenantTerms(name: "acme"), TenantTerms(name: "globex")],
        folder: String = temporaryFolder()
    ) -> GatewayConfiguration {
        var settings = GatewaySettings()
        settings.listen.port = 0
        settings.admin.port = 0
        settings.authentication = tenants.contains { !$0.keyDigests.isEmpty } ? .keys : .none
        return GatewayConfiguration(
            settings: settings, pools: [pool], classes: [SLOClass(name: "interactive", timeout: .seconds(20))],
            tenants: tenants, stateFolder: folder)
    }

    static func start(_ given: GatewayConfiguration) async throws -> TestGateway {
        var configuration = given
        let lines = Lines()
        configuration.log = { lines.add($0) }
        let (ports, continuation) = AsyncStream<GatewayServer.Listening>.makeStream()
        let server = try GatewayServer(configuration: configuration) {
            continuation.yield($0)
            continuation.finish()
        }
        let serving = Task {
            defer { continuation.finish() }
            try await server.run()
        }
        guard let listening = await ports.first(where: { _ in true }) else {
            try await serving.value
            throw TestWorker.Failure(text: "the gateway ended before it listened")
        }
        return TestGateway(
            server: server, port: listening.port, adminPort: listening.adminPort, folder: given.stateFolder,
            lines: lines,
            serving: serving)
    }

    /// Starts one in front of these ports, and drains it after `body`.
    static func with<Result>(
        _ configuration: GatewayConfiguration = configuration(), replicas ports: [Int] = [],
        _ body: (TestGateway) async throws -> Result
    ) async throws -> Result {
        let gateway = try await start(configuration)
        do {
            try await gateway.set(ports)
            let result = try await body(gateway)
            try await gateway.stop()
            try? FileManager.default.removeItem(atPath: gateway.folder)
            return result
        } catch {
            _ = try? await gateway.stop()
            throw error
        }
    }

    @discardableResult
    func stop(within deadline: TimeSpan = .seconds(5)) async throws -> GatewayServer.Drain {
        let drain = await server.drain(within: deadline)
        try await serving.value
        return drain
    }

    /// Names the replicas of the pool, as a controller does.
    @discardableResult
    func set(
        _ ports: [Int], draining: Set<Int> = [], epoch: Int = 1, pool: String = "flat-model"
    ) async throws -> HTTP.Reply {
        let replicas = ports.enumerated().map {
            #"{"id":\#($0 + 1),"url":"http://127.0.0.1:\#($1)","draining":\#(draining.contains($1))}"#
        }
        return try await put(
            "/admin/v1/pools/\(pool)/replicas", #"{"epoch":\#(epoch),"replicas":[\#(replicas.joined(separator: ","))]}"#
        )
    }

    func put(_ path: String, _ body: String, headers: String = "") async throws -> HTTP.Reply {
        let client = try HTTP(port: adminPort)
        await client.send(
            "PUT \(path) HTTP/1.1\r\nHost: x\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        return try await client.reply()
    }

    func post(_ path: String, _ body: String, headers: String = "") async throws -> HTTP.Reply {
        try await HTTP.post(port, path, body, headers: headers)
    }

    func complete(_ body: String, headers: String = "") async throws -> HTTP.Reply {
        try await post("/v1/completions", body, headers: headers)
    }

    func page() async throws -> MetricsPage {
        try MetricsPage(Array(try await HTTP.get(adminPort, "/metrics").text.utf8))
    }

    func sample() async throws -> GatewaySample {
        try GatewaySample(gateway: try await page(), pool: PoolID("flat-model"), time: .epoch)
    }

    /// All rows of the ledger so far.
    func rows() throws -> [UsageRow] {
        let ledger = try UsageLedger(path: folder + "/ledger.sqlite")
        defer { try? ledger.close() }
        return try ledger.rows(from: .epoch, to: .never)
    }
}

/// Holds a database for itself, as a program would that does a backup wrongly.
final class DatabaseHold {
    private let queue: DatabaseQueue

    init(_ path: String) throws {
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.unsafeReentrantWrite { try $0.execute(sql: "BEGIN IMMEDIATE") }
    }

    func release() throws {
        try queue.unsafeReentrantWrite { try $0.execute(sql: "ROLLBACK") }
        try queue.close()
    }
}
