import EngineModel

/// Reads and writes engine profiles as JSON, with the field names of `EngineProfile`.
///
/// A profile is read key by key, so that every mistake of a hand-edited file is told with its line and column.
public enum EngineProfileFile {
    /// The file's text: keys in order, indented, a newline at the end.
    ///
    /// - Throws: `EncodingError` when a number is not finite.
    public static func text(of profile: EngineProfile) throws -> String { try CanonicalJSON.encode(profile) }

    /// Reads the profile in the file at `path`.
    ///
    /// - Throws: `InvalidInput` with every problem: a missing or unknown key, a number out of range, another layout.
    public static func read(path: String) throws(InvalidInput) -> EngineProfile {
        let log = DiagnosticLog()
        let profile = TextFile.yaml(path: path, name: path, log: log).flatMap { read($0.root, in: $0.file) }
        guard let profile, !log.hasErrors else { throw InvalidInput(log.diagnostics) }
        return profile
    }

    static func read(_ root: YAMLNode, in file: ReadFile) -> EngineProfile? {
        file.map(root, what: "profile") { map in
            let schema = map.optional("schema", .count(1...1000), default: 1)
            guard schema == EngineProfile.currentSchema else {
                file.error(
                    map.position(of: "schema"), "profile layout \(schema) is not known",
                    fix: "this version reads layout \(EngineProfile.currentSchema)")
                return nil
            }
            let name = map.required("name", .text, example: "llama-2-70b on 4 × H100-80GB")
            let model = map.required("model", .text, example: "meta-llama/Llama-2-70b")
            let hardware = map.required("hardware", .text, example: "H100-80GB")
            let accelerators = map.required("acceleratorsPerReplica", .count(1...100_000), example: "4")
            let engine = map.required("engine", .text, example: "vLLM 0.19")
            let date = map.required("date", .date, example: "2026-03-02")
            let source = map.required("source", .text, example: "measured on this machine")
            let noise = map.required("noise", .number(0...10, example: "0.02"), example: "0.02")
            let kvTokens = map.required("kvTokens", .count(1...1_000_000_000_000), example: "400000")
            let maxContext = map.required("maxContext", .count(1...1_000_000_000), example: "4096")
            let overheadSource = map.optional("hostOverheadSource", .text)
            let requestOverhead = map.optional("requestOverhead", .duration)
            let scheduler = map.map("scheduler", scheduler)
            let heldOut = map.map("heldOutLoad", heldOutLoad)
            let notes = map.list("notes").compactMap { file.scalar($0, label: "note", .text) }
            let stepTime = map.requiredMap("stepTime", example: "{…}", stepTime)
            let coldStart = map.requiredMap("coldStart", example: "{source: measured}", coldStart)
            let range = map.requiredMap("validRange", example: "{…}", validRange)
            let fit = map.requiredMap("fit", example: "{…}", fit)
            guard let name, let model, let hardware, let accelerators, let engine, let date, let source, let noise,
                let kvTokens, let maxContext, let stepTime, let coldStart, let range, let fit
            else { return nil }
            var profile = EngineProfile(
                name: name, model: model, hardware: hardware, acceleratorsPerReplica: Int(accelerators), engine: engine,
                date: date, source: source, stepTime: stepTime, noise: noise, kvTokens: kvTokens,
                maxContext: maxContext, coldStart: coldStart, validRange: range, fit: fit, notes: notes)
            profile.hostOverheadSource = overheadSource
            profile.requestOverhead = requestOverhead
            (profile.scheduler, profile.heldOutLoad) = (scheduler, heldOut)
            return profile
        }
    }

    // A term of a thousand seconds is a mistake of units; the bound also keeps quantised coefficients within Int64.
    private static var term: ScalarSchema<Double> { .number(0...1e12, example: "12500") }
    private static var slope: ScalarSchema<Double> { .number(-1e12...1e12, example: "12500") }
    private static var size: ScalarSchema<Int64> { .count(0...1_000_000_000_000) }

    /// More sequences than any engine decodes together.
    private static let mostStairs = 65_536

