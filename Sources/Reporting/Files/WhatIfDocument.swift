import Studies

/// `sensitivity` and `uncertainty` in `summary.json`, keyed by figure: costs in USD, `ttft_p99` in milliseconds.
public struct WhatIfDocument: Encodable, Sendable {
    private var sensitivity: SensitivityDocument?
    private var uncertainty: UncertaintyDocument?

    public init(sensitivity: Sensitivity?, uncertainty: Uncertainty?) {
        self.sensitivity = sensitivity.map(SensitivityDocument.init)
        self.uncertainty = uncertainty.map(UncertaintyDocument.init)
    }
}

private func byFigure<Value>(_ value: (HeadlineFigure) -> Value) -> [String: Value] {
    Dictionary(uniqueKeysWithValues: HeadlineFigure.allCases.map { ($0.rawValue, value($0)) })
}

private struct SensitivityDocument: Encodable {
    var replications: Int
    var base: [String: Estimate]
    var fields: [Field]

    struct Field: Encodable {
        var path: String
        var low: Side
        var high: Side
    }

    struct Side: Encodable {
        var change: String
        var value: [String: Estimate]
        var difference: [String: Estimate]

        init(_ side: Sensitivity.Side) {
            change = side.label
            value = byFigure { side.values[$0.index] }
            difference = byFigure { side.changes[$0.index] }
        }
    }

    init(_ sensitivity: Sensitivity) {
        replications = sensitivity.replications
        base = byFigure { sensitivity.base[$0.index] }
        fields = sensitivity.entries.map { Field(path: $0.path, low: Side($0.low), high: Side($0.high)) }
    }
}

private struct UncertaintyDocument: Encodable {
    var draws: Int
    var runs: Int
    var figures: [String: Figure]
    var notes: [String]

    struct Figure: Encodable {
        var mean: Double
        var range95: [Double]
        var shares: [String: Share]
    }

    struct Share: Encodable {
        var share: Double
        var ci95: [Double]
    }

    init(_ uncertainty: Uncertainty) {
        draws = uncertainty.draws
        runs = uncertainty.runs
        notes = uncertainty.notes
        figures = byFigure { kind in
            let figure = uncertainty.figures[kind.index]
            let shares = zip(Uncertainty.Source.allCases, figure.shares).map { source, share in
                (source.rawValue, Share(share: share.value, ci95: [share.interval.lower, share.interval.upper]))
            }
            return Figure(
                mean: figure.mean, range95: [figure.range.lower, figure.range.upper],
                shares: Dictionary(uniqueKeysWithValues: shares))
        }
    }
}
