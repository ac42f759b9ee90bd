import FleetModel
import Formats
import Foundation
import Live
import NIOCore
import NIOPosix
import Units

// The gateway with clients and a worker that computes nothing, all in one process: what it adds and how much it carries.
//
//     GatewayBench requests 10        whole answers, as fast as 1,024 clients get them, for 10 s
//     GatewayBench streams 10         2,000 open streams of 25 pieces a second each; half as many with --tls
//     GatewayBench first 10           300 streams a second, with and without the gateway
//     GatewayBench streams 10 --tls   the same with TLS on both sides of the gateway, mutual where a worker is
//     GatewayBench streams 10 --tcp   the gateway reaches the worker by loopback TCP, and not by its Unix socket
//
// Prints one JSON object.

let arguments = CommandLine.arguments
guard arguments.count >= 3, let seconds = Int(arguments[2]) else {
    FileHandle.standardError.write(Data("GatewayBench requests|streams|first SECONDS [--tls] [--tcp]\n".utf8))
    exit(64)
}
let threads = 2
_ = DescriptorLimit.raise()
signal(SIGPIPE, SIG_IGN)

/// Figures of a run.
struct Figures: Encodable {
    /// Times in µs.
    struct Times: Encodable {
        var count: Int
        var p50: Double
        var p99: Double
        var p999: Double
        var max: Double

        init(_ values: [Int32]) {
            let sorted = values.sorted()
            func quantile(_ share: Double) -> Double {
                sorted.isEmpty ? 0 : Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1000
            }
            (p50, p99, p999, max) = (quantile(0.5), quantile(0.99), quantile(0.999), quantile(1))
            count = values.count
        }
    }

    var perSecond: Double
    var failed: Int
    var all: Times
    /// What did not meet a stall of the machine; `nil` where those cannot be seen.
    var unstalled: Times?
    /// Milliseconds that the machine stood still, and the longest time of that.
    var stalled = 0.0
    var longestStall = 0.0

    init(_ values: [(span: Int32, at: Int64)], failed: Int, from start: Int64, to end: Int64, _ watch: StallWatch?) {
        all = Times(values.map(\.span))
        perSecond = Double(values.count) / (Double(end - start) / 1e9)
        self.failed = failed
        guard let watch else { return }
        let windows = watch.windows(from: start - 1_000_000_000, to: end)
        stalled = Double(windows.reduce(0) { $0 + ($1.to - $1.from) / 5 }) / 1e6
        longestStall = Double(windows.map { ($0.to - $0.from) / 5 }.max() ?? 0) / 1e6
        unstalled = Times(
            values.filter { value in
                !windows.contains { $0.from <= value.at && $0.to >= value.at - Int64(value.span) }
            }.map(\.span))
    }
}

let stream =
    #"{"model":"chat","messages":[{"role":"user","content":"How high does the tide come at the gate?"}],"max_tokens":64,"#
    + #""stream":true}"#
let plain = #"{"model":"chat","prompt":"How high does the tide come?","max_tokens":8}"#

