import FleetModel
import Units

/// Holds usage records to what a bill relies on: each sound in itself, and each instance without a gap or an overlap.
struct UsageContinuity {
    let tenantCount: Int
    /// Looked up by name and never iterated, so its order cannot leak.
    private var last: [String: UsageRecord] = [:]

    init(tenantCount: Int) { self.tenantCount = tenantCount }

    mutating func check(_ record: UsageRecord) throws(PricingError) {
        if let problem = flaw(in: record) ?? conflict(of: record, with: last[record.instance]) {
            throw .inconsistentUsage(instance: record.instance, start: record.start, problem: problem)
        }
        last[record.instance] = record
    }

    private func flaw(in record: UsageRecord) -> String? {
        // A machine may go back in the moment it was handed over. It is still charged the minimum.
        let isInOrder = record.start < record.end || (record.terminated && record.start == record.end)
        guard record.launched <= record.start, isInOrder else {
            return "its period \(record.start) to \(record.end) is empty or begins before its launch"
        }
        let times = [record.busy, record.idle, record.starting, record.draining]
        guard record.slots >= 1, times.allSatisfy({ $0 >= .zero }),
            times.reduce(.zero, +) <= (record.end - record.start) * Int64(record.slots)
        else { return "its times are negative or exceed \(record.slots) slots over the period" }
        let counts = [record.promptTokens, record.outputTokens, record.requests]
        guard counts.allSatisfy({ $0.count == tenantCount && $0.allSatisfy { $0 >= 0 } }) else {
            return "it does not count tokens and requests for each of \(tenantCount) tenants"
        }
        return nil
    }

    private func conflict(of record: UsageRecord, with previous: UsageRecord?) -> String? {
        guard let previous else { return nil }
        guard !previous.terminated else { return "it was given back at \(previous.end)" }
        guard record.start == previous.end else { return "the record before it ends at \(previous.end)" }
        guard record.launched == previous.launched, record.offering == previous.offering else {
            return "its launch or its offering changed"
        }
        return nil
    }
}
