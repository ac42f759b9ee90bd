import Statistics
import Testing

@testable import Studies

@Suite struct QueueingTheoryTests {
    /// A small part of the requests of `tidegate theory --effort 1`: half-widths of some 16 %, and of 11 % in queues with
    /// a bound, where a mistake shows less.
    @Test(arguments: [0.5, 0.8].flatMap { QueueingCase.all(load: $0) })
    func `the simulator covers the closed form and not a wrong one`(queue: QueueingCase) async throws {
        let outcome = try await play(
            queue, seed: 5, requests: queue.requestsPerRun / (queue.waitingRoom == nil ? 32 : 16),
            workers: 2)
        #expect(outcome.isLittleExact)
        #expect(outcome.isCovered, "\(outcome.measured), exactly \(queue.exact)")
        #expect(outcome.relativeHalfWidth < 0.25)
        let wrong = mistaken(queue)
        #expect(!outcome.measured.contains(wrong), "\(outcome.measured) is too wide to tell \(wrong)")
    }

    /// What a likely mistake would give: another service law, one server more, one place more.
    private func mistaken(_ queue: QueueingCase) -> Double {
        var other = queue
        switch (queue.service, queue.waitingRoom) {
        case (.constant, _), (.lognormal, _): other.service = .exponential
        case (.exponential, nil) where queue.servers == 1: other.service = .constant
        case (.exponential, nil):
            other.servers += 1
            other.load = queue.load * Double(queue.servers) / Double(other.servers)
        case (_, let room?): other.waitingRoom = room + 1
        case (.held, nil): preconditionFailure("held places are counted")
        }
        return other.exact
    }

    @Test func `the closed forms are the textbook's`() {
        func exact(_ name: String, _ quantity: QueueingCase.Quantity = .wait, load: Double = 0.5) -> Double {
            QueueingCase.all(load: load).first { $0.name == name && $0.quantity == quantity }!.exact
        }
        // At load one half a wait is a service time in M/M/1, half of one in M/D/1 and (1 + 1.5²)/2 in M/G/1.
        #expect(abs(exact("M/M/1") - 1) < 1e-9)
        #expect(abs(exact("M/D/1") - 0.5) < 1e-9)
        #expect(abs(exact("M/G/1") - 1.625) < 1e-9)
        #expect(abs(exact("M/M/8") - 0.01476) < 1e-5)
        // Two erlangs on four servers and six places: by hand 1/45, and 4/88.
        #expect(abs(exact("M/M/4/6", .blocking) - 1 / 45) < 1e-9)
        #expect(abs(exact("M/M/4/6") - 4 / 88) < 1e-9)
        // Erlang's table at 6.4 erlangs and eight lines.
        #expect(abs(exact("M/G/8/8", .blocking, load: 0.8) - 0.1444) < 1e-4)
    }
}
