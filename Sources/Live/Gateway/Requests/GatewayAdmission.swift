import Formats
import NIOCore
import Units

/// What makes an exchange of a request: its body is read, its tenant and pool are found, and the gate is asked.
struct GatewayAdmission {
    let core: GatewayCore
    let loop: GatewayLoop
    let head: GatewayRequestHead
    let kind: GatewayCall.Kind
    let number: UInt64
    let name: String

    init(
        _ core: GatewayCore, loop: GatewayLoop, head: GatewayRequestHead, kind: GatewayCall.Kind, number: UInt64,
        name: String
    ) {
        (self.core, self.loop, self.head, self.kind) = (core, loop, head, kind)
        (self.number, self.name) = (number, name)
    }

    /// - Parameters:
    ///   - tenant: Receives whose request it is, as soon as that is known.
    ///   - pool: Receives which pool it is for.
    /// - Throws: Why it is refused.
    func admit(
        _ body: ByteBuffer, client: ClientConnection, tenant: inout Int?, pool: inout Int?
    ) throws(APIError) -> (exchange: Exchange, assignment: PoolGate.Assignment?) {
        let call: GatewayCall
        do {
            call = try body.withUnsafeReadableBytes { try GatewayCall(kind, body: $0) }
        } catch let error as APIError {
            core.countInvalid()
            throw error
        } catch {
            preconditionFailure("a call is refused by an APIError alone, not by \(error)")
        }
        do throws(APIError) {
            (tenant, pool) = (try self.tenant(of: call), try self.pool(of: call))
            let limits = try OutputLimits(call, core.configuration.pools[pool!], core.configuration.tenants[tenant!])
            return try admit(call, body, limits, client: client, tenant: tenant!, pool: pool!)
        } catch let error {
            if pool == nil || tenant == nil { core.countInvalid() }
            throw error
        }
    }

    private func admit(
        _ call: GatewayCall, _ body: ByteBuffer, _ limits: OutputLimits, client: ClientConnection, tenant: Int,
        pool: Int
    ) throws(APIError) -> (exchange: Exchange, assignment: PoolGate.Assignment?) {
        let (now, wall) = (MonotonicTime.now, WallTime.now)
        let arrival = GatewayState.Arrival(
            pool: pool, tenant: tenant, ticket: .init(number: number, loop: loop.index),
            promptTokens: call.promptTokens,
            isExact: call.isExact, maxOutput: limits.most)
        let (admission, standing) = core.state.withLock { state in
            (state.arrive(arrival, at: now, day: GatewayCore.day(of: wall)), state.accounts[tenant].standing)
        }
        let (assignment, charge): (PoolGate.Assignment?, TenantAccount.Charge)
        switch admission {
        case .refused(let error, _): throw error
        case .send(let place, let taken): (assignment, charge) = (place, taken)
        case .held(let taken): (assignment, charge) = (nil, taken)
        }
        let sloClass = core.configuration.classes[head.sloClass]
        let terms = Exchange.Terms(
            number: number, name: name, call: call, pool: pool, tenant: tenant, sloClass: head.sloClass, charge: charge,
            standing: standing, arrived: now, arrivedAt: wall, deadline: sloClass.timeout.map { now + $0 } ?? .never,
            trace: head.trace ?? TraceContext(isSampled: false), traceParent: head.traceParent)
        let additions = UpstreamRequest.Additions(
            model: core.configuration.pools[pool].names.upstream,
            cacheSalt: core.salts.salt(of: tenant, client: call.cacheSalt), maxTokens: limits.added,
            // A client may wait for others, and pass nobody.
            priority: max(sloClass.priority, head.priority ?? sloClass.priority), request: name,
            traceState: head.traceState)
        let request = body.withUnsafeReadableBytes {
            UpstreamRequest(call, body: $0, adding: additions, allocator: ByteBufferAllocator())
        }
        return (Exchange(terms, request: request, loop: loop, client: client), assignment)
    }

    private func tenant(of call: GatewayCall) throws(APIError) -> Int {
        if let tenant = head.tenant { return tenant }
        guard let user = call.user else { return 0 }
        return core.tenant(named: user) ?? 0
    }

    private func pool(of call: GatewayCall) throws(APIError) -> Int {
        guard let model = call.model else {
            guard core.configuration.pools.count > 1 else { return 0 }
            throw .invalid("'model' is missing", param: "model")
        }
        guard let pool = core.pool(model: model) else { throw .unknownModel(model, core) }
        return pool
    }
}

/// How many tokens the answers to a call may have.
struct OutputLimits {
    /// All answers together.
    let most: Int
    /// What is written into the call, where the client left it open and the engine would give more than may be.
    let added: Int?

    /// - Throws: When the client asks for more than its tenant may have.
    init(_ call: GatewayCall, _ pool: GatewayConfiguration.Pool, _ tenant: TenantTerms) throws(APIError) {
        if let limit = tenant.maxContext, call.promptTokens >= limit, call.isExact || call.promptBytes / 16 >= limit {
            throw .contextExceeded(
                "The longest context for this key is \(limit) tokens, and the prompt has about \(call.promptTokens)",
                param: call.kind == .chat ? "messages" : call.kind == .embedding ? "input" : "prompt")
        }
        guard call.kind != .embedding else {
            (most, added) = (0, nil)
            return
        }
        let context = min(pool.maxContext, tenant.maxContext ?? .max)
        let room = max(1, context - call.promptTokens / max(1, call.prompts))
        let answers = call.prompts * call.answers
        if let wanted = call.maxTokens {
            if let limit = tenant.maxOutputTokens, wanted > limit {
                throw .invalid(
                    "'max_tokens' is \(wanted), and this key may have answers of \(limit) tokens", param: "max_tokens",
                    code: "max_tokens_exceeded")
            }
            if let limit = tenant.maxContext, wanted > max(0, limit - call.promptTokens / max(1, call.prompts)) {
                throw .contextExceeded(
                    "The longest context for this key is \(limit) tokens, and about \(call.promptTokens) of the prompt and "
                        + "\(wanted) of the completion were asked for: reduce either", param: "max_tokens")
            }
            // What exceeds the model's own context is the worker's to say.
            most = min(wanted, room) * answers
            added = nil
            return
        }
        switch (call.kind, tenant.maxOutputTokens) {
        case (.completion, let limit):
            // What the public API gives a completion that says nothing.
            let given = min(16, limit ?? 16)
            (most, added) = (min(given, room) * answers, given)
        case (_, let limit?):
            // No prompt has more tokens than bytes, so this never asks for more than the model has room for, unless the
            // prompt's text alone could fill it.
            let safe = call.isExact ? room : context - call.promptBytes - 64
            let given = min(limit, safe >= 1 ? safe : room)
            (most, added) = (given * answers, given)
        case (_, nil): (most, added) = (room * answers, nil)
        }
    }
}
