/// What tokens cost: exact dollars for a million of a prompt and for a million of an answer.
///
///     let price = TokenPrice(perMillionPrompt: USD("0.15")!, perMillionOutput: USD("0.60")!)
///     price.cost(prompt: 1000, output: 200)   // 0.00027 USD
public struct TokenPrice: Hashable, Sendable {
    public var perMillionPrompt: USD
    public var perMillionOutput: USD

    public init(perMillionPrompt: USD, perMillionOutput: USD) {
        self.perMillionPrompt = perMillionPrompt
        self.perMillionOutput = perMillionOutput
    }

    /// Tokens that are counted and not charged.
    public static let free = TokenPrice(perMillionPrompt: .zero, perMillionOutput: .zero)

    /// The price of a request: exact in 128 bits and rounded once to a nanodollar, half to even. More tokens never cost less.
    ///
    /// - Precondition: the result is below nine billion dollars.
    public func cost(prompt: Int, output: Int) -> USD {
        let exact =
            Int128(perMillionPrompt.nanodollars) * Int128(prompt) + Int128(perMillionOutput.nanodollars)
            * Int128(output)
        return USD(nanodollars: Int64(exact.dividedHalfToEven(by: 1_000_000)))
    }
}
