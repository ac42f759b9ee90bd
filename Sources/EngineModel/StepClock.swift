import Glibc
import Units

/// Step time in integers: the coefficients of a profile quantised once, to 2⁻²⁰ ns.
///
///     let clock = StepClock(profile.stepTime)
///     clock.duration(of: features, noise: .none)                         // one step
///     clock.run(from: features, noise: .none).duration(of: 100)          // a hundred decode steps, in O(1)
///
/// The quantisation error of a coefficient is at most 2⁻²¹ ns: over a step of a million KV tokens, half a nanosecond.
public struct StepClock: Hashable, Sendable {
    @usableFromInline struct Decode: Hashable, Sendable {
        @usableFromInline var constant: Int64
        @usableFromInline var perSequence: Int64
        @usableFromInline var perContextToken: Int64
        @usableFromInline var beyondHinge: Int64
        @usableFromInline var hinge: Int64
        @usableFromInline var beyondSecond: Int64
        @usableFromInline var secondHinge: Int64
        @usableFromInline var perSkewToken: Int64
        @usableFromInline var stairs: [Int64]
    }
    @usableFromInline struct Mixed: Hashable, Sendable {
        @usableFromInline var constant: Int64
        @usableFromInline var perPrefillToken: Int64
        @usableFromInline var beyondFirst: Int64
        @usableFromInline var beyondSecond: Int64
        @usableFromInline var firstHinge: Int64
        @usableFromInline var secondHinge: Int64
        @usableFromInline var perContextToken: Int64
        /// Half the coefficient of A, because the feature is 2·A.
        @usableFromInline var perAreaDoubled: Int64
        @usableFromInline var perPrefillContext: Int64
        @usableFromInline var perSequence: Int64
        @usableFromInline var perSkewToken: Int64
    }

    @usableFromInline let decode: Decode
    @usableFromInline let mixed: Mixed

    /// Whether durations depend on ``StepFeatures/decodeSkew``, which then has to be told.
    public var needsSkew: Bool { decode.perSkewToken != 0 || mixed.perSkewToken != 0 }

    /// - Precondition: every coefficient is finite and below 2⁴² ns (73 minutes).
    public init(_ coefficients: StepTimeCoefficients) {
        func quantised(_ nanoseconds: Double) -> Int64 {
            precondition(nanoseconds.isFinite && nanoseconds.magnitude < 4.4e12, "coefficient \(nanoseconds) ns")
            return Int64((nanoseconds * 1_048_576).rounded())
        }
        let d = coefficients.decode
        let m = coefficients.mixed
        let overhead = quantised(coefficients.hostOverhead)
        decode = Decode(
            constant: quantised(d.constant) + overhead, perSequence: quantised(d.perSequence),
            perContextToken: quantised(d.perContextToken), beyondHinge: quantised(d.perSequenceBeyondHinge),
            hinge: d.hingeSequences, beyondSecond: quantised(d.perSequenceBeyondSecondHinge),
            secondHinge: d.secondHingeSequences, perSkewToken: quantised(d.perSkewToken ?? 0),
            stairs: d.stairs.map(quantised))
        mixed = Mixed(
            constant: quantised(m.constant) + overhead, perPrefillToken: quantised(m.perPrefillToken),
            beyondFirst: quantised(m.perTokenBeyondFirstHinge), beyondSecond: quantised(m.perTokenBeyondSecondHinge),
            firstHinge: m.firstHinge, secondHinge: m.secondHinge, perContextToken: quantised(m.perContextToken),
            perAreaDoubled: quantised(m.perPrefillArea / 2), perPrefillContext: quantised(m.perPrefillContextToken),
            perSequence: quantised(m.perSequence), perSkewToken: quantised(m.perSkewToken ?? 0))
    }

    /// The duration of one step; at least one unit, so that time always moves.
    @inlinable
    public func duration(of step: StepFeatures, noise: StepNoise) -> FineTime {
        FineTime(units: max(1, base(of: step)) * Int128(noise.factor))
    }

