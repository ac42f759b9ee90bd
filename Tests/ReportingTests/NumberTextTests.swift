import Studies
import Testing
import Units

@testable import Reporting

@Suite("Numbers as a reader sees them")
struct NumberTextTests {
    @Test(
        "Fixed decimals",
        arguments: [
            (0, 2, "0.00"), (1.005, 1, "1.0"), (-0.04, 1, "0.0"), (-1.25, 1, "-1.3"), (12_345.678, 0, "12346"),
            (.infinity, 1, "–"), (.nan, 1, "–"),
        ] as [(Double, Int, String)])
    func fixedDecimals(value: Double, decimals: Int, text: String) { #expect(fixed(value, decimals) == text) }

    @Test(
        "Three digits, whatever the size",
        arguments: [
            (0, "0"), (1234.4, "1,234"), (999.6, "1,000"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"),
            (0.01234, "0.0123"), (-12.34, "-12.3"),
        ] as [(Double, String)])
    func digits(value: Double, text: String) { #expect(threeDigits(value) == text) }

    @Test(
        "Money",
        arguments: [
            ("0", "$0"), ("412.907", "$412.91"), ("1234567.5", "$1,234,568"), ("12345.678", "$12,345.68"),
            ("0.0123", "$0.0123"), ("-3.5", "−$3.50"),
        ])
    func amounts(amount: String, text: String) { #expect(money(USD(amount)!) == text) }

    @Test(
        "A promise that was almost kept never reads as kept",
        arguments: [
            (1, "100 %"), (0.99999, "99.99 %"), (0.99, "99.00 %"), (0.9899999, "98.99 %"), (0, "0.00 %"),
        ] as [(Double, String)])
    func attainments(share: Double, text: String) { #expect(attainmentText(share) == text) }

    @Test(
        "Latency takes the unit that suits it",
        arguments: [
            (0.5, "500 µs"), (12.34, "12.3 ms"), (999.4, "999 ms"), (1000, "1.00 s"), (90_000, "90.0 s"),
            (600_000, "10.0 min"),
        ] as [(Double, String)])
    func latencies(milliseconds: Double, text: String) { #expect(latency(milliseconds: milliseconds) == text) }

    @Test(
        "Zeros that end a fraction go, and no others",
        arguments: [
            ("2.00 s", "2 s"), ("$12.50", "$12.5"), ("100 %", "100 %"), ("10.0 k", "10 k"), ("0.05", "0.05"),
        ])
    func trimming(text: String, short: String) { #expect(trimmed(text) == short) }

    @Test(
        "Lengths of time in words",
        arguments: [
            (TimeSpan.hours(24), "24 h"), (.hours(49), "2 d 1 h"), (.seconds(160), "2 min 40 s"),
            (.milliseconds(80), "80 ms"),
            (.seconds(2), "2 s"), (.minutes(90), "1 h 30 min"),
        ])
    func lengths(span: TimeSpan, text: String) { #expect(spelled(span) == text) }

    @Test(
        "Ticks of a linear scale are at 1, 2 or 5 times a power of ten, and hold the data",
        arguments: [
            0.003, 0.07, 1, 7, 17.8, 99, 101, 12_345,
        ])
    func linearTicks(maximum: Double) {
        let scale = Scale.linear(upTo: maximum)
        #expect(scale.upper >= maximum && scale.upper < maximum * 2.01)
        #expect((3...7).contains(scale.ticks.count))
        #expect(scale.fraction(0) == 0 && scale.fraction(scale.upper) == 1)
    }

    @Test("Whole counts have no tick between whole numbers")
    func wholeTicks() { #expect(Scale.linear(upTo: 3, whole: true).ticks.map(\.label) == ["0", "1", "2", "3"]) }

    @Test("Each nine of a tail scale is as wide as the one before")
    func tail() {
        let scale = Scale.tail(upTo: 0.9999)
        #expect(abs(scale.fraction(0.99) - scale.fraction(0.9) - 0.25) < 1e-9)
        #expect(abs(scale.fraction(0.999) - scale.fraction(0.99) - 0.25) < 1e-9)
    }

    @Test(
        "A time scale has few ticks, at round times of the clock",
        arguments: [
            TimeSpan.seconds(1), .seconds(50), .minutes(7), .hours(3), .hours(24), .hours(24 * 7), .hours(24 * 400),
        ])
    func timeTicks(duration: TimeSpan) {
        let scale = Scale.time(from: Instant("2026-03-02T00:00:07Z")!, lasting: duration)
        #expect(scale.ticks.count <= 11)
        #expect(scale.ticks.allSatisfy { $0.value >= 0 && $0.value <= duration.seconds })
    }
}
