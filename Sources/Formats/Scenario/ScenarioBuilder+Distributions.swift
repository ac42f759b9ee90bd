import Units
import Workload

extension ScenarioBuilder {
    /// `poisson`, `constant`, `{gamma: {cv: 1.1}}` or `{weibull: {cv: 2}}`.
    func readArrivals(_ node: YAMLNode) -> ArrivalProcess? {
        if case .scalar(let word) = node.content {
            guard !["gamma", "weibull"].contains(word) else {
                file.error(
                    node.position, "arrivals '\(word)' has no coefficient of variation",
                    fix: "write for example '{\(word): {cv: 1.1}}'")
                return nil
            }
            return file.lookUp(
                word, at: node.position, label: "arrivals", list: "choices",
                among: [("poisson", .poisson), ("constant", .constant)])
        }
        guard let kind = file.variant(node, label: "arrivals", kinds: ["gamma", "weibull"]) else { return nil }
        return file.map(kind.value, what: "arrivals '\(kind.key)'") { map in
            map.required("cv", .number(0.01...100, example: "1.1"), example: "1.1").map {
                kind.key == "gamma" ? .gamma(cv: $0) : .weibull(cv: $0)
            }
        }
    }

    /// `{constant: 12/s}`, `{steps: {every: 10m, values: […]}}` or `{linear: {…}}`, each with an optional `scale`.
    func readRate(_ node: YAMLNode) -> RateProfile? {
        file.map(node, what: "rate") { map -> RateProfile? in
            let scale = map.optional("scale", .number(0...1e6, example: "1.5"), default: 1)
            let kinds = ["constant", "steps", "linear"].filter { map.has($0) }
            guard kinds.count == 1, let kind = kinds.first, let value = map.node(kind) else {
                file.error(
                    map.position, kinds.isEmpty ? "rate has no shape" : "rate has more than one shape",
                    fix: "write one of {constant: 12/s}, {steps: {every: 10m, values: [1, 2]}}, {linear: {…}}")
                return nil
            }
            if kind == "constant" {
                return file.scalar(value, label: "rate", .rate).map { .constant($0 * scale) }
            }
            return file.map(value, what: "rate '\(kind)'") { shape -> RateProfile? in
                let every = shape.required("every", .positiveDuration, example: "10m")
                let nodes =
                    shape.requiredNode("values", example: "[2.5, 4, 3]").map { file.list($0, label: "values") } ?? []
                let values = nodes.compactMap {
                    file.scalar($0, label: "requests per second", .number(0...1e9, example: "2.5"))
                }
                if nodes.isEmpty, shape.has("values") {
                    file.error(
                        shape.position(of: "values"), "values is empty", fix: "write requests per second: [2.5, 4, 3]")
                }
                guard let every, !values.isEmpty, values.count == nodes.count else { return nil }
                let profile: RateProfile =
                    kind == "steps" ? .steps(every: every, values: values) : .linear(every: every, values: values)
                return profile.scaled(by: scale)
            }
        }
    }

    /// `{fixed: 512}`, `{lognormal: {p50: 129, p99: 601}}`, `{quantiles: {0%: 1, 50%: 928, 100%: 14050}}` and others,
    /// each with an optional `minimum` and `maximum`.
    func readLengths(_ node: YAMLNode, _ label: String) -> LengthDistribution? {
        let tokens = ScalarSchema<Int64>.count(1...Int64(Int32.max))
        return file.map(node, what: label) { map -> LengthDistribution? in
            let minimum = map.optional("minimum", tokens)
            let maximum = map.optional("maximum", tokens)
            if let minimum, let maximum, minimum > maximum {
                file.error(map.position(of: "minimum"), "minimum \(minimum) is above maximum \(maximum)")
                return nil
            }
            let all = ["fixed", "lognormal", "normal", "uniform", "geometric", "quantiles"]
            let kinds = all.filter { map.has($0) }
            guard kinds.count == 1, let kind = kinds.first, let value = map.node(kind) else {
                file.error(
                    map.position,
                    kinds.isEmpty ? "\(label) has no distribution" : "\(label) has more than one distribution",
                    fix: "write one of \(all.joined(separator: ", ")), such as {lognormal: {p50: 129, p99: 601}}")
                return nil
            }
            return readLaw(kind, value, label).map {
                LengthDistribution($0, minimum: minimum.map { Int($0) }, maximum: maximum.map { Int($0) })
            }
        }
    }

