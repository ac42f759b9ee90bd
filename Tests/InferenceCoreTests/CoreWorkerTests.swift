import Randomness
import Serving
import Testing

@testable import InferenceCore

extension CoreWorker {
    /// Runs until nothing is left to run.
    ///
    /// - Returns: The tokens of each request, how each ended, and how often one lost its blocks.
    mutating func run() -> (tokens: [RequestID: [Int32]], ends: [RequestID: CoreStepReport.End], preemptions: Int) {
        var tokens: [RequestID: [Int32]] = [:]
        var ends: [RequestID: CoreStepReport.End] = [:]
        var preemptions = 0
        while let report = step() {
            for produced in report.produced { tokens[produced.request, default: []].append(produced.token) }
            for finished in report.finished { ends[finished.request] = finished.end }
            preemptions += report.preempted.count
        }
        return (tokens, ends, preemptions)
    }
}

extension CoreRequest {
    init(tokens: [Int32], maxTokens: Int, _ set: (inout SamplingParameters) -> Void = { _ in }) {
        var sampling = SamplingParameters.greedy
        sampling.maxTokens = maxTokens
        set(&sampling)
        self.init(tokens: tokens, sampling: sampling)
    }
}

@Suite("A worker of the core")
struct CoreWorkerTests {
    static let tight = BatcherConfiguration(maxBatchedTokens: 24, maxSequences: 6, totalBlocks: 14, maxContext: 200)

    static func worker(_ configuration: BatcherConfiguration = tight) -> CoreWorker {
        CoreWorker(
            decoder: TransformerDecoder(
                weights: BatchIndependenceTests.weights, kvBlocks: configuration.totalBlocks),
            configuration: configuration)
    }

    /// A request that is drawn, with every parameter that looks at earlier tokens.
    static func request(_ index: Int, maxTokens: Int = 30) -> CoreRequest {
        CoreRequest(
            tokens: BatchIndependenceTests.prompt(index, length: 9 + 6 * index), maxTokens: maxTokens
        ) {
            $0.temperature = 0.9
            $0.seed = UInt64(index)
            $0.topP = 0.95
            $0.repetitionPenalty = 1.1
            $0.frequencyPenalty = 0.2
        }
    }

    @Test("Drawn tokens are the ones a request draws alone, through preemptions and chunks")
    func sampling() throws {
        var worker = Self.worker()
        let requests = (0..<9).map { Self.request($0) }
        let ids = try requests.map { try worker.submit($0) }
        let busy = worker.run()
        #expect(busy.preemptions > 0)
        var seen: Set<[Int32]> = []
        for (request, id) in zip(requests, ids) {
            var single = Self.worker()
            let reference = try single.submit(request)
            let tokens = single.run().tokens[reference]
            #expect(busy.tokens[id] == tokens && tokens?.count == 30)
            seen.insert(tokens ?? [])
        }
        #expect(seen.count == 9)
    }

    @Test("A stop token ends a request and is its last token; without one its length does")
    func ends() throws {
        var worker = Self.worker()
        let plain = try worker.submit(Self.request(2))
        let whole = try #require(worker.run().tokens[plain])
        // The first token that was not there before.
        let place = try #require((3..<30).first { !whole[..<$0].contains(whole[$0]) })
        var request = Self.request(2)
        request.sampling.stopTokens = [whole[place]]
        let id = try worker.submit(request)
        let stopped = worker.run()
        #expect(stopped.tokens[id] == Array(whole[...place]))
        #expect(stopped.ends[id] == .stop)
        #expect(worker.isIdle && worker.batcher.freeBlocks == 14)
    }