    private static func stepTime(_ map: MapReader) -> StepTimeCoefficients? {
        let overhead = map.optional("hostOverhead", term, default: 0)
        let decode = map.requiredMap("decode", example: "{…}") { map -> StepTimeCoefficients.Decode? in
            let beyond = map.optional("perSequenceBeyondHinge", slope, default: 0)
            let hinge = map.optional("hingeSequences", size, default: 0)
            let beyondSecond = map.optional("perSequenceBeyondSecondHinge", slope, default: 0)
            let secondHinge = map.optional("secondHingeSequences", size, default: 0)
            let constant = map.required("constant", term, example: "8000000")
            let perSequence = map.required("perSequence", term, example: "25000")
            let perContext = map.required("perContextToken", term, example: "12.5")
            let perSkew = map.optional("perSkewToken", term)
            let listed = map.list("stairs")
            if listed.count > mostStairs {
                map.file.error(
                    map.position(of: "stairs"), "\(listed.count) stairs are too many",
                    fix: "at most \(mostStairs): one for each number of sequences")
            }
            let stairs = listed.prefix(mostStairs).compactMap { map.file.scalar($0, label: "stair", slope) }
            guard let constant, let perSequence, let perContext else { return nil }
            return StepTimeCoefficients.Decode(
                constant: constant, perSequence: perSequence, perContextToken: perContext,
                perSequenceBeyondHinge: beyond, hingeSequences: hinge,
                perSequenceBeyondSecondHinge: beyondSecond, secondHingeSequences: secondHinge, perSkewToken: perSkew,
                stairs: stairs)
        }
        let mixed = map.requiredMap("mixed", example: "{…}") { map -> StepTimeCoefficients.Mixed? in
            let constant = map.required("constant", term, example: "9000000")
            let perPrefill = map.required("perPrefillToken", term, example: "60000")
            let (first, second) = (
                map.optional("perTokenBeyondFirstHinge", slope, default: 0),
                map.optional("perTokenBeyondSecondHinge", slope, default: 0)
            )
            let (firstHinge, secondHinge) = (
                map.optional("firstHinge", size, default: 0),
                map.optional("secondHinge", size, default: 0)
            )
            let perContext = map.optional("perContextToken", term, default: 0)
            let perArea = map.optional("perPrefillArea", term, default: 0)
            let perPrefillContext = map.optional("perPrefillContextToken", term, default: 0)
            let perSequence = map.optional("perSequence", term, default: 0)
            let perSkew = map.optional("perSkewToken", term)
            guard let constant, let perPrefill else { return nil }
            return StepTimeCoefficients.Mixed(
                constant: constant, perPrefillToken: perPrefill, perTokenBeyondFirstHinge: first,
                perTokenBeyondSecondHinge: second, firstHinge: firstHinge, secondHinge: secondHinge,
                perContextToken: perContext, perPrefillArea: perArea, perPrefillContextToken: perPrefillContext,
                perSequence: perSequence, perSkewToken: perSkew)
        }
        guard let decode, let mixed else { return nil }
        return StepTimeCoefficients(decode: decode, mixed: mixed, hostOverhead: overhead)
    }

    private static func coldStart(_ map: MapReader) -> ColdStartProfile? {
        let (provision, pull) = (map.optional("provision", .duration), map.optional("pull", .duration))
        let (load, warmUp) = (map.optional("load", .duration), map.optional("warmUp", .duration))
        return map.required("source", .text, example: "measured on this machine").map {
            ColdStartProfile(provision: provision, pull: pull, load: load, warmUp: warmUp, source: $0)
        }
    }

    private static func scheduler(_ map: MapReader) -> MeasuredScheduler? {
        let sequences = map.required("maxNumSeqs", .count(1...1_000_000), example: "256")
        let tokens = map.required("maxNumBatchedTokens", .count(1...1_000_000_000), example: "2048")
        let isAsync = map.optional("asyncScheduling", .flag)
        let source = map.required("source", .text, example: "told by the server")
        guard let sequences, let tokens, let source else { return nil }
        guard sequences <= tokens else {
            map.file.error(
                map.position(of: "maxNumSeqs"), "\(sequences) sequences need more than \(tokens) tokens a step",
                fix: "each running sequence takes one token of 'maxNumBatchedTokens'")
            return nil
        }
        return MeasuredScheduler(
            maxNumSeqs: sequences, maxNumBatchedTokens: tokens, asyncScheduling: isAsync, source: source)
    }

