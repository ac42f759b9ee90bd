import CGSL
import Testing

@testable import Randomness

@Suite("Philox")
struct PhiloxTests {
    /// - Source: the known answers that Random123 publishes (`kat_vectors`, philox4x32, 10 rounds).
    @Test(
        "Gives the published known answers",
        arguments: [
            (0, [0, 0, 0, 0], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            (.max, [.max, .max, .max, .max], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                0x299f_31d0_a409_3822, [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
            ),
        ] as [(UInt64, [UInt32], [UInt32])])
    func knownAnswers(key: UInt64, counter: [UInt32], expected: [UInt32]) {
        let block = cgsl_philox(key, cgsl_block(word: (counter[0], counter[1], counter[2], counter[3]))).word
        #expect([block.0, block.1, block.2, block.3] == expected)
    }

    @Test("Uniforms never reach 0 or 1, even at the ends of the word")
    func openInterval() {
        #expect(cgsl_unit(0, 0) > 0)
        #expect(cgsl_unit(.max, .max) < 1)
    }
}
