import Randomness

/// The steps that a calibration measures: a grid to fit, and steps off the grid to test the fit on.
///
/// Fitted steps have equal contexts on round values. Held-out steps are of two kinds, neither ever fitted: whole
/// combinations of chunk, batch and context drawn between the grid's values, and mixed batches of unequal contexts,
/// some with two chunks.
struct CoreDesign {
    /// What the core can hold, and how large the steps may be.
    struct Limits {
        var maxContext: Int
        var kvBlocks: Int
        var maxSequences: Int
        /// The longest chunk.
        var maxChunk: Int
    }

    private(set) var fitted: [CoreStep] = []
    private(set) var heldOut: [CoreStep] = []

    init(limits: Limits, streams: RandomStreams) {
        let generator = streams.generator("calibration", "design")
        let batches = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].filter { $0 <= limits.maxSequences }
        let contexts = [16, 64, 128, 256, 512, 1024].filter { $0 < limits.maxContext }
        let chunks = [8, 16, 32, 64, 128, 256, 512].filter { $0 <= limits.maxChunk }
        let behind = [0, 128, 512, 1024].filter { $0 + limits.maxChunk <= limits.maxContext }

        for batch in batches {
            for context in contexts { fit(CoreStep(decodes: Array(repeating: context, count: batch)), limits) }
        }
        // A Latin design: each chunk length meets every level of the other factors once, in random company.
        for chunk in chunks {
            let mates = generator.shuffled([0, 0] + batches)
            let ages = generator.shuffled(contexts)
            let prefixes = generator.shuffled(behind)
            for (index, batch) in mates.enumerated() where index % 2 == 0 || chunk >= 64 {
                fit(
                    CoreStep(
                        chunks: [.init(tokens: chunk, context: prefixes[index % prefixes.count])],
                        decodes: Array(repeating: ages[index % ages.count], count: batch)), limits)
            }
        }

        let draws = generator
        func between(_ low: Int, _ high: Int) -> Int { low + draws.uniform(below: max(1, high - low + 1)) }
        /// Spread evenly over orders of magnitude, by halving the range a random number of times.
        func scaled(_ low: Int, _ high: Int) -> Int {
            let top = max(low, high >> draws.uniform(below: 5))
            return between(max(low, top / 2), top)
        }
        let oldest = contexts.last ?? 1
        for index in 0..<48 {
            var step = CoreStep()
            let batch = between(1, limits.maxSequences)
            let unequal = index % 4 >= 2
            let age = scaled(16, oldest)
            step.decodes = (0..<batch).map { _ in unequal ? scaled(1, oldest) : age }
            if index % 2 == 1 {
                let count = unequal ? between(1, 2) : 1
                step.chunks = (0..<count).map { _ in
                    .init(tokens: scaled(8, limits.maxChunk / count), context: between(0, behind.last ?? 0))
                }
            }
            hold(step, limits)
        }
    }

    private mutating func fit(_ step: CoreStep, _ limits: Limits) {
        guard step.blocks <= limits.kvBlocks, !fitted.contains(step) else { return }
        fitted.append(step)
    }

    /// Sequences are dropped until the step fits, so that a small cache still gets its share of steps.
    private mutating func hold(_ step: CoreStep, _ limits: Limits) {
        var step = step
        while step.blocks > limits.kvBlocks, !step.decodes.isEmpty { step.decodes.removeLast() }
        guard step.rows > 0, step.blocks <= limits.kvBlocks, !fitted.contains(step), !heldOut.contains(step) else {
            return
        }
        heldOut.append(step)
    }
}
