import FleetModel
import Pricing
import Serving
import Simulation
import Statistics
import Units

/// One number that a run yields, under the keys a summary shows it by.
public struct Measurement: Hashable, Sendable {
    /// Keys from the outermost in, such as `["ttft_ms", "p99"]`.
    public var path: [String]
    public var quantity: Quantity

    public init(_ path: [String], _ quantity: Quantity) {
        self.path = path
        self.quantity = quantity
    }

    public enum Quantity: Hashable, Sendable {
        case count(Int64)
        /// In the unit that the path names.
        case number(Double)
        case money(USD)
        /// Nothing to measure it on, such as the latency of no request, or nobody who measured it.
        case absent

        /// The quantity as replications average it; money in USD.
        public var estimate: Double? {
            switch self {
            case .count(let value): Double(value)
            case .number(let value): value
            case .money(let value): value.dollars
            case .absent: nil
            }
        }
    }
}

extension RunResult {
    /// Every number of the run that a summary holds, in its order. The same scenario yields the same paths, but for
    /// capacity types that a run did not use; `prefix_cache` is there where a pool caches.
    public var measurements: [Measurement] {
        var list: [Measurement] = []
        func add(_ keys: String..., quantity: Measurement.Quantity) { list.append(Measurement(keys, quantity)) }

        add("requests", "arrived", quantity: .count(outcomes.arrived))
        add("requests", "completed", quantity: .count(outcomes.completed))
        // A ledger has a row for what was taken and has ended: what was refused or still ran is not in it.
        let isSimulated = record == nil
        add("requests", "rejected", quantity: isSimulated ? .count(outcomes.rejected) : .absent)
        add("requests", "failed", quantity: .count(outcomes.failed))
        add("requests", "unfinished", quantity: isSimulated ? .count(outcomes.unfinished) : .absent)
        add("tokens", "prompt", quantity: .count(promptTokens))
        add("tokens", "output", quantity: .count(outputTokens))
        add(isSimulated ? "simulated_seconds" : "period_seconds", quantity: .number(duration.seconds))
        for (name, histogram) in [
            ("ttft_ms", ttft), ("itl_ms", itl), ("tpot_ms", tpot), ("e2e_ms", e2e), ("queue_wait_ms", queueWait),
        ] {
            add(name, "mean", quantity: .milliseconds(histogram.mean))
            add(name, "p50", quantity: .milliseconds(histogram.quantile(0.5)))
            add(name, "p90", quantity: .milliseconds(histogram.quantile(0.9)))
            add(name, "p99", quantity: .milliseconds(histogram.quantile(0.99)))
        }
        add("preemptions", quantity: preemptions.map { .count($0) } ?? .absent)
        if let prefixCache {
            add("prefix_cache", "queries", quantity: .count(prefixCache.queries))
            add("prefix_cache", "hits", quantity: .count(prefixCache.hits))
            add("prefix_cache", "hit_rate", quantity: prefixCache.rate.map { .number($0) } ?? .absent)
        }
        add("slo", "attainment", quantity: .number(attainment))
        for result in sloClasses {
            add("slo", "by_class", result.sloClass.name, "arrived", quantity: .count(result.arrived))
            add("slo", "by_class", result.sloClass.name, "met", quantity: .count(result.met))
            add("slo", "by_class", result.sloClass.name, "attainment", quantity: .number(result.attainment))
        }
        add("cost", "total_usd", quantity: .money(bill.total))
        add(
            "cost", "usd_per_million_output_tokens",
            quantity: bill.total.per(outputTokens, scale: 1_000_000).map { .money($0) } ?? .absent)
        add("cost", "overhead_usd", quantity: .money(bill.overhead))
        for part in bill.byCapacityType {
            add("cost", "by_capacity_type", part.capacityType.rawValue, quantity: .money(part.total))
        }
        for (tenant, share) in zip(bill.tenants, bill.split.tenants) {
            add("cost", "by_tenant", tenant.name, quantity: .money(share))
        }
        add("replicas", "mean", quantity: .number(pools.reduce(0) { $0 + $1.meanReplicas }))
        add("replicas", "max", quantity: .count(pools.reduce(0) { $0 + Int64($1.maxReplicas) }))
        add("scaling", "decisions", quantity: .count(scaling.decisions))
        add("scaling", "changes", quantity: .count(scaling.changes))
        add("scaling", "reversals", quantity: .count(scaling.reversals))
        return list
    }

    /// What prompts found in the prefix caches of all pools that have some; `nil` where none has.
    public var prefixCache: PrefixCacheCounts? {
        let caches = pools.compactMap(\.prefixCache)
        return caches.isEmpty ? nil : caches.reduce(into: PrefixCacheCounts()) { $0 += $1 }
    }

    /// The share of all requests that met every target of their class. 1 when nothing arrived.
    public var attainment: Double {
        let arrived = sloClasses.reduce(0) { $0 + $1.arrived }
        return arrived == 0 ? 1 : Double(sloClasses.reduce(0) { $0 + $1.met }) / Double(arrived)
    }

    /// Whether every class reached the attainment it was promised.
    public var meetsSLO: Bool { sloClasses.allSatisfy(\.isMet) }
}

extension Measurement.Quantity {
    fileprivate static func milliseconds(_ span: TimeSpan?) -> Self { span.map { .number($0.milliseconds) } ?? .absent }
}
