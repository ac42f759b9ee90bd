import Dispatch
import Foundation

/// Programs of others that tests ask, where `Scripts/test` could install them.
enum OtherPrograms {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let python = root.path + "/.build-python/bin/python"
    static let clientMissing =
        "there is no .build-python/bin/python with the package openai; Scripts/test makes it where PyPI is reached"
    static let hasClient: Bool =
        FileManager.default.isExecutableFile(atPath: python) && succeeds(python, "-c", "import openai")
    static let promtoolMissing = "there is no promtool; Scripts/test fetches it where Debian is reached"
    static let promtool = ofPrometheus("promtool")
    static let prometheusMissing = "there is no prometheus; Scripts/test fetches it where Debian is reached"
    static let prometheus = ofPrometheus("prometheus")
    private static func ofPrometheus(_ program: String) -> String? {
        [root.path + "/.build-prometheus/usr/bin/", "/usr/bin/"].map { $0 + program }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
    static let model = root.path + "/.build-models/SmolLM2-135M-Instruct.Q4_1.gguf"
    static let hasModel = FileManager.default.fileExists(atPath: model)
    static let modelMissing = "SmolLM2 is not there; Scripts/get-model fetches it where PyPI is reached"

    struct Answer: Sendable {
        var output: Data
        var errors: String
        var code: Int32
    }

    /// Runs a program to its end on a thread of its own.
    static func run(_ path: String, _ arguments: [String], input: String = "") async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try runBlocking(path, arguments, input: input) })
            }
        }
    }

    private static func succeeds(_ path: String, _ arguments: String...) -> Bool {
        (try? runBlocking(path, arguments, input: "").code) == 0
    }

    /// Through files, so that no pipe can fill.
    private static func runBlocking(_ path: String, _ arguments: [String], input: String) throws -> Answer {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tidegate-live-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = ["in", "out", "err"].map { folder.appending(path: $0) }
        for file in files { try Data(file.lastPathComponent == "in" ? input.utf8 : "".utf8).write(to: file) }
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.environment = Reaper.environment
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        process.waitUntilExit()
        return Answer(
            output: try Data(contentsOf: files[1]), errors: try String(contentsOf: files[2], encoding: .utf8),
            code: process.terminationStatus)
    }
}
