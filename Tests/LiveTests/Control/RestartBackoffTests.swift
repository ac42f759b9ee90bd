import Testing
import Units

@testable import Live

@Suite("Pauses before a worker is started again")
struct RestartBackoffTests {
    /// The pause under way after a failure at `now`, in seconds.
    private func pause(of backoff: RestartBackoff, at now: Instant) -> Int64 {
        (0...100).first { backoff.isOver(at: now + .seconds($0)) } ?? 101
    }

    @Test("It doubles with each failure up to a minute, and begins anew when one became ready")
    func doubles() {
        var backoff = RestartBackoff()
        #expect(backoff.isOver(at: .epoch))
        var now = Instant.epoch
        var pauses: [Int64] = []
        for _ in 0..<8 {
            backoff.fail(at: now)
            pauses.append(pause(of: backoff, at: now))
            now = now + .seconds(pauses.last!)
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60])
        backoff.succeed()
        backoff.fail(at: now)
        #expect(pause(of: backoff, at: now) == 1)
    }

    @Test("Twenty workers that end together are one failure")
    func together() {
        var backoff = RestartBackoff()
        for _ in 0..<20 { backoff.fail(at: .epoch) }
        #expect(pause(of: backoff, at: .epoch) == 1)
    }
}
