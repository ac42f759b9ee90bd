import EngineModel
import InferenceCore
import Randomness
import Testing

@testable import Calibration

@Suite("Calibrating the core")
struct CoreCalibratorTests {
    static let limits = CoreDesign.Limits(maxContext: 2048, kvBlocks: 512, maxSequences: 32, maxChunk: 256)

    @Test("No held-out step was fitted, and every step fits the core", arguments: [1, 2, 3])
    func design(seed: UInt64) {
        let design = CoreDesign(limits: Self.limits, streams: RandomStreams(seed: seed))
        let fitted = Set(design.fitted)
        #expect(fitted.count == design.fitted.count)
        #expect(design.heldOut.allSatisfy { !fitted.contains($0) })
        #expect(Set(design.fitted.map(\.features)).isDisjoint(with: design.heldOut.map(\.features)))
        for step in design.fitted + design.heldOut {
            #expect(step.blocks <= 512 && step.decodes.count <= 32)
            #expect(step.chunks.allSatisfy { $0.context + $0.tokens <= 2048 && $0.tokens <= 256 })
        }
        let mixed = design.heldOut.filter { !$0.chunks.isEmpty }
        #expect(design.heldOut.count >= 40 && mixed.count >= 20)
        #expect(mixed.contains { $0.chunks.count == 2 })
        #expect(design.heldOut.contains { Set($0.decodes).count > 1 })
        #expect(design.fitted.count { !$0.chunks.isEmpty } > 30)
    }

    @Test("The design is the seed's, and no other")
    func seeds() {
        func steps(_ seed: UInt64) -> [CoreStep] {
            CoreDesign(limits: Self.limits, streams: RandomStreams(seed: seed)).heldOut
        }
        #expect(steps(1) == steps(1))
        #expect(steps(1) != steps(2))
    }

    @Test("The features of a step are those of its sequences")
    func features() {
        let step = CoreStep(chunks: [.init(tokens: 10, context: 3), .init(tokens: 4, context: 0)], decodes: [15, 16])
        #expect(step.features.prefillTokens == 14 && step.features.prefillContext == 3)
        #expect(step.features.prefillAreaDoubled == 10 * 16 + 4 * 4)
        #expect(step.features.decodeSequences == 2 && step.features.decodeContext == 31)
        #expect(step.rows == 16)
        #expect(step.blocks == 1 + 2 + 1 + 1)
    }

    @Test("A run in which the thread lost its processor does not count, unless most did")
    func disturbed() {
        let good = CoreTiming(wall: 1, processor: 0.99)
        let bad = CoreTiming(wall: 9, processor: 1)
        let steps = [CoreStep(decodes: [1]), CoreStep(decodes: [2])]
        let runs = [[good, bad, good, good], [good, bad, bad, bad]]
        let series = CoreSeries(steps: steps, timings: runs, fittedCount: 1, byProcessor: false)
        #expect(series.fitted.map(\.seconds) == [1])
        #expect(series.heldOut.map(\.seconds) == [9])
        #expect(series.dropped == 1 && series.measured == 8)
        let calm = CoreSeries(steps: steps, timings: runs, fittedCount: 1, byProcessor: true)
        #expect(calm.heldOut.map(\.seconds) == [1] && calm.dropped == 0)
    }

    @Test("A machine that gives no processor or no steady step is oversubscribed")
    func oversubscribed() {
        #expect(CoreMachineCheck(processorShare: 0.99, spread: 1.2).isCalm)
        #expect(!CoreMachineCheck(processorShare: 0.7, spread: 1.2).isCalm)
        #expect(!CoreMachineCheck(processorShare: 0.99, spread: 3.5).isCalm)
        let error = MachineOversubscribed(check: CoreMachineCheck(processorShare: 0.514, spread: 3.46))
        #expect(error.description.contains("51 %") && error.description.contains("3.5 times"))
    }

    @Test("A calibration fills in a whole profile")
    func profile() throws {
        let preset = ModelPreset(
            name: "minute",
            configuration: ModelConfiguration(
                layers: 1, hidden: 32, heads: 2, keyValueHeads: 1, headDimension: 16, feedForward: 48, vocabulary: 64,
                maxContext: 256),
            seed: 1)
        var calls: [Int] = []
        var last = 0
        // Other tests share the machine.
        let calibrator = CoreCalibrator(
            model: .preset(preset), timeBudget: 1, maxSequences: 4, kvTokens: 1024, allowNoisy: true)
        let calibration = try calibrator.run(date: "2026-03-02") { done, total in
            calls.append(done)
            last = total
        }
        #expect(calls == calls.sorted() && calls.last == last)
        let profile = calibration.profile
        #expect(profile.model == "minute, \(preset.configuration.parameters) parameters")
        #expect(
            profile.engine == "tidegate core" && profile.date == "2026-03-02" && profile.acceleratorsPerReplica == 1)
        #expect(profile.kvTokens == 1024 && profile.maxContext == 256)
        #expect(profile.coldStart.provision == nil && profile.coldStart.pull == nil)
        #expect((profile.coldStart.load ?? .zero) > .zero && (profile.coldStart.warmUp ?? .zero) > .zero)
        #expect(
            profile.fit.fitted == calibration.fittedSamples.count && profile.fit.heldOut == calibration.heldOut.count)
        #expect(profile.fit.medianAbsoluteError == calibration.heldOut.median)
        #expect(profile.validRange.decodeSequences == 4 && profile.validRange.prefillTokens == 128)
        #expect(profile.stepTime.decode.constant + profile.stepTime.decode.perSequence > 0)
        #expect(profile.noise >= 0 && profile.noise.isFinite)
        #expect(profile.notes.contains { $0.contains("not the shape of a GPU") })
    }

    @Test("A model too short to measure is refused")
    func short() {
        let configuration = ModelConfiguration(
            layers: 1, hidden: 16, heads: 1, keyValueHeads: 1, headDimension: 16, feedForward: 16, vocabulary: 8,
            maxContext: 64)
        let calibrator = CoreCalibrator(
            model: .preset(ModelPreset(name: "short", configuration: configuration, seed: 1)), allowNoisy: true)
        #expect(throws: CoreCalibrationError.contextTooShort(tokens: 64, needed: 128)) {
            try calibrator.run(date: "2026-03-02") { _, _ in }
        }
    }
}
