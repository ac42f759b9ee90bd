import Formats
import Statistics

/// The time of an all-reduce over another link than the one that was measured: a latency and a bandwidth, fitted to the
/// measured sizes, the bandwidth scaled by the links' nominal ones.
///
/// Both rings move the same bytes, so time beyond the latency goes with the link. The latency is taken as it is.
struct AllReduceModel: Hashable, Sendable {
    /// Seconds.
    var latency: Double
    var secondsPerByte: Double
    /// What was measured and how it was scaled, in words.
    var source: String

    /// The links that Vidur measured over, in bytes per second one way.
    private static let measured = [("h100_dgx", 450e9), ("a100_dgx", 300e9)]

    /// - Parameters:
    ///   - workers: GPUs that reduce together. At least 2.
    ///   - linkBandwidth: Of the GPUs that are modelled, in bytes per second one way.
    /// - Throws: ``TableCalibrationError`` when no measured machine has rows for so many.
    init(_ rows: [AllReduceRow], workers: Int, linkBandwidth: Double) throws(TableCalibrationError) {
        for (device, link) in Self.measured {
            let chosen = rows.filter {
                $0.device == device && $0.workers == workers && $0.bytes > 0 && $0.milliseconds > 0
            }
            guard
                let fit = try? LeastSquares.relative(
                    rows: chosen.map { [1, Double($0.bytes)] }, targets: chosen.map { $0.milliseconds / 1000 },
                    nonNegative: [true, true], loss: .huber(threshold: 1.345))
            else { continue }
            latency = fit.coefficients[0]
            secondsPerByte = fit.coefficients[1] * link / linkBandwidth
            source =
                "All-reduce of \(workers) GPUs as NCCL took on \(device) (microsoft/vidur, MIT), its bandwidth scaled by "
                + "nominal links: \(Int(linkBandwidth / 1e9)) for \(Int(link / 1e9)) GB/s."
            return
        }
        throw .noAllReduce(workers: workers)
    }

    /// Microseconds.
    func time(bytes: Double) -> Double { (latency + secondsPerByte * bytes) * 1e6 }
}
