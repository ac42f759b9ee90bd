import Control
import FleetModel
import Foundation
import NIOPosix
import Scaling
import Store
import Testing

@testable import Formats
@testable import Live
@testable import Units

/// A small scenario in a folder of its own, made of `Scenarios/laptop-burst`: one worker first, two by schedule.
private final class SmallScenario {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tidegate-fleet-\(UUID())").path
    /// Where the workers of a controller have their state.
    var workers: String { "\(folder)/state/pools/chat" }
    private var programs: [Program] = []
    private static let shipped = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Scenarios")
    private static let burst = shipped.appending(path: "laptop-burst")

    /// - Parameter hasSecondPool: Whether there is a pool 'code' too, of one worker that stays.
    init(hasSecondPool: Bool = false) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let shared = Self.shipped.appending(path: "prices")
        for (from, to) in [(Self.burst.appending(path: "profiles"), "profiles"), (shared, "prices")] {
            try FileManager.default.copyItem(at: from, to: URL(filePath: folder).appending(path: to))
        }
        try write(hasSecondPool: hasSecondPool)
    }

    /// The scenario's file, in place of the one that is there.
    func write(hasSecondPool: Bool) throws {
        var text = try String(contentsOf: Self.burst.appending(path: "scenario.yaml"), encoding: .utf8)
        let changes = [
            ("rate: {linear: {every: 1m, values: [8, 9, 26, 34, 30, 12, 8, 10, 36, 24, 8]}}", "rate: {constant: 4/s}"),
            ("duration: 10m", "duration: 9s"), ("{min: 4, max: 24, initial: 4}", "{min: 1, max: 4, initial: 1}"),
            ("{provision: 12s, pull: 2s, load: 4s, warm_up: 2s}", "{provision: 1s, pull: 0s, load: 0s, warm_up: 0s}"),
            (
                "{tick: 10s, scrape: 5s, window: 20s, staleness: 20s}",
                "{tick: 1s, scrape: 500ms, window: 2s, staleness: 4s}"
            ),
        ]
        for (old, new) in changes {
            guard text.contains(old) else { throw FleetError("laptop-burst has changed: no '\(old)'") }
            text = text.replacingOccurrences(of: old, with: new)
        }
        if hasSecondPool { text = Self.withSecondPool(text) }
        let policies = text.range(of: "policies:")!
        text =
            text[..<policies.lowerBound] + """
                policies:
                  - {policy: schedule, steps_by_pool: {chat: [{after: 2s, replicas: 2}]}}

                """
        try text.write(toFile: "\(folder)/scenario.yaml", atomically: true, encoding: .utf8)
    }

    private static func withSecondPool(_ text: String) -> String {
        let traffic = text.range(of: "  - name: chat")!.lowerBound..<text.range(of: "\npools:")!.lowerBound
        let pool = text.range(of: "\npools:\n")!.upperBound..<text.range(of: "\nprices:")!.lowerBound
        func renamed(_ part: Substring) -> String {
            part.replacingOccurrences(of: "name: chat", with: "name: code")
                .replacingOccurrences(of: "pool: chat", with: "pool: code")
        }
        let (before, after) = (text[..<traffic.upperBound], text[pool.upperBound...])
        return "\(before)\(renamed(text[traffic]))\npools:\n\(text[pool])\(renamed(text[pool]))\(after)"
    }

    /// A live configuration beside it.
    func configuration(gateway: Int, admin: Int, controller: Int) throws -> String {
        let path = "\(folder)/live.yaml"
        try """
        scenario: .
        state: state
        gateway: {listen: "127.0.0.1:\(gateway)", admin: "127.0.0.1:\(admin)", authentication: none, log: none}
        controller: {listen: "127.0.0.1:\(controller)", lease: 2s}
        """.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// Starts a program of the live plane here.
    func start(_ arguments: String...) throws -> Program { try start(arguments) }

    func start(_ arguments: [String]) throws -> Program {
        let program = try Program(arguments, in: folder)
        programs.append(program)
        return program
    }

    func cap(_ tenant: String, at gateway: GatewayClient) async throws {
        try await gateway.set(.init(tokensPerMinute: 4000, reason: FleetWatch.capReason + "earlier"), of: tenant)
    }

    func capped(at gateway: GatewayClient) async throws -> Set<String> { Set(try await gateway.caps().keys) }

    /// As an earlier controller has left the gateway: with a cap of 'app', of whose abuse it has told, and of 'agents'.
    func leaveCaps(at gateway: GatewayClient) async throws {
        let now = LiveClock().now
        // Long enough ago that it keeps no pool from growing any more.
        let (watch, _, _) = try FleetWatchTests.watch(
            abusive: 60, named: ("app", "agents"), since: now - .seconds(660) - TenantWatchRules().hold)
        var file = TenantFile(folder: "\(folder)/state/controller")
        try file.keep(watch, at: now)
        try await until("the gateway listens") { (try? await gateway.caps()) != nil }
        for tenant in ["app", "agents"] { try await cap(tenant, at: gateway) }
    }

    /// Ends what was started and still runs, and removes the folder.
    func end() {
        // Controllers before workers, which they would replace.
        for program in programs where program.process.isRunning { program.kill() }
        // Twice: one that was being started as its controller was killed shows its mark a moment later.
        for _ in 0..<2 {
            for pool in ["chat", "code"] {
                let mark = "\(folder)/state/pools/\(pool)"
                for (_, process) in ChildProcess.marked(under: mark) { process.signal(SIGKILL) }
            }
            usleep(50_000)
        }
        try? FileManager.default.removeItem(atPath: folder)
    }
}