    /// The durations of steps of which each differs from the one before only in the age of its sequences.
    ///
    /// From step to step every decoding sequence has one more token, and a prompt that fills the step's budget alone has
    /// one more chunk behind it: only K, A and Kp change, each by a constant. So durations rise by a constant too.
    ///
    /// - Precondition: the coefficients make `first` last at least one unit.
    @inlinable
    public func run(from first: StepFeatures, noise: StepNoise) -> StepRun {
        let growth: Int128
        if first.isDecodeOnly {
            growth = Self.term(decode.perContextToken, first.decodeSequences)
        } else {
            let chunk = first.prefillTokens
            growth =
                Self.term(mixed.perContextToken, first.decodeSequences)
                &+ Self.term(mixed.perAreaDoubled, 2 * chunk * chunk) &+ Self.term(mixed.perPrefillContext, chunk)
        }
        let factor = Int128(noise.factor)
        return StepRun(
            first: FineTime(units: max(1, base(of: first)) &* factor), growth: FineTime(units: growth &* factor))
    }

    /// A coefficient has at most 62 bits and a feature 63, so their products need no check for overflow; nor do sums of
    /// them and a noise factor, as long as a step takes less than a day.
    @inlinable @inline(__always)
    static func term(_ coefficient: Int64, _ feature: Int64) -> Int128 { Int128(coefficient) &* Int128(feature) }

    /// Units of 2⁻²⁰ ns before noise.
    @inlinable
    func base(of step: StepFeatures) -> Int128 {
        // Most profiles have no use for the skew, and then it is not told.
        guard step.decodeSkew != 0 else { return evenBase(of: step) }
        return evenBase(of: step)
            &+ Self.term(step.isDecodeOnly ? decode.perSkewToken : mixed.perSkewToken, step.decodeSkew)
    }

    @inlinable @inline(__always)
    func stair(_ sequences: Int64) -> Int128 {
        let count = decode.stairs.count
        return count == 0 ? 0 : Int128(decode.stairs[max(0, min(Int(sequences), count) - 1)])
    }

    /// The same of a step whose contexts are equal.
    @inlinable @inline(__always)
    func evenBase(of step: StepFeatures) -> Int128 {
        if step.isDecodeOnly {
            return Int128(decode.constant) &+ Self.term(decode.perSequence, step.decodeSequences)
                &+ Self.term(decode.perContextToken, step.decodeContext)
                &+ Self.term(decode.beyondHinge, max(0, step.decodeSequences - decode.hinge))
                &+ Self.term(decode.beyondSecond, max(0, step.decodeSequences - decode.secondHinge))
                &+ stair(step.decodeSequences)
        }
        let tokens = step.prefillTokens + step.decodeSequences
        return Int128(mixed.constant) &+ Self.term(mixed.perPrefillToken, step.prefillTokens)
            &+ Self.term(mixed.beyondFirst, max(0, tokens - mixed.firstHinge))
            &+ Self.term(mixed.beyondSecond, max(0, tokens - mixed.secondHinge))
            &+ Self.term(mixed.perContextToken, step.decodeContext)
            &+ Self.term(mixed.perAreaDoubled, step.prefillAreaDoubled)
            &+ Self.term(mixed.perPrefillContext, step.prefillContext)
            &+ Self.term(mixed.perSequence, step.decodeSequences)
    }
}

/// The residual noise of step time: one factor for a replica's window of steps, a whole number of 2⁻¹⁶.
public struct StepNoise: Hashable, Sendable {
    public var factor: Int64

    @inlinable public init(factor: Int64) { self.factor = factor }

    /// A factor of exactly 1.
    public static let none = StepNoise(factor: 65_536)
    /// Steps that share a factor. A run of equal steps ends where a window does.
    public static let window: Int64 = 64

    /// A factor with mean 1 whose logarithm has standard deviation `deviation`.
    ///
    /// - Parameter normal: A standard normal variate.
    public static func lognormal(deviation: Double, normal: Double) -> StepNoise {
        StepNoise(factor: max(1, Int64((exp(deviation * normal - deviation * deviation / 2) * 65_536).rounded())))
    }
}
