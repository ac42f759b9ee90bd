import Foundation
import Randomness
import Testing

@testable import InferenceCore

@Suite("Sampling")
struct SamplerTests {
    static let logits: [Float] = [1.5, 0, -0.5, 2.25, 1.5, -3, 0.75, -.infinity]

    func parameters(_ set: (inout SamplingParameters) -> Void) -> SamplingParameters {
        var parameters = SamplingParameters()
        set(&parameters)
        return parameters
    }

    /// Probabilities by sorting everything, as the definitions have it.
    func exact(_ logits: [Float], _ parameters: SamplingParameters) -> [Double] {
        var weights = logits.map { exp(Double($0) / parameters.temperature) }
        let most = weights.max()!
        weights = weights.map { $0 >= parameters.minP * most ? $0 : 0 }
        let order = weights.indices.sorted { (weights[$0], $1) > (weights[$1], $0) }
        if parameters.topK > 0 { for index in order.dropFirst(parameters.topK) { weights[index] = 0 } }
        let total = weights.reduce(0, +)
        var mass = 0.0
        for index in order {
            if mass >= parameters.topP * total { weights[index] = 0 }
            mass += weights[index]
        }
        let kept = weights.reduce(0, +)
        return weights.map { $0 / kept }
    }

    @Test(
        "20,000 draws are distributed as the definitions have it",
        arguments: [
            (1, 0, 1, 0), (0.7, 0, 1, 0), (1.8, 3, 1, 0), (1, 0, 0.8, 0), (1, 0, 0.35, 0), (1, 5, 0.9, 0),
            (1, 0, 1, 0.3),
            (2, 4, 0.95, 0.2),
        ] as [(Double, Int, Double, Double)])
    func distribution(temperature: Double, topK: Int, topP: Double, minP: Double) throws {
        let parameters = parameters {
            ($0.temperature, $0.topK, $0.topP, $0.minP, $0.seed) = (temperature, topK, topP, minP, 7)
        }
        var sampler = Sampler(parameters, prompt: [])
        var counts = [Int](repeating: 0, count: Self.logits.count)
        for _ in 0..<20_000 { counts[Int(try sampler.next(Self.logits).token)] += 1 }
        for (token, probability) in exact(Self.logits, parameters).enumerated() {
            // Five deviations: one in a million for each of some sixty.
            let bound = 5 * (20_000 * probability * (1 - probability)).squareRoot()
            #expect(abs(Double(counts[token]) - 20_000 * probability) <= bound, "token \(token), seed 7: \(counts)")
            if probability == 0 { #expect(counts[token] == 0) }
        }
    }

    private func keep(_ weights: [Double], until isEnough: (Double, Int) -> Bool) -> [Double] {
        var kept = weights
        var candidates = [Int32](repeating: -1, count: weights.count)
        kept.withUnsafeMutableBufferPointer { kept in
            candidates.withUnsafeMutableBufferPointer { Selection.keep(kept, $0, until: isEnough) }
        }
        return kept
    }

    @Test("What is kept is what sorting keeps, ties and all")
    func selection() {
        for seed in 0..<500 {
            var source = RandomTexts(seed: UInt64(seed))
            let weights = (0..<source.number(1..<60)).map { _ in Double(source.number(0..<8)) / 7 }
            let order = weights.indices.filter { weights[$0] > 0 }.sorted { (weights[$0], $1) > (weights[$1], $0) }
            let wanted = source.number(1..<(weights.count + 3))
            var kept = keep(weights) { _, count in count >= wanted }
            #expect(Set(kept.indices.filter { kept[$0] > 0 }) == Set(order.prefix(wanted)), "seed \(seed)")

            let target = Double(source.number(0..<100)) / 100 * weights.reduce(0, +) - 1e-9
            kept = keep(weights) { mass, _ in mass >= target }
            var mass = 0.0
            let needed = order.prefix { index in
                defer { mass += weights[index] }
                return mass < target || mass == 0
            }
            #expect(Set(kept.indices.filter { kept[$0] > 0 }) == Set(needed), "seed \(seed)")
        }
    }

    @Test("A token is the one that sorting and the request's own draw give, with room used by other requests before")
    func sameTokens() throws {
        var scratch = SamplingScratch()
        for seed in 0..<60 as Range<UInt64> {
            var source = RandomTexts(seed: seed)
            let parameters = parameters {
                $0.temperature = Double(source.number(1..<21)) / 10
                $0.topK = source.number(0..<3) * source.number(0..<40)
                $0.topP = Double(source.number(1..<11)) / 10
                $0.minP = Double(source.number(0..<3)) / 20
                $0.seed = seed
            }
            var sampler = Sampler(parameters, prompt: [])
            let draws = CounterStream(seed: seed, names: "sampling")
            let count = source.number(1..<400)
            for step in 0..<20 as Range<UInt64> {
                // Quarters, so that many are equal.
                let logits = (0..<count).map { _ in Float(source.number(0..<40)) / 4 }
                let shares = exact(logits, parameters)
                let point = draws.uniform(at: step)
                var sum = 0.0
                let wanted = shares.indices.first { index in
                    sum += shares[index]
                    return shares[index] > 0 && point < sum
                }
                let token = try logits.withUnsafeBufferPointer { try sampler.next($0, using: &scratch).token }
                // Where the draw falls on a boundary by rounding, either of the two is right.
                #expect(Int(token) == wanted || abs(point - sum) < 1e-12, "seed \(seed), step \(step)")
            }
        }
    }

    @Test("A seed gives its tokens again, whatever was before, and another gives others")
    func seeds() throws {
        func tokens(_ seed: UInt64, resumeAt: Int? = nil) throws -> [Int32] {
            let parameters = parameters { $0.seed = seed }
            var sampler = Sampler(parameters, prompt: [])
            var tokens: [Int32] = []
            for index in 0..<100 {
                if index == resumeAt { sampler = Sampler(parameters, prompt: [], output: tokens) }
                tokens.append(try sampler.next(Self.logits).token)
            }
            return tokens
        }
        #expect(try tokens(1) == tokens(1))
        #expect(try tokens(1, resumeAt: 37) == tokens(1))
        #expect(try tokens(1) != tokens(2))
    }

    @Test("Token n does not depend on how many draws its neighbours made")
    func interleaved() throws {
        var a = Sampler(parameters { $0.seed = 1 }, prompt: [])
        var b = Sampler(parameters { $0.seed = 2 }, prompt: [])
        let alone = try (0..<50).map { _ in try a.next(Self.logits).token }
        a = Sampler(parameters { $0.seed = 1 }, prompt: [])
        let together = try (0..<50).map { index in
            for _ in 0..<(index % 3) { _ = try b.next(Self.logits) }
            return try a.next(Self.logits).token
        }
        #expect(alone == together)
    }

    @Test("Temperature 0 and a top-k of 1 take the first of the most likely")
    func greedy() throws {
        for parameters in [
            parameters { $0.temperature = 0 }, parameters { $0.topK = 1 }, parameters { $0.topP = 1e-9 },
        ] {
            var sampler = Sampler(parameters, prompt: [])
            #expect(try sampler.next([0, 3, 3, 1]).token == 1)
        }
        var cold = Sampler(parameters { $0.temperature = 1e-300 }, prompt: [])
        #expect(try cold.next([-1, 3, 2.999]).token == 1)
    }

    @Test("Penalties and bias change the logits as they say")
    func penalties() throws {
        func second(_ logits: [Float], prompt: [Int32] = [], _ set: (inout SamplingParameters) -> Void) throws
            -> [Int32]
        {
            var sampler = Sampler(
                parameters {
                    $0.temperature = 0
                    set(&$0)
                }, prompt: prompt)
            return try (0..<4).map { _ in try sampler.next(logits).token }
        }
        #expect(try second([2, 1.5, 0]) { $0.presencePenalty = 1 } == [0, 1, 0, 0])
        #expect(try second([2, 1.5, 0]) { $0.frequencyPenalty = 1 } == [0, 1, 0, 1])
        #expect(try second([2, 1.5, 0]) { $0.repetitionPenalty = 2 } == [0, 1, 0, 0])
        #expect(try second([2, 1.5, 0], prompt: [0]) { $0.repetitionPenalty = 2 } == [1, 0, 0, 0])
        #expect(try second([-1, -1.5, -9]) { $0.repetitionPenalty = 2 } == [0, 1, 0, 0])
        #expect(try second([2, 1.5, 0]) { $0.logitBias = [2: 3] } == [2, 2, 2, 2])
    }

    @Test("Probabilities are those of the raw logits, in order")
    func logprobs() throws {
        var sampler = Sampler(
            parameters {
                ($0.logprobs, $0.temperature, $0.logitBias) = (3, 0, [5: 50])
            }, prompt: [])
        let choice = try sampler.next(Self.logits)
        let probabilities = exact(Self.logits, SamplingParameters())
        #expect(choice.token == 5)
        #expect(abs(choice.logprob! - log(probabilities[5])) < 1e-6)
        #expect(choice.top.map(\.token) == [3, 0, 4])
        for entry in choice.top { #expect(abs(entry.logprob - log(probabilities[Int(entry.token)])) < 1e-6) }
    }

    @Test("Broken logits are an error that names the token")
    func broken() {
        func error(_ logits: [Float], _ set: (inout SamplingParameters) -> Void = { _ in }) -> SamplingError? {
            var sampler = Sampler(parameters(set), prompt: [])
            do throws(SamplingError) { _ = try sampler.next(logits) } catch { return error }
            return nil
        }
        #expect(error([0, .nan]) == .notFinite(token: 1))
        #expect(error([.infinity, 0]) == .notFinite(token: 0))
        #expect(error([-.infinity, -.infinity]) == .nothingLeft)
        #expect(error([]) == .nothingLeft)
        #expect(error([0, 1]) { $0.logitBias = [2: 1, 9: 1] } == .unknownToken(2))
        #expect(error([0, -.infinity]) == nil)
    }

    @Test("Parameters out of range are named")
    func ranges() {
        let wrong: [(String, (inout SamplingParameters) -> Void)] = [
            ("temperature", { $0.temperature = -1 }), ("temperature", { $0.temperature = 2.01 }),
            ("temperature", { $0.temperature = .nan }),
            ("top_k", { $0.topK = -1 }),
            ("top_p", { $0.topP = 0 }), ("top_p", { $0.topP = 1.1 }), ("min_p", { $0.minP = -0.1 }),
            ("repetition_penalty", { $0.repetitionPenalty = 0 }), ("presence_penalty", { $0.presencePenalty = 3 }),
            ("frequency_penalty", { $0.frequencyPenalty = .infinity }), ("logit_bias", { $0.logitBias = [1: 101] }),
            ("logprobs", { $0.logprobs = 21 }), ("stop", { $0.stopStrings = [""] }),
            ("stop", { $0.stopStrings = ["a", "b", "c", "d", "e"] }),
            ("max_tokens", { $0.maxTokens = 0 }),
        ]
        #expect(SamplingParameters().problem == nil)
        for (field, set) in wrong { #expect(parameters(set).problem?.field == field) }
    }
}

@Suite("Where text stops")
struct StopTests {
    /// The text that comes out, and whether it stopped.
    func run(_ pieces: [String], _ stops: [String]) -> (String, Bool) {
        var matcher = StopMatcher(stops)
        var text = pieces.map { matcher.add($0) }.joined()
        text += matcher.finish()
        return (text, matcher.isStopped)
    }

    @Test(
        "A text cut in every way stops at the same place",
        arguments: [
            ("abcabdab", ["abd"], "abc"), ("aaaab!", ["aab"], "aa"), ("hello", ["xyz"], "hello"), ("ab", ["abc"], "ab"),
            ("one\n\ntwo", ["\n\n"], "one"), ("xab", ["ab", "xab"], ""), ("xabc", ["b", "xabc"], "xa"),
            ("né漢!", ["漢"], "né"),
            ("aXbX", ["X", "bX"], "a"), ("aaab", ["aab"], "a"), ("ababac", ["abac"], "ab"),
        ])
    func cuts(text: String, stops: [String], expected: String) {
        let scalars = Array(text.unicodeScalars)
        for mask in 0..<(1 << (scalars.count - 1)) {
            var pieces = [""]
            for (index, scalar) in scalars.enumerated() {
                pieces[pieces.count - 1].unicodeScalars.append(scalar)
                if mask >> index & 1 == 1 { pieces.append("") }
            }
            let (out, stopped) = run(pieces, stops)
            #expect(out == expected, "\(pieces)")
            #expect(stopped == (expected != text), "\(pieces)")
        }
    }

    @Test("What could become a stop string is held back, and no more")
    func heldBack() {
        var matcher = StopMatcher(["</end>"])
        #expect(matcher.add("a</e") == "a")
        #expect(matcher.add("n<") == "</en")
        #expect(matcher.add("/end>after") == "")
        #expect(matcher.isStopped && matcher.add("more") == "")
    }

    @Test("A request ends at a stop token, a stop string over tokens, or its length")
    func output() throws {
        let tokens = "abcdX\u{e9}".unicodeScalars.map(String.init)
        var data = TokenizerData(
            algorithm: .sentencePiece(.always), tokens: tokens + ["<0xC3>", "</s>"],
            types: [.normal, .normal, .normal, .normal, .normal, .normal, .byte, .control])
        data.end = 7
        let tokenizer = try Tokenizer(data, file: "made")
        func run(_ ids: [Int32], _ set: (inout SamplingParameters) -> Void) -> (String, OutputText.Finish?, Int) {
            var parameters = SamplingParameters()
            set(&parameters)
            var output = OutputText(tokenizer, parameters)
            var text = ""
            for id in ids where output.finish == nil { text += output.add(id) }
            return (text, output.finish, output.tokens)
        }
        #expect(run([0, 1, 2, 3], { $0.stopStrings = ["bc"] }) == ("a", .stop, 3))
        #expect(run([0, 1, 7, 3], { $0.stopStrings = ["bc"] }) == ("ab", .stop, 3))
        #expect(run([0, 1, 3], { $0.stopTokens = [3] }) == ("ab", .stop, 3))
        #expect(run([0, 1, 2], { ($0.maxTokens, $0.stopStrings) = (2, ["bc"]) }) == ("ab", .length, 2))
        #expect(run([0, 6, 1], { $0.maxTokens = 2 }) == ("a\u{FFFD}", .length, 2))
        #expect(run([0, 1], { _ in }) == ("ab", nil, 2))
    }
}
