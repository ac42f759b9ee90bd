import Units

/// A time or duration in units of 2⁻³⁶ ns, in 128 bits: what a replica's clock is made of.
///
/// Coefficients are whole numbers of 2⁻²⁰ ns and the noise factor is a whole number of 2⁻¹⁶, so a step's duration is a
/// whole number of 2⁻³⁶ ns without any rounding: k equal steps in a closed form are exactly the k single steps. Time is
/// floored to nanoseconds only when it is published. Nanoseconds have 63 bits as everywhere, so nothing here comes near
/// 128 and sums are not checked for overflow.
public struct FineTime: Hashable, Sendable, Comparable {
    public var units: Int128

    @inlinable public init(units: Int128) { self.units = units }

    /// Units in a nanosecond, as a power of two.
    @inlinable @inline(__always) public static var fractionBits: Int { 36 }

    /// The start of the nanosecond `instant`.
    @inlinable public init(_ instant: Instant) { units = Int128(instant.nanoseconds) << FineTime.fractionBits }

    /// The nanosecond this time lies in.
    @inlinable @inline(__always)
    public var instant: Instant { Instant(nanoseconds: Int64(truncatingIfNeeded: units >> FineTime.fractionBits)) }

    /// The length in whole nanoseconds, rounded down.
    @inlinable @inline(__always)
    public var floored: TimeSpan { TimeSpan(nanoseconds: Int64(truncatingIfNeeded: units >> FineTime.fractionBits)) }

    /// This time and `count` times `other`.
    @inlinable @inline(__always) public func plus(_ other: FineTime, times count: Int64) -> FineTime {
        FineTime(units: units &+ other.units &* Int128(count))
    }

    /// The length as seconds, for estimates.
    @inlinable public var seconds: Double { Double(Int64(truncatingIfNeeded: units >> 16)) / 1_048_576e9 }

    /// The units as a floating-point number, to the nearest.
    @inlinable var estimate: Double {
        Double(Int64(truncatingIfNeeded: units >> 64)) * 0x1p64 + Double(UInt64(truncatingIfNeeded: units))
    }

    @inlinable @inline(__always)
    public static func < (a: FineTime, b: FineTime) -> Bool { a.units < b.units }
    @inlinable @inline(__always)
    public static func + (a: FineTime, b: FineTime) -> FineTime { FineTime(units: a.units &+ b.units) }
    @inlinable @inline(__always)
    public static func - (a: FineTime, b: FineTime) -> FineTime { FineTime(units: a.units &- b.units) }
    @inlinable @inline(__always)
    public static func += (a: inout FineTime, b: FineTime) { a.units &+= b.units }
}