func request(_ path: String, _ body: String) -> ByteBuffer {
    ByteBuffer(
        string:
            "POST \(path) HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer bench-key\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
}

/// Clients on one event loop.
struct Clients {
    let loop: any EventLoop
    let tally: NIOLoopBound<Tally>
    let all: NIOLoopBound<Box>

    final class Box { var clients: [Client] = [] }

    init(_ loop: any EventLoop) async throws {
        self.loop = loop
        (tally, all) = try await loop.submit {
            (NIOLoopBound(Tally(), eventLoop: loop), NIOLoopBound(Box(), eventLoop: loop))
        }.get()
    }

    /// - Parameter tls: Whom the server must be, where it speaks TLS.
    func connect(
        _ count: Int, to port: Int, _ request: ByteBuffer, isStream: Bool, isEndless: Bool, tls: PeerRole?
    ) async throws {
        for _ in 0..<count {
            _ = try await ClientBootstrap(group: loop)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { [tally, all] channel in
                    channel.eventLoop.makeCompletedFuture {
                        let client = Client(tally.value, request: request, isStream: isStream, isEndless: isEndless)
                        all.value.clients.append(client)
                        if let tls {
                            try channel.pipeline.syncOperations.addMutualTLSClient(
                                certificates!.controller, server: tls
                            ) { refusal, _ in fatalError("\(refusal)") }
                        }
                        try channel.pipeline.syncOperations.addHandler(client)
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
        }
    }

    /// Counts for a while, after a second in which nothing counts.
    func measure(
        _ seconds: Int, _ values: @escaping @Sendable (Tally) -> [(span: Int32, at: Int64)]
    ) async throws -> Figures {
        try await Task.sleep(for: .seconds(1))
        let start = nanoseconds()
        try await loop.submit { [tally] in
            tally.value.delays.removeAll()
            tally.value.firsts.removeAll()
            (tally.value.completed, tally.value.failed) = (0, 0)
        }.get()
        try await Task.sleep(for: .seconds(seconds))
        return try await loop.submit { [tally] in
            tally.value.isCounting = false
            return Figures(values(tally.value), failed: tally.value.failed, from: start, to: nanoseconds(), watch)
        }.get()
    }

    /// Sends on a client that is free, at an even rate.
    func pace(_ perSecond: Int, until end: Int64) {
        let gap = 1_000_000_000 / Int64(perSecond)
        @Sendable func next(_ due: Int64) {
            loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(UInt64(due))) { [all] in
                guard due < end else { return }
                all.value.clients.first { !$0.isBusy }?.send()
                next(due + gap)
            }
        }
        loop.execute { next(nanoseconds() + gap) }
    }
}

extension PlainStreams {
    /// Opens streams and counts for a while, after a second in which nothing counts.
    func measure(_ seconds: Int, connecting count: Int, to port: Int, _ request: [UInt8]) -> Figures {
        connect(count, to: port, request)
        run(until: nanoseconds() + 1_000_000_000)
        let start = nanoseconds()
        tally.delays.removeAll(keepingCapacity: true)
        tally.failed = 0
        run(until: start + Int64(seconds) * 1_000_000_000)
        return Figures(tally.delays, failed: tally.failed, from: start, to: nanoseconds(), watch)
    }
}

let watch = StallWatch.start()
let folder = FileManager.default.temporaryDirectory.appending(path: "tidegate-bench-\(UUID().uuidString)").path

/// Who is who, with TLS.
struct Certificates {
    var gateway: TLSFileNames
    var worker: TLSMaterial
    /// Of clients too: they may show one, and need none.
    var controller: TLSMaterial

    init() async throws {
        let authority = DevelopmentAuthority(folder: folder + "-tls")
        _ = try await authority.make()
        gateway = authority.files(of: .gateway)
        worker = try TLSMaterial(authority.files(of: .worker))
        controller = try TLSMaterial(authority.files(of: .controller))
    }
}

try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
let socket = folder + "/worker.sock"
let certificates = arguments.contains("--tls") ? try await Certificates() : nil
let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

func gateway(before port: Int) async throws -> (GatewayServer, Task<Void, any Error>, Int) {
    var settings = GatewaySettings()
    settings.listen.port = 0
    settings.admin.port = 0
    settings.threads = threads
    settings.tls = certificates?.gateway
    settings.servesClientsByTLS = certificates != nil
    let price = TokenPrice(perMillionPrompt: USD("0.15")!, perMillionOutput: USD("0.6")!)
    var configuration = GatewayConfiguration(
        settings: settings, pools: [.init(id: PoolID("chat"), maxSequences: 4096, maxContext: 8192, price: price)],
        classes: [SLOClass(name: "interactive")],
        tenants: [
            TenantTerms(
                name: "bench", keyDigests: [Digest(of: "bench-key").hexadecimal], tokensPerMinute: 1_000_000_000_000,
                dailyBudget: USD("1000000")!)
        ], stateFolder: folder)
    configuration.log = { _ in }
    let (ports, continuation) = AsyncStream<GatewayServer.Listening>.makeStream()
    let server = try GatewayServer(configuration: configuration) { continuation.yield($0) }
    let serving = Task { try await server.run() }
    let listening = await ports.first { _ in true }!
    let scheme = certificates == nil ? "http" : "https"
    let near = arguments.contains("--tcp") ? "" : #","socket":"\#(socket)""#
    let body = #"{"epoch":1,"replicas":[{"id":1,"url":"\#(scheme)://127.0.0.1:\#(port)"\#(near)}]}"#
    let channel = try await ClientBootstrap(group: group).channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
            guard let certificates else { return }
            try channel.pipeline.syncOperations.addMutualTLSClient(certificates.controller, server: .gateway) {
                refusal, _ in fatalError("\(refusal)")
            }
        }
    }.connect(host: "127.0.0.1", port: listening.adminPort).get()
    try await channel.writeAndFlush(
        ByteBuffer(
            string:
                "PUT /admin/v1/pools/chat/replicas HTTP/1.1\r\nHost: bench\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        ))
    try await Task.sleep(for: .milliseconds(300))
    try await channel.close()
    return (server, serving, listening.port)
}

var figures: [String: Figures] = [:]
switch arguments[1] {
case "requests":
    let upstream = try await Upstream(pieces: 1, gap: 1_000_000, socket: socket, tls: certificates?.worker)
    let (_, _, port) = try await gateway(before: upstream.port)
    let clients = try await Clients(group.next())
    try await clients.connect(
        1024, to: port, request("/v1/completions", plain), isStream: false, isEndless: true,
        tls: certificates.map { _ in .gateway })
    figures["requests"] = try await clients.measure(seconds) { $0.firsts }
case "streams" where certificates == nil:
    let streams = PlainStreams(gap: 40_000_000, socket: socket)
    let (_, _, port) = try await gateway(before: streams.port)
    let request = Array(buffer: request("/v1/chat/completions", stream))
    figures["streams"] = streams.measure(seconds, connecting: 2000, to: port, request)
case "streams":
    let upstream = try await Upstream(
        pieces: 25 * (seconds + 60), gap: 80_000_000, socket: socket, tls: certificates?.worker)
    let (_, _, port) = try await gateway(before: upstream.port)
    let clients = try await Clients(group.next())
    try await clients.connect(
        2000, to: port, request("/v1/chat/completions", stream), isStream: true, isEndless: true,
        tls: certificates.map { _ in .gateway })
    figures["streams"] = try await clients.measure(seconds) { $0.delays }
case "first":
    let upstream = try await Upstream(pieces: 8, gap: 10_000_000, socket: socket, tls: certificates?.worker)
    let (_, _, port) = try await gateway(before: upstream.port)
    for (name, target, role) in [("direct", upstream.port, PeerRole.worker), ("through", port, .gateway)] {
        let clients = try await Clients(group.next())
        let bytes = request("/v1/chat/completions", stream)
        try await clients.connect(
            1024, to: target, bytes, isStream: true, isEndless: false, tls: certificates.map { _ in role })
        clients.pace(300, until: nanoseconds() + Int64(seconds + 2) * 1_000_000_000)
        figures[name] = try await clients.measure(seconds) { $0.firsts }
    }
default: exit(64)
}
let encoder = JSONEncoder()
encoder.outputFormatting = .sortedKeys
print(String(decoding: try encoder.encode(figures), as: UTF8.self))
for path in [folder, folder + "-tls"] { try? FileManager.default.removeItem(atPath: path) }
exit(0)
