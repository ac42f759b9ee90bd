import Testing
import Units

@testable import Workload

@Suite("Rate profile")
struct RateProfileTests {
    private static let profiles: [RateProfile] = [
        .constant(3), .steps(every: .minutes(5), values: [0, 4, 0, 0.5]),
        .linear(every: .minutes(5), values: [0, 6, 1, 0, 0]),
    ]

    @Test("The integral of steps and lines is the area under them, repeated")
    func integrals() {
        let steps = RateProfile.steps(every: .seconds(10), values: [1, 3])
        #expect(steps.expectedRequests(until: .seconds(15)) == 25)
        #expect(steps.expectedRequests(until: .seconds(45)) == 85)
        let line = RateProfile.linear(every: .seconds(10), values: [0, 4])
        #expect(line.expectedRequests(until: .seconds(5)) == 5)
        // Back to the first value over the second interval: a triangle of 40.
        #expect(line.expectedRequests(until: .seconds(20)) == 40)
        #expect(line.expectedRequests(until: .seconds(50)) == 100)
        #expect(line.mean(over: .seconds(20)) == 2)
        #expect(line.scaled(by: 3).mean(over: .seconds(20)) == 6)
    }

    @Test("The cursor inverts the integral, over repetitions and idle intervals", arguments: profiles)
    func inversion(profile: RateProfile) {
        var cursor = RateCursor(profile, limit: .hours(48))
        var expected = 0.0
        var last = TimeSpan.zero
        // Steps below, above and far above the requests of an interval and of a repetition.
        for step in [0.3, 17, 1000, 0.001, 5000, 333, 0.5] {
            expected += step
            let time = cursor.advance(by: step) ?? .hours(-1)
            #expect(time >= last)
            // A time is cut to a nanosecond, in which at most 6e-9 requests are expected.
            #expect(abs(profile.expectedRequests(until: time) - expected) < 1e-6)
            last = time
        }
    }

    @Test("Nothing comes at rate zero, nor at or after the end")
    func ends() {
        func times(_ profile: RateProfile, _ limit: TimeSpan, _ steps: [Double]) -> [TimeSpan?] {
            var cursor = RateCursor(profile, limit: limit)
            return steps.map { cursor.advance(by: $0) }
        }
        #expect(times(.steps(every: .seconds(1), values: [0, 0]), .hours(1), [1e-9]) == [nil])
        #expect(times(.constant(1e-300), .hours(1), [1]) == [nil])
        #expect(times(.constant(1), .seconds(3), [2, 1]) == [.seconds(2), nil])
        #expect(times(.steps(every: .seconds(10), values: [1, 0]), .seconds(100), [10]) == [.seconds(20)])
    }

    @Test(
        "A profile that cannot be played says why",
        arguments: [
            (.steps(every: .seconds(1), values: []), "no values"), (.steps(every: .zero, values: [1]), "not positive"),
            (.constant(-1), "-1.0 requests/s"), (.constant(.nan), "nan requests/s"),
            (.linear(every: .hours(1_000_000), values: [1, 2]), "20 years"),
        ] as [(RateProfile, String)])
    func problems(profile: RateProfile, words: String) {
        #expect(profile.problem?.contains(words) == true)
        #expect(Self.profiles.allSatisfy { $0.problem == nil })
    }
}
