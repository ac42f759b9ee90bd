import FleetModel
import Units

/// What usage costs, line by line, and who pays: integers from the first line to the last sum.
///
/// One line per usage record, in the order given. Each line rounds once; the total is the sum of the lines, and the
/// tenants' shares plus the overhead are the total, to the nanodollar.
public struct Bill: Hashable, Sendable {
    public let lines: [BillLine]
    public let tenants: [Tenant]
    public let total: USD
    /// What each tenant pays, in the order of `tenants`, and what no tenant used.
    public let split: CostSplit

    /// - Parameters:
    ///   - usage: Per instance contiguous and in order of time; instances may alternate.
    ///   - tenants: In the order in which usage records count tokens.
    /// - Throws: `PricingError.unknownPrice` when the book lacks an offering in use; `PricingError.inconsistentUsage`
    ///   when a record contradicts itself or the record before it of the same instance.
    /// - Complexity: O(records × (prices + tenants)).
    public init(
        usage: [UsageRecord], book: PriceBook, tenants: [Tenant], weights: AllocationWeights
    ) throws(PricingError) {
        var continuity = UsageContinuity(tenantCount: tenants.count)
        var lines: [BillLine] = []
        lines.reserveCapacity(usage.count)
        var total = USD.zero
        var split = CostSplit(tenantCount: tenants.count)
        for record in usage {
            try continuity.check(record)
            guard let price = book.price(of: record.offering) else {
                throw .unknownPrice(record.offering, nearest: book.nearest(to: record.offering))
            }
            let line = BillLine(usage: record, price: price, weights: weights)
            total += line.cost
            split += line.split
            lines.append(line)
        }
        self.lines = lines
        self.tenants = tenants
        self.total = total
        self.split = split
    }

    /// Everything that no tenant is charged for: idle, starting, draining, empty and unattributed time.
    public var overhead: USD { split.overhead }

    /// Cost by capacity type, for the types in use, in the order of `CapacityType.allCases`.
    public var byCapacityType: [CapacityCost] {
        CapacityType.allCases.compactMap { type in
            let chosen = lines.filter { $0.usage.offering.capacityType == type }
            guard !chosen.isEmpty else { return nil }
            return CapacityCost(
                capacityType: type, total: chosen.reduce(.zero) { $0 + $1.cost },
                overhead: chosen.reduce(.zero) { $0 + $1.split.overhead })
        }
    }

    /// Cost by pool, in order of their names.
    public var byPool: [PoolCost] {
        Set(lines.map(\.usage.pool)).sorted().map { pool in
            PoolCost(pool: pool, total: lines.reduce(.zero) { $1.usage.pool == pool ? $0 + $1.cost : $0 })
        }
    }
}

/// What one capacity type costs.
public struct CapacityCost: Hashable, Sendable {
    public let capacityType: CapacityType
    public let total: USD
    /// The part of `total` that no tenant is charged for.
    public let overhead: USD
}

/// What one pool costs.
public struct PoolCost: Hashable, Sendable {
    public let pool: PoolID
    public let total: USD
}
