import FleetModel
import Formats
import HTTPTypes
import NIOHTTP1

/// What the head of a request says, checked before any of its body is taken.
struct GatewayRequestHead {
    enum Target: Hashable {
        case health, models
        case model(String)
        case generate(GatewayCall.Kind)
    }

    let target: Target
    /// Who asks; `nil` where anybody may, or where the body says.
    private(set) var tenant: Int?
    private(set) var sloClass = 0
    private(set) var priority: Int?
    /// The request's span: of the client's trace where it shows one, of a new trace elsewhere.
    private(set) var trace: TraceContext?
    /// The client's span, 16 hexadecimal digits.
    private(set) var traceParent: String?
    /// What else the client says of its trace.
    private(set) var traceState: String?

    /// - Parameter known: The key that was last shown on this connection, and whose it is.
    init(
        _ head: HTTPRequestHead, core: GatewayCore, known: inout (authorization: String, tenant: Int)?
    ) throws(APIError) {
        target = try Self.target(head)
        if core.configuration.settings.authentication == .keys, target != .health {
            tenant = try Self.authenticate(head, core, &known)
        }
        guard case .generate = target else { return }
        if core.isDraining {
            throw .unavailable("The gateway is draining and takes no new requests", code: "draining")
        }
        let limit = core.configuration.settings.limits.bodyBytes
        if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > limit {
            throw .bodyTooLarge(limit: limit)
        }
        if let name = head.headers.first(name: "x-slo-class") {
            guard let index = core.sloClass(named: name) else {
                let names = core.configuration.classes.map(\.name).joined(separator: ", ")
                throw .invalid("There is no SLO class '\(name.prefix(64))'; there are \(names)", param: "X-SLO-Class")
            }
            sloClass = index
        }
        if let text = head.headers.first(name: "x-priority") {
            guard let value = Int(text) else {
                throw .invalid("The header X-Priority must be a whole number", param: "X-Priority")
            }
            priority = value
        }
        readTrace(head, core)
    }

    private mutating func readTrace(_ head: HTTPRequestHead, _ core: GatewayCore) {
        guard let parent = head.headers.first(name: "traceparent").flatMap({ TraceContext($0) }) else {
            trace = TraceContext(isSampled: core.samplesTrace())
            return
        }
        (trace, traceParent) = (parent.child, parent.span)
        // Without a trace it says nothing. Longer ones may be dropped.
        let state = head.headers[canonicalForm: "tracestate"].joined(separator: ",")
        if !state.isEmpty, state.utf8.count <= 512 { traceState = state }
    }

    private static func target(_ head: HTTPRequestHead) throws(APIError) -> Target {
        let path = head.uri.prefix { $0 != "?" }
        func require(_ method: HTTPMethod) throws(APIError) {
            guard head.method == method else { throw .wrongMethod("\(head.method)", allowed: method.rawValue) }
        }
        switch path {
        case "/v1/chat/completions":
            try require(.POST)
            return .generate(.chat)
        case "/v1/completions":
            try require(.POST)
            return .generate(.completion)
        case "/v1/embeddings":
            try require(.POST)
            return .generate(.embedding)
        case "/health":
            try require(.GET)
            return .health
        case "/v1/models":
            try require(.GET)
            return .models
        default:
            guard path.hasPrefix("/v1/models/") else { throw .unknownPath(String(path)) }
            try require(.GET)
            return .model(path.dropFirst(11).removingPercentEncoding ?? "")
        }
    }

    private static func authenticate(
        _ head: HTTPRequestHead, _ core: GatewayCore, _ known: inout (authorization: String, tenant: Int)?
    ) throws(APIError) -> Int {
        let shown = head.headers["authorization"]
        guard let authorization = shown.first, shown.count == 1 else { throw .noKey }
        if let known, known.authorization == authorization { return known.tenant }
        guard let tenant = core.keys.tenant(authorization: authorization) else { throw .wrongKey }
        known = (authorization, tenant)
        return tenant
    }
}

extension APIError {
    static let noKey = APIError(
        status: .unauthorized, message: "No key was given: send 'Authorization: Bearer KEY'",
        type: "invalid_request_error", code: "missing_api_key")
    static let wrongKey = APIError(
        status: .unauthorized, message: "The key is not known here", type: "invalid_request_error",
        code: "invalid_api_key")

    static func unknownModel(_ name: String, _ core: GatewayCore) -> APIError {
        let served = core.configuration.pools.prefix(20).map(\.id.name).joined(separator: ", ")
        return APIError(
            status: .notFound, message: "The model '\(name.prefix(200))' does not exist; there are: \(served)",
            type: "invalid_request_error", param: "model", code: "model_not_found")
    }
}

/// The models of a gateway: its pools.
enum ModelList {
    static func text(of core: GatewayCore) -> String {
        var text = JSONText()
        text.object { text in
            text.member("object", "list")
            text.key("data")
            text.array { text in
                for pool in core.configuration.pools { text.object { describe(pool, into: &$0) } }
            }
        }
        return text.string
    }

    /// `nil` when there is none of that name.
    static func text(of name: String, _ core: GatewayCore) -> String? {
        guard let index = core.pool(model: name) else { return nil }
        var text = JSONText()
        text.object { describe(core.configuration.pools[index], into: &$0) }
        return text.string
    }

    private static func describe(_ pool: GatewayConfiguration.Pool, into text: inout JSONText) {
        text.member("id", pool.id.name)
        text.member("object", "model")
        text.member("created", 0)
        text.member("owned_by", "tidegate")
        text.member("max_model_len", pool.maxContext)
    }
}

/// Whether a gateway takes requests.
enum Health {
    static func status(of core: GatewayCore) -> String {
        problem(of: core) == nil ? "200 OK" : "503 Service Unavailable"
    }

    static func text(of core: GatewayCore) -> String {
        var text = JSONText()
        let problem = problem(of: core)
        text.object { text in
            text.member("status", problem == nil ? "ok" : "unavailable")
            text.member("reason", problem)
        }
        return text.string
    }

    private static func problem(of core: GatewayCore) -> String? {
        if core.isDraining { return "draining" }
        return core.state.withLock { $0.ledgerProblem == nil ? nil : "the ledger cannot be written" }
    }
}
