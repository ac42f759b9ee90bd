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

    /// Divides `cost` by slot time first, then its busy part among tenants by weighted tokens served in the period.
    ///
    /// Charged time beyond the period (a rounded hour, a minimum charge) follows the same shares.
    init(of cost: USD, over usage: UsageRecord, weights: AllocationWeights) {
        self.init(tenantCount: usage.promptTokens.count)
        let known = usage.busy + usage.idle + usage.starting + usage.draining
        let empty = (usage.end - usage.start) * Int64(usage.slots) - known
        let byUse = cost.apportioned(by: [
            Int128(usage.busy.nanoseconds), Int128(usage.idle.nanoseconds), Int128(usage.starting.nanoseconds),
            Int128(usage.draining.nanoseconds), Int128(empty.nanoseconds),
        ])
        self[.idle] = byUse[1]
        self[.starting] = byUse[2]
        self[.draining] = byUse[3]
        self[.empty] = byUse[4]

        let tokens = zip(usage.promptTokens, usage.outputTokens).map { prompt, output in
            Int128(prompt) * Int128(weights.promptToken) + Int128(output) * Int128(weights.outputToken)
        }
        if tokens.contains(where: { $0 > 0 }) {
            tenants = byUse[0].apportioned(by: tokens)
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

extension USD {
    /// Parts in proportion to `weights` that sum to this amount, each within a nanodollar of its exact share.
    ///
    /// Every part is rounded down; the nanodollars left over go to the largest remainders, the earlier part first
    /// among equals.
    ///
    /// - Precondition: neither the amount nor a weight is negative, and one weight is positive.
    /// - Source: Hamilton's method of apportionment (largest remainder).
    func apportioned(by weights: [Int128]) -> [USD] {
        let sum = weights.reduce(0, +)
        precondition(nanodollars >= 0 && sum > 0 && weights.allSatisfy { $0 >= 0 }, "cannot divide \(self)")
        var parts: [Int64] = []
        var remainders: [(index: Int, rest: Int128)] = []
        var left = nanodollars
        for (index, weight) in weights.enumerated() {
            let (part, rest) = (Int128(nanodollars) * weight).quotientAndRemainder(dividingBy: sum)
            parts.append(Int64(part))
            remainders.append((index, rest))
            left -= Int64(part)
        }
        remainders.sort { ($1.rest, $0.index) < ($0.rest, $1.index) }
        for (index, _) in remainders.prefix(Int(left)) { parts[index] += 1 }
        return parts.map(USD.init(nanodollars:))
    }
}
