import CKernels
import Randomness

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Chooses the tokens of one request.
///
///     var sampler = Sampler(parameters, prompt: ids)
///     let choice = try sampler.next(logits)              // choice.token
///
/// Token `n` of a request is decided by its logits, the tokens before it and draw `n` of the request's own stream: not by
/// its neighbours in a batch, and not by having been preempted.
public struct Sampler: Sendable {
    /// A token with the logarithm of its probability, before bias, penalties and temperature.
    public struct Probability: Hashable, Sendable {
        public var token: Int32
        public var logprob: Double
    }

    public struct Choice: Hashable, Sendable {
        public var token: Int32
        /// Where probabilities were asked for.
        public var logprob: Double?
        /// The most likely tokens, in order.
        public var top: [Probability] = []
    }

    public let parameters: SamplingParameters
    /// Tokens chosen so far.
    public private(set) var count = 0
    private let draws: CounterStream
    private var prompt: Set<Int32> = []
    /// How often each token was generated, where a penalty asks.
    private var output: [Int32: Int] = [:]
    private let looksBack: Bool
    /// Whether the largest logit decides, and nothing else is told.
    private let isPlain: Bool

    /// - Parameter output: What was generated already, when a request goes on.
    /// - Precondition: the parameters have no problem.
    public init(_ parameters: SamplingParameters, prompt: some Sequence<Int32>, output: [Int32] = []) {
        precondition(parameters.problem == nil, "\(parameters.problem!)")
        self.parameters = parameters
        draws = CounterStream(seed: parameters.seed, names: "sampling")
        if parameters.repetitionPenalty != 1 { self.prompt = Set(prompt) }
        looksBack =
            parameters.repetitionPenalty != 1 || parameters.presencePenalty != 0 || parameters.frequencyPenalty != 0
        // Room for a usual answer, so that no step has to find it.
        if looksBack { self.output.reserveCapacity(min(parameters.maxTokens, 4096)) }
        isPlain =
            parameters.temperature == 0 && !looksBack && parameters.logitBias.isEmpty && parameters.logprobs == nil
        for token in output { note(token) }
    }

    private mutating func note(_ token: Int32) {
        if looksBack { output[token, default: 0] += 1 }
        count += 1
    }

    /// Chooses the next token.
    ///
    /// - Parameter logits: One for each token; minus infinity rules a token out.
    /// - Complexity: O(vocabulary) expected: nothing is sorted but the tokens that are told in `top`.
    public mutating func next(_ logits: [Float]) throws(SamplingError) -> Choice {
        var scratch = SamplingScratch()
        return try logits.withUnsafeBufferPointer { (logits) throws(SamplingError) in
            try next(logits, using: &scratch)
        }
    }

    /// The same for logits where they are. Takes no memory but for probabilities that are told, once the scratch has the
    /// size of the vocabulary.
    mutating func next(
        _ logits: UnsafeBufferPointer<Float>, using scratch: inout SamplingScratch
    ) throws(SamplingError) -> Choice {
        let unusable = ck_first_unusable(logits.baseAddress, logits.count)
        guard unusable == logits.count else { throw .notFinite(token: Int32(unusable)) }
        if isPlain, let first = logits.first {
            let best = ck_argmax(logits.baseAddress, logits.count)
            guard max(first, logits[best]) > -.infinity else { throw .nothingLeft }
            note(Int32(best))
            return Choice(token: Int32(best))
        }
        scratch.resize(to: logits.count)
        let scores = scratch.scores
        for index in logits.indices { scores[index] = Double(logits[index]) }
        try adjust(scores)
        guard let best = Self.greatest(scores), scores[best] > -.infinity else { throw .nothingLeft }
        let token = parameters.temperature == 0 ? best : draw(scores, scratch.candidates, best: best)
        var choice = Choice(token: Int32(token))
        if let wanted = parameters.logprobs { tell(&choice, wanted, logits) }
        note(choice.token)
        return choice
    }

    private func adjust(_ scores: UnsafeMutableBufferPointer<Double>) throws(SamplingError) {
        // Each entry is changed by itself, so the order of a dictionary cannot be seen.
        var unknown: Int32?
        for (token, bias) in parameters.logitBias {
            guard token >= 0, Int(token) < scores.count else {
                unknown = min(unknown ?? token, token)
                continue
            }
            scores[Int(token)] += bias
        }
        if let unknown { throw .unknownToken(unknown) }
        if parameters.repetitionPenalty != 1 {
            for token in prompt { penalise(token, in: scores) }
            for token in output.keys where !prompt.contains(token) { penalise(token, in: scores) }
        }
        if parameters.presencePenalty != 0 || parameters.frequencyPenalty != 0 {
            for (token, times) in output where token >= 0 && Int(token) < scores.count {
                scores[Int(token)] -= parameters.presencePenalty + parameters.frequencyPenalty * Double(times)
            }
        }
    }

    private func penalise(_ token: Int32, in scores: UnsafeMutableBufferPointer<Double>) {
        guard token >= 0, Int(token) < scores.count else { return }
        let score = scores[Int(token)]
        scores[Int(token)] = score > 0 ? score / parameters.repetitionPenalty : score * parameters.repetitionPenalty
    }

    private static func greatest(_ scores: UnsafeMutableBufferPointer<Double>) -> Int? {
        guard var best = scores.indices.first else { return nil }
        for index in scores.indices where scores[index] > scores[best] { best = index }
        return best
    }

    /// Turns scores into weights relative to the best one, rules out what min-p, top-k and top-p do, and draws.
    private func draw(
        _ scores: UnsafeMutableBufferPointer<Double>, _ candidates: UnsafeMutableBufferPointer<Int32>, best: Int
    ) -> Int {
        let highest = scores[best]
        for index in scores.indices {
            let weight = exp((scores[index] - highest) / parameters.temperature)
            scores[index] = weight >= parameters.minP ? weight : 0
        }
        // A temperature so low that a quotient is no number must not lose the best.
        scores[best] = 1
        if parameters.topK > 0, parameters.topK < scores.count {
            Selection.keep(scores, candidates) { _, count in count >= parameters.topK }
        }
        if parameters.topP < 1 {
            let target = parameters.topP * scores.reduce(0, +)
            Selection.keep(scores, candidates) { mass, _ in mass >= target }
        }
        let total = scores.reduce(0, +)
        let point = draws.uniform(at: UInt64(count)) * total
        var sum = 0.0
        var last = best
        for index in scores.indices where scores[index] > 0 {
            sum += scores[index]
            last = index
            if point < sum { break }
        }
        return last
    }

    private func tell(_ choice: inout Choice, _ wanted: Int, _ logits: UnsafeBufferPointer<Float>) {
        guard let highest = logits.max() else { return }
        let logSum = log(logits.reduce(0.0) { $0 + exp(Double($1 - highest)) })
        func logprob(_ token: Int) -> Double { Double(logits[token] - highest) - logSum }
        choice.logprob = logprob(Int(choice.token))
        // At most 20: a short ordered list beats a sort of the vocabulary.
        var top: [Int] = []
        for token in logits.indices {
            if top.count == wanted {
                guard let last = top.last, logits[token] > logits[last] else { continue }
                top.removeLast()
            }
            let place = top.firstIndex { logits[$0] < logits[token] } ?? top.count
            top.insert(token, at: place)
        }
        choice.top = top.map { Probability(token: Int32($0), logprob: logprob($0)) }
    }
}
