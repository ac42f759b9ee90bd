import FleetModel
import Foundation
import Pricing
import Simulation
import Testing
import Units

@testable import Reporting

/// The rules of FOCUS 1.2, held over the bill of a simulated run.
@Suite("bill.csv")
struct BillFileTests {
    static let file = CSVFile(BillFile(Fixture.result, weights: Fixture.scenario.allocation).text)

    @Test("Every mandatory column is there, spelled as the specification has it, and only ours have the prefix")
    func columns() {
        let mandatory = [
            "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
            "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
            "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity",
            "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
        ]
        let conditional = [
            "AvailabilityZone", "ChargeFrequency", "InvoiceId", "ServiceSubcategory", "SubAccountId", "SubAccountName",
            "SubAccountType", "PricingCategory", "ConsumedQuantity", "ConsumedUnit", "ListUnitPrice",
            "ContractedUnitPrice", "ResourceId", "ResourceName", "ResourceType", "SkuId", "SkuPriceId", "SkuMeter",
            "Tags",
        ]
        #expect(Self.file.header.filter { !$0.hasPrefix("x_") }.sorted() == (mandatory + conditional).sorted())
        #expect(Set(Self.file.header).count == Self.file.header.count)
    }

    @Test("Costs that were billed sum to the bill, to the nanodollar, and so does each tenant's part")
    func sums() {
        let bill = Fixture.result.bill
        func sum(_ column: String, _ account: String? = nil) -> USD? {
            Self.file.rows.filter { account == nil || $0["SubAccountId"] == account }
                .reduce(USD.zero) { $0 + USD($1[column]!)! }
        }
        #expect(bill.total > .zero)
        #expect(sum("BilledCost") == bill.total)
        #expect(sum("EffectiveCost") == bill.total)
        #expect(sum("BilledCost", "overhead") == bill.overhead)
        for (tenant, cost) in zip(bill.tenants, bill.split.tenants) { #expect(sum("BilledCost", tenant.name) == cost) }
        for (column, kind) in [
            ("x_IdleCost", OverheadKind.idle), ("x_StartingCost", .starting), ("x_DrainingCost", .draining),
            ("x_EmptyCost", .empty), ("x_UnattributedCost", .unattributed),
        ] {
            #expect(sum(column) == bill.split[kind], "\(column)")
        }
    }

    @Test("List and contracted cost are exactly unit price × quantity, and round to what was billed")
    func consistency() throws {
        for row in Self.file.rows {
            let quantity = try #require(Decimal(string: row["PricingQuantity"]!))
            let price = try #require(Decimal(string: row["ListUnitPrice"]!))
            let list = try #require(Decimal(string: row["ListCost"]!))
            #expect(quantity * price == list)
            #expect(row["ContractedCost"] == row["ListCost"] && row["ContractedUnitPrice"] == row["ListUnitPrice"])
            var rounded = Decimal()
            var exact = list
            NSDecimalRound(&rounded, &exact, 9, .plain)
            #expect(rounded == Decimal(string: row["BilledCost"]!), "\(row["ResourceId"]!)")
        }
    }

    @Test("Columns that may not be null hold allowed values, times are ISO 8601 and half-open")
    func values() throws {
        for row in Self.file.rows {
            #expect(row["BillingCurrency"] == "USD" && row["ChargeCategory"] == "Usage" && row["ChargeClass"] == "")
            #expect(row["PricingUnit"] == "Hours" && row["ServiceCategory"] == "Compute")
            #expect(row["ChargeFrequency"] == "Usage-Based" && row["ServiceSubcategory"] == "Virtual Machines")
            let isSpot = row["SkuPriceId"]!.hasSuffix("/spot")
            #expect(row["PricingCategory"] == (isSpot ? "Dynamic" : "Standard"))
            for period in ["Billing", "Charge"] {
                let start = try #require(Instant(row["\(period)PeriodStart"]!))
                let end = try #require(Instant(row["\(period)PeriodEnd"]!))
                #expect(start < end)
            }
            for column in Self.file.header where !["ChargeClass"].contains(column) {
                #expect(row[column] != "" && row[column] != "NULL", "\(column)")
            }
            let tags = try JSONDecoder().decode([String: String].self, from: Data(row["Tags"]!.utf8))
            #expect(tags["pool"] == row["x_Pool"])
            #expect(tags["tenant"] == (row["SubAccountType"] == "Tenant" ? row["SubAccountId"] : nil))
        }
        #expect(Set(Self.file.rows.compactMap { $0["InvoiceId"] }).count == 1)
        #expect(Self.file.rows.contains { $0["PricingCategory"] == "Dynamic" })
    }

    @Test("Seconds, tokens and requests are those of the usage")
    func quantities() {
        let usage = Fixture.result.usage
        func seconds(_ column: String) -> Decimal {
            Self.file.rows.reduce(Decimal()) { $0 + Decimal(string: $1[column]!)! }
        }
        func exact(_ value: (UsageRecord) -> TimeSpan) -> Decimal {
            Decimal(usage.reduce(0) { $0 + value($1).nanoseconds }) / 1_000_000_000
        }
        #expect(seconds("x_BusySeconds") == exact(\.busy))
        #expect(seconds("x_IdleSeconds") == exact(\.idle))
        #expect(seconds("x_StartingSeconds") == exact(\.starting))
        #expect(seconds("x_DrainingSeconds") == exact(\.draining))
        #expect(seconds("ConsumedQuantity") == exact { ($0.end - $0.start) * Int64($0.slots) })
        func count(_ column: String) -> Int64 { Self.file.rows.reduce(0) { $0 + Int64($1[column]!)! } }
        #expect(count("x_OutputTokens") == usage.reduce(0) { $0 + $1.outputTokens.reduce(0, +) })
        #expect(count("x_InputTokens") == usage.reduce(0) { $0 + $1.promptTokens.reduce(0, +) })
        #expect(count("x_Requests") == usage.reduce(0) { $0 + $1.requests.reduce(0, +) })
    }

    @Test("A price of zero still says for how long")
    func free() {
        let quantity = PricedQuantity(cost: .zero, line: Self.freeLine, slotTime: .minutes(30))
        #expect(quantity.hours == "0.5")
        #expect(quantity.product == "0")
    }

    private static var freeLine: BillLine {
        let offering = Offering(provider: "p", instanceType: "t", zone: "z", capacityType: .onDemand)
        let price = Price(
            offering: offering, rate: USDPerHour("0")!, accelerators: 1,
            billing: BillingRule(increment: .seconds(1), minimum: .zero), source: "s", date: "2026-01-01")
        let usage = UsageRecord(
            instance: "i", pool: PoolID("p"), offering: offering, slots: 1, launched: .epoch, start: .epoch,
            end: .epoch + .hours(1), terminated: false, busy: .zero, idle: .hours(1), starting: .zero, draining: .zero,
            promptTokens: [], outputTokens: [], requests: [])
        return try! Bill(
            usage: [usage], book: PriceBook(prices: [price]), tenants: [], weights: AllocationWeights()
        ).lines[0]
    }

    @Test("Decimals are plain and exact")
    func decimals() {
        #expect(decimal(0, places: 9) == "0")
        #expect(decimal(1, places: 9) == "0.000000001")
        #expect(decimal(1_500_000_000, places: 9) == "1.5")
        #expect(decimal(12_000_000_000, places: 9) == "12")
    }
}

/// A CSV file read by the letter of RFC 4180, apart from the code that writes it.
struct CSVFile {
    let header: [String]
    let rows: [[String: String]]

    init(_ text: String) {
        var records: [[String]] = [[]]
        var field = ""
        var quoted = false
        let scalars = Array(text.unicodeScalars)
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            index += 1
            switch (scalar, quoted) {
            case ("\"", true) where index < scalars.count && scalars[index] == "\"":
                field.append("\"")
                index += 1
            case ("\"", _): quoted.toggle()
            case (",", false):
                records[records.count - 1].append(field)
                field = ""
            case ("\n", false):
                records[records.count - 1].append(field)
                field = ""
                records.append([])
            default: field.unicodeScalars.append(scalar)
            }
        }
        let names = records[0]
        header = names
        rows = records.dropFirst().filter { !$0.isEmpty }.map { Dictionary(uniqueKeysWithValues: zip(names, $0)) }
    }
}
