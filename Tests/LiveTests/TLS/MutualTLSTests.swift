import Formats
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization
import Testing
import Units

@testable import Live

@Suite("Mutual TLS", .serialized)
struct MutualTLSTests {
    /// Two authorities, made once: the one that is trusted, and a stranger's.
    struct Authorities: Sendable {
        var ours: DevelopmentAuthority
        var theirs: DevelopmentAuthority

        static let shared = Task {
            let folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)").path
            let pair = Authorities(
                ours: DevelopmentAuthority(folder: folder + "/ours"),
                theirs: DevelopmentAuthority(folder: folder + "/theirs"))
            try await pair.ours.make()
            try await pair.theirs.make()
            return pair
        }
    }

    final class Refusals: Sendable {
        private let all = Mutex<[PeerRefusal]>([])
        func add(_ refusal: PeerRefusal) { all.withLock { $0.append(refusal) } }
        var list: [PeerRefusal] { all.withLock { $0 } }
    }

    /// A worker that takes gateways and controllers of our authority.
    static func withWorker(
        _ files: TLSFileNames, _ body: (Int, Refusals) async throws -> Void
    ) async throws {
        let refusals = Refusals()
        var configuration = WorkerServer.Configuration()
        configuration.tls = try TLSMaterial(files)
        configuration.onRefusedPeer = { refusal, _ in refusals.add(refusal) }
        let profile = TestProfiles.flat(step: 2e6)
        let limits = TestProfiles.limits(profile)
        let worker = try await TestWorker.start(
            EngineLoop.emulated(profile, limits: limits, maxQueue: 64),
            ServedModel(
                name: profile.model, maxContext: limits.maxContext, prompts: .counted, created: 1, root: "flat"),
            configuration: configuration)
        do {
            try await worker.warm()
            try await body(worker.port, refusals)
            try await worker.stop()
        } catch {
            _ = try? await worker.stop()
            throw error
        }
    }

    /// Asks `/health` with a context; the status, or what went wrong.
    static func ask(_ port: Int, _ context: NIOSSLContext?) async -> Result<Int, HTTPExchange.Failure> {
        do {
            let exchange = HTTPExchange(host: "127.0.0.1", port: port, tls: context)
            let pieces = try await exchange.send(
                .GET, "/health", headers: [:], body: [], within: .seconds(5), on: MultiThreadedEventLoopGroup.singleton)
            var status = 0
            for try await piece in pieces { if case .head(let code, _) = piece { status = code } }
            return .success(status)
        } catch {
            return .failure(error as? HTTPExchange.Failure ?? .broken("\(error)"))
        }
    }

    /// A client's context as its files are, without the checks that our own processes make of them.
    static func client(_ files: TLSFileNames?, trusts authority: String) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(authority)
        configuration.certificateVerification = .noHostnameVerification
        if let files {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(files.certificate).map {
                .certificate($0)
            }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))
        }
        return try NIOSSLContext(configuration: configuration)
    }

    @Test("Gateways and controllers of our authority are served", arguments: [PeerRole.gateway, .controller])
    func served(role: PeerRole) async throws {
        let ours = try await Authorities.shared.value.ours
        try await Self.withWorker(ours.files(of: .worker)) { port, refusals in
            let material = try TLSMaterial(ours.files(of: role))
            #expect(material.role == role)
            #expect(await Self.ask(port, material.contexts.client) == .success(200))
            #expect(refusals.list == [])
        }
    }

    @Test("A wrong role, a stranger's authority, no certificate and no TLS are refused, each with its reason")
    func refused() async throws {
        let (ours, theirs) = try await (Authorities.shared.value.ours, Authorities.shared.value.theirs)
        let authority = ours.files(of: .worker).authority
        try await Self.withWorker(ours.files(of: .worker)) { port, refusals in
            func refusal(_ context: NIOSSLContext?) async throws -> PeerRefusal? {
                let before = refusals.list.count
                let answer = await Self.ask(port, context)
                guard case .failure = answer else {
                    Issue.record("was served: \(answer)")
                    return nil
                }
                try await until("the refusal is told") { refusals.list.count > before }
                return refusals.list.last
            }
            #expect(
                try await refusal(Self.client(ours.files(of: .worker), trusts: authority))
                    == .wrongRole(.worker, allowed: [.gateway, .controller]))
            #expect(try await refusal(Self.client(theirs.files(of: .gateway), trusts: authority)) == .untrusted)
            #expect(try await refusal(Self.client(nil, trusts: authority)) == .noCertificate)
            guard case .handshake(let reason) = try await refusal(nil) else {
                Issue.record("plain HTTP is not told")
                return
            }
            #expect(reason == "HTTP_REQUEST")
            #expect(refusals.list.count == 4)
        }
    }

    @Test("An expired certificate is refused, and said to be expired")
    func expired() async throws {
        let ours = try await Authorities.shared.value.ours
        let folder = ours.folder + "/expired-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for file in ["ca.pem", "ca.key"] {
            try FileManager.default.copyItem(atPath: "\(ours.folder)/\(file)", toPath: "\(folder)/\(file)")
        }
        try await ours.makeCertificate(of: .gateway, in: folder, days: -1)
        let files = DevelopmentAuthority(folder: folder).files(of: .gateway)
        try await Self.withWorker(ours.files(of: .worker)) { port, refusals in
            guard case .failure = await Self.ask(port, try Self.client(files, trusts: files.authority)) else {
                Issue.record("was served")
                return
            }
            try await until("the refusal is told") { !refusals.list.isEmpty }
            guard case .expired(let time) = refusals.list[0] else {
                Issue.record("told as \(refusals.list[0])")
                return
            }
            #expect(time < WallTime.seconds)
            #expect(refusals.list[0].description.hasPrefix("its certificate expired at 20"))
        }
        // Our own process does not even start with it.
        #expect(throws: TLSMaterial.Problem.self) { try TLSMaterial(files) }
    }

    @Test("A client sends nothing to a server of another role")
    func wrongServer() async throws {
        let ours = try await Authorities.shared.value.ours
        let received = Mutex(0)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let gateway = try TLSMaterial(ours.files(of: .gateway))
        let server = try await ServerBootstrap(group: group).childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                try pipeline.addMutualTLSServer(gateway, allowed: [.controller]) { _, _ in }
                try pipeline.addHandler(ByteCount { count in received.withLock { $0 += count } })
            }
        }.bind(host: "127.0.0.1", port: 0).get()
        let refusals = Refusals()
        let controller = try TLSMaterial(ours.files(of: .controller))
        let channel = try await ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addMutualTLSClient(controller, server: .worker) { refusal, _ in
                    refusals.add(refusal)
                }
            }
        }.connect(to: server.localAddress!).get()
        // Written before the handshake, as an HTTP client does.
        channel.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"), promise: nil)
        try? await channel.closeFuture.get()
        #expect(refusals.list == [.wrongRole(.gateway, allowed: [.worker])])
        try await Task.sleep(for: .milliseconds(20))
        #expect(received.withLock { $0 } == 0)
        try await server.close()
        try await group.shutdownGracefully()
    }

    @Test("Certificates that are renewed are used from the next connection on; broken ones leave the old")
    func renewal() async throws {
        let ours = try await Authorities.shared.value.ours
        let files = TLSFileNames(
            certificate: ours.folder + "/rolling.pem", key: ours.folder + "/rolling.key",
            authority: ours.folder + "/ca.pem")
        func install(_ role: PeerRole) throws {
            for (from, to) in [
                (ours.files(of: role).certificate, files.certificate), (ours.files(of: role).key, files.key),
            ] {
                try Data(contentsOf: URL(filePath: from)).write(to: URL(filePath: to), options: .atomic)
            }
        }
        try install(.worker)
        let material = try TLSMaterial(files)
        #expect(material.role == .worker)
        try Data("half".utf8).write(to: URL(filePath: files.certificate), options: .atomic)
        #expect(material.role == .worker)
        try install(.gateway)
        #expect(material.role == .gateway)
    }

    @Test("Files that do not fit say which, what and how to mend it")
    func problems() async throws {
        let (ours, theirs) = try await (Authorities.shared.value.ours, Authorities.shared.value.theirs)
        func problem(_ change: (inout TLSFileNames) -> Void) -> TLSMaterial.Problem? {
            var files = ours.files(of: .worker)
            change(&files)
            do throws(TLSMaterial.Problem) {
                _ = try TLSMaterial(files)
                return nil
            } catch { return error }
        }
        #expect(problem { _ in } == nil)
        #expect(problem { $0.certificate = "/nowhere.pem" }?.what == "it is not there or cannot be read")
        #expect(problem { $0.certificate = $0.key }?.what == "it holds no certificate in PEM")
        #expect(problem { $0.key = $0.certificate }?.what == "it holds no private key without a passphrase in PEM")
        #expect(problem { $0.key = theirs.files(of: .worker).key }?.what.hasPrefix("it is not the key of") == true)
        #expect(problem { $0.certificate = $0.authority }?.what.hasPrefix("the certificate names no role") == true)
    }
}

