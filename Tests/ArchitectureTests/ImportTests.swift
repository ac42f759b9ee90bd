import Foundation
import Testing

/// What each target may import of ours and of others; the picture is in Docs/architecture.md.
private let allowed: [String: Set<String>] = {
    let numbers: Set = ["Units"]
    let scaling: Set = ["EngineModel", "Pricing", "FleetModel", "Statistics", "Units"]
    let control = scaling.union(["Scaling"])
    let models = control.union(["Control", "Serving", "Workload", "Randomness", "Collections"])
    // Dispatch for its parallel loop: pools advance side by side.
    let simulation = models.union(["Dispatch"])
    let studies = models.union(["Simulation", "Synchronization"])
    // CYaml is libyaml as the package Yams brings it.
    let formats = studies.union(["CZlib", "CYaml"])
    // The live plane's alone: nothing below it knows a socket.
    let network: Set = [
        "Hummingbird", "HummingbirdCore", "HTTPTypes", "NIOCore", "NIOPosix", "NIOHTTPTypes", "NIOHTTP1", "NIOTLS",
        "NIOSSL", "ServiceLifecycle", "Logging", "Subprocess", "SystemPackage",
    ]
    return [
        "Units": ["CDigest"],
        "Randomness": numbers.union(["CGSL"]),
        "Statistics": numbers.union(["CGSL"]),
        "FleetModel": numbers,
        "EngineModel": numbers,
        "Pricing": numbers.union(["FleetModel"]),
        "Workload": numbers.union(["FleetModel", "Randomness", "Statistics"]),
        "Serving": numbers.union(["EngineModel", "FleetModel", "Collections"]),
        "Scaling": scaling,
        "Control": control,
        "Simulation": simulation,
        "Studies": studies,
        "InferenceCore": ["Serving", "EngineModel", "FleetModel", "Randomness", "Units", "CKernels"],
        "Formats": formats,
        "Calibration": formats.subtracting(["CZlib", "CYaml"]).union(["InferenceCore", "Formats"]),
        "Store": studies.union(["GRDB"]),
        "Reporting": studies.union(["Studies", "Formats"]),
        "Commands": ["ArgumentParser", "Synchronization"],
        "Live": formats.subtracting(["CYaml", "CZlib"]).union([
            "InferenceCore", "Calibration", "Formats", "Reporting", "Store", "CLinux", "Dispatch",
        ]).union(network),
    ]
}()

/// Targets that may use Foundation: what lies above the simulated world, and the core, which reads files.
private let mayUseFoundation: Set = [
    "InferenceCore", "Calibration", "Formats", "Store", "Reporting", "Live", "Commands", "tidegate", "tidegate-live",
]

/// They wire everything, so the table does not name them. What only simulates must not link the network's libraries.
private let executables: Set = ["tidegate", "tidegate-live"]

/// The C library, for mathematics and files: no sockets and no clocks, which the next test looks after.
private let systemModules: Set = ["Glibc", "Musl", "Darwin"]

private let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Sources")

private func swiftFiles(of target: String) throws -> [URL] {
    let folder = sources.appending(path: target)
    let paths = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    return (paths?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "swift" }
}

private func imports(in file: URL) throws -> [String] {
    try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ").map(String.init)
        guard let keyword = words.firstIndex(of: "import"), keyword + 1 < words.count,
            words[..<keyword].allSatisfy({ $0.hasPrefix("@") || $0 == "public" || $0 == "internal" })
        else { return nil }
        return words[keyword + 1]
    }
}

@Suite("Imports point down")
struct ImportTests {
    @Test("Every target is in the table, and the table names no other")
    func everyTargetIsKnown() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: sources.path)
        let swift = try folders.filter { try !swiftFiles(of: $0).isEmpty }
        #expect(Set(swift) == Set(allowed.keys).union(executables))
    }

    @Test("A target imports what its line allows", arguments: allowed.keys.sorted())
    func targetImportsWhatItMay(target: String) throws {
        for file in try swiftFiles(of: target) {
            for module in try imports(in: file) {
                let isFoundation = module == "Foundation" || module == "FoundationEssentials"
                let isAllowed =
                    allowed[target]!.contains(module) || systemModules.contains(module)
                    || (isFoundation && mayUseFoundation.contains(target))
                #expect(isAllowed, "\(file.lastPathComponent) imports \(module)")
            }
        }
    }

    @Test("The executable that only simulates links no network library")
    func tidegateIsOffline() throws {
        for file in try swiftFiles(of: "tidegate") {
            #expect(try !imports(in: file).contains("Live"), "\(file.lastPathComponent) imports Live")
        }
    }

    /// At the level of sockets its number is SO_DEBUG's, which only an administrator of networks may set: connections would fail
    /// for everybody else.
    @Test("TCP_NODELAY is set at the level of TCP", arguments: ["Calibration", "Live"])
    func noDelay(target: String) throws {
        for file in try swiftFiles(of: target) {
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(!text.contains("socketOption(.tcp"), "\(file.lastPathComponent)")
        }
    }

    @Test("Only calibration, the live plane and the executables read a clock")
    func clocksStayOutside() throws {
        let clocks = ["ContinuousClock", "SuspendingClock", "clock_gettime", "gettimeofday", "Date()", "Date.now"]
        for target in allowed.keys.sorted() where target != "Calibration" && target != "Live" {
            for file in try swiftFiles(of: target) {
                let text = try String(contentsOf: file, encoding: .utf8)
                for clock in clocks { #expect(!text.contains(clock), "\(file.lastPathComponent) reads \(clock)") }
            }
        }
    }
}
