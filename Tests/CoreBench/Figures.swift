import CBench
import CKernels
import Foundation
import InferenceCore
import Serving

func seconds(_ body: () -> Void) -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    body()
    return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
}

/// A preset by name, or a file.
func weights(_ model: String) throws -> Weights {
    if let preset = ModelPreset.named(model) { return preset.weights() }
    return try Weights(path: model)
}

/// Prints one figure: what was measured, and the median and least of its times.
func report(_ what: String, _ times: [Double], _ fields: [(String, any CustomStringConvertible)]) {
    let sorted = times.sorted()
    var text = "{\"what\": \"\(what)\""
    for (name, value) in fields { text += ", \"\(name)\": " + (value is String ? "\"\(value)\"" : "\(value)") }
    print(text + ", \"ms\": \(sorted[sorted.count / 2] * 1e3), \"best_ms\": \(sorted[0] * 1e3)}")
}

/// Tokens that look random.
func tokens(_ count: Int, _ vocabulary: Int, seed: Int) -> [Int32] {
    (0..<count).map { Int32(($0 &* 7919 &+ seed &* 104_729 &+ $0 &* $0 &* 31) % vocabulary) }
}

/// Reads 256 MB a thread, far more than the caches, as the weights lie: each thread its own part in order.
func stream(threads: Int) {
    let bytes = 256 << 20
    let parts = (0..<threads).map { _ in ck_allocate(bytes)! }
    // What is read must be used, or it is not read.
    nonisolated(unsafe) var sums = [Float](repeating: 0, count: threads)
    nonisolated(unsafe) let shared = parts
    let times = (0..<9).map { _ in
        seconds {
            sums.withUnsafeMutableBufferPointer { sums in
                nonisolated(unsafe) let sums = sums
                DispatchQueue.concurrentPerform(iterations: threads) { thread in
                    sums[thread] = cbench_sum(
                        shared[thread].assumingMemoryBound(to: Float.self), bytes / MemoryLayout<Float>.stride)
                }
            }
        }
    }
    precondition(sums.allSatisfy { $0 == 0 }, "memory is zeros at first")
    report("stream", times, [("threads", threads), ("gb_per_s", Double(threads * bytes) / times.min()! * 1e-9)])
}

func decode(_ model: String, threads: Int, sequences: Int, context: Int) throws {
    let weights = try weights(model)
    let steps = min(48, max(8, 400 / sequences))
    let perSequence = (context + steps) / 16 + 1
    let decoder = TransformerDecoder(weights: weights, kvBlocks: perSequence * sequences, threads: threads)
    func entries(_ start: Int, _ count: Int) -> [StepEntry] {
        (0..<sequences).map { index in
            StepEntry(
                blocks: Array((index * perSequence)..<((index + 1) * perSequence)), start: start,
                tokens: tokens(count, weights.configuration.vocabulary, seed: index)[...])
        }
    }
    for entry in entries(0, context) { decoder.step([entry]) }
    let times = (0..<steps).map { step in
        let entries = entries(context + step, 1)
        return seconds {
            decoder.step(entries)
            for row in 0..<sequences { _ = decoder.greedyToken(ofRow: row) }
        }
    }
    report(
        "decode", times,
        [
            ("engine", "tidegate"), ("model", model), ("threads", threads), ("batch", sequences),
            ("weight_bytes", weights.streamedBytes), ("weights", weights.multiplied),
        ])
}

func prefill(_ model: String, threads: Int, count: Int) throws {
    let weights = try weights(model)
    let decoder = TransformerDecoder(weights: weights, kvBlocks: count / 16 + 1, threads: threads)
    let prompt = tokens(count, weights.configuration.vocabulary, seed: 1)
    let entry = StepEntry(blocks: Array(0..<(count / 16 + 1)), start: 0, tokens: prompt[...])
    let times = (0..<5).map { _ in seconds { decoder.step([entry]) } }
    let c = weights.configuration
    report(
        "prefill", times,
        [
            ("engine", "tidegate"), ("model", model), ("threads", threads), ("tokens", count),
            // The output matrix is multiplied by the last token alone.
            ("weights", weights.multiplied - c.vocabulary * c.hidden),
        ])
}

