extension StepTimeCoefficients {
    /// The coefficients that a fit yields, by the names of its standard errors.
    public static let fitted: [(name: String, keyPath: WritableKeyPath<StepTimeCoefficients, Double> & Sendable)] = [
        ("decode.constant", \.decode.constant), ("decode.perSequence", \.decode.perSequence),
        ("decode.perContextToken", \.decode.perContextToken), ("decode.beyondHinge", \.decode.perSequenceBeyondHinge),
        ("decode.beyondSecondHinge", \.decode.perSequenceBeyondSecondHinge),
        ("mixed.constant", \.mixed.constant), ("mixed.perPrefillToken", \.mixed.perPrefillToken),
        ("mixed.perPrefillArea", \.mixed.perPrefillArea), ("mixed.perSequence", \.mixed.perSequence),
        ("mixed.perContextToken", \.mixed.perContextToken),
        ("mixed.perPrefillContextToken", \.mixed.perPrefillContextToken),
        ("mixed.beyondHinge", \.mixed.perTokenBeyondFirstHinge),
        ("mixed.beyondSecondHinge", \.mixed.perTokenBeyondSecondHinge),
    ]

    /// Whether no sequence and no token ever makes a step shorter.
    public var isMonotone: Bool {
        let bends = [
            0, mixed.perTokenBeyondFirstHinge, mixed.perTokenBeyondFirstHinge + mixed.perTokenBeyondSecondHinge,
        ]
        let slopes = [mixed.perPrefillToken, mixed.perSequence].flatMap { slope in bends.map { slope + $0 } }
        // A stair at a time; beyond the last they stay as they are.
        let widths = decode.stairs.indices.map { decode.cost(ofSequences: Double($0 + 1)) }
        guard zip(widths, widths.dropFirst()).allSatisfy({ $0 <= $1 }), widths.first ?? 0 >= 0 else { return false }
        let terms = [
            decode.constant, decode.perSequence, decode.perContextToken,
            decode.perSequence + decode.perSequenceBeyondHinge,
            decode.perSequence + decode.perSequenceBeyondHinge + decode.perSequenceBeyondSecondHinge,
            mixed.constant, mixed.perPrefillArea, mixed.perContextToken, mixed.perPrefillContextToken,
        ]
        return (terms + slopes).allSatisfy { $0 >= 0 }
    }
}

/// How the errors of fitted coefficients go together.
public struct CoefficientCovariance: Hashable, Sendable, Codable {
    /// Coefficients as ``StepTimeCoefficients/fitted`` names them; those that are not here are taken as known.
    public var names: [String]
    /// [names, names], symmetric, in ns².
    public var values: [[Double]]

    public init(names: [String], values: [[Double]]) {
        precondition(
            values.count == names.count && values.allSatisfy { $0.count == names.count },
            "a covariance of \(names.count) coefficients with \(values.count) rows")
        self.names = names
        self.values = values
    }

    /// Coefficients whose errors do not go together.
    ///
    /// - Parameter standardErrors: In ns, by name.
    public init(independent standardErrors: [String: Double]) {
        let errors = standardErrors.sorted { $0.key < $1.key }
        self.init(
            names: errors.map(\.key),
            values: errors.indices.map { row in
                errors.indices.map { $0 == row ? errors[row].value * errors[row].value : 0 }
            })
    }

    /// The same with `copy`, a coefficient that is always equal to `original`.
    public func tying(_ copy: String, to original: String) -> CoefficientCovariance {
        guard let index = names.firstIndex(of: original), !names.contains(copy) else { return self }
        let rows = values.map { $0 + [$0[index]] }
        return CoefficientCovariance(names: names + [copy], values: rows + [rows[index]])
    }
}
