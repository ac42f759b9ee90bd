import Foundation

/// The executable, as a user runs it.
enum Program {
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// It lies beside the bundle of the tests.
    static let path: String = {
        let bundle = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        for folder in [bundle, bundle.deletingLastPathComponent(), repository.appending(path: ".build/debug")] {
            let candidate = folder.appending(path: "tidegate").path
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
        }
        fatalError("tidegate is not built: run 'swift build'")
    }()

    static func start(_ arguments: [String], output: FileHandle) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Runs it to its end; what it printed on either channel, and its exit code.
    static func run(_ arguments: String...) throws -> (text: String, code: Int32) { try run(arguments) }

    static func run(_ arguments: [String]) throws -> (text: String, code: Int32) {
        let file = FileManager.default.temporaryDirectory.appending(path: "out-\(UUID().uuidString)")
        _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = try start(arguments, output: try FileHandle(forWritingTo: file))
        process.waitUntilExit()
        return (try String(contentsOf: file, encoding: .utf8), process.terminationStatus)
    }
}

/// A folder with a scenario of seconds and its plans.
final class Workplace {
    let path: String
    var scenario: String { path + "/tiny/scenario.yaml" }

    /// - Parameter minutes: Simulated ones: about a tenth of a second each in debug.
    init(minutes: Int = 1) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "sweep-\(UUID().uuidString)").path
        let files = FileManager.default
        try files.createDirectory(atPath: path + "/tiny", withIntermediateDirectories: true)
        let shipped = Program.repository.appending(path: "Scenarios").path
        for folder in ["profiles", "prices"] {
            try files.copyItem(atPath: "\(shipped)/\(folder)", toPath: "\(path)/\(folder)")
        }
        let laptop = try String(contentsOfFile: shipped + "/laptop/scenario.yaml", encoding: .utf8)
        try laptop.replacing("duration: 1h", with: "duration: \(minutes)m")
            .write(toFile: scenario, atomically: true, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A plan of six points in a folder of its own; `folders` times the same.
    func plan(_ folders: String...) throws {
        for folder in folders {
            let (text, code) = try Program.run(
                "sweep", "plan", path + "/tiny", "--output", "\(path)/\(folder)", "--vary",
                "traffic.chat.rate=x0.5..x1.5", "--levels", "3", "--vary", "pools.laptop.replicas.max=4,8")
            guard code == 0 else { throw Failure(text: text) }
        }
    }

    /// Runs a subcommand of sweep on the plan of a folder.
    func sweep(_ verb: String, _ folder: String, _ arguments: String...) throws -> (text: String, code: Int32) {
        let all = ["sweep", verb, "\(path)/\(folder)"] + arguments
        let file = "\(path)/out-\(UUID().uuidString)"
        _ = FileManager.default.createFile(atPath: file, contents: nil)
        let process = try Program.start(all, output: FileHandle(forWritingAtPath: file)!)
        process.waitUntilExit()
        return (try String(contentsOfFile: file, encoding: .utf8), process.terminationStatus)
    }

    /// The bytes of every result and merged file of a folder, by name. Hidden files are of those who were killed.
    func files(_ folder: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: "\(path)/\(folder)") {
            let file = "\(path)/\(folder)/\(name)"
            if name.hasSuffix(".partial") { continue }
            if let bytes = FileManager.default.contents(atPath: file), !bytes.isEmpty { files[name] = bytes }
        }
        return files
    }

    func point(_ index: Int, _ folder: String) -> String { "\(path)/\(folder)/points/point-00000\(index).json" }

    /// Changes with every writing of the file.
    func fileNumber(_ path: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as! Int
    }

    struct Failure: Error { var text: String }
}
