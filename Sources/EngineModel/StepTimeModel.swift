import Units

/// What a step's duration depends on. Every number is a whole count, so that durations add exactly.
public struct StepFeatures: Hashable, Sendable {
    /// Prompt tokens computed in this step, over all chunks.
    public var prefillTokens: Int64
    /// Sequences that generate one token each.
    public var decodeSequences: Int64
    /// Tokens of KV cache that those sequences read: the sum of their contexts before the step.
    public var decodeContext: Int64
    /// Twice the attention area of the prefill chunks: Σ t · (2·c + t) for a chunk of t tokens behind c cached ones.
    public var prefillAreaDoubled: Int64
    /// Tokens of KV cache behind the prefill chunks: Σ c.
    public var prefillContext: Int64
    /// KV tokens by which the decoding sequences fall short of a batch in which every context is as long as the longest:
    /// D · max − K. It stays as it is while the same sequences decode. 0 where nobody asked for it.
    public var decodeSkew: Int64

    @inlinable public init(
        prefillTokens: Int64 = 0, decodeSequences: Int64 = 0, decodeContext: Int64 = 0, prefillAreaDoubled: Int64 = 0,
        prefillContext: Int64 = 0, decodeSkew: Int64 = 0
    ) {
        self.prefillTokens = prefillTokens
        self.decodeSequences = decodeSequences
        self.decodeContext = decodeContext
        self.prefillAreaDoubled = prefillAreaDoubled
        self.prefillContext = prefillContext
        self.decodeSkew = decodeSkew
    }

    /// Adds a chunk of `tokens` behind `context` cached tokens of the same sequence.
    @inlinable public mutating func addChunk(tokens: Int64, context: Int64) {
        prefillTokens += tokens
        prefillAreaDoubled += tokens * (2 * context + tokens)
        prefillContext += context
    }

    @inlinable public var isDecodeOnly: Bool { prefillTokens == 0 }
}

/// Coefficients of the two regimes of step time, in nanoseconds.
///
///     decode-only:  c₀ + c₁·D + c₂·K + c₃·max(0, D − d₁) + c₄·max(0, D − d₂) + c₅·S + e(D)
///     mixed:        m₀ + m₁·P + m₂·max(0, P+D − n₁) + m₃·max(0, P+D − n₂) + m₄·K + m₅·A + m₆·Kp + m₇·D + m₈·S
///
/// with D decode sequences, K the KV tokens they read, P prefill tokens, A = Σ t·(c + t/2) the prefill area and Kp the
/// KV tokens behind the chunks, and S = D·max − K how unequal the contexts of a batch are. Engines compute
/// batches in tiles, or filled up to sizes that they have prepared: e(D) is the stairs that this makes. The two are fitted
/// apart because a KV token costs about twice as much in a mixed batch
/// (measured on vLLM's kernels). `hostOverhead` is added to both: what the engine does between kernels.
public struct StepTimeCoefficients: Hashable, Sendable, Codable {
    /// Decode-only regime, all in ns and never negative but for the hinges' slopes, which may bend either way.
    public struct Decode: Hashable, Sendable, Codable {
        public var constant: Double
        public var perSequence: Double
        public var perContextToken: Double
        /// Extra cost of each sequence beyond `hingeSequences`.
        public var perSequenceBeyondHinge: Double
        public var hingeSequences: Int64
        /// The same beyond `secondHingeSequences`, on top of it.
        public var perSequenceBeyondSecondHinge: Double
        public var secondHingeSequences: Int64
        /// Per KV token of ``StepFeatures/decodeSkew``; `nil` where it was not measured.
        public var perSkewToken: Double?
        /// What 1, 2, 3, … sequences take beyond the other terms, which may be less than nothing; more sequences than are here
        /// take as much as the last. Empty where no stairs were found.
        public var stairs: [Double]

        public init(
            constant: Double, perSequence: Double, perContextToken: Double, perSequenceBeyondHinge: Double = 0,
            hingeSequences: Int64 = 0, perSequenceBeyondSecondHinge: Double = 0, secondHingeSequences: Int64 = 0,
            perSkewToken: Double? = nil, stairs: [Double] = []
        ) {
            self.constant = constant
            self.perSequence = perSequence
            self.perContextToken = perContextToken
            self.stairs = stairs
            self.perSequenceBeyondHinge = perSequenceBeyondHinge
            self.hingeSequences = hingeSequences
            self.perSequenceBeyondSecondHinge = perSequenceBeyondSecondHinge
            self.secondHingeSequences = secondHingeSequences
            self.perSkewToken = perSkewToken
        }
    }

    /// Mixed regime, all in ns and never negative but for the hinges' slopes, which may bend either way.
    public struct Mixed: Hashable, Sendable, Codable {
        public var constant: Double
        public var perPrefillToken: Double
        public var perTokenBeyondFirstHinge: Double
        public var perTokenBeyondSecondHinge: Double
        public var firstHinge: Int64
        public var secondHinge: Int64
        public var perContextToken: Double
        /// Per unit of A = Σ t·(c + t/2).
        public var perPrefillArea: Double
        public var perPrefillContextToken: Double
        public var perSequence: Double
        /// Per KV token of ``StepFeatures/decodeSkew``; `nil` where it was not measured.
        public var perSkewToken: Double?

