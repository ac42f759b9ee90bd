import Formats
import Testing
import Units

@testable import Live

@Suite("A tenant's account")
struct TenantAccountTests {
    private static func charge(_ tokens: Int, _ nanodollars: Int64 = 0) -> TenantAccount.Charge {
        .init(tokens: tokens, amount: USD(nanodollars: nanodollars))
    }

    private static func account(_ terms: TenantTerms, spent: Int64 = 0) -> TenantAccount {
        TenantAccount(terms, spent: USD(nanodollars: spent), day: 100, at: .epoch)
    }

    @Test("What requests hold counts against the budget until they end, and then what they cost")
    func budget() {
        var account = Self.account(TenantTerms(name: "acme", dailyBudget: USD(nanodollars: 100)), spent: 20)
        #expect(account.take(Self.charge(1, 50), at: .epoch, day: 100) == nil)
        #expect(
            account.take(Self.charge(1, 31), at: .epoch, day: 100)
                == .budget(left: USD(nanodollars: 30), needed: USD(nanodollars: 31)))
        #expect(account.take(Self.charge(1, 30), at: .epoch, day: 100) == nil)
        account.settle(Self.charge(1, 50), used: 1, cost: USD(nanodollars: 10), at: .epoch, day: 100)
        #expect(account.spent.nanodollars == 30)
        #expect(account.reserved.nanodollars == 30)
        #expect(account.take(Self.charge(1, 40), at: .epoch, day: 100) == nil)
        // A new day has a new budget, and what runs still holds.
        #expect(
            account.take(Self.charge(1, 31), at: .epoch, day: 101)
                == .budget(left: USD(nanodollars: 30), needed: USD(nanodollars: 31)))
        #expect(account.take(Self.charge(1, 30), at: .epoch, day: 101) == nil)
        #expect(account.spent == .zero)
    }

    @Test("A rate fills evenly, and what was not used comes back")
    func rate() {
        var account = Self.account(TenantTerms(name: "acme", tokensPerMinute: 600))
        #expect(account.take(Self.charge(500), at: .epoch, day: 100) == nil)
        #expect(account.take(Self.charge(200), at: .epoch, day: 100) == .tokenRate(after: .seconds(10)))
        #expect(account.take(Self.charge(200), at: .epoch + .seconds(10), day: 100) == nil)
        #expect(account.take(Self.charge(601), at: .epoch + .seconds(10), day: 100) == .tokenRate(after: nil))
        account.settle(Self.charge(500), used: 100, cost: .zero, at: .epoch + .seconds(10), day: 100)
        #expect(account.tokens?.remaining == 400)
        #expect(account.standing?.tokens?.reset == .seconds(20))
    }

    @Test("Requests have a rate of their own, and a cap holds beside the terms")
    func requestsAndCap() {
        var account = Self.account(TenantTerms(name: "acme", tokensPerMinute: 6000, requestsPerMinute: 2))
        #expect(account.take(Self.charge(1), at: .epoch, day: 100) == nil)
        #expect(account.take(Self.charge(1), at: .epoch, day: 100) == nil)
        #expect(account.take(Self.charge(1), at: .epoch, day: 100) == .requestRate(after: .seconds(30)))
        account.setCap(perMinute: 60, reason: "abuse", at: .epoch)
        #expect(account.take(Self.charge(61), at: .epoch + .seconds(30), day: 100) == .tokenRate(after: nil))
        #expect(account.take(Self.charge(60), at: .epoch + .seconds(30), day: 100) == nil)
        account.setCap(perMinute: nil, reason: "over", at: .epoch + .seconds(60))
        #expect(account.take(Self.charge(61), at: .epoch + .seconds(60), day: 100) == nil)
    }

    @Test(
        "A client is told to wait whole seconds, as many as it takes and at least one",
        arguments: [(0, 1), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2), (59_900_000_000, 60)] as [(Int64, Int)])
    func wholeSeconds(nanoseconds: Int64, seconds: Int) {
        let wait = TimeSpan(nanoseconds: nanoseconds)
        for refusal in [.requestRate(after: wait), .tokenRate(after: wait)] as [TenantAccount.Refusal] {
            let (error, _) = APIError.of(refusal, wanted: Self.charge(1), terms: TenantTerms(name: "acme"), day: 100)
            #expect(error.retryAfter == seconds)
        }
    }

    @Test("What a worker counts too much makes the wait long, and no longer than a year")
    func debt() {
        var account = Self.account(TenantTerms(name: "acme", tokensPerMinute: 1))
        for used in [999_999_999, 999_999_999] {
            account.settle(Self.charge(1), used: used, cost: .zero, at: .epoch, day: 100)
            #expect(account.take(Self.charge(1), at: .epoch, day: 100) == .tokenRate(after: .hours(365 * 24)))
            #expect(account.standing?.tokens?.reset == .hours(365 * 24))
        }
    }

    @Test("A request that is refused elsewhere takes nothing")
    func undone() {
        var account = Self.account(
            TenantTerms(name: "acme", tokensPerMinute: 10, requestsPerMinute: 1, dailyBudget: USD(nanodollars: 5)))
        for _ in 0..<5 {
            #expect(account.take(Self.charge(10, 5), at: .epoch, day: 100) == nil)
            account.undo(Self.charge(10, 5))
        }
    }

    @Test(
        "The price of tokens is exact and rounded once",
        arguments: [
            (1_000_000, 0, 150_000_000), (1000, 200, 270_000), (1, 0, 150), (0, 1, 600), (3, 7, 4650), (0, 0, 0),
        ] as [(Int, Int, Int64)])
    func price(prompt: Int, output: Int, nanodollars: Int64) {
        let price = TokenPrice(perMillionPrompt: USD("0.15")!, perMillionOutput: USD("0.60")!)
        #expect(price.cost(prompt: prompt, output: output).nanodollars == nanodollars)
        let tiny = TokenPrice(perMillionPrompt: USD(nanodollars: 500_000), perMillionOutput: .zero)
        // Half a nanodollar a token: halves go to the even one.
        #expect([1, 2, 3, 5].map { tiny.cost(prompt: $0, output: 0).nanodollars } == [0, 1, 2, 2] as [Int64])
    }
}
