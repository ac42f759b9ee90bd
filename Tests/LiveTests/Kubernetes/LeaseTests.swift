import Logging
import Testing
import Units

@testable import Live

@Suite("Leading by a Lease", .serialized)
struct LeaseTests {
    static func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

    /// Two processes and the record they share, without a clock or a network.
    struct Pair {
        var record: KubernetesLease.Spec?
        var a = LeaseElection(identity: "a")
        var b = LeaseElection(identity: "b")

        mutating func strive(_ path: WritableKeyPath<Pair, LeaseElection>, at now: Instant) {
            // The time of day is wrong on purpose: nothing may depend on it.
            switch self[keyPath: path].observe(record, at: now, calendar: "1999-01-01T00:00:00.\(now.nanoseconds)Z") {
            case .create(let spec), .update(let spec):
                record = spec
                self[keyPath: path].wrote(spec, sent: now)
            case .wait: break
            }
        }
    }

    @Test("The first to come leads, and keeps the lead while it renews")
    func keeps() {
        var pair = Pair()
        for second in stride(from: 0.0, through: 60, by: 2) {
            pair.strive(\.a, at: Self.at(second))
            pair.strive(\.b, at: Self.at(second + 1))
            #expect(pair.a.epoch(at: Self.at(second + 1.9)) == 0)
            #expect(pair.b.epoch(at: Self.at(second + 1.9)) == nil)
        }
    }

    @Test("A leader that falls silent has stopped before another follows, whose epoch is higher")
    func takeover() {
        var pair = Pair()
        pair.strive(\.a, at: Self.at(0))
        pair.strive(\.b, at: Self.at(1))
        // b has seen the record change at 1; until 16 it is valid.
        for second in stride(from: 2.0, to: 16, by: 1) {
            pair.strive(\.b, at: Self.at(second))
            #expect(pair.b.epoch(at: Self.at(second)) == nil)
            #expect((pair.a.epoch(at: Self.at(second)) == nil) == (second >= 10))
        }
        pair.strive(\.b, at: Self.at(16))
        #expect(pair.b.epoch(at: Self.at(16)) == 1)
        pair.strive(\.a, at: Self.at(17))
        #expect(pair.a.epoch(at: Self.at(17)) == nil)
    }

    @Test(
        "A process that comes later waits a whole lease from when it first saw the record, however old that says it is")
    func lateComer() {
        var pair = Pair()
        pair.strive(\.a, at: Self.at(0))
        pair.strive(\.b, at: Self.at(100))
        #expect(pair.b.epoch(at: Self.at(100)) == nil)
        pair.strive(\.b, at: Self.at(114.9))
        #expect(pair.b.epoch(at: Self.at(114.9)) == nil)
        pair.strive(\.b, at: Self.at(115))
        #expect(pair.b.epoch(at: Self.at(115)) == 1)
    }

    @Test("A leader that comes back after its own deadline begins another term")
    func ownTermPassed() {
        var pair = Pair()
        pair.strive(\.a, at: Self.at(0))
        #expect(pair.a.epoch(at: Self.at(10)) == nil)
        pair.strive(\.a, at: Self.at(11))
        #expect(pair.a.epoch(at: Self.at(11)) == 1)
    }

    @Test("A leader that goes in order lets another follow after a second")
    func release() throws {
        var pair = Pair()
        pair.strive(\.a, at: Self.at(0))
        let released = pair.a.release(at: Self.at(3), calendar: "")
        pair.record = try #require(released)
        #expect(pair.a.epoch(at: Self.at(3)) == nil)
        pair.strive(\.b, at: Self.at(3.1))
        #expect(pair.b.epoch(at: Self.at(3.1)) == 1)
    }

    @Test("A Lease that someone deletes does not lower the epoch of the process that led")
    func deleted() {
        var pair = Pair()
        pair.strive(\.a, at: Self.at(0))
        pair.record = nil
        pair.strive(\.a, at: Self.at(2))
        #expect(pair.a.epoch(at: Self.at(2)) == 1)
    }

    // MARK: - Against an API server

    static let timing = LeaseElection.Timing(
        lease: .seconds(1), renewDeadline: .milliseconds(600), retry: .milliseconds(50))

    /// For tests in which no term may end by itself, however busy the machine is.
    static let patient = LeaseElection.Timing(
        lease: .seconds(30), renewDeadline: .seconds(20), retry: .milliseconds(50))

    static func leader(
        _ server: FakeAPIServer, _ identity: String, _ timing: LeaseElection.Timing = patient
    ) -> KubernetesLeadership {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return KubernetesLeadership(
            server.access, lease: "tidegate", identity: identity, timing: timing, logger: logger)
    }

    @Test("Of two controllers one leads; when it goes the other follows with the next epoch")
    func twoControllers() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 1)) { server in
            let (a, b) = (Self.leader(server, "a"), Self.leader(server, "b"))
            let first = Task { await a.run() }
            try await until("a leads") { a.epoch == 0 }
            let second = Task { await b.run() }
            try await Task.sleep(for: .milliseconds(200))
            #expect(b.epoch == nil && a.epoch == 0)
            #expect(server.cluster.lease?["holderIdentity"] as? String == "a")
            first.cancel()
            await first.value
            #expect(a.epoch == nil)
            try await until("b leads") { b.epoch == 1 }
            second.cancel()
            await second.value
            #expect(server.cluster.lease?["holderIdentity"] as? String == "")
        }
    }

    @Test("Without an API server a leader stops leading by itself, and leads again when it is back")
    func outage() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 1)) { server in
            let a = Self.leader(server, "a", Self.timing)
            let task = Task { await a.run() }
            try await until("a leads") { a.epoch != nil }
            let start = MonotonicTime.now
            server.cluster.configure { $0.fault = { _ in .silence } }
            try await until("a has stopped") { a.epoch == nil }
            #expect(MonotonicTime.now - start < Self.timing.lease)
            server.cluster.configure { $0.fault = nil }
            try await until("a leads again, in another term") { a.epoch ?? 0 > 0 }
            task.cancel()
            await task.value
        }
    }

    @Test("Two that try at the same time do not both lead")
    func race() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 1)) { server in
            let leaders = (0..<8).map { Self.leader(server, "p\($0)") }
            let tasks = leaders.map { leader in Task { await leader.run() } }
            try await until("one leads") { leaders.contains { $0.epoch != nil } }
            for _ in 0..<20 {
                #expect(leaders.count { $0.epoch != nil } == 1)
                try await Task.sleep(for: .milliseconds(10))
            }
            for task in tasks {
                task.cancel()
                await task.value
            }
        }
    }
}
