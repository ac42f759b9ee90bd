import FleetModel
import Pricing
import Units

/// One row of `bill.csv`: a tenant's share of a bill line, or what no tenant used of it.
struct FocusRow {
    let line: BillLine
    /// `nil` for the row of what no tenant used.
    let tenant: Tenant?
    let cost: USD
    let busy: TimeSpan
    let promptTokens: Int64
    let outputTokens: Int64
    let requests: Int64

    init(line: BillLine, tenant: Tenant, index: Int) {
        self.line = line
        self.tenant = tenant
        cost = line.split.tenants[index]
        busy = line.busy[index]
        promptTokens = line.usage.promptTokens[index]
        outputTokens = line.usage.outputTokens[index]
        requests = line.usage.requests[index]
    }

    init(overheadOf line: BillLine) {
        self.line = line
        tenant = nil
        cost = line.split.overhead
        busy = line.usage.busy - line.busy.reduce(.zero, +)
        promptTokens = 0
        outputTokens = 0
        requests = 0
    }

    /// Whether the tenant had nothing to do with the line.
    var isVacant: Bool { cost == .zero && promptTokens == 0 && outputTokens == 0 && requests == 0 }

    private var usage: UsageRecord { line.usage }
    /// Overhead is shown once, on the row of no tenant.
    private func overhead(_ span: TimeSpan) -> TimeSpan { tenant == nil ? span : .zero }
    private func overhead(_ kind: OverheadKind) -> USD { tenant == nil ? line.split[kind] : .zero }
    private var empty: TimeSpan {
        (usage.end - usage.start) * Int64(usage.slots) - usage.busy - usage.idle - usage.starting - usage.draining
    }
    private var slotTime: TimeSpan {
        busy + overhead(usage.idle) + overhead(usage.starting) + overhead(usage.draining) + overhead(empty)
    }

    static let columns = [
        // Mandatory.
        "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodStart",
        "BillingPeriodEnd", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodStart",
        "ChargePeriodEnd", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity",
        "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
        // Recommended.
        "AvailabilityZone", "ChargeFrequency", "InvoiceId", "ServiceSubcategory",
        // Conditional.
        "SubAccountId", "SubAccountName", "SubAccountType", "PricingCategory", "ConsumedQuantity", "ConsumedUnit",
        "ListUnitPrice", "ContractedUnitPrice", "ResourceId", "ResourceName", "ResourceType", "SkuId", "SkuPriceId",
        "SkuMeter", "Tags",
        // Ours.
        "x_Pool", "x_BusySeconds", "x_IdleSeconds", "x_StartingSeconds", "x_DrainingSeconds", "x_EmptySeconds",
        "x_InputTokens", "x_OutputTokens", "x_Requests", "x_IdleCost", "x_StartingCost", "x_DrainingCost",
        "x_EmptyCost", "x_UnattributedCost", "x_AllocationMethod", "x_PriceSource", "x_PriceDate",
    ]

    func fields(in invoice: Invoice) -> [String] {
        let offering = usage.offering
        let sku = "\(offering.provider)/\(offering.instanceType)"
        let quantity = PricedQuantity(cost: cost, line: line, slotTime: slotTime)
        let account = tenant?.name ?? "overhead"
        let purpose = tenant.map { "serving \($0.name)" } ?? "used by no tenant"
        let tags = [("pool", usage.pool.name)] + (tenant.map { [("tenant", $0.name)] } ?? [])
        let mandatory = [
            cost.description, invoice.account, invoice.account, "USD", invoice.start.description,
            invoice.end.description, "Usage", "",
            "\(offering.capacityType.rawValue) \(offering.instanceType) \(usage.instance), \(purpose)",
            usage.start.description, usage.end.description, quantity.product, cost.description, offering.provider,
            quantity.product, quantity.hours, "Hours", offering.provider, offering.provider, "Compute",
            "Accelerated instances",
        ]
        let recommended = [offering.zone, "Usage-Based", invoice.id, "Virtual Machines"]
        let conditional = [
            account, account, tenant == nil ? "Overhead" : "Tenant",
            offering.capacityType == .spot ? "Dynamic" : "Standard", slotTime.decimalSeconds, "Seconds",
            line.price.rate.description, line.price.rate.description, usage.instance, usage.instance,
            offering.instanceType, sku, "\(sku)/\(offering.zone)/\(offering.capacityType.rawValue)", "Instance time",
            tags.jsonObject,
        ]
        let ours = [
            usage.pool.name, busy.decimalSeconds, overhead(usage.idle).decimalSeconds,
            overhead(usage.starting).decimalSeconds, overhead(usage.draining).decimalSeconds,
            overhead(empty).decimalSeconds, String(promptTokens), String(outputTokens), String(requests),
            overhead(.idle).description, overhead(.starting).description, overhead(.draining).description,
            overhead(.empty).description, overhead(.unattributed).description, invoice.allocationMethod,
            line.price.source, line.price.date,
        ]
        return mandatory + recommended + conditional + ours
    }
}

/// How many hours a row is priced for, and what they cost at the line's rate, as exact decimals.
struct PricedQuantity {
    let hours: String
    let product: String

    private static let places = 15
    private static let scale: Int128 = 1_000_000_000_000_000

    init(cost: USD, line: BillLine, slotTime: TimeSpan) {
        let rate = Int128(line.price.rate.nanodollars)
        let scaled: Int128
        if rate > 0 {
            scaled = (Int128(cost.nanodollars) * Self.scale + rate / 2) / rate
        } else {
            // At a price of zero the cost says nothing about time: take the row's part of the charged hours.
            let slots = Int128((line.usage.end - line.usage.start).nanoseconds) * Int128(line.usage.slots)
            let hour = Int128(TimeSpan.hours(1).nanoseconds)
            let charged = Int128(line.charged.nanoseconds) * Self.scale / hour
            // One that went back at once is one row, and has it all.
            scaled = slots > 0 ? charged * Int128(slotTime.nanoseconds) / slots : charged
        }
        hours = decimal(scaled, places: Self.places)
        product = decimal(scaled * rate, places: Self.places + 9)
    }
}

extension TimeSpan {
    /// Seconds as a plain exact decimal.
    var decimalSeconds: String { decimal(Int128(nanoseconds), places: 9) }
}

/// `value × 10⁻ᵖˡᵃᶜᵉˢ` as a plain decimal without trailing zeros.
///
/// - Precondition: `value` is not negative.
func decimal(_ value: Int128, places: Int) -> String {
    precondition(value >= 0, "a row has no negative quantity")
    let digits = String(value)
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    var fraction = padded.suffix(places)
    while fraction.last == "0" { fraction.removeLast() }
    let whole = padded.dropLast(places)
    return fraction.isEmpty ? String(whole) : "\(whole).\(fraction)"
}

extension [(String, String)] {
    /// A flat JSON object with text values.
    var jsonObject: String {
        func quoted(_ text: String) -> String {
            var result = "\""
            for scalar in text.unicodeScalars {
                switch scalar {
                case "\"", "\\": result += "\\\(scalar)"
                case _ where scalar.value < 0x20:
                    let digits = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                default: result.unicodeScalars.append(scalar)
                }
            }
            return result + "\""
        }
        return "{" + map { "\(quoted($0.0)):\(quoted($0.1))" }.joined(separator: ",") + "}"
    }
}
