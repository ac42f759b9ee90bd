/// Reads the digits of a line that is as it should be, fast: what is not stops the reading, and the line is read again by
/// `LineFields`, which says what is wrong and where.
///
/// There is no check for the end of the line: the bytes are known to go on for longer than any such line is, and a line
/// end is no digit.
struct RegularDigits {
    /// More bytes than are read of one line: a date, six numbers of at most 19 digits, and what separates them.
    static let longestLine = 256

    /// The next byte to read.
    var next: UnsafePointer<UInt8>

    @inline(__always) init(_ line: UnsafePointer<UInt8>) { next = line }

    /// Whether the next byte is `byte`; if so, steps over it.
    @inline(__always) mutating func take(_ byte: UInt8) -> Bool {
        guard next.pointee == byte else { return false }
        next += 1
        return true
    }

    /// A whole number of 1 to 18 digits; `nil` for any other.
    @inline(__always) mutating func number() -> Int64? {
        let first = next
        var value: Int64 = 0
        while case let digit = next.pointee &- 48, digit < 10, next - first < 19 {
            value = value &* 10 &+ Int64(digit)
            next += 1
        }
        return 1...18 ~= next - first ? value : nil
    }

    /// A number of tokens.
    @inline(__always) mutating func tokens() -> Int32? {
        guard let value = number(), value >= 1, value <= Int64(Int32.max) else { return nil }
        return Int32(truncatingIfNeeded: value)
    }

    /// Seconds below `limit`, with up to nine decimals, in nanoseconds.
    @inline(__always) mutating func seconds(below limit: Int64) -> Int64? {
        guard let whole = number(), whole < limit else { return nil }
        guard take(UInt8(ascii: ".")) else { return whole &* 1_000_000_000 }
        let first = next
        guard let fraction = number(), next - first <= 9 else { return nil }
        return whole &* 1_000_000_000 &+ fraction &* Self.scale(next - first)
    }

    /// Two digits below `limit`.
    @inline(__always) mutating func pair(below limit: Int64) -> Int64? {
        let tens = next[0] &- 48
        guard tens < 10, case let ones = next[1] &- 48, ones < 10, case let value = Int64(tens) * 10 + Int64(ones),
            value < limit
        else { return nil }
        next += 2
        return value
    }

    /// Nanoseconds of the last of `digits` decimals of a second.
    @inline(__always) private static func scale(_ digits: Int) -> Int64 {
        switch digits {
        case 1: 100_000_000
        case 2: 10_000_000
        case 3: 1_000_000
        case 4: 100_000
        case 5: 10_000
        case 6: 1_000
        case 7: 100
        case 8: 10
        default: 1
        }
    }
}
