import Foundation

/// Text to token numbers and back, as the model was trained with.
///
///     let tokenizer = try Tokenizer(folder: "stories260K")
///     tokenizer.encode("Once upon a time")                 // [1, 403, 407, 261, 378]
///     tokenizer.decode([403, 407])                         // "Once upon"
///
/// A value that any number of tasks may use.
public struct Tokenizer: Sendable {
    /// Which added tokens a text may name.
    public enum AddedTokens: Hashable, Sendable {
        /// None: `<|im_end|>` in a text is seven letters and punctuation.
        case none
        /// Those that are not special. For what users wrote: they cannot end a message or begin one.
        case plain
        /// All of them. For templates, whose special tokens are meant.
        case all
    }

    public let data: TokenizerData
    let table: TokenTable
    private let merges: MergeTable
    /// The token of each byte; -1 where there is none.
    private let byteTokens: [Int32]
    /// Added tokens' texts, longest first, by their first byte.
    private let added: [[AddedToken]]
    /// No merge crosses from a character to a `▁` behind it, so a text can be cut there.
    private let cutsAtSpaces: Bool

    private struct AddedToken: Sendable {
        var bytes: [UInt8]
        var token: Int32
        var isSpecial: Bool
    }

    /// The longest token that takes part in merges, in bytes.
    public static let longestToken = 1024
    /// The longest token where merges are found by scores: each of its halves is looked up.
    public static let longestScoredToken = 256

    public var vocabulary: Int { data.tokens.count }

    /// - Parameter file: Where `data` is from, for the error.
    /// - Throws: ``ModelFileError`` that names the token or merge which is wrong.
    public init(_ data: TokenizerData, file: String) throws(ModelFileError) {
        func wrong(_ part: String, _ problem: String) -> ModelFileError {
            ModelFileError(file: file, part: part, problem: problem)
        }
        let count = data.tokens.count
        guard count > 0 else { throw wrong("tokens", "are none") }
        guard count < 1 << 24 else { throw wrong("tokens", "are \(count), more than 16,777,215") }
        guard data.types.count == count else { throw wrong("types", "are \(data.types.count) for \(count) tokens") }
        guard data.scores.isEmpty || data.scores.count == count else {
            throw wrong("scores", "are \(data.scores.count) for \(count) tokens")
        }
        guard data.scores.allSatisfy(\.isFinite) else { throw wrong("scores", "are not all finite") }
        let named: [(String, [Int32])] = [
            ("prefix", data.prefix), ("suffix", data.suffix), ("beginning", data.beginning.map { [$0] } ?? []),
            ("end", data.end.map { [$0] } ?? []), ("unknown", data.unknown.map { [$0] } ?? []),
        ]
        for (name, ids) in named {
            for id in ids where id < 0 || id >= count {
                throw wrong(name, "is token \(id) of a vocabulary of \(count)")
            }
        }

        // Texts as the file writes them: merges and added tokens name these.
        var written = TokenTable(capacity: count)
        var bytes = [Int32](repeating: -1, count: 256)
        for (id, (token, type)) in zip(data.tokens, data.types).enumerated() {
            let length = token.utf8.count
            guard length > 0 || type == .unused else { throw wrong("token \(id)", "is empty") }
            guard length <= Self.longestToken else {
                throw wrong("token \(id)", "has \(length) bytes, more than \(Self.longestToken)")
            }
            guard written.append(token.utf8, isFound: type != .unused) else {
                throw wrong("token \(id)", "is '\(token)', as a token before it")
            }
            if type == .byte {
                guard let byte = Self.byte(token) else {
                    throw wrong("token \(id)", "is '\(token)', which names no byte")
                }
                bytes[Int(byte)] = Int32(id)
            }
        }
        var isSentencePiece = false
        if case .sentencePiece = data.algorithm { isSentencePiece = true }

        // What the tokens decode to.
        var table = TokenTable(capacity: count)
        for (id, (token, type)) in zip(data.tokens, data.types).enumerated() {
            let isFound = type == .normal || type == .userDefined
            switch type {
            case .control, .unknown, .userDefined, .unused: _ = table.append(token.utf8, isFound: isFound)
            case .byte: _ = table.append([Self.byte(token)!], isFound: false)
            case .normal:
                if isSentencePiece {
                    _ = table.append(token.utf8, isFound: isFound)
                } else {
                    let decoded = ByteAlphabet.decode(token)
                    _ = table.append(decoded, isFound: isFound)
                    if decoded.count == 1 { bytes[Int(decoded[0])] = Int32(id) }
                }
            }
        }

        var rules: [MergeTable.Rule] = []
        rules.reserveCapacity(data.merges.count)
        for (rank, merge) in data.merges.enumerated() {
            guard let left = written.token(merge.left) else {
                throw wrong("merge \(rank)", "names '\(merge.left)', which is no token")
            }
            guard let right = written.token(merge.right) else {
                throw wrong("merge \(rank)", "names '\(merge.right)', which is no token")
            }
            guard let result = written.token(merge.left + merge.right) else {
                throw wrong("merge \(rank)", "makes '\(merge.left + merge.right)', which is no token")
            }
            // A text must not become a special token by its letters.
            guard data.types[Int(result)] == .normal || data.types[Int(result)] == .userDefined else { continue }
            rules.append(.init(left: left, right: right, rank: Int32(rank), result: result))
        }
        if data.merges.isEmpty, isSentencePiece, !data.scores.isEmpty {
            rules = try Self.rules(of: data, written: written, file: file)
        }
        merges = MergeTable(rules, tokens: count)

        var added = [[AddedToken]](repeating: [], count: 256)
        for (id, (token, type)) in zip(data.tokens, data.types).enumerated()
        where type == .control || type == .userDefined {
            let bytes = Array(token.utf8)
            added[Int(bytes[0])].append(AddedToken(bytes: bytes, token: Int32(id), isSpecial: type == .control))
        }
        for index in added.indices {
            added[index].sort { ($0.bytes.count, $1.token) > ($1.bytes.count, $0.token) }
        }
        self.added = added
        self.table = table
        byteTokens = bytes
        self.data = data
        let mark = Array("▁".utf8)
        cutsAtSpaces = rules.allSatisfy { rule in
            let text = table.bytes(of: Int(rule.result))
            var isInside = false
            for start in stride(from: text.startIndex, to: text.endIndex, by: 1) where text[start] & 0xC0 != 0x80 {
                let isMark = text[start...].starts(with: mark)
                if isInside && isMark { return false }
                if !isMark { isInside = true }
            }
            return true
        }
    }

