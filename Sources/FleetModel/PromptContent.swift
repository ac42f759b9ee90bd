/// What the tokens of a request are, as far as another request may start with the same ones: two names in place of tokens.
///
/// A context starts with the text that `shared` names, such as a system prompt, and goes on with what `own` names: the
/// rest of a conversation, of which one request has more and another less. Equal names mean equal tokens at equal
/// places, for prompts and answers alike. A name of `own` implies the shared text before it, and names of two tenants
/// are never equal: the tenant goes into them, as a cache salt does.
///
/// Names are hashes, made with `mixed`. Sixteen bytes, because requests are copied a lot.
public struct PromptContent: Hashable, Sendable {
    /// The shared text: 44 bits of name and 20 of length, so that one name has one length. 0 for none.
    public let shared: UInt64
    /// The conversation; 0 for none: what follows the shared text is nobody else's.
    public let own: UInt64

    /// The most tokens that a shared text has.
    public static let maximumShared = 1 << 20 - 1

    /// Nothing is known of the tokens: no other request has them.
    public static let none = PromptContent()

    /// - Parameters:
    ///   - shared: Names the shared text; of no meaning where `sharedTokens` is 0.
    ///   - sharedTokens: Its length. Range: `0...maximumShared`.
    ///   - own: Names what follows it; 0 for nothing that another request may have.
    public init(shared: UInt64 = 0, sharedTokens: Int = 0, own: UInt64 = 0) {
        precondition((0...Self.maximumShared).contains(sharedTokens), "a shared text of \(sharedTokens) tokens")
        self.shared = sharedTokens == 0 ? 0 : shared << 20 | UInt64(sharedTokens)
        self.own = own
    }

    /// Tokens of the shared text.
    @inlinable public var sharedTokens: Int { Int(shared & 0xF_FFFF) }

    @inlinable public var isNone: Bool { shared == 0 && own == 0 }

    /// A name made of another one and a number; never 0.
    ///
    /// - Source: the SplitMix64 finaliser (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
    public static func mixed(_ name: UInt64, _ number: UInt64) -> UInt64 {
        func finalised(_ word: UInt64) -> UInt64 {
            var z = word
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        return max(1, finalised(finalised(name &+ 0x9E37_79B9_7F4A_7C15) ^ number &+ 0x9E37_79B9_7F4A_7C15))
    }
}
