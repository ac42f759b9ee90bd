import FleetModel
import Formats
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Reporting
import ServiceLifecycle
import Synchronization
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

/// Who may do what, by token, and which commands were given before.
final class AdminAccess: Sendable {
    /// How old a command may be, and how long its name is remembered.
    private static let patience = TimeSpan.seconds(60)

    private let tokens: [AdminToken]
    private let seen = Mutex<[String: Instant]>([:])

    init(tokens: [AdminToken]) { self.tokens = tokens }

    /// - Throws: 401 without a known token, 403 with one whose role may not.
    func require(_ least: AdminRole, _ authorization: String?) throws(APIError) {
        guard !tokens.isEmpty else { return }
        guard let digest = Self.digest(authorization) else { throw .noKey }
        var role: AdminRole?
        for token in tokens where TenantKeys.areEqual(Array(token.digest.lowercased().utf8), digest) {
            role = token.role
        }
        guard let role else { throw .wrongKey }
        guard role >= least else {
            throw APIError(
                status: .forbidden, message: "The role \(role.rawValue) may not do this, \(least.rawValue) may",
                type: "invalid_request_error", code: "wrong_role")
        }
    }

    /// A browser sends a token as the password of basic authentication; programs as a bearer's.
    private static func digest(_ authorization: String?) -> [UInt8]? {
        guard let authorization, authorization.count <= 4096 else { return nil }
        guard authorization.lowercased().hasPrefix("basic ") else { return TenantKeys.digest(ofBearer: authorization) }
        guard let password = BasicPassword(authorization).text else { return nil }
        return Array(Digest(of: password).hexadecimal.utf8)
    }

    /// Lets a command through once: its name is its time in milliseconds since 1970, a dash and anything.
    ///
    /// - Throws: 400 for a command without a name, 409 for one that is too old or was given before.
    func admit(_ name: String?, at now: Instant) throws(APIError) {
        guard let name, name.count <= 100, let dash = name.firstIndex(of: "-"),
            let milliseconds = Int64(name[..<dash]), (0..<9_000_000_000_000).contains(milliseconds)
        else {
            throw .invalid(
                "A command needs the field X-Tidegate-Command: milliseconds since 1970, a dash and a random word",
                param: nil)
        }
        let given = Instant(nanoseconds: milliseconds * 1_000_000)
        let isFresh = given > now - Self.patience && given < now + Self.patience
        let isNew = seen.withLock { seen in
            seen = seen.filter { $0.value > now - Self.patience * 2 }
            return seen.updateValue(now, forKey: name) == nil
        }
        guard isFresh, isNew else {
            throw APIError(
                status: .conflict, message: "The command was given before, or more than a minute ago",
                type: "invalid_request_error", code: "replayed")
        }
    }
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
            guard let number = Int(words[2]), let record = try await controller.decision(number) else {
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