    /// `<0x0A>` is 10.
    private static func byte(_ token: String) -> UInt8? {
        let text = Array(token.utf8)
        guard text.count == 6, token.hasPrefix("<0x"), token.hasSuffix(">") else { return nil }
        return UInt8(String(decoding: text[3..<5], as: UTF8.self), radix: 16)
    }

    /// Every way to put a scored token together from two others; equal scores have equal ranks.
    private static func rules(
        of data: TokenizerData, written: TokenTable, file: String
    ) throws(ModelFileError) -> [MergeTable.Rule] {
        let scores = Set(data.scores).sorted(by: >)
        var ranks: [Float: Int32] = [:]
        for (rank, score) in scores.enumerated() { ranks[score] = Int32(rank) }
        var rules: [MergeTable.Rule] = []
        for id in data.tokens.indices where data.types[id] == .normal || data.types[id] == .userDefined {
            let text = Array(data.tokens[id].utf8)
            guard text.count <= longestScoredToken else {
                throw ModelFileError(
                    file: file, part: "token \(id)", problem: "has \(text.count) bytes, more than \(longestScoredToken)"
                )
            }
            for cut in stride(from: 1, to: text.count, by: 1) where text[cut] & 0xC0 != 0x80 {
                text.withUnsafeBufferPointer { text in
                    guard let left = written.token(UnsafeBufferPointer(rebasing: text[..<cut])),
                        let right = written.token(UnsafeBufferPointer(rebasing: text[cut...])),
                        let rank = ranks[data.scores[id]]
                    else { return }
                    rules.append(.init(left: left, right: right, rank: rank, result: Int32(id)))
                }
            }
        }
        return rules
    }

    // MARK: - Text to tokens

    /// The tokens of a text.
    ///
    /// - Parameters:
    ///   - adds: Whether the model's own tokens go before and behind it, such as `<s>`.
    /// - Complexity: O(n log n) in the longest word, O(n) in words; a text of n bytes needs up to 64 n bytes on the way,
    ///   because a byte may be a token with its place in a list and in a heap.
    public func encode(_ text: String, allowing allowed: AddedTokens = .plain, adds: Bool = true) -> [Int32] {
        let all = 0..<text.utf8.count
        let ids = encode(text, trusted: allowed == .all ? [all] : [], plain: allowed != .none)
        return adds ? data.prefix + ids + data.suffix : ids
    }

