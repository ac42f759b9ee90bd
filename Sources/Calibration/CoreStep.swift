import EngineModel
import InferenceCore
import Randomness

/// A step to measure: which chunks of prompts and which decoding sequences it holds.
struct CoreStep: Hashable {
    struct Chunk: Hashable {
        var tokens: Int
        /// Tokens of the same prompt that are cached before the chunk.
        var context: Int
    }

    var chunks: [Chunk] = []
    /// The context of each decoding sequence before the step.
    var decodes: [Int] = []

    var features: StepFeatures {
        var features = StepFeatures(
            decodeSequences: Int64(decodes.count), decodeContext: Int64(decodes.reduce(0, +)))
        for chunk in chunks { features.addChunk(tokens: Int64(chunk.tokens), context: Int64(chunk.context)) }
        return features
    }

    /// Rows of the step's matrix products.
    var rows: Int { decodes.count + chunks.reduce(0) { $0 + $1.tokens } }

    /// KV blocks that its sequences hold.
    var blocks: Int {
        let contexts = decodes.map { $0 + 1 } + chunks.map { $0.context + $0.tokens }
        return contexts.reduce(0) { $0 + CoreStep.blocks(for: $1) }
    }

    static func blocks(for tokens: Int) -> Int {
        (tokens + TransformerDecoder.blockSize - 1) / TransformerDecoder.blockSize
    }
}

/// Runs designed steps on a decoder and times them.
///
/// Cached contexts hold whatever earlier steps left there: what a step costs depends on how much it reads, not on what.
struct CoreStepRunner {
    let decoder: TransformerDecoder
    /// Block numbers in random order, as they lie after an hour of serving.
    private let blocks: [Int]
    private let tokens: [Int32]

    init(decoder: TransformerDecoder, streams: RandomStreams) {
        self.decoder = decoder
        let generator = streams.generator("calibration", "blocks")
        blocks = generator.shuffled(Array(0..<decoder.kvBlocks))
        let vocabulary = decoder.weights.configuration.vocabulary
        tokens = (0..<decoder.maxContext).map { _ in Int32(generator.uniform(below: vocabulary)) }
    }

    /// Runs the step, choosing each sequence's next token as a worker does.
    func time(_ step: CoreStep) -> CoreTiming {
        var used = 0
        func entry(context: Int, tokens count: Int) -> StepEntry {
            let needed = CoreStep.blocks(for: context + count)
            defer { used += needed }
            return StepEntry(
                blocks: Array(blocks[used..<(used + needed)]), start: context,
                tokens: tokens[context..<(context + count)])
        }
        let entries =
            step.decodes.map { entry(context: $0, tokens: 1) }
            + step.chunks.map { entry(context: $0.context, tokens: $0.tokens) }
        return CoreTiming.measure {
            decoder.step(entries)
            for row in entries.indices { _ = decoder.greedyToken(ofRow: row) }
        }
    }
}

extension RandomGenerator {
    /// The values in random order.
    ///
    /// - Source: Durstenfeld, "Algorithm 235: Random permutation", CACM 7 (1964).
    func shuffled<T>(_ values: [T]) -> [T] {
        var values = values
        for last in stride(from: values.count - 1, to: 0, by: -1) { values.swapAt(last, uniform(below: last + 1)) }
        return values
    }
}
