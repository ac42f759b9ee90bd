/// How a byte-level tokenizer splits a text into words, within which it merges.
///
/// Scanners written by hand in place of the regular expressions that the models name; letters and numbers are Unicode's
/// general categories L and N as this system's Swift knows them, so a character that is younger than either table may
/// be split otherwise than elsewhere.
public enum PreTokenizer: Hashable, Sendable, CaseIterable {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    case gpt2
    /// Every number alone, then as `gpt2`.
    case smollm
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    case llama3
    /// As `llama3`, but with `\p{N}` alone.
    case qwen2

    /// The regular expression as `tokenizer.json` writes it; `nil` for those that are written otherwise there.
    var pattern: String? {
        let head = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"#
        let tail = #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        return switch self {
        case .gpt2, .smollm: nil
        case .llama3: head + "{1,3}" + tail
        case .qwen2: head + tail
        }
    }

    /// What a scalar is to the scanners.
    enum Class: UInt8 {
        case letter, number, space, other
    }

    private static let ascii: [Class] = (0..<128).map { classify(Unicode.Scalar(UInt8($0))) }

    private static func classify(_ scalar: Unicode.Scalar) -> Class {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: .letter
        case .decimalNumber, .letterNumber, .otherNumber: .number
        default: scalar.properties.isWhitespace ? .space : .other
        }
    }

    /// A text as scalars that are decoded when they are looked at.
    private struct Scanner {
        let bytes: UnsafeBufferPointer<UInt8>

        /// The scalar at `offset`, which must begin there; length 0 at the end.
        @inline(__always)
        func next(_ offset: Int) -> (value: UInt32, length: Int, kind: Class) {
            guard offset < bytes.count else { return (0, 0, .other) }
            let first = bytes[offset]
            if first < 0x80 { return (UInt32(first), 1, PreTokenizer.ascii.withUnsafeBufferPointer { $0[Int(first)] }) }
            let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
            var value = UInt32(first) & (0x7F >> UInt32(length))
            for index in 1..<length { value = value << 6 | UInt32(bytes[offset + index] & 0x3F) }
            // Most text that is not ASCII: ideographs and Hangul syllables.
            if (0x4E00..<0x9FF0).contains(value) || (0xAC00..<0xD7A4).contains(value) {
                return (value, length, .letter)
            }
            return (value, length, PreTokenizer.classify(Unicode.Scalar(value)!))
        }

        /// The end of the run of `kind` that begins at `offset`.
        @inline(__always)
        func run(_ kind: Class, from offset: Int, most: Int = .max) -> Int {
            var (offset, count) = (offset, 0)
            while count < most {
                let scalar = next(offset)
                guard scalar.length > 0, scalar.kind == kind else { break }
                offset += scalar.length
                count += 1
            }
            return offset
        }
    }

    /// Calls `word` with the end of each word, in order: together they cover the text.
    ///
    /// - Parameter bytes: Valid UTF-8.
    /// - Complexity: O(bytes).
    func split(_ bytes: UnsafeBufferPointer<UInt8>, word: (Int) -> Void) {
        let scanner = Scanner(bytes: bytes)
        var offset = 0
        switch self {
        case .gpt2:
            while offset < bytes.count {
                offset = Self.gpt2(scanner, offset, end: bytes.count)
                word(offset)
            }
        case .smollm:
            // Numbers cut the text first: a space before one stays alone, and the end of white space is the cut.
            while offset < bytes.count {
                let number = scanner.run(.number, from: offset, most: 1)
                if number > offset {
                    offset = number
                    word(offset)
                    continue
                }
                var end = offset
                while true {
                    let scalar = scanner.next(end)
                    guard scalar.length > 0, scalar.kind != .number else { break }
                    end += scalar.length
                }
                let piece = Scanner(bytes: UnsafeBufferPointer(rebasing: bytes[..<end]))
                while offset < end {
                    offset = Self.gpt2(piece, offset, end: end)
                    word(offset)
                }
            }
        case .llama3, .qwen2:
            let most = self == .llama3 ? 3 : 1
            while offset < bytes.count {
                offset = Self.llama3(scanner, offset, digits: most)
                word(offset)
            }
        }
    }

    private static func gpt2(_ scanner: Scanner, _ start: Int, end: Int) -> Int {
        let first = scanner.next(start)
        if first.value == 0x27 {
            let length = contraction(scanner, start + 1, anyCase: false)
            if length > 0 { return start + 1 + length }
        }
        // One space goes with what follows it.
        let body = first.value == 0x20 ? start + 1 : start
        let kind = scanner.next(body)
        if kind.length > 0, kind.kind != .space { return scanner.run(kind.kind, from: body) }
        return space(scanner, start)
    }

    private static func llama3(_ scanner: Scanner, _ start: Int, digits: Int) -> Int {
        let first = scanner.next(start)
        if first.value == 0x27 {
            let length = contraction(scanner, start + 1, anyCase: true)
            if length > 0 { return start + 1 + length }
        }
        if first.kind == .letter { return scanner.run(.letter, from: start) }
        if first.kind == .number { return scanner.run(.number, from: start, most: digits) }
        if first.value != 0x0A, first.value != 0x0D {
            let end = scanner.run(.letter, from: start + first.length)
            if end > start + first.length { return end }
        }
        let body = first.value == 0x20 ? start + 1 : start
        var end = scanner.run(.other, from: body)
        if end > body {
            while end < scanner.bytes.count, scanner.bytes[end] == 0x0A || scanner.bytes[end] == 0x0D { end += 1 }
            return end
        }
        // White space up to the last line end of the run.
        let run = scanner.run(.space, from: start)
        var line = run
        while line > start, scanner.bytes[line - 1] != 0x0A, scanner.bytes[line - 1] != 0x0D { line -= 1 }
        if line > start { return line }
        return space(scanner, start)
    }

    /// A run of white space, without its last character where a word follows that could take it.
    private static func space(_ scanner: Scanner, _ start: Int) -> Int {
        let end = scanner.run(.space, from: start)
        guard end < scanner.bytes.count else { return end }
        var last = end - 1
        while last > start, scanner.bytes[last] & 0xC0 == 0x80 { last -= 1 }
        return last > start ? last : end
    }

    /// The bytes of `s`, `t`, `re`, `ve`, `m`, `ll` or `d` at `offset`; 0 where there is none.
    private static func contraction(_ scanner: Scanner, _ offset: Int, anyCase: Bool) -> Int {
        func letter(_ offset: Int) -> UInt8 {
            guard offset < scanner.bytes.count else { return 0 }
            let byte = scanner.bytes[offset]
            return anyCase && (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
        }
        switch (letter(offset), letter(offset + 1)) {
        case (0x73, _), (0x74, _), (0x6D, _), (0x64, _): return 1
        case (0x72, 0x65), (0x76, 0x65), (0x6C, 0x6C): return 2
        // The long s, which is an s where case does not count.
        case (0xC5, 0xBF) where anyCase: return 2
        default: return 0
        }
    }
}
