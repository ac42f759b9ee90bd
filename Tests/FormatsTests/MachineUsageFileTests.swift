import FleetModel
import Foundation
import Testing
import Units

@testable import Formats

@Suite("The file of what machines were used for")
struct MachineUsageFileTests {
    private static let usage = MachineUsage(
        UsageRecord(
            instance: "chat-i0", pool: PoolID("chat"),
            offering: Offering(provider: "local", instanceType: "cpu", zone: "here", capacityType: .onDemand), slots: 1,
            launched: .epoch, start: .epoch, end: .epoch + .seconds(5), terminated: true, busy: .seconds(2),
            idle: .seconds(3), starting: .zero, draining: .zero, promptTokens: [7], outputTokens: [9], requests: [1]),
        replicas: [ReplicaID(0)])

    @Test("Of lines that the disk has no room for nothing stays, and they can be written later")
    func fullDisk() async {
        // In a process of its own, for the limit holds for all that a process writes.
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryFolder()
            let (path, usage) = (folder.url.path + "/usage.jsonl", MachineUsageFileTests.usage)
            let length = try MachineUsageFile.append([usage], to: path)
            // A write across the limit is cut short there, and the next one fails.
            signal(SIGXFSZ, SIG_IGN)
            try MachineUsageFileTests.limitFiles(to: length + length / 2)
            #expect(throws: OutputError.self) { try MachineUsageFile.append([usage, usage], to: path) }
            #expect(MachineUsageFile.length(of: path) == length)
            try MachineUsageFileTests.limitFiles(to: nil)
            try MachineUsageFile.append([usage], to: path)
            #expect(try MachineUsageFile.read(path: path) == [usage, usage])
        }
    }

    /// - Parameter bytes: `nil` for as many as the system lets this process write.
    private static func limitFiles(to bytes: Int?) throws {
        let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
        var limit = rlimit()
        try #require(getrlimit(resource, &limit) == 0)
        limit.rlim_cur = bytes.map { rlim_t($0) } ?? limit.rlim_max
        try #require(setrlimit(resource, &limit) == 0)
    }
}
