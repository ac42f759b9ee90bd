import Formats
import Units

/// What one tenant may still use, and what it has used. A value without a clock.
///
/// Money and tokens are taken when a request comes, as much as it can at most use, and corrected when it ends. So
/// however many come at once, together they never hold more than is left.
struct TenantAccount: Sendable {
    /// What a request holds until it ends.
    struct Charge: Hashable, Sendable {
        var tokens: Int
        var amount: USD
    }

    /// Why a tenant's request is refused.
    enum Refusal: Hashable, Sendable {
        /// `nil` where even a full minute is not enough.
        case requestRate(after: TimeSpan?)
        case tokenRate(after: TimeSpan?)
        /// A day's budget does not hold what the request can cost at most.
        case budget(left: USD, needed: USD)
    }

    let terms: TenantTerms
    private(set) var tokens: RateBucket?
    private(set) var requests: RateBucket?
    /// A tighter token rate that an operator or the controller has set, and why.
    private(set) var cap: (bucket: RateBucket, reason: String)?
    /// The day of UTC that `spent` is of, counted from 1970.
    private var day: Int
    private(set) var spent: USD
    /// Held by requests under way.
    private(set) var reserved = USD.zero

    /// - Parameter spent: What the ledger says of `day`.
    init(_ terms: TenantTerms, spent: USD, day: Int, at now: Instant) {
        self.terms = terms
        self.spent = spent
        self.day = day
        tokens = terms.tokensPerMinute.map { RateBucket(perMinute: $0, at: now) }
        requests = terms.requestsPerMinute.map { RateBucket(perMinute: $0, at: now) }
    }

    /// Takes `charge` and one request, or says why not and takes nothing.
    mutating func take(_ charge: Charge, at now: Instant, day today: Int) -> Refusal? {
        turn(to: today)
        requests?.fill(at: now)
        tokens?.fill(at: now)
        cap?.bucket.fill(at: now)
        if let wait = requests?.wait(for: 1), wait > .zero { return .requestRate(after: wait) }
        for bucket in [tokens, cap?.bucket] {
            guard let bucket else { continue }
            guard let wait = bucket.wait(for: charge.tokens) else { return .tokenRate(after: nil) }
            if wait > .zero { return .tokenRate(after: wait) }
        }
        if let budget = terms.dailyBudget, spent + reserved + charge.amount > budget {
            return .budget(left: max(.zero, budget - spent - reserved), needed: charge.amount)
        }
        requests?.take(1)
        tokens?.take(charge.tokens)
        cap?.bucket.take(charge.tokens)
        reserved = reserved + charge.amount
        return nil
    }

    /// A request has ended: what it used takes the place of what it held.
    mutating func settle(_ charge: Charge, used: Int, cost: USD, at now: Instant, day today: Int) {
        turn(to: today)
        reserved = reserved - charge.amount
        spent = spent + cost
        tokens?.fill(at: now)
        tokens?.giveBack(charge.tokens - used)
        cap?.bucket.fill(at: now)
        cap?.bucket.giveBack(charge.tokens - used)
    }

    /// A request that was refused elsewhere: it never was.
    mutating func undo(_ charge: Charge) {
        reserved = reserved - charge.amount
        tokens?.giveBack(charge.tokens)
        cap?.bucket.giveBack(charge.tokens)
        requests?.giveBack(1)
    }

    mutating func setCap(perMinute limit: Int?, reason: String, at now: Instant) {
        cap = limit.map { (RateBucket(perMinute: $0, at: now), reason) }
    }

    private mutating func turn(to today: Int) {
        guard today > day else { return }
        day = today
        spent = .zero
    }
}
