import Randomness
import Serving
import Testing

@testable import InferenceCore

@Suite("The core's prefix cache")
struct CorePrefixCacheTests {
    /// Traffic that shares beginnings: each prompt is an earlier sequence, cut somewhere, with something new behind it.
    struct Traffic {
        let generator: RandomGenerator
        var texts: [[Int32]] = [[]]

        mutating func request(_ index: Int) -> CoreRequest {
            let text = texts[generator.uniform(below: texts.count)]
            let kept = min(generator.uniform(below: 120), text.count)
            let prompt =
                text.prefix(kept)
                + (0..<(1 + generator.uniform(below: 30))).map { _ in
                    Int32(generator.uniform(below: 97))
                }
            var request = CoreRequest(tokens: Array(prompt), maxTokens: 1 + generator.uniform(below: 40)) {
                $0.temperature = index % 3 == 0 ? 0 : 0.8
                $0.seed = UInt64(index)
            }
            request.priority = index % 2
            request.cacheSalt = UInt64(index % 5 / 4)
            return request
        }
    }

    @Test("Tokens are the same bits with the cache and without, through evictions, preemptions and cancelled requests")
    func same() throws {
        var (hits, preemptions) = (0, 0)
        for seed in 0..<6 as Range<UInt64> {
            let generator = RandomStreams(seed: seed).generator("prefix")
            var limits = CoreWorkerTests.tight
            limits.prefixCaching = true
            limits.maxBatchedTokens = 12 + generator.uniform(below: 60)
            var cached = CoreWorkerTests.worker(limits)
            var plain = CoreWorkerTests.worker()
            var traffic = Traffic(generator: generator)
            var running: [CoreWorker.RequestID: (expected: [Int32], tokens: [Int32])] = [:]
            for index in 0..<50 {
                let request = traffic.request(index)
                let reference = try plain.submit(request)
                let expected = plain.run().tokens[reference] ?? []
                running[try cached.submit(request)] = (expected, [])
                traffic.texts.append(request.tokens + expected)
                for _ in 0..<generator.uniform(below: 12) {
                    guard let report = cached.step() else { break }
                    preemptions += report.preempted.count
                    for produced in report.produced { running[produced.request]!.tokens.append(produced.token) }
                    for finished in report.finished {
                        let request = running.removeValue(forKey: finished.request)!
                        try #require(request.tokens == request.expected, "seed \(seed)")
                    }
                }
                if generator.uniform(below: 10) == 0, let victim = running.keys.min() {
                    let wasThere = cached.cancel(victim)
                    #expect(wasThere)
                    running[victim] = nil
                }
            }
            for (id, tokens) in cached.run().tokens {
                try #require(running[id]!.tokens + tokens == running[id]!.expected, "seed \(seed)")
            }
            #expect(cached.batcher.freeBlocks == 14 && cached.isIdle, "seed \(seed)")
            hits += Int(cached.prefixCache!.hits)
        }
        #expect(hits > 500 && preemptions > 10, "\(hits) tokens found, \(preemptions) preemptions")
    }

    @Test("A prefix of 2,000 tokens is computed once; only what follows it is computed again")
    func longPrefix() throws {
        let decoder = TransformerDecoder(
            weights: .random(
                ModelConfiguration(
                    layers: 1, hidden: 32, heads: 2, keyValueHeads: 1, headDimension: 16, feedForward: 32,
                    vocabulary: 64, maxContext: 4096), seed: 2), kvBlocks: 300)
        var worker = CoreWorker(
            decoder: decoder,
            configuration: BatcherConfiguration(
                maxBatchedTokens: 512, maxSequences: 8, totalBlocks: 300, maxContext: 4096, prefixCaching: true))
        let prefix = (0..<2000).map { Int32($0 * 7 % 64) }
        /// Tokens computed before the first one of the answer.
        func computed(_ suffix: [Int32], salt: UInt64 = 0) throws -> Int64 {
            var request = CoreRequest(tokens: prefix + suffix, maxTokens: 1)
            request.cacheSalt = salt
            _ = try worker.submit(request)
            var tokens: Int64 = 0
            while let report = worker.step() { tokens += report.features.prefillTokens }
            return tokens
        }
        let (five, other): ([Int32], [Int32]) = ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])
        let longer = other + (0..<11).map { Int32($0) }
        let counts = [
            try computed(five), try computed(other),
            // The same prompt, and one whose next block is full.
            try computed(other), try computed(longer),
            // Another tenant finds nothing of it.
            try computed(other, salt: 1),
        ]
        #expect(counts == [2005, 5, 5, 16, 2005])
        #expect(worker.prefixCache?.hits == 6000)
    }

    @Test("A name depends on every token before it and on the salt")
    func names() {
        func names(_ tokens: [Int32], salt: UInt64 = 0) -> [BlockName] {
            var names = BlockNames(salt: salt)
            var all: [BlockName] = []
            while let name = names.next(of: tokens) { all.append(name) }
            return all
        }
        let text = (0..<40).map { Int32($0) }
        var seen = Set(names(text))
        #expect(seen.count == 2)
        for position in 0..<32 {
            var other = text
            other[position] += 1
            let changed = names(other)
            #expect((changed[0] == names(text)[0]) == (position >= 16))
            seen.formUnion(changed)
        }
        seen.formUnion(names(text, salt: 1))
        // 16 changes in the first block change both names, 16 in the second one name.
        #expect(seen.count == 2 + 16 * 2 + 16 + 2)
        #expect(names(Array(text.prefix(35))) == names(text))
    }
}
