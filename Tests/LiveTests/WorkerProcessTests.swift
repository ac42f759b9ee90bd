import Foundation
import Testing

@Suite("The worker as a process", .serialized)
struct WorkerProcessTests {
    private static let profile = OtherPrograms.root.path + "/Scenarios/profiles/llama-3.1-8b-h100-tp1.json"

    /// A worker that listens, and what it prints.
    private final class Worker {
        let process = Process()
        let port: Int
        private let output: String

        init(_ arguments: String...) async throws {
            output = FileManager.default.temporaryDirectory.appending(path: "worker-\(UUID().uuidString)").path
            _ = FileManager.default.createFile(atPath: output, contents: nil)
            let handle = FileHandle(forWritingAtPath: output)!
            process.executableURL = URL(filePath: WorkerProcessTests.tidegate)
            process.arguments = ["worker", "--port", "0", "--json"] + arguments
            process.environment = Reaper.environment
            process.standardOutput = handle
            process.standardError = handle
            process.standardInput = FileHandle.nullDevice
            try process.run()
            var found: Int?
            let path = output
            try await until("the worker listens") {
                found = Self.events(path).first { $0["event"] as? String == "listening" }?["port"] as? Int
                return found != nil
            }
            port = found!
            try await until("it is warm") { (try? await HTTP.get(found!, "/health").status) == 200 }
        }

        deinit {
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            try? FileManager.default.removeItem(atPath: output)
        }

        static func events(_ path: String) -> [[String: Any]] {
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            return text.split(separator: "\n").compactMap {
                try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
            }
        }

        var events: [[String: Any]] { Self.events(output) }

        func signal(_ number: Int32) { kill(process.processIdentifier, number) }

        func exitCode() async throws -> Int32 {
            try await until("the worker exits") { !process.isRunning }
            return process.terminationStatus
        }
    }

    /// It lies beside the bundle of the tests.
    static let tidegate: String = {
        let bundle = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        for folder in [bundle, bundle.deletingLastPathComponent(), OtherPrograms.root.appending(path: ".build/debug")] {
            let candidate = folder.appending(path: "tidegate").path
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
        }
        fatalError("tidegate is not built: run 'swift build'")
    }()

    private static func run(_ arguments: String...) async throws -> OtherPrograms.Answer {
        try await OtherPrograms.run(tidegate, ["worker"] + arguments)
    }

    @Test("SIGTERM lets a stream finish and exits with 0; new requests are refused meanwhile")
    func drains() async throws {
        let worker = try await Worker("--executor", "emulated", "--profile", Self.profile)
        let client = try HTTP(port: worker.port)
        await client.post("/v1/completions", #"{"prompt":"a","max_tokens":80,"stream":true}"#)
        try await client.wait(for: "tide")
        worker.signal(SIGTERM)
        try await until("it drains") { try await HTTP.get(worker.port, "/health").status == 503 }
        #expect(try await HTTP.post(worker.port, "/v1/completions", "{}").status == 503)
        #expect(try await client.reply().events.count == 81)
        #expect(try await worker.exitCode() == 0)
        #expect(worker.events.last?["event"] as? String == "drained")
    }

    @Test("A drain that its deadline cuts exits with 75, and a second signal ends at once")
    func cutShort() async throws {
        let cut = try await Worker(
            "--executor", "emulated", "--profile", Self.profile, "--drain-deadline", "100ms")
        let client = try HTTP(port: cut.port)
        await client.post("/v1/completions", #"{"prompt":"a","max_tokens":4000,"stream":true}"#)
        try await client.wait(for: "tide")
        cut.signal(SIGTERM)
        #expect(try await cut.exitCode() == 75)

        let ended = try await Worker("--executor", "emulated", "--profile", Self.profile)
        let other = try HTTP(port: ended.port)
        await other.post("/v1/completions", #"{"prompt":"a","max_tokens":4000,"stream":true}"#)
        try await other.wait(for: "tide")
        ended.signal(SIGTERM)
        try await until("it drains") { ended.events.last?["event"] as? String == "draining" }
        ended.signal(SIGTERM)
        #expect(try await ended.exitCode() == 143)
    }

    @Test("A port that is taken is told, with 69")
    func portTaken() async throws {
        let worker = try await Worker("--model", "tiny", "--kv-blocks", "64")
        let second = try await Self.run("--model", "tiny", "--port", "\(worker.port)", "--kv-blocks", "64")
        #expect(second.code == 69)
        #expect(second.errors.contains("cannot listen"))
        worker.signal(SIGTERM)
        #expect(try await worker.exitCode() == 0)
    }

    @Test("A socket is told with the port, and who may not have it says why")
    func socket() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "worker-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/w.sock"
        let worker = try await Worker("--executor", "emulated", "--profile", Self.profile, "--socket", path)
        #expect(worker.events.first { $0["event"] as? String == "listening" }?["socket"] as? String == path)
        let client = try HTTP(socket: path)
        await client.post("/v1/completions", #"{"prompt":"a","max_tokens":80,"stream":true}"#)
        try await client.wait(for: "tide")
        let second = try await Self.run(
            "--executor", "emulated", "--profile", Self.profile, "--port", "0", "--socket", path)
        #expect(second.code == 69)
        #expect(second.errors.contains("\(path): error: somebody listens there already"), "\(second.errors)")
        // Drained as by TCP.
        worker.signal(SIGTERM)
        #expect(try await client.reply().events.count == 81)
        #expect(try await worker.exitCode() == 0)
        #expect(!FileManager.default.fileExists(atPath: path))
        let long = try await Self.run("--model", "tiny", "--socket", path + String(repeating: "x", count: 60))
        #expect(long.code == 64)
        #expect(long.errors.contains("and a socket's at most 103"), "\(long.errors)")
    }

    @Test("What is wrong on the command line is told with the codes of the other commands")
    func badArguments() async throws {
        #expect(try await Self.run("--executor", "emulated").code == 64)
        #expect(try await Self.run("--executor", "emulated", "--profile", "/nowhere.json").code == 66)
        #expect(try await Self.run("--model", "/nowhere").code == 66)
        #expect(try await Self.run("--executor", "emulated", "--profile", #filePath).code == 65)
        #expect(try await Self.run("--model", OtherPrograms.root.path + "/Sources").code == 65)
        #expect(try await Self.run("--drain-deadline", "5").code == 64)
        #expect(try await Self.run("--max-num-seqs", "9", "--max-num-batched-tokens", "8").code == 64)
        #expect(try await Self.run("--port", "70000").code == 64)
        let secure = try await Self.run("--model", "tiny", "--traces", "https://collector:4318")
        #expect(secure.code == 64)
        #expect(secure.errors.contains("spans are sent without TLS"), "\(secure.errors)")
    }
}
