import EngineModel

/// The size of step times of a 70B model on four H100s.
let profile = EngineProfile(
    name: "70B", model: "70B", hardware: "4 GPUs", acceleratorsPerReplica: 4, engine: "none", date: "2026-01-01",
    source: "made up",
    stepTime: StepTimeCoefficients(
        decode: .init(
            constant: 29_182_709, perSequence: 216_876, perContextToken: 40.1, perSequenceBeyondHinge: 244_218,
            hingeSequences: 32),
        mixed: .init(
            constant: 45_117_842, perPrefillToken: 26_202, perTokenBeyondFirstHinge: 62_868,
            perTokenBeyondSecondHinge: 19_347, firstHinge: 512, secondHinge: 2_048, perContextToken: 40.1,
            perPrefillArea: 3.15, perSequence: 216_876)),
    noise: 0.002, kvTokens: 457_904, maxContext: 16_384, coldStart: ColdStartProfile(source: "none"),
    validRange: ValidRange(decodeSequences: .max, decodeContext: .max, prefillTokens: .max, prefillContext: .max),
    fit: FitQuality(
        fitted: 0, heldOut: 0, medianAbsoluteError: 0, p90AbsoluteError: 0, bias: 0, heldOutDescription: "none"),
    notes: [])
