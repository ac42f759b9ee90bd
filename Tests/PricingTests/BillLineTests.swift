import FleetModel
import Testing
import Units

@testable import Pricing

/// Single instances whose bill can be worked out by hand.
@Suite("Charged time and shares")
struct BillLineTests {
    static let offering = Offering(provider: "metal", instanceType: "h100x4", zone: "fra", capacityType: .onDemand)

    static func record(
        _ start: TimeSpan, _ end: TimeSpan, launched: TimeSpan? = nil, slots: Int = 1, terminated: Bool = false,
        busy: TimeSpan = .zero, idle: TimeSpan = .zero, starting: TimeSpan = .zero, draining: TimeSpan = .zero,
        output: [Int64] = [0, 0]
    ) -> UsageRecord {
        UsageRecord(
            instance: "a", pool: PoolID("chat"), offering: offering, slots: slots,
            launched: .epoch + (launched ?? start),
            start: .epoch + start, end: .epoch + end, terminated: terminated, busy: busy, idle: idle,
            starting: starting, draining: draining, promptTokens: [0, 0], outputTokens: output, requests: [0, 0])
    }

    static func bill(_ usage: [UsageRecord], rate: String = "3.60", increment: TimeSpan, minimum: TimeSpan = .zero)
        throws -> Bill
    {
        let price = Price(
            offering: offering, rate: USDPerHour(rate)!, accelerators: 4,
            billing: BillingRule(increment: increment, minimum: minimum), source: "here", date: "2026-01-01")
        return try Bill(
            usage: usage, book: PriceBook(prices: [price]), tenants: [Tenant(name: "a"), Tenant(name: "b")],
            weights: AllocationWeights())
    }

    @Test("Hours are rounded up over an instance's life, not over each record")
    func hours() throws {
        let launched = TimeSpan.minutes(30)
        let bill = try Self.bill(
            [
                Self.record(launched, .minutes(60)), Self.record(.minutes(60), .minutes(120), launched: launched),
                Self.record(.minutes(120), .minutes(130), launched: launched, terminated: true),
            ], increment: .hours(1))
        #expect(bill.lines.map(\.charged) == [.hours(1), .hours(1), .zero])
        #expect(bill.total == USD("7.20"))
    }

    @Test("Seconds are rounded up")
    func seconds() throws {
        let bill = try Self.bill([Self.record(.zero, .milliseconds(10_001), terminated: true)], increment: .seconds(1))
        #expect(bill.total == USD("0.011"))
    }

    @Test("An instance given back early pays the minimum from its launch, once")
    func minimum() throws {
        let start = TimeSpan.minutes(60) - .seconds(20)
        let rows = [
            Self.record(start, .minutes(60)),
            Self.record(.minutes(60), .minutes(60) + .seconds(10), launched: start, terminated: true),
        ]
        let bill = try Self.bill(rows, increment: .seconds(1), minimum: .seconds(60))
        #expect(bill.lines.map(\.charged) == [.seconds(20), .seconds(40)])
    }

    @Test("An instance that is still held pays no minimum yet, and a long one none at all")
    func minimumNotDue() throws {
        let held = try Self.bill([Self.record(.zero, .seconds(20))], increment: .seconds(1), minimum: .seconds(60))
        #expect(held.lines[0].charged == .seconds(20))
        let long = try Self.bill(
            [Self.record(.zero, .seconds(90), terminated: true)], increment: .seconds(1), minimum: .seconds(60))
        #expect(long.lines[0].charged == .seconds(90))
    }

    @Test("Slot time decides what is overhead, and weighted tokens who pays the rest")
    func shares() throws {
        let usage = Self.record(
            .zero, .seconds(1000), slots: 2, busy: .seconds(800), idle: .seconds(600), starting: .seconds(200),
            draining: .seconds(100), output: [300, 100])
        let split = try Self.bill([usage], increment: .seconds(1)).split  // 1 USD over 2,000 slot seconds
        #expect(split.tenants == [USD("0.30")!, USD("0.10")!])
        #expect(split[.idle] == USD("0.30"))
        #expect(split[.starting] == USD("0.10"))
        #expect(split[.draining] == USD("0.05"))
        #expect(split[.empty] == USD("0.15"))
        #expect(split[.unattributed] == .zero)
    }

    @Test("Busy time without tokens is nobody's")
    func busyWithoutTokens() throws {
        let usage = Self.record(.zero, .seconds(1000), busy: .seconds(1000))
        let bill = try Self.bill([usage], increment: .seconds(1))
        #expect(bill.split.tenants == [.zero, .zero])
        #expect(bill.split[.unattributed] == bill.total)
        #expect(bill.overhead == bill.total)
    }

    @Test("A machine that goes back in the moment it was handed over pays the minimum, which no tenant is charged")
    func givenBackAtOnce() throws {
        let usage = Self.record(.seconds(5), .seconds(5), terminated: true)
        let bill = try Self.bill([usage], increment: .seconds(1), minimum: .seconds(60))
        #expect(bill.lines[0].charged == .seconds(60))
        #expect(bill.split[.empty] == bill.total && bill.total > .zero)
        #expect(try Self.bill([usage], increment: .seconds(1)).total == .zero)
    }

    @Test("A price of zero is a price")
    func free() throws {
        let bill = try Self.bill(
            [Self.record(.zero, .seconds(10), busy: .seconds(5))], rate: "0", increment: .seconds(1))
        #expect(bill.total == .zero)
        #expect(bill.lines.count == 1)
    }

    @Test("A nanodollar that cannot be divided goes to the largest remainder, the first among equals")
    func remainders() {
        #expect(apportion(10, by: [1, 1, 1]) == [4, 3, 3])
        #expect(apportion(11, by: [1, 1, 1]) == [4, 4, 3])
        #expect(apportion(10, by: [1, 8, 2]) == [1, 7, 2])  // exact: 0.91, 7.27, 1.82
        #expect(apportion(0, by: [0, 5]) == [0, 0])
    }

    @Test(
        "Usage that contradicts itself is refused",
        arguments: [
            [record(.seconds(5), .seconds(5))],
            [record(.zero, .seconds(5), launched: .seconds(1))],
            [record(.zero, .seconds(5), busy: .seconds(6))],
            [record(.zero, .seconds(5), output: [1])],
            [record(.zero, .seconds(5), output: [1, -1])],
            [record(.zero, .seconds(5)), record(.seconds(6), .seconds(9), launched: .zero)],
            [record(.zero, .seconds(5)), record(.seconds(4), .seconds(9), launched: .zero)],
            [record(.zero, .seconds(5), terminated: true), record(.seconds(5), .seconds(9), launched: .zero)],
            [record(.zero, .seconds(5)), record(.seconds(5), .seconds(9))],
        ])
    func inconsistent(usage: [UsageRecord]) {
        let error = #expect(throws: PricingError.self) { try Self.bill(usage, increment: .seconds(1)) }
        guard case .inconsistentUsage("a", _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
