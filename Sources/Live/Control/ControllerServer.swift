import FleetModel
import Formats
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Reporting
import ServiceLifecycle
import Units

/// The controller's own server: its status page, metrics, the level that KEDA and an HPA read, and an operator's verbs.
public final class ControllerServer: Sendable {
    private let group: ServiceGroup

    /// - Parameters:
    ///   - tokens: Without any, whoever reaches the address may do everything.
    ///   - onListening: Told the port once connections are accepted.
    public init(
        _ controller: Controller, listen: ListenAddress, tokens: [AdminToken],
        onListening: @escaping @Sendable (Int) -> Void
    ) {
        var logger = Logger(label: "tidegate.controller")
        logger.logLevel = .critical
        let app = Application(
            responder: ControllerResponder(controller: controller, access: AdminAccess(tokens: tokens)),
            server: .connections(),
            configuration: .init(address: .hostname(listen.host, port: listen.port), serverName: "tidegate"),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? listen.port) }, logger: logger)
        var services = ServiceGroupConfiguration(services: [app], logger: logger)
        services.maximumGracefulShutdownDuration = .seconds(2)
        group = ServiceGroup(configuration: services)
    }

    /// Serves until the task is cancelled.
    ///
    /// - Throws: An error when the address cannot be had.
    public func run() async throws { try await group.run() }
}

private struct ControllerResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    let controller: Controller
    let access: AdminAccess

    func respond(to request: Request, context: Context) async throws -> Response {
        do {
            return try await answer(request)
        } catch let error as APIError {
            await controller.noteRefusal(
                "\(request.method.rawValue) \(request.uri.path.prefix(100)) refused: \(error.code ?? error.message)")
            var response = Response.error(error, discarding: request.body)
            if error.status == .unauthorized { response.headers[.wwwAuthenticate] = "Basic realm=\"tidegate\"" }
            return response
        }
    }

    private func answer(_ request: Request) async throws -> Response {
        let words = request.uri.path.split(separator: "/").map { String($0).removingPercentEncoding ?? "" }
        switch words {
        case []:
            try require(.get, request, .viewer)
            return text(StatusPage(await controller.status).text, "text/html; charset=utf-8")
        case ["health"]: return .json { $0.member("status", "ok") }
        case ["metrics"]:
            try require(.get, request, .viewer)
            return text(ControllerPage.text(of: await controller.status), PrometheusPage.contentType)
        case ["v1", "status"]:
            try require(.get, request, .viewer)
            return text(try CanonicalJSON.encode(await controller.status), "application/json")
        case ["v1", "pause"], ["v1", "resume"]:
            try command(request)
            if words[1] == "pause" { await controller.pause() } else { await controller.resume() }
            return .json { $0.member("status", words[1] + "d") }
        default: return try await answer(words, request)
        }
    }

    private func answer(_ words: [String], _ request: Request) async throws -> Response {
        switch (words.count, words.first) {
        case (3, "v1") where words[1] == "decisions":
            try require(.get, request, .viewer)
            guard let number = Int(words[2]), let record = try controller.decision(number) else {
                throw notFound("there is no decision '\(words[2].prefix(40))' in the journal")
            }
            return text(record, "application/json")
        case (4, "v1") where words[1] == "pools" && words[3] == "desired":
            try require(.get, request, .viewer)
            guard let pool = await controller.status.pools.first(where: { $0.status.pool.name == words[2] }) else {
                throw notFound("there is no pool '\(words[2].prefix(100))'")
            }
            return .json { text in
                text.member("pool", pool.status.pool.name)
                text.member("desired_replicas", pool.desired)
            }
        case (6, "v1") where words[1] == "pools" && words[3] == "replicas" && words[5] == "drain":
            try command(request)
            guard let number = Int(words[4]) else { throw notFound("a replica's number is asked for") }
            do throws(ActuationError) {
                try await controller.drain(ReplicaID(number), of: PoolID(words[2]))
            } catch {
                throw APIError(
                    status: .conflict, message: "\(error)", type: "invalid_request_error", code: "not_drained")
            }
            return .json { $0.member("status", "draining") }
        default: throw APIError.unknownPath(request.uri.path)
        }
    }

    private func require(_ method: HTTPRequest.Method, _ request: Request, _ role: AdminRole) throws(APIError) {
        try access.require(role, request.headers[.authorization])
        guard request.method == method else {
            throw .wrongMethod(request.method.rawValue, allowed: method.rawValue)
        }
    }

    /// An operator's verb, once.
    private func command(_ request: Request) throws(APIError) {
        try require(.post, request, .operator)
        try access.admit(request.headers[.tidegateCommand], at: controller.clock.now)
    }

    private func notFound(_ message: String) -> APIError {
        APIError(status: .notFound, message: message, type: "invalid_request_error", code: "not_found")
    }

    private func text(_ text: String, _ type: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

extension HTTPField.Name {
    static let tidegateCommand = HTTPField.Name("X-Tidegate-Command")!
}
