import FleetModel
import Units

/// Paid time that serves no tenant, by what the replica slots were doing.
public enum OverheadKind: Int, Hashable, Sendable, CaseIterable {
    /// Ready, with no step to run.
    case idle
    /// Cold starts.
    case starting
    /// Between the last step and the end of a scale-in.
    case draining
    /// Slots of an instance that held no replica.
    case empty
    /// In steps that produced no weighted token in the period, so that no tenant can be charged by tokens.
    case unattributed

    public var name: String {
        switch self {
        case .idle: "idle"
        case .starting: "starting"
        case .draining: "draining"
        case .empty: "empty slots"
        case .unattributed: "unattributed"
        }
    }
}

/// An amount divided among tenants and kinds of overhead, exactly.
public struct CostSplit: Hashable, Sendable {
    /// By tenant index.
    public private(set) var tenants: [USD]
    private var overheads: [USD]

    init(tenantCount: Int) {
        tenants = Array(repeating: .zero, count: tenantCount)
        overheads = Array(repeating: .zero, count: OverheadKind.allCases.count)
    }

    /// Divides `cost` by slot time first, then its busy part among tenants by the weighted tokens they were served in
    /// the period; `nil` when there were none.
    ///
    /// Charged time beyond the period (a rounded hour, a minimum charge) follows the same shares.
    init(of cost: USD, over usage: UsageRecord, servedTokens: [Int128]?) {
        self.init(tenantCount: usage.promptTokens.count)
        let known = usage.busy + usage.idle + usage.starting + usage.draining
        let empty = (usage.end - usage.start) * Int64(usage.slots) - known
        let times = [usage.busy, usage.idle, usage.starting, usage.draining, empty]
        // The minimum charge of a machine that went back at once: it held no replica for any time.
        guard usage.start < usage.end else {
            self[.empty] = cost
            return
        }
        let byUse = apportion(cost.nanodollars, by: times.map { Int128($0.nanoseconds) }).map(USD.init(nanodollars:))
        self[.idle] = byUse[1]
        self[.starting] = byUse[2]
        self[.draining] = byUse[3]
        self[.empty] = byUse[4]
        if let servedTokens {
            tenants = apportion(byUse[0].nanodollars, by: servedTokens).map(USD.init(nanodollars:))
        } else {
            self[.unattributed] = byUse[0]
        }
    }

    public internal(set) subscript(kind: OverheadKind) -> USD {
        get { overheads[kind.rawValue] }
        set { overheads[kind.rawValue] = newValue }
    }

    /// All kinds of overhead.
    public var overhead: USD { overheads.reduce(.zero, +) }
    /// Tenants and overhead: the amount that was divided.
    public var total: USD { tenants.reduce(overhead, +) }

    static func += (a: inout CostSplit, b: CostSplit) {
        for index in a.tenants.indices { a.tenants[index] += b.tenants[index] }
        for index in a.overheads.indices { a.overheads[index] += b.overheads[index] }
    }
}

/// Whole parts in proportion to `weights` that sum to `amount`, each less than one from its exact share.
///
/// Every part is rounded down; the units left over go to the largest remainders, the earlier part first among equals.
///
/// - Precondition: neither the amount nor a weight is negative, and one weight is positive.
/// - Source: Hamilton's method of apportionment (largest remainder).
func apportion(_ amount: Int64, by weights: [Int128]) -> [Int64] {
    let sum = weights.reduce(0, +)
    precondition(amount >= 0 && sum > 0 && weights.allSatisfy { $0 >= 0 }, "cannot divide \(amount) by \(weights)")
    var parts: [Int64] = []
    var remainders: [(index: Int, rest: Int128)] = []
    var left = amount
    for (index, weight) in weights.enumerated() {
        let (part, rest) = (Int128(amount) * weight).quotientAndRemainder(dividingBy: sum)
        parts.append(Int64(part))
        remainders.append((index, rest))
        left -= Int64(part)
    }
    remainders.sort { ($1.rest, $0.index) < ($0.rest, $1.index) }
    for (index, _) in remainders.prefix(Int(left)) { parts[index] += 1 }
    return parts
}
