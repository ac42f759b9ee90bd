import Units

/// Reads lines of `TraceFormat.azure`. Keeps the last date, since a trace changes it once a day.
struct AzureTraceLine {
    private static let dateLength = 10
    /// The first eight bytes of the last date and the last two, in the order of memory, once there was one.
    private var hasDate = false
    private var dateStart: UInt64 = 0
    private var dateEnd: UInt16 = 0
    private var midnight: Int64 = 0

    @inline(__always) mutating func read(_ fields: inout LineFields) throws(InputError) -> RawTraceRecord {
        let time = try timestamp(&fields)
        try fields.separator(of: 3)
        let prompt = try fields.count("ContextTokens")
        try fields.separator(of: 3)
        let output = try fields.count("GeneratedTokens")
        try fields.finish(fields: 3)
        return RawTraceRecord(nanoseconds: time, promptTokens: prompt, outputTokens: output)
    }

    /// Nanoseconds since the epoch of `2023-11-16 18:15:46.6805900`, taken as UTC.
    @inline(__always) private mutating func timestamp(_ fields: inout LineFields) throws(InputError) -> Int64 {
        let first = fields.cursor
        guard let bytes = fields.raw(count: Self.dateLength), isKnown(bytes) || remember(bytes),
            fields.take(UInt8(ascii: " ")),
            let hour = twoDigits(&fields, below: 24), fields.take(UInt8(ascii: ":")),
            let minute = twoDigits(&fields, below: 60), fields.take(UInt8(ascii: ":")),
            let seconds = try? fields.time("TIMESTAMP", unit: 1_000_000_000), seconds < 60_000_000_000
        else {
            let expected = "a time such as 2023-11-16 18:15:46.6805900"
            throw fields.badField("TIMESTAMP", expected: expected, from: first)
        }
        return midnight + (hour * 3600 + minute * 60) * 1_000_000_000 + seconds
    }

    /// The time of a line that has the date of the line before; `nil` for any other.
    @inline(__always) func regularTime(_ digits: inout RegularDigits) -> Int64? {
        guard isKnown(UnsafeRawBufferPointer(start: digits.next, count: Self.dateLength)) else { return nil }
        digits.next += Self.dateLength
        guard digits.take(UInt8(ascii: " ")), let hour = digits.pair(below: 24), digits.take(UInt8(ascii: ":")),
            let minute = digits.pair(below: 60), digits.take(UInt8(ascii: ":")),
            let seconds = digits.seconds(below: 60)
        else { return nil }
        return midnight + (hour * 3600 + minute * 60) * 1_000_000_000 + seconds
    }

    /// - Precondition: there are as many bytes as a date has.
    @inline(__always) private func isKnown(_ bytes: UnsafeRawBufferPointer) -> Bool {
        hasDate && bytes.loadUnaligned(as: UInt64.self) == dateStart
            && bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self) == dateEnd
    }

    private mutating func remember(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let day = Instant(String(decoding: bytes, as: UTF8.self)) else { return false }
        hasDate = true
        dateStart = bytes.loadUnaligned(as: UInt64.self)
        dateEnd = bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)
        midnight = day.nanoseconds
        return true
    }

    @inline(__always) private func twoDigits(_ fields: inout LineFields, below limit: Int64) -> Int64? {
        guard let pair = fields.raw(count: 2), case let tens = pair[0] &- 48, case let ones = pair[1] &- 48, tens < 10,
            ones < 10, case let value = Int64(tens) * 10 + Int64(ones), value < limit
        else { return nil }
        return value
    }
}