private final class ByteCount: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let count: (Int) -> Void
    init(_ count: @escaping (Int) -> Void) { self.count = count }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { count(unwrapInboundIn(data).readableBytes) }
}

@Suite("The development authority")
struct DevelopmentAuthorityTests {
    @Test("Keys are for their owner alone, and nothing is ever overwritten")
    func files() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "ca-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let authority = DevelopmentAuthority(folder: folder)
        let made = try await authority.make()
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == DevelopmentAuthority.names.sorted())
        for file in made {
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as! Int
            #expect(mode == (file.hasSuffix(".key") ? 0o600 : 0o644), "\(file)")
        }
        let before = try made.map { try Data(contentsOf: URL(filePath: $0)) }
        await #expect(throws: DevelopmentAuthority.Failure.exists(made)) { try await authority.make() }
        try FileManager.default.removeItem(atPath: folder + "/ca.pem")
        await #expect(throws: DevelopmentAuthority.Failure.exists(Array(made.dropFirst()))) {
            try await authority.make()
        }
        #expect(try made.dropFirst().map { try Data(contentsOf: URL(filePath: $0)) } == Array(before.dropFirst()))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == made.count - 1)
    }

    @Test(
        "What is no host is none, for it would end up in openssl's own syntax",
        arguments: ["", "a,URI:spiffe://tidegate/role/controller", "a b", "a\n", "höst"])
    func hosts(text: String) { #expect(!DevelopmentAuthority.isHost(text)) }

    @Test("Names and addresses are hosts", arguments: ["localhost", "10.0.0.7", "::1", "*.svc.cluster.local"])
    func goodHosts(text: String) { #expect(DevelopmentAuthority.isHost(text)) }
}