/// A program of the live plane.
private final class Program {
    let process = Process()
    private let output = Pipe()
    private let errors: URL

    init(_ arguments: [String], in folder: String) throws {
        errors = URL(filePath: "\(folder)/\(UUID()).errors")
        try Data().write(to: errors)
        process.executableURL = URL(filePath: WorkerProcessTests.tidegate)
        process.arguments = arguments
        process.environment = Reaper.environment
        process.currentDirectoryURL = URL(filePath: folder)
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
    }

    /// What it has said of what is wrong.
    var complaint: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// What it has printed when it has ended.
    func end() -> String {
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}

/// A port that was free just now.
func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(descriptor, pointer, length)
            getsockname(descriptor, pointer, &length)
        }
        return Int(UInt16(bigEndian: pointer.pointee.sin_port))
    }
}

@Suite("A fleet on this machine", .serialized)
struct FleetProcessTests {
    @Test("A rehearsal resizes real pools, and says how the worlds differ", .timeLimit(.minutes(2)))
    func rehearses() async throws {
        let scenario = try SmallScenario(hasSecondPool: true)
        defer { scenario.end() }
        let program = try scenario.start("rehearse", "scenario.yaml", "--output", "out", "--json", "--quiet")
        let text = program.end()
        // 75 where this machine was too busy for the profile's time: that is a verdict too.
        #expect([0, 75].contains(program.process.terminationStatus), "\(program.complaint)")
        struct Report: Decodable {
            struct Side: Decodable {
                struct Resize: Decodable { var pool: PoolID, from: Int, to: Int }
                var figures: [String: Double]
                var resizes: [Resize]
                var coldStartsSeconds: [Double]

                enum CodingKeys: String, CodingKey {
                    case figures, resizes
                    case coldStartsSeconds = "cold_starts_seconds"
                }
            }
            struct Verdicts: Decodable { var plant: Bool, control: Bool }
            var live: Side
            var simulated: Side
            var differencePercent: [String: Double]
            var verdicts: Verdicts

            enum CodingKeys: String, CodingKey {
                case live, simulated, verdicts
                case differencePercent = "difference_percent"
            }
        }
        let report = try JSONDecoder().decode(Report.self, from: Data(text.utf8))
        #expect(report.live.resizes.map(\.to) == [2])
        #expect(report.live.resizes.map(\.pool) == [PoolID("chat")])
        #expect(report.verdicts.control)
        #expect(report.live.coldStartsSeconds.count == 1)
        #expect(report.live.coldStartsSeconds.allSatisfy { $0 >= 1 && $0 < 3 })
        #expect(report.live.figures["arrived"] == report.simulated.figures["arrived"])
        #expect(report.live.figures["completed"] == report.live.figures["arrived"])
        for key in ["cost", "ttft_mean", "ttft_p99", "itl_mean", "itl_p99", "e2e_mean"] {
            #expect(report.differencePercent[key] != nil, "\(key)")
        }
        #expect(abs(report.differencePercent["cost"] ?? 99) < 3)
        let summary = try JournalVerification.verify(path: "\(scenario.folder)/out/journal.jsonl")
        #expect(summary.changes == 1)
        // What machines were used for is the bill, and names who stood on them.
        let usage = try MachineUsageFile.read(path: "\(scenario.folder)/out/state/pools/chat/usage.jsonl")
        #expect(usage.compactMap { $0.replicas?.map(\.number) } == [[0], [1]])
        let other = try MachineUsageFile.read(path: "\(scenario.folder)/out/state/pools/code/usage.jsonl")
        #expect(other.compactMap { $0.replicas?.map(\.number) } == [[0]])
        // Each request went where its traffic belongs, and its worker answered it.
        let ledger = try UsageLedger(path: "\(scenario.folder)/out/state/gateway/ledger.sqlite")
        defer { try? ledger.close() }
        let rows = try ledger.rows(from: .epoch, to: .never).filter { $0.outcome == .completed }
        let pools = Dictionary(grouping: rows, by: \.pool).mapValues(\.count)
        #expect(pools.count == 2 && pools.values.allSatisfy { $0 > 20 }, "\(pools)")
        // It went there by the worker's socket, or could have.
        let registry = try String(contentsOfFile: "\(scenario.folder)/out/state/gateway/registry.json", encoding: .utf8)
        #expect(registry.contains("/out/state/pools/code/r0.sock"))
        // Nothing of the fleet is left.
        for pool in ["chat", "code"] {
            #expect(ChildProcess.marked(under: "\(scenario.folder)/out/state/pools/\(pool)").isEmpty)
        }
    }

