import Control
import FleetModel
import Foundation
import Testing

@testable import Formats
@testable import Live
@testable import Reporting
@testable import Units

@Suite("What a controller looks out for")
struct FleetWatchTests {
    private let chat = PoolID("chat")

    /// A gateway's page after two tenants have sent so many requests of 100 tokens in and 50 out.
    private static func page(
        a: Double, b: Double, named names: (a: String, b: String) = ("a", "b")
    ) throws -> MetricsPage {
        var text = ""
        for (name, count) in [
            ("arrived_requests_total", 1.0), ("arrived_prompt_tokens_total", 100), ("streamed_tokens_total", 50),
        ] {
            text += "tidegate_gateway_\(name){pool=\"chat\"} \((a + b) * count)\n"
            text += "tidegate_gateway_tenant_\(name){tenant=\"\(names.a)\",pool=\"chat\"} \(a * count)\n"
            text += "tidegate_gateway_tenant_\(name){tenant=\"\(names.b)\",pool=\"chat\"} \(b * count)\n"
            text += "tidegate_gateway_tenant_\(name){tenant=\"\(names.a)\",pool=\"other\"} 1e9\n"
        }
        text +=
            "tidegate_gateway_rejected_requests_total{pool=\"chat\"} 0\ntidegate_gateway_held_requests{pool=\"chat\"} 0\n"
        text += "tidegate_gateway_tenant_spent_dollars{tenant=\"\(names.a)\"} 0.5\n"
        return try MetricsPage(Array(text.utf8))
    }

