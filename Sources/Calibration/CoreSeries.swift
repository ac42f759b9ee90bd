import EngineModel
import Statistics

/// The repeats of every designed step, and what is made of them.
struct CoreSeries {
    /// Medians over the repeats.
    let fitted: [StepSample]
    let heldOut: [StepSample]
    /// Every repeat that counts, of all steps.
    let singles: [StepSample]
    /// Repeats of each step.
    let passes: Int
    /// Repeats in all, and those left out because the thread had lost its processor.
    let measured: Int
    let dropped: Int
    /// The share of the measuring time in which the thread had a processor.
    let processorShare: Double
    /// Whether times are those of the thread's processor, because wall time would measure the machine's other work.
    let byProcessor: Bool

    /// - Parameters:
    ///   - timings: Of each step, at least one.
    ///   - fittedCount: The first steps, which are fitted; the others are held out.
    init(steps: [CoreStep], timings: [[CoreTiming]], fittedCount: Int, byProcessor: Bool) {
        let repeats = timings.map { runs in
            guard !byProcessor else { return runs.map(\.processor).sorted() }
            // Interrupts take a per cent or two; a time slice lost to another process takes far more.
            let undisturbed = runs.filter { $0.share >= 0.95 }
            return (undisturbed.count >= 3 ? undisturbed : runs).map(\.wall).sorted()
        }
        let medians = zip(steps, repeats).map { StepSample(features: $0.features, seconds: quantile(of: $1, 0.5)!) }
        fitted = Array(medians.prefix(fittedCount))
        heldOut = Array(medians.dropFirst(fittedCount))
        singles = zip(steps, repeats).flatMap { step, seconds in
            seconds.map { StepSample(features: step.features, seconds: $0) }
        }
        passes = timings.first?.count ?? 0
        measured = timings.reduce(0) { $0 + $1.count }
        dropped = measured - singles.count
        let wall = timings.joined().reduce(0) { $0 + $1.wall }
        processorShare = wall > 0 ? timings.joined().reduce(0) { $0 + $1.processor } / wall : 1
        self.byProcessor = byProcessor
    }
}
