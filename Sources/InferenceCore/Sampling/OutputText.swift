/// Where the first stop string ends in a text that comes in pieces, and how much of the text is certain.
///
/// A stop string counts at the byte that completes it, so it does not matter how the text was cut; of several that are
/// complete at the same byte the longest counts. Text that may still become one is held back.
///
/// - Complexity: O(bytes × stop strings).
public struct StopMatcher: Sendable {
    private struct Pattern: Sendable {
        var bytes: [UInt8]
        /// The longest proper beginning that is also an end, for each length (Knuth, Morris, Pratt 1977).
        var fallback: [Int]
        var matched = 0

        init(_ text: String) {
            bytes = Array(text.utf8)
            fallback = [Int](repeating: 0, count: bytes.count + 1)
            var length = 0
            for index in bytes.indices.dropFirst() {
                while length > 0, bytes[index] != bytes[length] { length = fallback[length] }
                if bytes[index] == bytes[length] { length += 1 }
                fallback[index + 1] = length
            }
        }

        /// Whether `byte` completes the string.
        mutating func advance(_ byte: UInt8) -> Bool {
            while matched > 0, bytes[matched] != byte { matched = fallback[matched] }
            if bytes[matched] == byte { matched += 1 }
            return matched == bytes.count
        }
    }

    private var patterns: [Pattern]
    private var held: [UInt8] = []
    public private(set) var isStopped = false

    /// Empty stop strings are left out.
    public init(_ stopStrings: [String]) { patterns = stopStrings.filter { !$0.isEmpty }.map(Pattern.init) }

    /// The text that is certain now; nothing after a stop string.
    public mutating func add(_ text: String) -> String {
        guard !isStopped else { return "" }
        guard !patterns.isEmpty else { return text }
        for byte in text.utf8 {
            held.append(byte)
            var longest = 0
            for index in patterns.indices where patterns[index].advance(byte) {
                longest = max(longest, patterns[index].bytes.count)
            }
            if longest > 0 {
                isStopped = true
                // What comes before the stop string was never given away: a string that was begun earlier, and holds more
                // back, can only add to it.
                let certain = String(decoding: held.dropLast(longest), as: UTF8.self)
                held = []
                return certain
            }
        }
        let pending = patterns.reduce(0) { max($0, $1.matched) }
        let certain = held.count - pending
        defer { held.removeFirst(certain) }
        return String(decoding: held[..<certain], as: UTF8.self)
    }

    /// What was held back, when no more text comes.
    public mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }
}

/// The text of one request as its tokens come, and where it ends.
public struct OutputText: Sendable {
    public enum Finish: String, Hashable, Sendable {
        case stop, length
    }

    private var decoder: TokenDecoder
    private var matcher: StopMatcher
    private let stopTokens: Set<Int32>
    private let maxTokens: Int
    public private(set) var tokens = 0
    /// `nil` while the request goes on.
    public private(set) var finish: Finish?

    /// - Parameter tokenizer: Its end token stops, too.
    public init(_ tokenizer: Tokenizer, _ parameters: SamplingParameters) {
        decoder = TokenDecoder(tokenizer, continues: true)
        matcher = StopMatcher(parameters.stopStrings)
        stopTokens = parameters.stopTokens.union(tokenizer.data.end.map { [$0] } ?? [])
        maxTokens = parameters.maxTokens
    }

    /// The text that is certain with this token; a stop token has none.
    ///
    /// - Precondition: the request goes on.
    public mutating func add(_ token: Int32) -> String {
        precondition(finish == nil, "a token after the end")
        tokens += 1
        if stopTokens.contains(token) {
            finish = .stop
            return end()
        }
        let text = matcher.add(decoder.add(token))
        if matcher.isStopped {
            finish = .stop
            return text
        }
        guard tokens == maxTokens else { return text }
        finish = .length
        let rest = end()
        if matcher.isStopped { finish = .stop }
        return text + rest
    }

    private mutating func end() -> String {
        let text = matcher.add(decoder.finish())
        return text + matcher.finish()
    }
}
