import FleetModel
import Randomness

#if canImport(Glibc)
    import Glibc
#endif

/// A text that requests of one source start with, such as a system prompt: one of several of equal length.
///
/// It is part of the prompt that is drawn, which has at least one token more. Each tenant has its own.
public struct SharedPrefix: Hashable, Sendable, Codable {
    /// Tokens of each text. Range: `1...PromptContent.maximumShared`.
    public var tokens: Int
    /// How many texts there are. Range: 1...1,000,000.
    public var variants: Int
    /// How unequally they are used: the k-th in proportion to 1 / k^`zipf`. 0 for equally. Range: 0...10.
    public var zipf: Double

    public init(tokens: Int, variants: Int = 1, zipf: Double = 0) {
        self.tokens = tokens
        self.variants = variants
        self.zipf = zipf
    }

    var problem: String? {
        if !(1...PromptContent.maximumShared).contains(tokens) { return "a shared prefix of \(tokens) tokens" }
        if !(1...1_000_000).contains(variants) { return "\(variants) variants of a shared prefix" }
        if !(zipf >= 0 && zipf <= 10) { return "a Zipf exponent of \(zipf)" }
        return nil
    }
}

/// Names what the requests of a source have in common.
struct ContentSampler {
    private let prefix: SharedPrefix?
    private let sharedBase: UInt64
    private let ownBase: UInt64
    /// Share of the variants up to and with each; empty where they are equally used.
    private var cumulative: [Double] = []

    init(_ prefix: SharedPrefix?, source: String, streams: RandomStreams) {
        self.prefix = prefix
        sharedBase = streams.number("shared prefix of \(source)", 0)
        ownBase = streams.number("contexts of \(source)", 0)
        guard let prefix, prefix.zipf > 0 else { return }
        let weights = (1...prefix.variants).map { pow(Double($0), -prefix.zipf) }
        let total = weights.reduce(0, +)
        var sum = 0.0
        cumulative = weights.map {
            sum += $0
            return sum / total
        }
    }

    var sharedTokens: Int32 { Int32(prefix?.tokens ?? 0) }

    /// The variant that the share `u` of requests does not exceed.
    func variant(at u: Double) -> Int {
        guard let prefix else { return 0 }
        if cumulative.isEmpty { return min(prefix.variants - 1, Int(u * Double(prefix.variants))) }
        var (first, end) = (0, cumulative.count - 1)
        while first < end {
            let middle = (first + end) / 2
            if cumulative[middle] <= u { first = middle + 1 } else { end = middle }
        }
        return first
    }

    /// - Parameter number: Of the request or the conversation, in its source: nobody else has what follows the shared text.
    func content(tenant: Int32, variant: Int, number: Int) -> PromptContent {
        let salt = UInt64(UInt32(bitPattern: tenant))
        return PromptContent(
            shared: PromptContent.mixed(PromptContent.mixed(sharedBase, salt), UInt64(variant)),
            sharedTokens: prefix?.tokens ?? 0,
            own: PromptContent.mixed(PromptContent.mixed(ownBase, salt), UInt64(number)))
    }
}
