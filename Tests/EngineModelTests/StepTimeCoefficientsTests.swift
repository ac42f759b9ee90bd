import EngineModel
import Foundation
import Testing
import Units

@Suite("Step-time coefficients as JSON")
struct StepTimeCoefficientsTests {
    @Test("A bend that is not there is not written, one that is comes back")
    func secondBend() throws {
        var decode = StepTimeCoefficients.Decode(
            constant: 7e6, perSequence: 0, perContextToken: 40, perSequenceBeyondHinge: 1e7, hingeSequences: 1)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let once = try encoder.encode(decode)
        let expected =
            #"{"constant":7000000,"hingeSequences":1,"perContextToken":40,"perSequence":0,"perSequenceBeyondHinge":10000000}"#
        #expect(String(decoding: once, as: UTF8.self) == expected)
        #expect(try JSONDecoder().decode(StepTimeCoefficients.Decode.self, from: once) == decode)
        (decode.perSequenceBeyondSecondHinge, decode.secondHingeSequences, decode.perSkewToken) = (-7e6, 4, 3)
        let twice = try encoder.encode(decode)
        #expect(try JSONDecoder().decode(StepTimeCoefficients.Decode.self, from: twice) == decode)
        decode.stairs = [-1e6, 0, 2.5e6]
        let stairs = try encoder.encode(decode)
        #expect(try JSONDecoder().decode(StepTimeCoefficients.Decode.self, from: stairs) == decode)
        // Bent at no sequences the second slope holds for all of them.
        decode.secondHingeSequences = 0
        let whole = try encoder.encode(decode)
        #expect(try JSONDecoder().decode(StepTimeCoefficients.Decode.self, from: whole) == decode)
    }

    /// 9, 12, 12, then 14 ms and 2 ms for each further one, and 1 ns a KV token.
    private static let stairs = StepTimeCoefficients(
        decode: .init(constant: 8e6, perSequence: 2e6, perContextToken: 1, stairs: [-1e6, 0, -2e6]),
        mixed: .init(constant: 20e6, perPrefillToken: 0, perSequence: 1e6))

    @Test("Stairs are part of what each number of sequences takes, alone and in runs, at any speed")
    func stairsInSteps() {
        let milliseconds = [9, 12, 12, 14, 16]
        for (index, time) in milliseconds.enumerated() {
            let sequences = Int64(index + 1)
            let step = StepFeatures(decodeSequences: sequences, decodeContext: 10 * sequences)
            let exact = Instant(nanoseconds: Int64(time) * 1_000_000 + 10 * sequences)
            #expect(StepClock(Self.stairs).duration(of: step, noise: .none).instant == exact, "\(sequences)")
            #expect(StepClock(Self.stairs).run(from: step, noise: .none).first.instant == exact)
            let half = StepClock(Self.stairs.scaled(by: 0.5)).duration(of: step, noise: .none).floored
            #expect(half.nanoseconds == exact.nanoseconds / 2)
        }
        // A prompt beside them is another kind of step.
        var mixed = StepFeatures(decodeSequences: 2, decodeContext: 20)
        mixed.addChunk(tokens: 8, context: 0)
        #expect(StepClock(Self.stairs).duration(of: mixed, noise: .none).instant == Instant(nanoseconds: 22_000_000))
    }

    @Test("Between whole numbers of sequences the cost lies on a line, and stairs that fall are not monotone")
    func stairsBetween() {
        let decode = Self.stairs.decode
        #expect(decode.cost(ofSequences: 1) == 9e6 && decode.cost(ofSequences: 1.5) == 10.5e6)
        #expect(decode.cost(ofSequences: 3) == 12e6 && decode.cost(ofSequences: 3.5) == 13e6)
        // Less than one sequence: the first's stair.
        #expect(decode.cost(ofSequences: 0.5) == 8e6)
        #expect(Self.stairs.isMonotone)
        var falling = Self.stairs
        falling.decode.stairs[2] = -2.1e6
        #expect(!falling.isMonotone)
    }
}
