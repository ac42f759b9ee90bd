import FleetModel
import Formats
import Units

/// Why a request that arrived was not served.
enum RejectionReason: String, CaseIterable, Hashable, Sendable {
    case tooLong = "too_long"
    case queueFull = "queue_full"
    case tokenRate = "token_rate"
    case requestRate = "request_rate"
    case budget
    case ledger
    /// The worker called it invalid.
    case refusedByWorker = "refused_by_worker"
}

/// All that the event loops of a gateway share, behind one lock: gates, accounts and counters.
struct GatewayState: Sendable {
    /// A checked request as it arrives.
    struct Arrival: Sendable {
        var pool: Int
        var tenant: Int
        var ticket: PoolGate.Ticket
        var promptTokens: Int
        /// Whether `promptTokens` is the count itself and no estimate.
        var isExact: Bool
        /// The most tokens that its answers may have.
        var maxOutput: Int
    }

    enum Admission: Sendable {
        case send(PoolGate.Assignment, TenantAccount.Charge)
        case held(TenantAccount.Charge)
        case refused(APIError, RejectionReason)
    }

    /// Counts from the gateway's start, rejected requests included.
    struct Counters: Hashable, Sendable {
        var requests: UInt64 = 0
        var promptTokens: UInt64 = 0
        /// By `RejectionReason.allCases`.
        var rejections = [UInt64](repeating: 0, count: RejectionReason.allCases.count)
        var retries: UInt64 = 0
        var hedges: UInt64 = 0

        mutating func reject(_ reason: RejectionReason) {
            rejections[RejectionReason.allCases.firstIndex(of: reason)!] += 1
        }
    }

    var gates: [PoolGate]
    var accounts: [TenantAccount]
    var poolCounters: [Counters]
    /// By tenant, then pool.
    var tenantCounters: [[Counters]]
    /// Settled tokens, by tenant.
    var settledPrompt: [UInt64]
    var settledOutput: [UInt64]
    /// Why no row can be written; `nil` while all is well.
    var ledgerProblem: String?
    /// Requests under way, from arrival to the last byte of the answer.
    var open = 0
    /// Of the controller that set replicas last.
    var epoch = 0

    init(gates: [PoolGate], accounts: [TenantAccount]) {
        self.gates = gates
        self.accounts = accounts
        poolCounters = gates.map { _ in Counters() }
        tenantCounters = accounts.map { _ in gates.map { _ in Counters() } }
        settledPrompt = accounts.map { _ in 0 }
        settledOutput = accounts.map { _ in 0 }
    }

    /// A request arrives: it is counted, then refused, held, or given a replica.
    mutating func arrive(_ arrival: Arrival, at now: Instant, day: Int) -> Admission {
        let (pool, tenant) = (arrival.pool, arrival.tenant)
        count(arrival) { counters in
            counters.requests += 1
            counters.promptTokens += UInt64(arrival.promptTokens)
        }
        let context = gates[pool].configuration.maxContext
        if arrival.isExact, arrival.promptTokens >= context {
            return refuse(
                arrival, .tooLong,
                .contextExceeded(
                    "This model's maximum context length is \(context) tokens, and the prompt has "
                        + "\(arrival.promptTokens): shorten it", param: "prompt"))
        }
        if let problem = ledgerProblem {
            return refuse(
                arrival, .ledger,
                .unavailable(
                    "Usage cannot be recorded, so no request is taken: \(problem)", code: "ledger_unavailable",
                    retryAfter: 5))
        }
        let charge = TenantAccount.Charge(
            tokens: arrival.promptTokens + arrival.maxOutput,
            amount: gates[pool].configuration.price.cost(prompt: arrival.promptTokens, output: arrival.maxOutput))
        if let refusal = accounts[tenant].take(charge, at: now, day: day) {
            let (error, reason) = APIError.of(refusal, wanted: charge, terms: accounts[tenant].terms, day: day)
            return refuse(arrival, reason, error)
        }
        switch gates[pool].arrive(arrival.ticket) {
        case .send(let assignment):
            open += 1
            return .send(assignment, charge)
        case .held:
            open += 1
            return .held(charge)
        case .full:
            accounts[tenant].undo(charge)
            return refuse(arrival, .queueFull, .queueFull)
        }
    }

    private mutating func refuse(_ arrival: Arrival, _ reason: RejectionReason, _ error: APIError) -> Admission {
        count(arrival) { $0.reject(reason) }
        return .refused(error, reason)
    }

    private mutating func count(_ arrival: Arrival, _ body: (inout Counters) -> Void) {
        body(&poolCounters[arrival.pool])
        body(&tenantCounters[arrival.tenant][arrival.pool])
    }
}

extension APIError {
    /// What a tenant is told that has used what it may.
    static func of(
        _ refusal: TenantAccount.Refusal, wanted: TenantAccount.Charge, terms: TenantTerms, day: Int
    ) -> (APIError, RejectionReason) {
        func limited(_ message: String, _ code: String, _ after: TimeSpan?) -> APIError {
            APIError(
                status: .tooManyRequests, message: message, type: "rate_limit_error", code: code,
                retryAfter: after.map { max(1, Int($0.seconds.rounded(.up))) })
        }
        switch refusal {
        case .requestRate(let after):
            return (
                limited(
                    "As many requests as may were made in this minute: \(terms.requestsPerMinute ?? 0)",
                    "rate_limit_exceeded", after), .requestRate
            )
        case .tokenRate(let after):
            let text =
                after == nil
                ? "The request may use \(wanted.tokens) tokens, more than a whole minute has: ask for less"
                : "The request may use \(wanted.tokens) tokens, more than are left in this minute"
            return (limited(text, "rate_limit_exceeded", after), .tokenRate)
        case .budget(let left, let needed):
            let next = Instant(nanoseconds: Int64(day + 1) * 86_400_000_000_000)
            return (
                APIError(
                    status: .init(code: 402, reasonPhrase: "Payment Required"),
                    message: "The request may cost \(needed) USD, and \(left) USD are left of today's budget, which is "
                        + "renewed at \(next)", type: "insufficient_quota", code: "insufficient_quota"), .budget
            )
        }
    }
}