    /// The tokens of a text in which special tokens count within the `trusted` ranges of its bytes, which are in order,
    /// and other added tokens everywhere, when `plain`.
    func encode(_ text: String, trusted: [Range<Int>], plain: Bool = true) -> [Int32] {
        var ids: [Int32] = []
        var text = text
        text.withUTF8 { bytes in
            var start = 0
            var offset = 0
            var range = 0
            while offset < bytes.count {
                while range < trusted.count, trusted[range].upperBound <= offset { range += 1 }
                let special =
                    range < trusted.count && trusted[range].contains(offset) ? trusted[range].upperBound : offset
                let other = plain ? bytes.count : offset
                if !added[Int(bytes[offset])].isEmpty,
                    let match = match(bytes, at: offset, special: special, other: other)
                {
                    encodePlain(UnsafeBufferPointer(rebasing: bytes[start..<offset]), isFirst: start == 0, into: &ids)
                    ids.append(match.token)
                    offset += match.bytes.count
                    start = offset
                } else {
                    offset += 1
                }
            }
            encodePlain(UnsafeBufferPointer(rebasing: bytes[start...]), isFirst: start == 0, into: &ids)
        }
        return ids
    }

    /// The longest added token at `offset` that ends within its bound.
    private func match(
        _ bytes: UnsafeBufferPointer<UInt8>, at offset: Int, special: Int, other: Int
    ) -> AddedToken? {
        added[Int(bytes[offset])].first { token in
            token.bytes.count <= (token.isSpecial ? special : other) - offset
                && bytes[offset..<(offset + token.bytes.count)].elementsEqual(token.bytes)
        }
    }

    private func encodePlain(_ bytes: UnsafeBufferPointer<UInt8>, isFirst: Bool, into ids: inout [Int32]) {
        guard !bytes.isEmpty else { return }
        // Below U+0300 nothing composes.
        if data.composes, bytes.contains(where: { $0 >= 0xCC }) {
            var text = String(decoding: bytes, as: UTF8.self).precomposedStringWithCanonicalMapping
            text.withUTF8 { encodeWords($0, isFirst: isFirst, into: &ids) }
        } else {
            encodeWords(bytes, isFirst: isFirst, into: &ids)
        }
    }

    private func encodeWords(_ bytes: UnsafeBufferPointer<UInt8>, isFirst: Bool, into ids: inout [Int32]) {
        var word: [Int32] = []
        switch data.algorithm {
        case .byteLevel(let splitter):
            var start = 0
            splitter.split(bytes) { end in
                let piece = UnsafeBufferPointer(rebasing: bytes[start..<end])
                start = end
                if data.ignoresMerges, let token = table.token(piece) {
                    ids.append(token)
                    return
                }
                word.removeAll(keepingCapacity: true)
                for byte in piece {
                    let token = byteTokens[Int(byte)]
                    // A byte without a token is dropped. The tokenizers library makes the unknown token of it, which
                    // for SmolLM2 is <|endoftext|>: a client's odd byte would end the text before it.
                    if token >= 0 { word.append(token) }
                }
                merges.merge(&word)
                ids += word
            }
        case .sentencePiece(let prefix):
            let mark = Array("▁".utf8)
            var text: [UInt8] = []
            text.reserveCapacity(bytes.count + bytes.count / 2 + 3)
            let isThere = bytes[0] == 0x20 || bytes.starts(with: mark)
            switch prefix {
            case .never: break
            case .always: text += mark
            case .unlessThere: if !isThere { text += mark }
            case .first: if isFirst && !isThere { text += mark }
            }
            for byte in bytes { if byte == 0x20 { text += mark } else { text.append(byte) } }
            text.withUnsafeBufferPointer { encodePieces($0, into: &ids) }
        }
    }

