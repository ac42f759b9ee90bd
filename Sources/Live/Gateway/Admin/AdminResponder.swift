import Formats
import HTTPTypes
import Hummingbird
import Units

/// Answers the controller, operators and scrapers: replicas, tenants, metrics.
struct AdminResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    private static let bodyLimit = 4 << 20

    let core: GatewayCore
    let registry: ReplicaRegistry

    func respond(to request: Request, context: Context) async throws -> Response {
        do {
            return try await answer(request)
        } catch let error as APIError {
            if error.status.code >= 401 { log(error, request) }
            return .error(error, discarding: request.body)
        }
    }

    private func answer(_ request: Request) async throws -> Response {
        let path = request.uri.path
        let words = path.split(separator: "/").map { String($0).removingPercentEncoding ?? "" }
        switch (words.count, words.first) {
        case (1, "health"):
            try require(.get, request)
            return .json { $0.member("status", "ok") }
        case (1, "metrics"):
            try require(.get, request, role: .viewer)
            return Response(
                status: .ok, headers: [.contentType: PrometheusPage.contentType],
                body: .init(byteBuffer: ByteBuffer(string: GatewayPage.text(of: core))))
        case (3, "admin") where words[1...] == ["v1", "pools"]:
            try require(.get, request, role: .viewer)
            return pools()
        case (5, "admin") where words[1...2] == ["v1", "pools"] && words[4] == "replicas":
            try require(.put, request, role: .scaler)
            return try await reading(request) { try setReplicas(of: words[3], $0) }
        case (3, "admin") where words[1...] == ["v1", "tenants"]:
            try require(.get, request, role: .viewer)
            return tenants()
        case (5, "admin") where words[1...2] == ["v1", "tenants"] && words[4] == "cap":
            try require(.put, request, role: .scaler)
            return try await reading(request) { try setCap(of: words[3], $0) }
        default: throw APIError.unknownPath(path)
        }
    }

    /// - Parameter role: The least that may do it; `nil` for anybody.
    private func require(_ method: HTTPRequest.Method, _ request: Request, role: AdminRole? = nil) throws(APIError) {
        if let role { try authorize(request, least: role) }
        guard request.method == method else {
            throw .wrongMethod(request.method.rawValue, allowed: method.rawValue)
        }
    }

    private func authorize(_ request: Request, least: AdminRole) throws(APIError) {
        try core.configuration.adminTokens.require(
            least, shown: TenantKeys.digest(ofBearer: request.headers[.authorization]))
    }

    private func log(_ error: APIError, _ request: Request) {
        core.log.event(
            "admin request refused",
            [
                "method": String(request.method.rawValue.prefix(40)), "path": String(request.uri.path.prefix(200)),
                "status": "\(error.status.code)", "reason": error.code,
            ])
    }

    // MARK: - Pools

    private func pools() -> Response {
        let state = core.state.withLock { $0 }
        return .json { text in
            text.member("boot", core.boot)
            text.key("pools")
            text.array { text in
                for pool in state.gates.indices { text.object { describe(pool, state, into: &$0) } }
            }
        }
    }

    private func describe(_ pool: Int, _ state: GatewayState, into text: inout JSONText) {
        let gate = state.gates[pool]
        text.member("pool", gate.configuration.id.name)
        text.member("held", gate.held.count)
        text.member("arrived_requests", Int(state.poolCounters[pool].requests))
        text.key("replicas")
        text.array { text in
            for replica in gate.replicas {
                text.object { text in
                    text.member("id", replica.id.number)
                    text.member("url", "\(replica.endpoint)")
                    if let socket = replica.endpoint.socket { text.member("socket", socket.path) }
                    text.member("state", replica.state)
                    text.member("outstanding", replica.outstanding)
                }
            }
        }
    }

    private func setReplicas(of pool: String, _ fields: RequestFields) throws -> Response {
        guard let epoch = try fields.integer("epoch"), epoch >= 0 else {
            throw APIError.invalid("'epoch' is missing or below 0", param: "epoch")
        }
        guard let elements = try fields.array("replicas") else {
            throw APIError.invalid("'replicas' is missing", param: "replicas")
        }
        var replicas: [Registry.Replica] = []
        for (index, element) in elements.enumerated() {
            let replica = try RequestFields(element, at: "replicas[\(index)]")
            guard let id = try replica.integer("id"), let url = try replica.string("url") else {
                throw APIError.invalid("'replicas[\(index)]' has no 'id' or no 'url'", param: "replicas[\(index)]")
            }
            replicas.append(
                .init(
                    id: id, url: url, socket: try replica.string("socket"),
                    draining: try replica.bool("draining") ?? false))
        }
        do throws(ReplicaRegistry.Problem) {
            try registry.set(replicas, of: pool, epoch: epoch)
        } catch {
            throw APIError(error)
        }
        let state = core.state.withLock { $0 }
        let index = core.configuration.pools.firstIndex { $0.id.name == pool }!
        return .json { text in
            text.member("boot", core.boot)
            describe(index, state, into: &text)
        }
    }

    // MARK: - Tenants

    private func tenants() -> Response {
        let state = core.state.withLock { $0 }
        return .json { text in
            text.key("tenants")
            text.array { text in
                for tenant in state.accounts.indices { text.object { describe(tenant: tenant, state, into: &$0) } }
            }
        }
    }

    private func describe(tenant: Int, _ state: GatewayState, into text: inout JSONText) {
        let account = state.accounts[tenant]
        let counters = state.tenantCounters[tenant]
        text.member("tenant", account.terms.name)
        text.member("requests", counters.reduce(0) { $0 + Int($1.requests) })
        text.member("prompt_tokens", Int(state.settledPrompt[tenant]))
        text.member("output_tokens", Int(state.settledOutput[tenant]))
        text.member("spent_today_usd", "\(account.spent)")
        text.member("reserved_usd", "\(account.reserved)")
        text.member("daily_budget_usd", account.terms.dailyBudget.map { "\($0)" })
        text.key("rejections")
        text.object { text in
            for (index, reason) in RejectionReason.allCases.enumerated() {
                text.member(reason.rawValue, counters.reduce(0) { $0 + Int($1.rejections[index]) })
            }
        }
        guard let cap = account.cap else { return text.null("cap") }
        text.key("cap")
        text.object { text in
            text.member("tokens_per_minute", cap.bucket.limit)
            text.member("reason", cap.reason)
        }
    }

    private func setCap(of tenant: String, _ fields: RequestFields) throws -> Response {
        let limit = try fields.integer("tokens_per_minute")
        guard (1...1_000_000_000_000).contains(limit ?? 1) else {
            throw APIError.invalid(
                "'tokens_per_minute' is not 1 to 10^12; null takes the cap away", param: "tokens_per_minute")
        }
        guard let reason = try fields.string("reason"), !reason.isEmpty, reason.utf8.count <= 500 else {
            throw APIError.invalid("'reason' is missing, or longer than 500 bytes", param: "reason")
        }
        do throws(ReplicaRegistry.Problem) {
            try registry.setCap(limit, reason: reason, of: tenant)
        } catch {
            throw APIError(error)
        }
        core.log.event(
            "tenant capped", ["tenant": tenant, "tokens_per_minute": limit.map { "\($0)" }, "reason": reason])
        let state = core.state.withLock { $0 }
        return .json { describe(tenant: core.tenant(named: tenant)!, state, into: &$0) }
    }

    /// Reads a body to its end and answers it: afterwards nothing of it is left to discard.
    private func reading(_ request: Request, _ answer: (RequestFields) throws -> Response) async throws -> Response {
        var bytes: [UInt8] = []
        var count = 0
        for try await buffer in request.body {
            count += buffer.readableBytes
            if count <= Self.bodyLimit { bytes.append(contentsOf: buffer.readableBytesView) }
        }
        do {
            guard count <= Self.bodyLimit else { throw APIError.bodyTooLarge(limit: Self.bodyLimit) }
            return try answer(try RequestFields(body: bytes))
        } catch let error as APIError {
            log(error, request)
            return .error(error)
        }
    }
}

extension APIError {
    init(_ problem: ReplicaRegistry.Problem) {
        switch problem {
        case .unknownPool(let name):
            self.init(
                status: .notFound, message: "There is no pool '\(name.prefix(64))'", type: "invalid_request_error",
                code: "pool_not_found")
        case .unknownTenant(let name):
            self.init(
                status: .notFound, message: "There is no tenant '\(name.prefix(64))'", type: "invalid_request_error",
                code: "tenant_not_found")
        case .fenced(let highest):
            self.init(
                status: .conflict,
                message: "A controller of epoch \(highest) has set replicas since: this one is replaced",
                type: "invalid_request_error", param: "epoch", code: "fenced")
        case .badReplica(let text): self = .invalid(text, param: "replicas")
        case .notKept(let reason):
            self = .unavailable(
                "The registry could not be written, so nothing was changed: \(reason)", code: "not_kept")
        }
    }
}
