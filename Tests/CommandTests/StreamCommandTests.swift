import Foundation
import Testing

/// `replay --journal`, `--requests` and `verify`, and outputs that cannot be written, as a user meets them.
@Suite(.serialized) struct StreamCommandTests {
    private func files(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    private func replay(_ place: Workplace, _ more: [String]) throws -> (text: String, code: Int32) {
        try run(["replay", place.path + "/tiny", "--output", place.path + "/out", "--no-store", "--quiet"] + more)
    }

    private func run(_ arguments: [String]) throws -> (text: String, code: Int32) {
        let path = FileManager.default.temporaryDirectory.appending(path: "out-\(UUID().uuidString)").path
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let process = try Program.start(arguments, output: FileHandle(forWritingAtPath: path)!)
        process.waitUntilExit()
        return (try String(contentsOfFile: path, encoding: .utf8), process.terminationStatus)
    }

    @Test func `a journal and its requests are written, and the journal verifies`() throws {
        let place = try Workplace(minutes: 2)
        let journal = place.path + "/logs/run.jsonl.gz"
        let rows = place.path + "/logs/requests.csv"
        let done = try replay(place, ["--journal", journal, "--requests", rows])
        #expect(done.code == 0, "\(done.text)")
        #expect(try files(place.path + "/logs") == ["requests.csv", "run.jsonl.gz"])
        let verified = try run(["verify", journal, "--policy", place.path + "/out/policy.json"])
        #expect(verified.code == 0 && verified.text.contains("verified: "), "\(verified.text)")

        let summary =
            try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(filePath: place.path + "/out/summary.json"))) as! [String: Any]
        let requests = summary["requests"] as! [String: Any]
        let lines = try String(contentsOfFile: rows, encoding: .utf8).split(separator: "\n")
        #expect(lines.count - 1 == requests["arrived"] as! Int)
        #expect(lines.count { $0.contains(",completed,") } == requests["completed"] as! Int)
        #expect(lines[0].hasPrefix("arrival_ns,pool,tenant,class,"))
        #expect(lines.allSatisfy { $0.count { $0 == "," } == 10 })
    }

    @Test func `a field is set before anything is played, and the result says so`() throws {
        let place = try Workplace(minutes: 2)
        func arrived(_ more: [String]) throws -> (requests: Int, question: String) {
            let done = try replay(place, more)
            #expect(done.code == 0, "\(done.text)")
            let summary =
                try JSONSerialization.jsonObject(
                    with: Data(contentsOf: URL(filePath: place.path + "/out/summary.json"))) as! [String: Any]
            let page = try String(contentsOfFile: place.path + "/out/report.html", encoding: .utf8)
            let requests = summary["requests"] as! [String: Any]
            return (requests["arrived"] as! Int, page.contains("With duration=4m.") ? "with" : "without")
        }
        let plain = try arrived([])
        let longer = try arrived(["--set", "duration=4m"])
        #expect(plain.question == "without" && longer.question == "with")
        #expect((17...23).contains(longer.requests * 10 / plain.requests), "\(plain.requests), \(longer.requests)")
        for wrong in ["duration", "duration=soon", "durations=4m"] {
            let refused = try replay(place, ["--set", wrong])
            #expect(refused.code == (wrong == "duration" ? 64 : 65), "\(wrong): \(refused.text)")
        }
    }

    @Test func `bytes do not depend on the number of workers`() throws {
        let place = try Workplace(minutes: 2)
        var found: Set<Data> = []
        for workers in ["1", "3"] {
            let file = "\(place.path)/\(workers).csv"
            #expect(try replay(place, ["--requests", file, "--workers", workers]).code == 0)
            found.insert(try #require(FileManager.default.contents(atPath: file)))
        }
        #expect(found.count == 1)
    }

    @Test func `a journal with another digit is refused with the line, and a missing one is missing`() throws {
        let place = try Workplace(minutes: 2)
        let journal = place.path + "/run.jsonl"
        #expect(try replay(place, ["--journal", journal]).code == 0)
        let text = try String(contentsOfFile: journal, encoding: .utf8)
        var lines = text.split(separator: "\n").map(String.init)
        lines[2] = lines[2].replacing("\"sequence\":2", with: "\"sequence\":3")
        try lines.joined(separator: "\n").write(toFile: journal, atomically: true, encoding: .utf8)
        let refused = try run(["verify", journal])
        #expect(refused.code == 65 && refused.text.contains("run.jsonl:3: error: "), "\(refused.text)")
        #expect(try run(["verify", place.path + "/none.jsonl"]).code == 66)
        #expect(try run(["verify", journal, "--policy", place.path + "/none.json"]).code == 66)
    }

    @Test func `they are for a single run, and say so`() throws {
        let place = try Workplace()
        let many = try replay(place, ["--journal", place.path + "/j", "--replications", "2"])
        #expect(many.code == 64 && many.text.contains("--journal writes the file of a single run"))
        let precise = try replay(place, ["--requests", place.path + "/r", "--precision", "5%"])
        #expect(precise.code == 64 && precise.text.contains("leave out --precision"))
    }

    @Test func `what cannot be written is told before anything is played`() throws {
        // A day would take much longer than the limit below.
        let place = try Workplace(minutes: 1440)
        try "".write(toFile: place.path + "/file", atomically: true, encoding: .utf8)
        let scenario = place.path + "/tiny"
        let before = try files(place.path)
        for arguments in [
            ["replay", scenario, "--output", place.path + "/file/out"],
            ["replay", scenario, "--output", place.path + "/out", "--journal", place.path + "/file/j"],
            ["replay", scenario, "--output", place.path + "/out", "--requests", scenario],
            ["compare", scenario, "--output", place.path + "/file/out"],
            ["size", scenario, "--output", place.path + "/file/out"],
            ["calibrate", "core", "--output", place.path + "/file/p.json", "--allow-noisy"],
        ] {
            let begun = Date()
            let (text, code) = try run(arguments)
            #expect(code == 73 && text.contains("cannot be written"), "\(arguments): \(text)")
            #expect(Date().timeIntervalSince(begun) < 20, "\(arguments)")
        }
        #expect(try files(place.path) == before)
    }

    @Test func `a run that is stopped keeps the complete lines`() throws {
        let place = try Workplace(minutes: 1440)
        let journal = place.path + "/run.jsonl"
        let process = try Program.start(
            [
                "replay", place.path + "/tiny", "--output", place.path + "/out", "--no-store", "--quiet", "--journal",
                journal,
            ], output: FileHandle.nullDevice)
        let deadline = Date() + 60
        while Date() < deadline, try !files(place.path).contains(where: { $0.hasPrefix(".run.jsonl") }) {
            usleep(10_000)
        }
        usleep(1_500_000)
        kill(process.processIdentifier, SIGINT)
        process.waitUntilExit()
        #expect(process.terminationStatus == 130)
        #expect(!(try files(place.path).contains { $0.hasSuffix(".partial") }))
        let verified = try run(["verify", journal])
        #expect(verified.code == 0, "\(verified.text)")
    }
}
