import FleetModel
import Formats
import Foundation
import Synchronization
import Testing
import Units

@testable import Live

@Suite("Workers at Unix sockets", .serialized)
struct SocketTests {
    /// Whom a worker did not let in, and from where they came.
    private final class Refused: Sendable {
        private let all = Mutex<[String]>([])
        func add(_ text: String) { all.withLock { $0.append(text) } }
        var list: [String] { all.withLock { $0 } }
    }

    /// A port where nobody listens.
    private static let nowhere = 1
    private static let request = #"{"model":"flat-model","prompt":"one two","max_tokens":3}"#

    private static func start(_ configuration: WorkerServer.Configuration) async throws -> TestWorker {
        let profile = TestProfiles.flat(step: 2e6)
        let limits = TestProfiles.limits(profile)
        return try await TestWorker.start(
            EngineLoop.emulated(profile, limits: limits, maxQueue: 64),
            ServedModel(
                name: profile.model, maxContext: limits.maxContext, prompts: .counted, created: 1, root: "flat"),
            configuration: configuration)
    }

    private static func inFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "socket-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    /// A worker that listens at a socket too.
    private static func withWorker(
        _ files: TLSFileNames? = nil, _ body: (TestWorker, SocketFile, Refused) async throws -> Void
    ) async throws {
        try await inFolder { folder in
            let (socket, refused) = (try SocketFile(folder + "/w.sock"), Refused())
            var configuration = WorkerServer.Configuration()
            configuration.socket = socket
            configuration.tls = try files.map { try TLSMaterial($0) }
            configuration.onRefusedPeer = { refused.add("\($1): \($0)") }
            let worker = try await start(configuration)
            do {
                try await worker.warm()
                try await body(worker, socket, refused)
                try await worker.stop()
            } catch {
                _ = try? await worker.stop()
                throw error
            }
            #expect(!FileManager.default.fileExists(atPath: socket.path))
        }
    }

    private static func replicas(port: Int, _ socket: String, scheme: String = "http") -> String {
        #"{"epoch":1,"replicas":[{"id":1,"url":"\#(scheme)://127.0.0.1:\#(port)","socket":"\#(socket)"}]}"#
    }

    private static let path = "/admin/v1/pools/flat-model/replicas"

    /// A socket's file at which nobody listens any more.
    private static func leave(_ path: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
    }

    // MARK: - The gateway

    @Test("Requests go by the socket, also after the gateway has started again")
    func bySocket() async throws {
        try await Self.withWorker { worker, socket, _ in
            let configuration = TestGateway.configuration()
            let first = try await TestGateway.start(configuration)
            let put = try await first.put(Self.path, Self.replicas(port: Self.nowhere, socket.path))
            #expect(put.text.contains(#""url":"http://127.0.0.1:1","socket":"\#(socket.path)","state":"routing""#))
            #expect(try await first.complete(Self.request).status == 200)
            let stream = #"{"model":"flat-model","prompt":"one two","max_tokens":40,"stream":true}"#
            #expect(try await first.complete(stream).events.count == 41)
            try await first.stop()
            let second = try await TestGateway.start(configuration)
            #expect(try await second.complete(Self.request).status == 200)
            try await second.stop()
            try FileManager.default.removeItem(atPath: configuration.stateFolder)
        }
    }

    @Test(
        "Requests go by TCP where the socket leads nowhere, and where both do they fail",
        arguments: ["gone", "no socket", "left behind"])
    func byTCP(how: String) async throws {
        try await Self.inFolder { folder in
            let socket = folder + "/w.sock"
            if how == "no socket" { try Data().write(to: URL(filePath: socket)) }
            if how == "left behind" { try Self.leave(socket) }
            try await TestWorker.with { worker in
                try await TestGateway.with { gateway in
                    _ = try await gateway.put(Self.path, Self.replicas(port: worker.port, socket))
                    #expect(try await gateway.complete(Self.request).status == 200)
                    guard how == "gone" else { return }
                    _ = try await gateway.put(Self.path, Self.replicas(port: Self.nowhere, socket))
                    #expect(try await gateway.complete(Self.request).status == 502)
                }
            }
        }
    }

