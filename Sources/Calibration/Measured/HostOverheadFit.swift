import EngineModel
import Formats
import Units

/// The time per step that an engine spends outside its kernels, from a measured run: what has to be added to the kernel
/// times for the simulated latencies to agree with the measured ones.
///
/// Least squares of the relative errors of the mean TTFT, TPOT and E2E. The run must be another one than those that the
/// profile is then judged on.
public struct HostOverheadFit: Hashable, Sendable {
    public var overhead: TimeSpan
    /// Errors of the means that are left, in percent.
    public var ttftError: Double
    public var tpotError: Double
    public var e2eError: Double

    /// The largest overhead that is considered.
    public static let limit = TimeSpan(nanoseconds: 20_000_000)

    /// - Parameter profile: Of the hardware that the run was measured on, without host overhead.
    /// - Throws: ``ValidationError``.
    public init(_ run: MeasuredRun, profile: EngineProfile) throws(ValidationError) {
        func validation(_ nanoseconds: Double) throws(ValidationError) -> LatencySet {
            var copy = profile
            copy.stepTime.hostOverhead = nanoseconds.rounded()
            return try Validation(run, profile: copy).error
        }
        func loss(_ nanoseconds: Double) throws(ValidationError) -> Double {
            let error = try validation(nanoseconds)
            return [error.ttft.mean, error.tpot.mean, error.e2e.mean].reduce(0) { $0 + $1 * $1 }
        }
        let best = try Self.minimum(of: loss, from: 0, to: Double(Self.limit.nanoseconds))
        let error = try validation(best)
        overhead = TimeSpan(nanoseconds: Int64(best.rounded()))
        (ttftError, tpotError, e2eError) = (error.ttft.mean, error.tpot.mean, error.e2e.mean)
    }

    /// Golden-section search to a microsecond. Latencies grow with the overhead, so their squared errors have one valley
    /// but for the jumps where a step more or less makes another schedule.
    private static func minimum(
        of loss: (Double) throws(ValidationError) -> Double, from low: Double, to high: Double
    ) throws(ValidationError) -> Double {
        let ratio = (5.0.squareRoot() - 1) / 2
        var (a, b) = (low, high)
        var (c, d) = (b - ratio * (b - a), a + ratio * (b - a))
        var (lossC, lossD) = (try loss(c), try loss(d))
        while b - a > 1000 {
            if lossC <= lossD {
                (b, d, lossD) = (d, c, lossC)
                c = b - ratio * (b - a)
                lossC = try loss(c)
            } else {
                (a, c, lossC) = (c, d, lossD)
                d = a + ratio * (b - a)
                lossD = try loss(d)
            }
        }
        return try loss(low) <= min(lossC, lossD) ? low : (a + b) / 2
    }
}