/// From submission to the first token of a prompt whose first `count` tokens are cached, and of one that is new.
func prefix(_ model: String, threads: Int, count: Int) throws {
    let weights = try weights(model)
    let context = min(weights.configuration.maxContext, count + 64)
    let blocks = 8 * (context / 16 + 1)
    var worker = CoreWorker(
        decoder: TransformerDecoder(weights: weights, kvBlocks: blocks, threads: threads),
        configuration: BatcherConfiguration(
            maxBatchedTokens: 512, maxSequences: 8, totalBlocks: blocks, maxContext: context, prefixCaching: true))
    func first(prompt: Int, suffix: Int) throws -> Double {
        let vocabulary = weights.configuration.vocabulary
        var request = CoreRequest(
            tokens: tokens(count, vocabulary, seed: prompt) + tokens(32, vocabulary, seed: suffix))
        request.sampling.maxTokens = 1
        _ = try worker.submit(request)
        return seconds { while worker.step() != nil {} }
    }
    let new = try (1...5).map { try first(prompt: $0, suffix: 1000 + $0) }
    let cached = try (1...5).map { try first(prompt: 5, suffix: 2000 + $0) }
    report("ttft", new, [("model", model), ("threads", threads), ("tokens", count + 32), ("cached", 0)])
    report("ttft", cached, [("model", model), ("threads", threads), ("tokens", count + 32), ("cached", count)])
}

/// Allocations of 200 decode steps of four greedy requests, and processor time of half an idle second, of two threads.
func steady() throws {
    let decoder = TransformerDecoder(weights: ModelPreset.tiny.weights(), kvBlocks: 128, threads: 2)
    var worker = CoreWorker(
        decoder: decoder,
        configuration: BatcherConfiguration(
            maxBatchedTokens: 64, maxSequences: 4, totalBlocks: 128, maxContext: 512, prefixCaching: true))
    for index in 0..<4 {
        var request = CoreRequest(tokens: tokens(20 + index, 288, seed: index))
        // Greedy, and what the others need memory for: a top-k, a top-p, and penalties.
        request.sampling =
            [
                .greedy, SamplingParameters(temperature: 1, topK: 20), SamplingParameters(temperature: 0.8, topP: 0.9),
                SamplingParameters(temperature: 1.2, penalty: 1.1),
            ][index]
        request.sampling.maxTokens = 300
        _ = try worker.submit(request)
    }
    var produced = 0
    for _ in 0..<40 { produced += worker.step()?.produced.count ?? 0 }
    let (before, live) = (cbench_allocations(), cbench_live_allocations())
    for _ in 0..<200 { produced += worker.step()?.produced.count ?? 0 }
    let (allocations, kept) = (cbench_allocations() - before, cbench_live_allocations() - live)
    let isCounting = cbench_counts_allocations() == 1
    #if DEBUG
        let isOptimised = false
    #else
        let isOptimised = true
    #endif
    let burnt = processorTime()
    Thread.sleep(forTimeInterval: 0.5)
    print(
        "{\"what\": \"steady\", \"steps\": 200, \"tokens\": \(produced), \"counted\": \(isCounting), "
            + "\"optimised\": \(isOptimised), \"allocations\": \(allocations), \"kept\": \(kept), "
            + "\"idle_ms\": \((processorTime() - burnt) * 1e3)}")
}

/// Seconds of processor time that this process has used, all threads together.
func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

extension SamplingParameters {
    fileprivate init(temperature: Double, topK: Int = 0, topP: Double = 1, penalty: Double = 1) {
        self.init()
        (self.temperature, self.topK, self.topP) = (temperature, topK, topP)
        (repetitionPenalty, presencePenalty) = (penalty, penalty - 1)
    }
}
