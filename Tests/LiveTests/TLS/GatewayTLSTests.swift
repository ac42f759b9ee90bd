import FleetModel
import Formats
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Testing
import Units

@testable import Live

@Suite("The gateway under mutual TLS", .serialized)
struct GatewayTLSTests {
    /// Calls with a role's certificate; the status and the body.
    static func call(
        _ role: PeerRole, _ server: PeerRole, _ port: Int, _ method: String, _ path: String, body: String? = nil
    ) async throws -> PlainCall.Answer {
        let ours = try await MutualTLSTests.Authorities.shared.value.ours
        return try await PlainCall.send(
            method, path, to: try LoadTarget("http://127.0.0.1:\(port)"), body: body,
            on: MultiThreadedEventLoopGroup.singleton.next(), within: .seconds(5),
            tls: (try TLSMaterial(ours.files(of: role)), server))
    }

    @Test("Controller, gateway and worker speak by certificates alone, and a client with its key", arguments: [false, true])
    func chain(servesClients: Bool) async throws {
        let ours = try await MutualTLSTests.Authorities.shared.value.ours
        try await MutualTLSTests.withWorker(ours.files(of: .worker)) { worker, refusals in
            var configuration = TestGateway.configuration()
            configuration.settings.tls = ours.files(of: .gateway)
            configuration.settings.servesClientsByTLS = servesClients
            let gateway = try await TestGateway.start(configuration)
            let replicas = #"{"epoch":1,"replicas":[{"id":1,"url":"https://127.0.0.1:\#(worker)","draining":false}]}"#
            let path = "/admin/v1/pools/flat-model/replicas"
            let put = try await Self.call(.controller, .gateway, gateway.adminPort, "PUT", path, body: replicas)
            #expect(put.status == 200)
            let page = try await Self.call(.controller, .gateway, gateway.adminPort, "GET", "/metrics")
            #expect(page.body.contains("tidegate_gateway_replicas"))

            let body = #"{"model":"flat-model","prompt":"one two","max_tokens":3}"#
            if servesClients {
                let context = try MutualTLSTests.client(nil, trusts: ours.folder + "/ca.pem")
                let exchange = HTTPExchange(host: "127.0.0.1", port: gateway.port, tls: context)
                var status = 0
                for try await piece in try await exchange.send(
                    .POST, "/v1/completions", headers: [:], body: Array(body.utf8), within: .seconds(5),
                    on: MultiThreadedEventLoopGroup.singleton)
                {
                    if case .head(let code, _) = piece { status = code }
                }
                #expect(status == 200)
            } else {
                #expect(try await gateway.complete(body).status == 200)
            }
            #expect(refusals.list == [])

            // A gateway's certificate steers no gateway, and no certificate even less.
            await #expect(throws: LoadError.self) {
                try await Self.call(.gateway, .gateway, gateway.adminPort, "GET", "/metrics")
            }
            try await until("it is in the log") {
                gateway.lines.text.contains("here only controller may connect") && gateway.lines.text.contains(#""side":"admin""#)
            }
            #expect(!gateway.lines.text.contains("PRIVATE"))
            // A worker in a gateway's place is refused by who connects to it.
            await #expect(throws: LoadError.self) {
                try await Self.call(.controller, .worker, gateway.adminPort, "GET", "/metrics")
            }
            try await gateway.stop()
        }
    }

    @Test("A replica that is no worker gets no request, and the log says why")
    func impostor() async throws {
        let ours = try await MutualTLSTests.Authorities.shared.value.ours
        // A server of our authority, but with a controller's certificate.
        try await MutualTLSTests.withWorker(ours.files(of: .controller)) { port, _ in
            var configuration = TestGateway.configuration()
            configuration.settings.tls = ours.files(of: .gateway)
            let gateway = try await TestGateway.start(configuration)
            let replicas = #"{"epoch":1,"replicas":[{"id":1,"url":"https://127.0.0.1:\#(port)","draining":false}]}"#
            _ = try await Self.call(
                .controller, .gateway, gateway.adminPort, "PUT", "/admin/v1/pools/flat-model/replicas", body: replicas)
            let answer = try await gateway.complete(#"{"model":"flat-model","prompt":"secret","max_tokens":3}"#)
            #expect(answer.status == 502 || answer.status == 503)
            try await until("it is in the log") {
                gateway.lines.text.contains("its certificate is that of a controller, and here only worker may connect")
            }
            #expect(!gateway.lines.text.contains("secret"))
            try await gateway.stop()
        }
    }

    @Test("A configuration with TLS is read, with its files beside it")
    func configuration() throws {
        let folder = TestGateway.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.copyItem(atPath: OtherPrograms.root.path + "/Scenarios/laptop-burst", toPath: folder)
        func read(_ text: String) throws -> LiveConfigurationReader.Reading {
            try Data(("scenario: scenario.yaml\n" + text).utf8).write(to: URL(filePath: folder + "/live.yaml"))
            return LiveConfigurationReader.check(path: folder + "/live.yaml")
        }
        let files = "{certificate: tls/g.pem, key: /k.pem, ca: tls/ca.pem}"
        let reading = try read("gateway: {authentication: none, clients: tls, tls: \(files)}\n")
        let gateway = try #require(reading.configuration?.gateway, "\(reading.diagnostics)")
        #expect(gateway.tls == TLSFileNames(certificate: folder + "/tls/g.pem", key: "/k.pem", authority: folder + "/tls/ca.pem"))
        #expect(gateway.servesClientsByTLS)
        let without = try read("gateway: {authentication: none, clients: tls}\n")
        #expect("\(without.diagnostics)".contains("there is no section 'tls'"))
        let half = try read("gateway: {authentication: none, tls: {certificate: a}}\n")
        #expect(half.configuration == nil)
    }
}
