import Foundation
import Testing

@Suite("A core in steady state")
struct SteadyStateTests {
    struct Figures: Decodable {
        var tokens: Int
        var counted: Bool
        var optimised: Bool
        var allocations: Int
        var kept: Int
        var idleMs: Double
    }

    /// The program lies beside the bundle of the tests. A process of its own, because both counts are of a whole process.
    static func measure() throws -> Figures {
        let folder = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        let process = Process()
        process.executableURL = folder.appending(path: "CoreBench")
        process.arguments = ["steady"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Figures.self, from: data)
    }

    @Test("Decode steps take no memory, and threads that wait take no processor time")
    func steady() throws {
        let figures = try Self.measure()
        #expect(figures.tokens > 4 * 200)
        #if canImport(Glibc)
            #expect(figures.counted)
        #endif
        #expect(figures.kept == 0)
        // An unoptimised build takes memory for its iterators and gives it back.
        if figures.optimised { #expect(figures.allocations == 0) }
        // A thread that spins through the half second takes 500 ms.
        #expect(figures.idleMs < 50)
    }
}
