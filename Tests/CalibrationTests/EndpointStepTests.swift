import EngineModel
import Testing
import Units

@testable import Calibration

@Suite("Steps told from the times of tokens")
struct EndpointStepTests {
    private func answer(_ sent: Double, prompt: Int, _ times: [Double]) -> EndpointAnswer {
        EndpointAnswer(
            sent: Instant(nanoseconds: Int64(sent * 1e6)),
            times: times.map { Instant(nanoseconds: Int64($0 * 1e6)) }, promptTokens: prompt,
            outputTokens: times.count)
    }

    @Test("A prompt that comes among decoding sequences makes a mixed step, and the contexts are counted")
    func mixedStep() {
        let answers = [
            answer(0, prompt: 10, [20, 30, 40.2, 70, 81, 91]),
            answer(42, prompt: 64, [70.1, 81.1]),
        ]
        let steps = StepReconstruction(answers, maxSequences: 8, maxBatchedTokens: 256).singles
        #expect(steps.map(\.features.decodeSequences) == [1, 1, 1, 2, 1])
        #expect(steps.map(\.features.prefillTokens) == [0, 0, 64, 0, 0])
        #expect(steps.map(\.features.decodeContext) == [10, 11, 12, 13 + 64, 14])
        #expect(abs(steps[2].seconds - 0.0298) < 1e-9)
        #expect(abs(steps[3].seconds - 0.011) < 1e-9)
    }

    @Test("A step that may hold part of a prompt is left out")
    func partialPrompt() {
        // The prompt waits from 21 on and its first token comes two steps later: the first may have computed a part of it.
        let answers = [
            answer(0, prompt: 10, [20, 30, 60, 90, 100, 110]),
            answer(21, prompt: 64, [90, 100]),
        ]
        let steps = StepReconstruction(answers, maxSequences: 8, maxBatchedTokens: 256).singles
        #expect(steps.map(\.features.prefillTokens) == [0, 0, 0])
        #expect(steps.map(\.seconds).allSatisfy { $0 < 0.011 })
        // With no place for it until then, it was in none of them.
        let full = StepReconstruction(answers, maxSequences: 1, maxBatchedTokens: 256).singles
        #expect(full.contains { $0.features.decodeSequences == 1 && abs($0.seconds - 0.03) < 1e-9 })
    }

    @Test("Beside an answer with fewer texts than tokens no step is told, and before and after it all are")
    func unknownAnswer() {
        var odd = answer(42, prompt: 64, [70.1, 91.1])
        odd.outputTokens = 4
        let answers = [answer(0, prompt: 10, [20, 30, 40, 70, 81, 91, 102, 113, 123, 134, 144]), odd]
        let steps = StepReconstruction(answers, maxSequences: 8, maxBatchedTokens: 256).singles
        // Its two unseen tokens are given as long as the two that were seen lay apart.
        #expect(steps.map(\.features.decodeContext) == [10, 11, 19])
        #expect(steps.allSatisfy { $0.features.decodeSequences == 1 && abs($0.seconds - 0.01) < 1e-9 })
    }

    @Test("What a late client makes long and short is averaged")
    func lateClient() {
        let times = (0..<17).map { (token: Int) -> Double in
            let late = token % 2 == 1 ? 4.0 : 0.0
            return 20.0 + 10.0 * Double(token) + late
        }
        let steps = StepReconstruction(
            [answer(0, prompt: 10, times)], maxSequences: 8, maxBatchedTokens: 256
        ).samples
        #expect(steps.count == 2)
        #expect(steps.allSatisfy { abs($0.seconds - 0.01) < 1e-9 })
    }

    @Test("Each sign of a busy machine is told", arguments: [0, 1, 2, 3, 4])
    func busyMachine(which: Int) {
        var reading = MachineReading(shareBefore: 0.99, shareAfter: 0.98, stolen: 0.01, switchesPerSecond: 20)
        switch which {
        case 1: reading.shareBefore = 0.7
        case 2: reading.shareAfter = 0.7
        case 3: reading.stolen = 0.2
        case 4: reading.switchesPerSecond = 900
        default: break
        }
        let signs = [nil, "before", "after", "hypervisor", "900 times a second"]
        if let sign = signs[which] {
            #expect(reading.problem?.contains(sign) == true)
        } else {
            #expect(reading.problem == nil)
        }
    }
}