    private func readLaw(_ kind: String, _ value: YAMLNode, _ label: String) -> LengthLaw? {
        let tokens = ScalarSchema<Int64>.count(1...Int64(Int32.max))
        let positive = ScalarSchema<Double>.number(1e-9...1e9, example: "129")
        if kind == "fixed" { return file.scalar(value, label: label, tokens).map { .fixed(Int($0)) } }
        if kind == "quantiles" { return readQuantiles(value, label) }
        return file.map(value, what: "\(label) '\(kind)'") { map -> LengthLaw? in
            switch kind {
            case "lognormal" where map.has("mean") || map.has("deviation"):
                return moments(map).map { .lognormalMoments(mean: $0.mean, deviation: $0.deviation) }
            case "lognormal":
                let p50 = map.required("p50", positive, example: "129")
                let p99 = map.required("p99", positive, example: "601")
                guard let p50, let p99 else { return nil }
                guard p99 >= p50 else {
                    file.error(
                        map.position(of: "p99"), "p99 \(shortest(p99)) is below p50 \(shortest(p50))",
                        fix: "write the larger one as p99")
                    return nil
                }
                return .lognormal(p50: p50, p99: p99)
            case "normal": return moments(map).map { .normal(mean: $0.mean, deviation: $0.deviation) }
            case "geometric":
                return map.required("mean", .number(1...1e9, example: "500"), example: "500").map {
                    .geometric(mean: $0)
                }
            default:
                let low = map.required("minimum", tokens, example: "1")
                let high = map.required("maximum", tokens, example: "1024")
                guard let low, let high else { return nil }
                guard low <= high else {
                    file.error(map.position(of: "minimum"), "minimum \(low) is above maximum \(high)")
                    return nil
                }
                return .uniform(from: Int(low), to: Int(high))
            }
        }
    }

    private func moments(_ map: MapReader) -> (mean: Double, deviation: Double)? {
        let mean = map.required("mean", .number(1e-9...1e9, example: "256"), example: "256")
        let deviation = map.required("deviation", .number(0...1e9, example: "64"), example: "64")
        guard let mean, let deviation else { return nil }
        return (mean, deviation)
    }

    /// `{0%: 1, 50%: 928, 99%: 4142, 100%: 14050}`: shares and lengths both ascend.
    private func readQuantiles(_ node: YAMLNode, _ label: String) -> LengthLaw? {
        let reader = MapReader(node, what: "\(label) 'quantiles'", in: file)
        guard reader.isUsable else { return nil }
        var points: [QuantilePoint] = []
        var isSound = true
        for entry in reader.allEntries {
            let key = YAMLNode(content: .scalar(entry.key), position: entry.position)
            let share = file.scalar(key, label: "quantile", .percentage())
            let tokens = file.scalar(entry.value, label: "tokens", .count(1...Int64(Int32.max)))
            guard let share, let tokens else {
                isSound = false
                continue
            }
            if let last = points.last, share <= last.p || Int(tokens) < last.tokens {
                file.error(
                    entry.position, "quantile '\(shown(entry.key)): \(tokens)' does not ascend from the one before it",
                    fix: "order quantiles so that shares rise and lengths do not fall")
                isSound = false
            }
            points.append(QuantilePoint(p: share, tokens: Int(tokens)))
        }
        if points.isEmpty, isSound {
            file.error(node.position, "quantiles is empty", fix: "write for example {50%: 928, 100%: 14050}")
        }
        return isSound && !points.isEmpty ? .quantiles(points) : nil
    }
}

extension RateProfile {
    /// Whether it never lets a request through.
    var isZero: Bool {
        switch self {
        case .constant(let rate): rate == 0
        case .steps(_, let values), .linear(_, let values): values.allSatisfy { $0 == 0 }
        }
    }
}