    @Test("Workers outlive a controller that is killed, and the next one takes them over", .timeLimit(.minutes(2)))
    func takesOver() async throws {
        let scenario = try SmallScenario()
        let (gatewayPort, adminPort, port) = (try freePort(), try freePort(), try freePort())
        let path = try scenario.configuration(gateway: gatewayPort, admin: adminPort, controller: port)
        defer { scenario.end() }
        let workers = scenario.workers
        _ = try scenario.start("gateway", "--config", path)
        let caps = GatewayClient(
            target: try LoadTarget("http://127.0.0.1:\(adminPort)"), token: nil, group: .singleton)
        try await scenario.leaveCaps(at: caps)
        let first = try scenario.start("control", "--config", path, "--active")
        let call = try ControllerCall(url: "http://127.0.0.1:\(port)", token: nil)
        try await wait("two workers ready") { try await Self.ready(call) == [0, 1] }
        let processes = Set(ChildProcess.marked(under: workers).map(\.process))
        #expect(processes.count == 2)
        try await wait("the cap of the one who is not abusive is lifted") {
            try await scenario.capped(at: caps) == ["app"]
        }
        first.kill()
        #expect(Set(ChildProcess.marked(under: workers).map(\.process)) == processes, "workers go on")

        try await scenario.cap("agents", at: caps)
        let second = try scenario.start("control", "--config", path, "--active")
        try await wait("the second leads") { try await Self.ready(call) == [0, 1] }
        #expect(Set(ChildProcess.marked(under: workers).map(\.process)) == processes, "it starts none")
        try await wait("it lifts that cap again, and not the abuser's") {
            try await scenario.capped(at: caps) == ["app"]
        }

        // An operator has one replaced.
        #expect(try await call.send("POST", "/v1/pools/chat/replicas/0/drain").status == 200)
        try await wait("another took its place") { try await Self.ready(call) == [1, 2] }
        // A worker that dies by itself is replaced too.
        let victim = try #require(ChildProcess.marked(under: workers).first { $0.mark.hasSuffix("#r1") })
        victim.process.signal(SIGKILL)
        try await wait("the dead one was replaced") { try await Self.ready(call) == [2, 3] }
        second.process.terminate()
        second.process.waitUntilExit()
        #expect(second.process.terminationStatus == 0)
        let summary = try JournalVerification.verify(path: "\(scenario.folder)/state/controller/journal.jsonl")
        #expect(summary.changes == 1)
        // The machines of the drained and of the dead one, whichever controller had started them.
        let usage = try MachineUsageFile.read(path: "\(workers)/usage.jsonl")
        #expect(usage.compactMap { $0.replicas?.map(\.number) } == [[0], [1]])
    }

