/// A running 128-bit hash of what a run did: cheap enough for every request outcome, equal on every platform.
///
/// Not cryptographic: it tells an honest run from a changed one, not from a forged one. `Digest` is for that.
///
/// - Source: two lanes of multiply-and-mix with the SplitMix64 finaliser (Steele, Lea, Flood, "Fast Splittable
///   Pseudorandom Number Generators", 2014), differing in their multipliers.
public struct Fingerprint: Hashable, Sendable {
    private var high: UInt64 = 0x9E37_79B9_7F4A_7C15
    private var low: UInt64 = 0xBF58_476D_1CE4_E5B9
    private var count: UInt64 = 0

    public init() {}

    /// Adds one number; order matters.
    public mutating func combine(_ value: Int64) {
        let word = UInt64(bitPattern: value)
        high = (high ^ word) &* 0xD6E8_FEB8_6659_FD93
        high ^= high >> 32
        low = (low &+ word) &* 0xA076_1D64_78BD_642F
        low ^= low >> 29
        count &+= 1
    }

    /// Adds a string with its length, so that ("ab", "c") differs from ("a", "bc").
    public mutating func combine(_ text: String) {
        combine(Int64(text.utf8.count))
        for byte in text.utf8 { combine(Int64(byte)) }
    }

    /// Adds all that another hash has seen; order matters.
    public mutating func combine(_ other: Fingerprint) {
        combine(Int64(bitPattern: other.high))
        combine(Int64(bitPattern: other.low))
        combine(Int64(bitPattern: other.count))
    }

    /// The hash so far: 32 hexadecimal digits.
    public var hexadecimal: String {
        func finalised(_ word: UInt64) -> String {
            var z = word ^ count
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            let digits = String(z ^ (z >> 31), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return finalised(high) + finalised(low)
    }
}