    private static func heldOutLoad(_ map: MapReader) -> HeldOutLoad? {
        let description = map.required("description", .text, example: "prompts of 128 to 512 tokens")
        let requests = map.required("requests", .count(1...1_000_000_000), example: "200")
        let percent = ScalarSchema<Double>.number(-1e9...1e9, example: "-2.5")
        var errors: [String: [String: Double]] = [:]
        _ = map.map("errorPercent") { latencies in
            for latency in latencies.allEntries {
                _ = latencies.map(latency.key) { figures in
                    for figure in figures.allEntries {
                        errors[latency.key, default: [:]][figure.key] = map.file.scalar(
                            figure.value, label: "error", percent)
                    }
                    return ()
                }
            }
            return ()
        }
        guard let description, let requests else { return nil }
        return HeldOutLoad(description: description, requests: Int(requests), errorPercent: errors)
    }

    private static func validRange(_ map: MapReader) -> ValidRange? {
        let sequences = map.required("decodeSequences", size, example: "64")
        let context = map.required("decodeContext", size, example: "200000")
        let tokens = map.required("prefillTokens", size, example: "2048")
        let behind = map.required("prefillContext", size, example: "4096")
        guard let sequences, let context, let tokens, let behind else { return nil }
        return ValidRange(
            decodeSequences: sequences, decodeContext: context, prefillTokens: tokens, prefillContext: behind)
    }

    private static func fit(_ map: MapReader) -> FitQuality? {
        let share = ScalarSchema<Double>.number(0...1000, example: "0.03")
        let fitted = map.required("fitted", size, example: "120")
        let heldOut = map.required("heldOut", size, example: "40")
        let median = map.required("medianAbsoluteError", share, example: "0.03")
        let p90 = map.required("p90AbsoluteError", share, example: "0.08")
        let bias = map.required("bias", .number(-1000...1000, example: "-0.01"), example: "-0.01")
        let described = map.required("heldOutDescription", .text, example: "a fifth of the combinations")
        var errors: [String: Double] = [:]
        _ = map.map("standardErrors") { errorsMap in
            for entry in errorsMap.allEntries {
                errors[entry.key] = map.file.scalar(entry.value, label: "standard error", term)
            }
            return ()
        }
        let covariance = map.map("covariance", covariance)
        guard let fitted, let heldOut, let median, let p90, let bias, let described else { return nil }
        return FitQuality(
            fitted: Int(fitted), heldOut: Int(heldOut), medianAbsoluteError: median, p90AbsoluteError: p90, bias: bias,
            heldOutDescription: described, standardErrors: errors, covariance: covariance)
    }

    private static func covariance(_ map: MapReader) -> CoefficientCovariance? {
        let known = StepTimeCoefficients.fitted.map { ($0.name, $0.name) }
        let named = map.list("names")
        let names = named.compactMap { node -> String? in
            map.file.scalar(node, label: "coefficient", .text).flatMap {
                map.file.lookUp($0, at: node.position, label: "coefficient", list: "coefficients", among: known)
            }
        }
        let rows = map.list("values").map { row in
            map.file.list(row, label: "covariances").compactMap {
                map.file.scalar($0, label: "covariance", .number(-1e24...1e24, example: "1200.5"))
            }
        }
        // A name that does not exist is told already.
        guard names.count == named.count else { return nil }
        guard Set(names).count == names.count, rows.count == names.count,
            rows.allSatisfy({ $0.count == names.count })
        else {
            map.file.error(
                map.position, "the covariance is no square of its coefficients",
                fix: "write a row for each of 'names' in 'values', each name once")
            return nil
        }
        for row in rows.indices {
            for column in rows.indices {
                let (value, mirrored) = (rows[row][column], rows[column][row])
                let size = (max(0, rows[row][row]) * max(0, rows[column][column])).squareRoot()
                guard abs(value - mirrored) <= 1e-9 * size, abs(value) <= size * (1 + 1e-9) else {
                    map.file.error(
                        map.position(of: "values"),
                        "the covariance of \(names[row]) and \(names[column]) is none: it differs from its mirror or "
                            + "exceeds both variances", fix: "copy the matrix as 'tidegate calibrate' writes it")
                    return nil
                }
            }
        }
        return CoefficientCovariance(names: names, values: rows)
    }
}