        public init(
            constant: Double, perPrefillToken: Double, perTokenBeyondFirstHinge: Double = 0,
            perTokenBeyondSecondHinge: Double = 0, firstHinge: Int64 = 0, secondHinge: Int64 = 0,
            perContextToken: Double = 0, perPrefillArea: Double = 0, perPrefillContextToken: Double = 0,
            perSequence: Double = 0, perSkewToken: Double? = nil
        ) {
            self.constant = constant
            self.perPrefillToken = perPrefillToken
            self.perTokenBeyondFirstHinge = perTokenBeyondFirstHinge
            self.perTokenBeyondSecondHinge = perTokenBeyondSecondHinge
            self.firstHinge = firstHinge
            self.secondHinge = secondHinge
            self.perContextToken = perContextToken
            self.perPrefillArea = perPrefillArea
            self.perPrefillContextToken = perPrefillContextToken
            self.perSequence = perSequence
            self.perSkewToken = perSkewToken
        }
    }

    public var decode: Decode
    public var mixed: Mixed
    /// What the engine spends per step outside the kernels, in ns.
    public var hostOverhead: Double

    public init(decode: Decode, mixed: Mixed, hostOverhead: Double = 0) {
        self.decode = decode
        self.mixed = mixed
        self.hostOverhead = hostOverhead
    }

    /// Whether a step's duration asks for ``StepFeatures/decodeSkew``.
    public var needsSkew: Bool { (decode.perSkewToken ?? 0) != 0 || (mixed.perSkewToken ?? 0) != 0 }

    /// The same engine, `factor` times slower (above 1) or faster (below 1).
    public func scaled(by factor: Double) -> StepTimeCoefficients {
        var copy = self
        copy.decode.constant *= factor
        copy.decode.perSequence *= factor
        copy.decode.perContextToken *= factor
        copy.decode.perSequenceBeyondHinge *= factor
        copy.decode.perSequenceBeyondSecondHinge *= factor
        copy.decode.stairs = decode.stairs.map { $0 * factor }
        copy.decode.perSkewToken = decode.perSkewToken.map { $0 * factor }
        copy.mixed.constant *= factor
        copy.mixed.perPrefillToken *= factor
        copy.mixed.perTokenBeyondFirstHinge *= factor
        copy.mixed.perTokenBeyondSecondHinge *= factor
        copy.mixed.perContextToken *= factor
        copy.mixed.perPrefillArea *= factor
        copy.mixed.perPrefillContextToken *= factor
        copy.mixed.perSequence *= factor
        copy.mixed.perSkewToken = mixed.perSkewToken.map { $0 * factor }
        copy.hostOverhead *= factor
        return copy
    }
}

extension StepTimeCoefficients.Decode {
    private enum Key: String, CodingKey {
        case constant, perSequence, perContextToken, perSequenceBeyondHinge, hingeSequences
        case perSequenceBeyondSecondHinge, secondHingeSequences, perSkewToken, stairs
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        try self.init(
            constant: values.decode(Double.self, forKey: .constant),
            perSequence: values.decode(Double.self, forKey: .perSequence),
            perContextToken: values.decode(Double.self, forKey: .perContextToken),
            perSequenceBeyondHinge: values.decode(Double.self, forKey: .perSequenceBeyondHinge),
            hingeSequences: values.decode(Int64.self, forKey: .hingeSequences),
            perSequenceBeyondSecondHinge: values.decodeIfPresent(Double.self, forKey: .perSequenceBeyondSecondHinge)
                ?? 0,
            secondHingeSequences: values.decodeIfPresent(Int64.self, forKey: .secondHingeSequences) ?? 0,
            perSkewToken: values.decodeIfPresent(Double.self, forKey: .perSkewToken),
            stairs: values.decodeIfPresent([Double].self, forKey: .stairs) ?? [])
    }

    /// A second bend and stairs that are not there are not written: policies and profiles from before there was one have the same bytes, and
    /// the same digest.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(constant, forKey: .constant)
        try values.encode(perSequence, forKey: .perSequence)
        try values.encode(perContextToken, forKey: .perContextToken)
        try values.encode(perSequenceBeyondHinge, forKey: .perSequenceBeyondHinge)
        try values.encode(hingeSequences, forKey: .hingeSequences)
        if secondHingeSequences != 0 || perSequenceBeyondSecondHinge != 0 {
            try values.encode(perSequenceBeyondSecondHinge, forKey: .perSequenceBeyondSecondHinge)
            try values.encode(secondHingeSequences, forKey: .secondHingeSequences)
        }
        try values.encodeIfPresent(perSkewToken, forKey: .perSkewToken)
        if !stairs.isEmpty { try values.encode(stairs, forKey: .stairs) }
    }
}

extension StepTimeCoefficients.Decode {
    /// What so many sequences take, without what depends on their contexts, in ns; between whole numbers a straight line.
    public func cost(ofSequences count: Double) -> Double {
        constant + perSequence * count + perSequenceBeyondHinge * max(0, count - Double(hingeSequences))
            + perSequenceBeyondSecondHinge * max(0, count - Double(secondHingeSequences)) + stair(at: count)
    }

    private func stair(at count: Double) -> Double {
        guard let last = stairs.last else { return 0 }
        let place = max(0, count - 1)
        guard place < Double(stairs.count - 1) else { return last }
        let below = Int(place)
        return stairs[below] + (stairs[below + 1] - stairs[below]) * (place - Double(below))
    }
}
