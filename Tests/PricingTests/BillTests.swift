import FleetModel
import Testing
import Units

@testable import Pricing

/// Whole bills over drawn usage: what must hold whatever the fleet did.
@Suite("Bills add up")
struct BillTests {
    @Test("Lines sum to the total, and tenants plus overhead to the bill", arguments: UInt64(1)...200)
    func sums(seed: UInt64) throws {
        let drawn = DrawnUsage(seed: seed)
        let bill = try drawn.bill()
        #expect(bill.lines.count == drawn.usage.count, "seed \(seed)")
        #expect(bill.lines.reduce(0) { $0 + $1.cost.nanodollars } == bill.total.nanodollars, "seed \(seed)")
        for line in bill.lines { #expect(line.split.total == line.cost, "seed \(seed) \(line.usage.instance)") }
        let tenants = bill.split.tenants.reduce(USD.zero, +)
        let overhead = OverheadKind.allCases.reduce(USD.zero) { $0 + bill.split[$1] }
        #expect(tenants + overhead == bill.total, "seed \(seed)")
        #expect(bill.overhead == overhead, "seed \(seed)")
        #expect(bill.byCapacityType.reduce(USD.zero) { $0 + $1.total } == bill.total, "seed \(seed)")
        #expect(bill.byCapacityType.reduce(USD.zero) { $0 + $1.overhead } == bill.overhead, "seed \(seed)")
        #expect(bill.byPool.reduce(USD.zero) { $0 + $1.total } == bill.total, "seed \(seed)")
    }

    @Test("Doubling every price doubles each line to a nanodollar", arguments: UInt64(1)...50)
    func doubling(seed: UInt64) throws {
        var drawn = DrawnUsage(seed: seed)
        let once = try drawn.bill()
        for index in drawn.book.prices.indices { drawn.book.prices[index].rate.nanodollars *= 2 }
        let twice = try drawn.bill()
        for (a, b) in zip(once.lines, twice.lines) {
            #expect(abs(b.cost.nanodollars - 2 * a.cost.nanodollars) <= 1, "seed \(seed) \(a.usage.instance)")
        }
    }

    @Test("Each share is within two nanodollars of its exact part", arguments: UInt64(1)...50)
    func fairness(seed: UInt64) throws {
        let drawn = DrawnUsage(seed: seed)
        for line in try drawn.bill().lines {
            let tokens = zip(line.usage.promptTokens, line.usage.outputTokens).map { $0 + 4 * $1 }
            let sum = tokens.reduce(0, +)
            guard sum > 0 else { continue }
            let slotTime = Double((line.usage.end - line.usage.start).nanoseconds) * Double(line.usage.slots)
            let busy = Double(line.cost.nanodollars) * Double(line.usage.busy.nanoseconds) / slotTime
            for (share, count) in zip(line.split.tenants, tokens) {
                let exact = busy * Double(count) / Double(sum)
                #expect(abs(Double(share.nanodollars) - exact) <= 2, "seed \(seed) \(line.usage.instance)")
            }
        }
    }

    @Test("An unknown price is an error that names the nearest one")
    func unknownPrice() throws {
        var drawn = DrawnUsage(seed: 1)
        let wanted = Offering(provider: "aws", instanceType: "p5.48xlrge", zone: "az1", capacityType: .onDemand)
        drawn.usage[0].offering = wanted
        drawn.usage = [drawn.usage[0]]
        let error = #expect(throws: PricingError.self) { try drawn.bill() }
        #expect(error == .unknownPrice(wanted, nearest: DrawnUsage.offerings[0]))
        #expect(
            error?.description
                == "'aws p5.48xlrge az1 on-demand' is priced in no price book; nearest: 'aws p5.48xlarge az1 on-demand'"
        )
    }
}

/// Usage of a fleet that never was: several instances with contiguous periods cut at the hour.
struct DrawnUsage {
    static let offerings = [
        Offering(provider: "aws", instanceType: "p5.48xlarge", zone: "az1", capacityType: .onDemand),
        Offering(provider: "aws", instanceType: "p5.48xlarge", zone: "az1", capacityType: .spot),
        Offering(provider: "metal", instanceType: "h100x4", zone: "fra", capacityType: .onDemand),
    ]
    static let tenants = ["acme", "globex", "initech"].map(Tenant.init(name:))

    var usage: [UsageRecord] = []
    var book: PriceBook

    init(seed: UInt64) {
        var draw = SplitMix(state: seed)
        let rules = [
            BillingRule(increment: .seconds(1), minimum: .seconds(60)),
            BillingRule(increment: .hours(1), minimum: .zero),
        ]
        book = PriceBook(
            prices: Self.offerings.map { offering in
                Price(
                    offering: offering, rate: USDPerHour(nanodollars: draw.below(99_000_000_000)), accelerators: 4,
                    billing: rules[Int(draw.below(2))], source: "drawn", date: "2026-01-01")
            })
        let hour = TimeSpan.hours(1).nanoseconds
        for number in 0..<(1 + draw.below(5)) {
            let offering = Self.offerings[Int(draw.below(3))]
            let slots = Int(1 + draw.below(4))
            let launched = Instant(nanoseconds: draw.below(6 * hour))
            let end = launched + TimeSpan(nanoseconds: 1 + draw.below(5 * hour))
            let terminated = draw.below(2) == 0
            var start = launched
            while start < end {
                let cut = min(end, Instant(nanoseconds: (start.nanoseconds / hour + 1) * hour))
                var left = (cut - start) * Int64(slots)
                func part() -> TimeSpan {
                    let span = TimeSpan(nanoseconds: draw.below(left.nanoseconds + 1))
                    left = left - span
                    return span
                }
                let served = draw.below(5) > 0
                usage.append(
                    UsageRecord(
                        instance: "i\(number)", pool: PoolID(number % 2 == 0 ? "chat" : "code"), offering: offering,
                        slots: slots, launched: launched, start: start, end: cut,
                        terminated: terminated && cut == end, busy: part(), idle: part(), starting: part(),
                        draining: part(), promptTokens: Self.tenants.map { _ in served ? draw.below(9_000_000) : 0 },
                        outputTokens: Self.tenants.map { _ in served ? draw.below(900_000) : 0 },
                        requests: Self.tenants.map { _ in draw.below(9000) }))
                start = cut
            }
        }
    }

    func bill() throws -> Bill {
        try Bill(usage: usage, book: book, tenants: Self.tenants, weights: AllocationWeights())
    }
}

/// - Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
struct SplitMix {
    var state: UInt64

    mutating func below(_ bound: Int64) -> Int64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int64((z ^ (z >> 31)) >> 1) % bound
    }
}
