import EngineModel
import Foundation
import Testing

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
        // Bent at no sequences the second slope holds for all of them.
        decode.secondHingeSequences = 0
        let whole = try encoder.encode(decode)
        #expect(try JSONDecoder().decode(StepTimeCoefficients.Decode.self, from: whole) == decode)
    }
}
