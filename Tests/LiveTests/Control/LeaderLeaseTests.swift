import Foundation
import Testing

@testable import Live
@testable import Units

@Suite("Leadership by a locked file")
struct LeaderLeaseTests {
    private static func path() -> String {
        FileManager.default.temporaryDirectory.appending(path: "tidegate-lease-\(UUID())/leader.json").path
    }

    @Test("Of two, one leads; when it gives up, the other leads in a later epoch")
    func oneOfTwo() throws {
        let path = Self.path()
        var first = try LeaderLease(path: path, duration: .seconds(30))
        var second = try LeaderLease(path: path, duration: .seconds(30))
        #expect(try first.acquire())
        #expect(try !second.acquire())
        #expect(try first.acquire(), "it renews its own")
        #expect(first.epoch == 1)
        first.release()
        #expect(try second.acquire())
        #expect(second.epoch == 2)
        #expect(try !first.acquire())
    }

    @Test("One that was silent for longer than the lease acts no more, though nobody told it")
    func fenced() async throws {
        let path = Self.path()
        var old = try LeaderLease(path: path, duration: .milliseconds(500))
        var new = try LeaderLease(path: path, duration: .seconds(30))
        #expect(try old.acquire())
        #expect(try old.whileLeading { $0 } == 1)
        try await Task.sleep(for: .milliseconds(600))
        #expect(throws: LeaderLease.Loss.expired) { try old.whileLeading { _ in } }
        #expect(old.epoch == nil)
        #expect(try new.acquire())
        #expect(throws: LeaderLease.Loss.taken(epoch: 2)) { try old.whileLeading { _ in } }
        #expect(try new.whileLeading { $0 } == 2)
    }

    @Test("One whose process has ended is followed at once; one that lives is waited for")
    func ended() throws {
        let path = Self.path()
        var dead: LeaderLease? = try LeaderLease(path: path, duration: .seconds(30))
        var next = try LeaderLease(path: path, duration: .seconds(30))
        #expect(try dead!.acquire())
        #expect(try !next.acquire())
        #expect(next.leader == .init(epoch: 1, process: "\(getpid())"))
        // What is left of a process that is gone: its file, and no lock.
        dead = nil
        #expect(try next.acquire())
        #expect(next.epoch == 2)
        #expect(next.leader == nil)
    }

    @Test("An act that takes longer than the lease has not lost it: nobody could take it meanwhile")
    func longAct() throws {
        let path = Self.path()
        var lease = try LeaderLease(path: path, duration: .seconds(1))
        var other = try LeaderLease(path: path, duration: .seconds(30))
        #expect(try lease.acquire())
        try lease.whileLeading { _ in usleep(1_200_000) }
        #expect(try !other.acquire())
        #expect(try lease.whileLeading { $0 } == 1)
    }

    @Test("A lease that ran out is taken again under a new epoch, by its old holder too")
    func newTerm() async throws {
        var lease = try LeaderLease(path: Self.path(), duration: .milliseconds(30))
        #expect(try lease.acquire())
        try await Task.sleep(for: .milliseconds(60))
        #expect(try lease.acquire())
        #expect(lease.epoch == 2)
    }

    @Test("A file that is no lease stops everybody, for its epoch is lost")
    func broken() throws {
        let path = Self.path()
        var lease = try LeaderLease(path: path, duration: .seconds(1))
        try "{\"epoch\": 7".write(toFile: path, atomically: false, encoding: .utf8)
        #expect(throws: (any Error).self) { try lease.acquire() }
        #expect(lease.epoch == nil)
    }
}