    @Test("A socket that cannot be one is refused in words")
    func badSocket() async throws {
        try await TestGateway.with { gateway in
            let long = "/" + String(repeating: "s", count: SocketFile.longestPath)
            for (socket, words) in [
                ("run/w.sock", "a replica's socket is an absolute path"),
                ("", "a replica's socket is an absolute path"),
                (long, "this path has 104 bytes, and a socket's at most 103"), (#"/a\u0000b"#, "a socket has a path"),
            ] {
                let put = try await gateway.put(Self.path, Self.replicas(port: Self.nowhere, socket))
                #expect(put.status == 400)
                #expect((put.error["message"] as? String)?.contains(words) == true, "\(put.text)")
            }
            let number = #"{"epoch":1,"replicas":[{"id":1,"url":"http://127.0.0.1:1","socket":7}]}"#
            #expect(try await gateway.put(Self.path, number).error["code"] as? String == "invalid_type")
        }
    }

    @Test("A registry of an earlier version, without sockets, is read")
    func earlierRegistry() throws {
        struct Earlier: Codable, Sendable {
            struct Replica: Codable, Sendable { var id: Int, url: String, draining: Bool }
            var epoch = 4
            var pools = ["chat": [Replica(id: 3, url: "http://127.0.0.1:9", draining: true)]]
            var caps: [String: Int] = [:]
        }
        let folder = TestGateway.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let sealed = try SealedFile(Earlier(), format: RegistryFile.format)
        try AtomicOutput.write([(RegistryFile.name, sealed.text)], to: folder)
        let file = RegistryFile(folder: folder)
        var registry = try file.read()
        #expect(registry.epoch == 4)
        #expect(registry.pools["chat"] == [.init(id: 3, url: "http://127.0.0.1:9", draining: true)])
        registry.pools["chat"]?[0].socket = "/run/w.sock"
        try file.write(registry)
        #expect(try file.read().pools["chat"]?[0].socket == "/run/w.sock")
    }

    // MARK: - Mutual TLS

    @Test("Roles are checked at the socket as by TCP", arguments: [PeerRole.worker, .controller])
    func mutualTLS(role: PeerRole) async throws {
        let ours = try await MutualTLSTests.Authorities.shared.value.ours
        try await Self.withWorker(ours.files(of: role)) { _, socket, refused in
            var configuration = TestGateway.configuration()
            configuration.settings.tls = ours.files(of: .gateway)
            let gateway = try await TestGateway.start(configuration)
            let put = try await GatewayTLSTests.call(
                .controller, .gateway, gateway.adminPort, "PUT", Self.path,
                body: Self.replicas(port: Self.nowhere, socket.path, scheme: "https"))
            #expect(put.status == 200)
            let status = try await gateway.complete(Self.request).status
            if role == .worker {
                #expect(status == 200)
                #expect(refused.list == [])
            } else {
                #expect(status == 502 || status == 503)
                try await until("it is in the log") {
                    gateway.lines.text.contains(
                        "its certificate is that of a controller, and here only worker may connect")
                }
            }
            // Plain HTTP is refused, and told by where it came from.
            let before = refused.list.count
            let plain = try HTTP(socket: socket.path)
            await plain.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            try await until("the worker has told it") { refused.list.count > before }
            #expect(refused.list.last?.hasPrefix("this machine, at the socket: ") == true, "\(refused.list)")
            try await gateway.stop()
        }
    }

    @Test("A gateway without certificates connects to no worker that wants them, and says so once for each try")
    func missingTLS() async throws {
        let ours = try await MutualTLSTests.Authorities.shared.value.ours
        try await Self.withWorker(ours.files(of: .worker)) { worker, socket, _ in
            var configuration = TestGateway.configuration()
            configuration.settings.retries = 0
            try await TestGateway.with(configuration) { gateway in
                _ = try await gateway.put(
                    Self.path, Self.replicas(port: worker.port, socket.path, scheme: "https"))
                #expect(try await gateway.complete(Self.request).status == 502)
                try await until("it is in the log") { gateway.lines.text.contains("has no section 'tls'") }
                #expect(gateway.lines.text.components(separatedBy: "has no section 'tls'").count == 2)
            }
        }
    }

    // MARK: - The worker

    @Test("A worker takes the place of one that is gone, and of nobody and nothing else")
    func claims() async throws {
        try await Self.inFolder { folder in
            var configuration = WorkerServer.Configuration()
            configuration.socket = try SocketFile(folder + "/w.sock")
            let path = configuration.socket!.path
            try Self.leave(path)
            let worker = try await Self.start(configuration)
            try await worker.warm()
            var found = stat()
            #expect(stat(path, &found) == 0)
            #expect(found.st_mode & 0o7777 == 0o600)
            let client = try HTTP(socket: path)
            await client.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.reply().status == 200)

            await #expect { try await Self.start(configuration) } throws: {
                "\($0)".contains("somebody listens there already")
            }
            #expect(try await HTTP.get(worker.port, "/health").status == 200)
            try await worker.stop()
            #expect(!FileManager.default.fileExists(atPath: path))

            try Data("mine".utf8).write(to: URL(filePath: path))
            await #expect { try await Self.start(configuration) } throws: {
                "\($0)".contains("there is a file that is no socket")
            }
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
            configuration.socket = try SocketFile(folder + "/none/w.sock")
            await #expect { try await Self.start(configuration) } throws: {
                "\($0)".contains("no socket can be made there: No such file or directory")
            }
        }
    }
}
