/// A line of `TraceFormat.mooncake`: the three numbers of a JSON object, in any order, whatever else it holds.
func mooncakeTraceLine(_ fields: inout LineFields) throws(InputError) -> RawTraceRecord {
    var (time, prompt, output): (Int64?, Int32?, Int32?)
    fields.skipSpaces()
    guard fields.take(UInt8(ascii: "{")) else { throw fields.notJSON() }
    fields.skipSpaces()
    if !fields.take(UInt8(ascii: "}")) {
        while true {
            let key = try fields.jsonString()
            fields.skipSpaces()
            guard fields.take(UInt8(ascii: ":")) else { throw fields.notJSON() }
            fields.skipSpaces()
            if key.isText("timestamp") {
                time = try fields.time("timestamp", unit: 1_000_000)
            } else if key.isText("input_length") {
                prompt = try fields.count("input_length")
            } else if key.isText("output_length") {
                output = try fields.count("output_length")
            } else {
                try fields.skipJSONValue()
            }
            fields.skipSpaces()
            if fields.take(UInt8(ascii: "}")) { break }
            guard fields.take(UInt8(ascii: ",")) else { throw fields.notJSON() }
            fields.skipSpaces()
        }
    }
    fields.skipSpaces()
    guard fields.isAtEnd, let time, let prompt, let output else {
        throw fields.isAtEnd
            ? fields.badField("record", expected: "an object with timestamp, input_length and output_length", from: 0)
            : fields.notJSON()
    }
    return RawTraceRecord(nanoseconds: time, promptTokens: prompt, outputTokens: output)
}

extension LineFields {
    func notJSON() -> InputError { badField("record", expected: "a JSON object on one line", from: cursor) }

    @inline(__always) mutating func skipSpaces() { skip { $0 == UInt8(ascii: " ") || $0 == 0x09 } }

    /// The bytes between the quotes, escapes as they stand.
    mutating func jsonString() throws(InputError) -> UnsafeRawBufferPointer {
        let first = cursor
        guard take(UInt8(ascii: "\"")) else { throw notJSON() }
        skip { $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "\"") }
        while let byte = next() {
            if byte == UInt8(ascii: "\\") {
                _ = next()
            } else if byte == UInt8(ascii: "\"") {
                return bytes(from: first + 1, to: cursor - 1)
            }
        }
        throw notJSON()
    }

    /// Steps over any value. Brackets are counted, not recursed into, so no input can exhaust the stack.
    mutating func skipJSONValue() throws(InputError) {
        var depth = 0
        repeat {
            // Inside brackets numbers and what separates them may stand in any order: lists of them are most of a line.
            if depth > 0 { skipNumbersAndSeparators() }
            skipSpaces()
            guard let byte = peek else { throw notJSON() }
            switch byte {
            case UInt8(ascii: "\""): _ = try jsonString()
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
                _ = next()
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                guard depth > 0 else { throw notJSON() }
                depth -= 1
                _ = next()
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                guard depth > 0 else { throw notJSON() }
                _ = next()
            default:
                let first = cursor
                while let byte = peek, Self.isWordByte(byte) { _ = next() }
                guard cursor > first else { throw notJSON() }
            }
        } while depth > 0
    }

    /// Letters, digits and signs: what numbers, `true`, `false` and `null` are made of.
    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "E"),
            UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are those of an ASCII text.
    @inline(__always) fileprivate func isText(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for i in 0..<count where self[i] != text.utf8Start[i] { return false }
        return true
    }
}