    /// SentencePiece: characters, `▁` among them, that merge.
    private func encodePieces(_ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
        var word: [Int32] = []
        var offset = 0
        var isInside = false
        var wasUnknown = false
        while offset < text.count {
            let first = text[offset]
            let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
            let isMark = first == 0xE2 && text[offset + 1] == 0x96 && text[offset + 2] == 0x81
            if cutsAtSpaces, isInside, isMark {
                merges.merge(&word)
                ids += word
                word.removeAll(keepingCapacity: true)
                isInside = false
            }
            if !isMark { isInside = true }
            let character = UnsafeBufferPointer(rebasing: text[offset..<(offset + length)])
            offset += length
            if let token = table.token(character) {
                word.append(token)
                wasUnknown = false
            } else if character.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
                for byte in character { word.append(byteTokens[Int(byte)]) }
                wasUnknown = false
            } else if let unknown = data.unknown {
                // One unknown token for a run of unknown characters.
                if !wasUnknown { word.append(unknown) }
                wasUnknown = true
            }
        }
        merges.merge(&word)
        ids += word
    }

    // MARK: - Tokens to text

    /// The bytes of one token, which need not be whole characters; none for a special token and for a number outside the
    /// vocabulary.
    public func bytes(of token: Int32, special: Bool = false) -> [UInt8] {
        guard token >= 0, Int(token) < table.count else { return [] }
        switch data.types[Int(token)] {
        case .control, .unused, .unknown: return special ? Array(table.bytes(of: Int(token))) : []
        case .userDefined, .byte: return Array(table.bytes(of: Int(token)))
        case .normal:
            let bytes = table.bytes(of: Int(token))
            guard case .sentencePiece = data.algorithm, bytes.contains(0xE2) else { return Array(bytes) }
            var out: [UInt8] = []
            var index = bytes.startIndex
            while index < bytes.endIndex {
                if bytes[index...].starts(with: [0xE2, 0x96, 0x81]) {
                    out.append(0x20)
                    index += 3
                } else {
                    out.append(bytes[index])
                    index += 1
                }
            }
            return out
        }
    }

    /// The text of tokens, bytes that are no UTF-8 replaced by U+FFFD.
    public func decode(_ tokens: some Sequence<Int32>, special: Bool = false) -> String {
        var decoder = TokenDecoder(self, special: special)
        var bytes: [UInt8] = []
        for token in tokens { bytes += decoder.bytes(token) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Tokens to text as they come: what may still become a character is held back.
///
///     var decoder = TokenDecoder(tokenizer)
///     for token in output { print(decoder.add(token), terminator: "") }
///     print(decoder.finish())
///
/// The texts together are what ``Tokenizer/decode(_:special:)`` makes of the tokens.
public struct TokenDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let special: Bool
    /// The space that encoding put before the text is still to come.
    private var dropsSpace: Bool
    private var held: [UInt8] = []

    /// - Parameter continues: The tokens follow others, so a space at their beginning is one.
    public init(_ tokenizer: Tokenizer, special: Bool = false, continues: Bool = false) {
        self.tokenizer = tokenizer
        self.special = special
        switch tokenizer.data.algorithm {
        case .byteLevel, .sentencePiece(.never): dropsSpace = false
        case .sentencePiece: dropsSpace = !continues
        }
    }

    mutating func bytes(_ token: Int32) -> [UInt8] {
        var bytes = tokenizer.bytes(of: token, special: special)
        if dropsSpace, let first = bytes.first {
            if first == 0x20 { bytes.removeFirst() }
            dropsSpace = false
        }
        return bytes
    }

    /// The text that is certain now.
    public mutating func add(_ token: Int32) -> String {
        held += bytes(token)
        let whole = held.count - Self.unfinished(held)
        defer { held.removeFirst(whole) }
        return String(decoding: held[..<whole], as: UTF8.self)
    }

    /// What was held back, as it is.
    public mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// How many bytes at the end begin a character that needs more.
    static func unfinished(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let lead = bytes[bytes.count - length]
            if lead & 0xC0 == 0x80 { continue }
            let needed = lead < 0xC2 || lead > 0xF4 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
            guard length < needed else { return 0 }
            if length > 1 {
                // The second byte decides whether this can be a character at all.
                let second = bytes[bytes.count - length + 1]
                switch lead {
                case 0xE0: if second < 0xA0 { return 0 }
                case 0xED: if second > 0x9F { return 0 }
                case 0xF0: if second < 0x90 { return 0 }
                case 0xF4: if second > 0x8F { return 0 }
                default: break
                }
            }
            return length
        }
        return 0
    }
}