    @Test("Tenants' counters are read of one pool, and a day's spending of all")
    func counters() throws {
        let read = TenantCounters.all(on: try Self.page(a: 3, b: 4), pool: chat)
        #expect(
            read == [
                TenantCounters(tenant: "a", requests: 3, promptTokens: 300, outputTokens: 150, spent: 0.5),
                TenantCounters(tenant: "b", requests: 4, promptTokens: 400, outputTokens: 200),
            ])
        #expect(TenantCounters.all(on: try MetricsPage([]), pool: chat).isEmpty)
    }

    /// A watch of the pool 'chat' that has seen ten quiet minutes of two tenants and then `abusive` seconds of forty times of
    /// the first.
    static func watch(
        abusive: Int, named names: (a: String, b: String) = ("a", "b"), since start: Instant = .epoch
    ) throws -> (watch: FleetWatch, signal: GatewaySample, now: Instant) {
        let chat = PoolID("chat")
        var watch = FleetWatch([chat], rules: TenantWatchRules(), limits: AlarmLimits(), ceiling: nil, stepTimes: [:])
        var (a, b) = (0.0, 0.0)
        var signal: GatewaySample?
        var now = start
        for second in stride(from: 5, through: 600 + abusive, by: 5) {
            a += second > 600 ? 400 : 10
            b += 10
            now = start + .seconds(Int64(second))
            let page = try page(a: a, b: b, named: names)
            signal = watch.signal(
                of: try GatewaySample(gateway: page, pool: chat, time: now), on: page, pool: 0, at: now)
        }
        return (watch, signal!, now)
    }

    @Test(
        "An abuser is an alarm in words, out of the signal, and capped after the stated time; an operator's cap stays")
    func abuse() throws {
        var (watch, signal, now) = try Self.watch(abusive: 60)
        #expect(signal.arrivedRequests < 2400 + 60 * 4 + 100 && signal.excessTenants == 1)
        let orders = watch.orders(known: [:], at: now)
        #expect(orders.map(\.tenant) == ["a"] && orders.map(\.cap.tokensPerMinute) == [36_000])
        #expect(watch.orders(known: [:], at: now - .seconds(40)).isEmpty)
        #expect(watch.orders(known: ["a": .init(tokensPerMinute: 9, reason: "by hand")], at: now).isEmpty)
        #expect(watch.alarms(at: now, costPerHour: nil).map(\.kind) == [.tenantAbuse])
        #expect(watch.alarms(at: now, costPerHour: nil)[0].text.contains("tenant 'a' went from 2.0 to 80.0 requests/s"))
        watch.caps = ["a": 36_000]
        #expect(watch.alarms(at: now, costPerHour: nil)[0].text.contains("held to 36000 tokens a minute"))
    }

    @Test("A cap that a controller has set goes when nobody is abusive; an operator's does not")
    func lifting() throws {
        let (watch, _, now) = try Self.watch(abusive: 0)
        #expect(watch.alarms(at: now, costPerHour: nil).isEmpty)
        let orders = watch.orders(
            known: [
                "a": .init(tokensPerMinute: 9, reason: FleetWatch.capReason + "earlier"),
                "b": .init(tokensPerMinute: 9, reason: "by hand"),
            ], at: now)
        #expect(orders.map(\.tenant) == ["a"] && orders.map(\.cap.tokensPerMinute) == [nil])
    }

    @Test("What a controller knows of tenants outlives it: a cap stays until its tenant is calm")
    func memory() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tidegate-tenants-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (earlier, _, now) = try Self.watch(abusive: 60)
        var file = TenantFile(folder: folder)
        #expect(try file.read().isEmpty)
        try file.keep(earlier, at: now)
        var watch = FleetWatch([chat], rules: TenantWatchRules(), limits: AlarmLimits(), ceiling: nil, stepTimes: [:])
        watch.resume(try TenantFile(folder: folder).read())
        let cap = GatewayClient.Cap(tokensPerMinute: 36_000, reason: FleetWatch.capReason + "earlier")
        #expect(watch.orders(known: ["a": cap], at: now).isEmpty)
        #expect(watch.orders(known: [:], at: now).map(\.cap.tokensPerMinute) == [36_000])
        #expect(watch.alarms(at: now, costPerHour: nil).map(\.kind) == [.tenantAbuse])
        for second in stride(from: 5, through: 70, by: 5) {
            let (page, now) = (try Self.page(a: 9000, b: 9000), now + .seconds(Int64(second)))
            _ = watch.signal(
                of: try GatewaySample(gateway: page, pool: chat, time: now), on: page, pool: 0, at: now)
        }
        #expect(watch.orders(known: ["a": cap], at: now + .seconds(70)).map(\.cap.tokensPerMinute) == [nil])
        // Written again when who is abusive has changed, and else now and then.
        func size() throws -> Int { try Data(contentsOf: URL(filePath: file.path)).count }
        let first = try size()
        try file.keep(try Self.watch(abusive: 65).watch, at: now + .seconds(5))
        #expect(try size() == first)
        try file.keep(watch, at: now + .seconds(70))
        #expect(try size() != first)

        try "{".write(toFile: file.path, atomically: true, encoding: .utf8)
        #expect(throws: FleetError.self) { try file.read() }
    }

    @Test("A replica that starts for too long is told while it starts, and one that did when it is ready")
    func coldStart() {
        var watch = FleetWatch([chat], rules: nil, limits: AlarmLimits(), ceiling: nil, stepTimes: [:])
        func see(_ phase: ReplicaEndpoint.Phase, _ second: Int64) {
            let offering = OfferingObservation(
                offering: Offering(provider: "p", instanceType: "i", zone: "z", capacityType: .onDemand), price: nil,
                replicasPerInstance: 1, available: true, expectedColdStart: .seconds(20))
            let pool = PoolStatus(
                pool: chat, time: .epoch, readyReplicas: [], starting: 1, draining: 0, appliedGeneration: 0,
                reachedGeneration: 0, target: 1, offerings: [offering])
            watch.see(
                ActuatorStatus(
                    pool: pool, endpoints: [ReplicaEndpoint(id: ReplicaID(7), name: "w", url: nil, phase: phase)],
                    problems: []),
                of: 0, at: .epoch + .seconds(second))
        }
        func kinds(_ second: Int64) -> [Alarm.Kind] {
            watch.alarms(at: .epoch + .seconds(second), costPerHour: nil).map(\.kind)
        }
        see(.starting, 0)
        #expect(kinds(30).isEmpty)
        #expect(kinds(31) == [.coldStartDrift])
        see(.ready, 40)
        #expect(kinds(41) == [.coldStartDrift])
        see(.starting, 50)
        see(.ready, 60)
        #expect(kinds(61).isEmpty)
    }

    @Test("Alarms are on the status page and on the metrics page, by kind")
    func pages() {
        var status = ControllerStatus(
            version: "0", role: .active, epoch: 1, started: .epoch, time: .epoch, policy: "static", policyDigest: "",
            journal: "", ticks: 1, pools: [], decisions: [], problems: [])
        #expect(!StatusPage(status).text.contains("Alarms"))
        #expect(ControllerPage.text(of: status).contains("tidegate_alarm{kind=\"tenant-abuse\"} 0.0"))
        status.alarms = [Alarm(.tenantAbuse, pool: chat, tenant: "a", "tenant 'a' went <up>")]
        #expect(StatusPage(status).text.contains("tenant-abuse, pool chat: tenant &#39;a&#39; went &lt;up&gt;"))
        #expect(ControllerPage.text(of: status).contains("tidegate_alarm{kind=\"tenant-abuse\"} 1.0"))
        #expect(ControllerPage.text(of: status).contains("tidegate_alarm{kind=\"spend-burn\"} 0.0"))
    }
}
