import Control
import FleetModel
import Foundation
import Testing
import Units

@testable import Formats

@Suite("What machines were used for, in a file")
struct MachineUsageFileTests {
    /// Bytes that a file may have for a while: more than any other test's.
    private static let limit = 1 << 34

    @Test("Of a line that finds no room nothing is left")
    func noRoom() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "usage-\(UUID().uuidString).jsonl").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let usage = try Self.usage()
        try MachineUsageFile.append([usage], to: path)
        #expect(try MachineUsageFile.read(path: path) == [usage])
        // A hole, which takes no room on the disk, and ten bytes.
        truncate(path, off_t(Self.limit - 10))
        try Self.limiting {
            #expect(throws: OutputError.self) { try MachineUsageFile.append([usage], to: path) }
        }
        #expect(MachineUsageFile.length(of: path) == Self.limit - 10)
    }

    private static func usage() throws -> MachineUsage {
        let offering = Offering(provider: "p", instanceType: "i", zone: "z", capacityType: .onDemand)
        var book = MachineBook(pool: PoolID("chat"), offering: offering, slots: 1, tenantCount: 1)
        _ = book.place(handedOver: .epoch)
        return MachineUsage(try #require(book.closePeriod(at: .epoch + .minutes(1)).first), replicas: [ReplicaID(0)])
    }

    /// Lets no file of this process grow beyond `limit` meanwhile.
    private static func limiting(_ body: () throws -> Void) throws {
        let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
        var before = rlimit()
        try #require(getrlimit(resource, &before) == 0)
        let ignored = signal(SIGXFSZ, SIG_IGN)
        var limited = before
        limited.rlim_cur = rlim_t(limit)
        try #require(setrlimit(resource, &limited) == 0)
        defer {
            setrlimit(resource, &before)
            signal(SIGXFSZ, ignored)
        }
        try body()
    }
}