    @Test("Workers of a pool that a changed scenario has no more finish their streams and go", .timeLimit(.minutes(2)))
    func retires() async throws {
        let scenario = try SmallScenario(hasSecondPool: true)
        let (gatewayPort, adminPort, port) = (try freePort(), try freePort(), try freePort())
        let path = try scenario.configuration(gateway: gatewayPort, admin: adminPort, controller: port)
        defer { scenario.end() }
        _ = try scenario.start("gateway", "--config", path)
        let first = try scenario.start("control", "--config", path, "--active")
        let call = try ControllerCall(url: "http://127.0.0.1:\(port)", token: nil)
        try await wait("three workers ready") { try await Self.ready(call) == [0, 0, 1] }
        let processes = Set(ChildProcess.marked(under: scenario.workers).map(\.process))
        first.process.terminate()
        first.process.waitUntilExit()

        try scenario.write(hasSecondPool: false)
        // The gateway has not heard of the change, and has work for it.
        async let reply = HTTP.post(
            gatewayPort, "/v1/completions", #"{"model":"code","prompt":"a","max_tokens":90,"stream":true}"#)
        try await wait("a stream is open") {
            try await HTTP.get(adminPort, "/admin/v1/pools").text.contains(#""outstanding":1"#)
        }
        let damaged = "\(scenario.folder)/state/pools/old"
        try AtomicOutput.write([(LocalPoolState.name, "a shopping list")], to: damaged)
        let second = try scenario.start("control", "--config", path, "--active")
        let folder = "\(scenario.folder)/state/pools/code"
        try await wait("the pool is gone") { !FileManager.default.fileExists(atPath: LocalPoolState.path(folder)) }
        #expect(ChildProcess.marked(under: folder).isEmpty)
        let events = try await reply.events
        #expect(events.count == 91 && events.last == "[DONE]")
        #expect(Set(ChildProcess.marked(under: scenario.workers).map(\.process)) == processes)
        #expect(try await Self.ready(call) == [0, 1])
        #expect(try await call.send("GET", "/").body.contains("state/pools/old/workers.json: error: "))
        let usage = try MachineUsageFile.read(path: "\(folder)/usage.jsonl")
        #expect(usage.compactMap { $0.replicas?.map(\.number) } == [[0]])
        second.process.terminate()
        second.process.waitUntilExit()
        _ = try JournalVerification.verify(path: "\(scenario.folder)/state/controller/journal.jsonl")
    }

    @Test("Replicas that are drained or told to end under 40 open streams break none", .timeLimit(.minutes(2)))
    func drainsUnderStreams() async throws {
        let scenario = try SmallScenario()
        let (gatewayPort, adminPort, port) = (try freePort(), try freePort(), try freePort())
        let path = try scenario.configuration(gateway: gatewayPort, admin: adminPort, controller: port)
        defer { scenario.end() }
        let workers = scenario.workers
        let gateway = try scenario.start("gateway", "--config", path)
        let controller = try scenario.start("control", "--config", path, "--active")
        let call = try ControllerCall(url: "http://127.0.0.1:\(port)", token: nil)
        try await wait("two workers ready") { try await Self.ready(call) == [0, 1] }
        let whole = try await withThrowingTaskGroup(of: Bool.self) { tasks in
            for _ in 0..<40 {
                tasks.addTask {
                    let reply = try await HTTP.post(
                        gatewayPort, "/v1/completions", #"{"model":"chat","prompt":"a","max_tokens":90,"stream":true}"#)
                    return reply.events.count == 91 && reply.events.last == "[DONE]"
                }
            }
            func outstanding() async throws -> [Int: Int] {
                struct Pools: Decodable {
                    struct Pool: Decodable {
                        struct Replica: Decodable { var id: Int, outstanding: Int }
                        var replicas: [Replica]
                    }
                    var pools: [Pool]
                }
                let text = try await HTTP.get(adminPort, "/admin/v1/pools").text
                let pools = try JSONDecoder().decode(Pools.self, from: Data(text.utf8)).pools
                return Dictionary(uniqueKeysWithValues: pools.flatMap(\.replicas).map { ($0.id, $0.outstanding) })
            }
            try await wait("both hold streams") { try await outstanding() == [0: 20, 1: 20] }
            #expect(try await call.send("POST", "/v1/pools/chat/replicas/0/drain").status == 200)
            let victim = try #require(ChildProcess.marked(under: workers).first { $0.mark.hasSuffix("#r1") })
            victim.process.signal(SIGTERM)
            controller.process.terminate()
            try await Task.sleep(for: .milliseconds(200))
            gateway.process.terminate()
            return try await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(whole == 40)
        gateway.process.waitUntilExit()
        #expect(gateway.process.terminationStatus == 0)
        let ledger = try UsageLedger(path: "\(scenario.folder)/state/ledger.sqlite")
        defer { try? ledger.close() }
        let rows = try ledger.rows(from: .epoch, to: .never)
        #expect(rows.filter { $0.outcome == .completed && $0.outputTokens == 90 }.count == 40)
    }

    @Test("Why a fleet cannot start is its exit code", .timeLimit(.minutes(1)))
    func cannotStart() async throws {
        let scenario = try SmallScenario()
        defer { scenario.end() }
        func code(_ arguments: String...) throws -> Int32 {
            let fleet = try scenario.start(arguments)
            _ = fleet.end()
            return fleet.process.terminationStatus
        }
        func up(port: Int = 0, state: String, policy: String = "schedule") throws -> Int32 {
            try code(
                "up", "scenario.yaml", "--port", "\(port)", "--status-port", "0", "--state", state, "--policy", policy,
                "--json")
        }
        /// A file that is not what it should be.
        func damage(_ path: String) throws {
            let url = URL(filePath: "\(scenario.folder)/\(path)")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try "a shopping list\n".write(to: url, atomically: true, encoding: .utf8)
        }
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        #expect(try up(port: listener.localAddress!.port!, state: "taken") == 69)
        try await listener.close()
        try damage("journal/journal.jsonl")
        #expect(try up(state: "journal") == 65)
        try damage("pool/pools/chat/workers.json")
        #expect(try up(state: "pool") == 65)
        try damage("policy.json")
        #expect(try up(state: "policy", policy: "policy.json") == 65)
        let path = try scenario.configuration(gateway: 1, admin: 1, controller: 1)
        #expect(try code("control", "--config", path, "--policy", "policy.json") == 65)
        #expect(try code("control", "--config", path, "--policy", "nowhere.json") == 66)
        // Whole, and of what no policy can be.
        let odd = try PolicyFile(StaticPolicy(parameters: .init(replicas: -1)))
        try CanonicalJSON.encode(odd).write(
            toFile: "\(scenario.folder)/odd.json", atomically: true, encoding: .utf8)
        #expect(try code("control", "--config", path, "--policy", "odd.json") == 65)
        #expect(try up(state: "odd", policy: "odd.json") == 65)
    }

    @Test("Ctrl-C ends a fleet whose workers do not start", .timeLimit(.minutes(1)), arguments: ["up", "rehearse"])
    func interrupted(command: String) async throws {
        let scenario = try SmallScenario()
        defer { scenario.end() }
        var arguments = [command, "scenario.yaml", "--executor", "core", "--model", "nowhere"]
        arguments +=
            command == "up" ? ["--port", "0", "--status-port", "0", "--state", "out/state"] : ["--output", "out"]
        let fleet = try scenario.start(arguments)
        let log = "\(scenario.folder)/out/state/pools/chat/r0.log.err"
        try await until("a worker has tried") { FileManager.default.fileExists(atPath: log) }
        fleet.process.interrupt()
        try await until("it has ended") { !fleet.process.isRunning }
        #expect(
            fleet.process.terminationReason == .exit && fleet.process.terminationStatus == 130, "\(fleet.complaint)")
    }

    @Test("Workers of a fleet in one process end with it, though it is killed", .timeLimit(.minutes(1)))
    func endsWithStarter() async throws {
        let scenario = try SmallScenario()
        defer { scenario.end() }
        let fleet = try scenario.start(
            "up", "scenario.yaml", "--port", "0", "--status-port", "0", "--state", "state", "--json")
        try await wait("a worker runs") { !ChildProcess.marked(under: scenario.workers).isEmpty }
        fleet.kill()
        try await wait("it is gone too") { ChildProcess.marked(under: scenario.workers).isEmpty }
    }

    /// Numbers of the ready replicas; empty while no controller answers.
    private static func ready(_ call: ControllerCall) async throws -> [Int] {
        struct Status: Decodable {
            struct Pool: Decodable {
                struct Replica: Decodable { var id: Int, phase: String }
                var replicas: [Replica]
            }
            var pools: [Pool]
        }
        guard let answer = try? await call.send("GET", "/v1/status"), answer.status == 200 else { return [] }
        let status = try JSONDecoder().decode(Status.self, from: Data(answer.body.utf8))
        return status.pools.flatMap(\.replicas).filter { $0.phase == "ready" }.map(\.id).sorted()
    }

    private func wait(_ what: String, for condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while try await !condition() {
            guard ContinuousClock.now < deadline else {
                Issue.record("not within 30 s: \(what)")
                return
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}

@Suite("Who may command a controller")
struct AdminAccessTests {
    private let access = AdminAccess(tokens: [
        AdminToken(digest: Digest(of: "look").hexadecimal, role: .viewer),
        AdminToken(digest: Digest(of: "rule").hexadecimal, role: .operator),
    ])

    private func status(_ body: () throws -> Void) -> Int {
        do {
            try body()
            return 200
        } catch {
            return (error as? APIError)?.status.code ?? 0
        }
    }

    @Test("A role may do what it may, by a bearer's token or as a password")
    func roles() {
        #expect(status { try access.require(.viewer, "Bearer look") } == 200)
        #expect(status { try access.require(.operator, "Bearer look") } == 403)
        #expect(status { try access.require(.operator, "Bearer rule") } == 200)
        #expect(status { try access.require(.viewer, "Bearer other") } == 401)
        #expect(status { try access.require(.viewer, nil) } == 401)
        let basic = "Basic " + Data("anybody:rule".utf8).base64EncodedString()
        #expect(status { try access.require(.operator, basic) } == 200)
        #expect(status { try access.require(.operator, "Basic !!!") } == 401)
    }

    @Test("A command is let through once, and only while it is new")
    func replays() {
        let now = Instant.epoch + .seconds(1_000_000)
        #expect(status { try access.admit("1000000000-a", at: now) } == 200)
        #expect(status { try access.admit("1000000000-a", at: now) } == 409)
        #expect(status { try access.admit("1000000000-b", at: now) } == 200)
        #expect(status { try access.admit("999900000-c", at: now) } == 409)
        #expect(status { try access.admit("1000100000-d", at: now) } == 409)
        for name in [nil, "", "x-1", "-5-a", "99999999999999999999-a", String(repeating: "1", count: 200)] {
            #expect(status { try access.admit(name, at: now) } == 400, "\(name ?? "nil")")
        }
    }
}