    @Test("A request is cancelled in any state, its blocks are free at once, and the others do not notice")
    func cancel() throws {
        for seed in 0..<20 as Range<UInt64> {
            let generator = RandomStreams(seed: seed).generator("cancel")
            var worker = Self.worker()
            let requests = (0..<9).map { Self.request($0) }
            var ids: [CoreWorker.RequestID: Int] = [:]
            for (index, request) in requests.enumerated() { ids[try worker.submit(request)] = index }
            var alive = Set(ids.keys)
            var tokens: [CoreWorker.RequestID: [Int32]] = [:]
            while let report = worker.step() {
                for produced in report.produced { tokens[produced.request, default: []].append(produced.token) }
                for finished in report.finished { alive.remove(finished.request) }
                guard generator.uniform(below: 6) == 0, !alive.isEmpty else { continue }
                let victim = alive.sorted()[generator.uniform(below: alive.count)]
                let slot = try #require(worker.slots[victim])
                let (free, held) = (worker.batcher.freeBlocks, worker.batcher.blocks(of: slot).count)
                #expect(worker.cancel(victim) && !worker.cancel(victim), "seed \(seed)")
                #expect(worker.batcher.freeBlocks == free + held, "seed \(seed)")
                alive.remove(victim)
                ids[victim] = nil
            }
            #expect(worker.isIdle && worker.runningCount == 0 && worker.waitingCount == 0, "seed \(seed)")
            #expect(worker.batcher.freeBlocks == 14, "seed \(seed)")
            for (id, index) in ids {
                #expect(tokens[id] == Self.alone[index], "seed \(seed), request \(index)")
                #expect(worker.output(of: id) == nil && !worker.finish(id))
            }
        }
    }

    static let alone: [[Int32]] = (0..<9).map { index in
        var single = worker()
        guard let id = try? single.submit(request(index)) else { return [] }
        return single.run().tokens[id] ?? []
    }

    @Test("What can never run is refused with its reason, and what was taken goes on")
    func refusals() throws {
        var worker = Self.worker()
        func reason(_ request: CoreRequest) -> CoreRequestError? {
            do throws(CoreRequestError) { _ = try worker.submit(request) } catch { return error }
            return nil
        }
        #expect(reason(CoreRequest(tokens: [])) == .emptyPrompt)
        #expect(reason(CoreRequest(tokens: [1, 2, 97])) == .unknownToken(97, position: 2))
        #expect(reason(CoreRequest(tokens: [-1])) == .unknownToken(-1, position: 0))
        let long = [Int32](repeating: 1, count: 200)
        #expect(
            reason(CoreRequest(tokens: long))
                == .contextExceeded(promptTokens: 200, maxTokens: 16, maxContext: 200))
        #expect(
            reason(CoreRequest(tokens: [1], maxTokens: .max))
                == .contextExceeded(promptTokens: 1, maxTokens: .max, maxContext: 200))
        #expect(
            reason(CoreRequest(tokens: [1], maxTokens: 5) { $0.topP = 0 })
                == .sampling(field: "top_p", problem: "is 0.0, not above 0 and at most 1"))
        #expect(
            reason(CoreRequest(tokens: [1], maxTokens: 5) { $0.logitBias = [97: 1] })
                == .sampling(field: "logit_bias", problem: "names token 97, which is not in the vocabulary"))
        #expect(worker.isIdle)
        #expect(reason(CoreRequest(tokens: [1], maxTokens: 199)) == nil)
        #expect(worker.run().ends == [0: .length])
    }

    @Test("A model whose numbers are broken ends the request with the reason, and the worker goes on")
    func broken() throws {
        let weights = try Weights(configuration: BatchIndependenceTests.configuration) { name, shape in
            var floats = [Float](repeating: 0.5, count: shape.reduce(1, *))
            // One weight of output 5.
            if name == "lm_head.weight" { floats[5 * 48 + 7] = .nan }
            return StoredTensor(floats)
        }
        var worker = CoreWorker(
            decoder: TransformerDecoder(weights: weights, kvBlocks: 14), configuration: Self.tight)
        let id = try worker.submit(CoreRequest(tokens: [1, 2, 3]))
        #expect(worker.run().ends == [id: .failed(.notFinite(token: 5))])
        #expect(worker.isIdle && worker.batcher.freeBlocks == 14)
    }
}
