import NIOCore
import Store
import Units

/// One request from its arrival to the last byte of the answer: admitted, tried on replicas, streamed or put together, its
/// row written, and only then ended.
///
/// Belongs to the event loop of its client's connection.
final class Exchange {
    enum Phase {
        /// Waits for a replica.
        case held
        /// On one or more replicas, and nothing has come back.
        case sent
        /// An answer is coming, or goes through already.
        case answering
        /// Its row is being written. What comes after tells how the answer ends.
        case settling(Ending)
        case ended
    }

    /// What the client gets last.
    enum Ending {
        /// The rest of a stream, or a whole answer.
        case bytes([UInt8])
        /// An error, as an answer of its own or as a stream's last event.
        case error(APIError)
        /// Nobody is there.
        case nothing
    }

    /// What is known of a request when it is admitted.
    struct Terms {
        var number: UInt64
        var name: String
        var call: GatewayCall
        var pool: Int
        var tenant: Int
        var sloClass: Int
        var charge: TenantAccount.Charge
        var standing: RateStanding?
        var arrived: Instant
        var arrivedAt: Instant
        var deadline: Instant
        /// The request's span.
        var trace: TraceContext
        /// The client's span that it is part of, 16 hexadecimal digits.
        var traceParent: String?
    }

    let terms: Terms
    let request: UpstreamRequest
    private let loop: GatewayLoop
    /// `nil` when it is gone or has been answered: each holds the other until then.
    private var client: ClientConnection?
    private(set) var phase = Phase.held
    private(set) var attempts: [Attempt] = []
    private var tries = 0
    private var isHedged = false
    private var replica: Int?
    private var isStreaming: Bool { terms.call.streams }

    private var events = EventSplitter()
    private var stream: StreamedAnswer
    /// The body of an answer that is not streamed.
    private var body: [UInt8] = []
    private var hasBegun = false
    /// Whether something came that is no answer.
    private var isBroken = false
    private var settledSince = Instant.epoch
    /// `nil` where nobody wants the spans.
    private let trace: ExchangeTrace?
    /// What the client is told, and the row, since it is settled.
    private var settled: (row: UsageRow, status: Int)?

    init(_ terms: Terms, request: UpstreamRequest, loop: GatewayLoop, client: ClientConnection) {
        (self.terms, self.request, self.loop, self.client) = (terms, request, loop, client)
        stream = StreamedAnswer(includesUsage: terms.call.includesUsage)
        trace = ExchangeTrace(terms, core: loop.core)
    }

    private var core: GatewayCore { loop.core }

    // MARK: - Replicas

    /// Has a place on a replica.
    func dispatch(to assignment: PoolGate.Assignment, at now: Instant) {
        phase = .sent
        tries += 1
        start(assignment, at: now)
    }

    private func start(
        _ assignment: PoolGate.Assignment, at now: Instant, fresh: Bool = false, isHedge: Bool = false
    ) {
        let attempt = Attempt(self, assignment, at: now, isHedge: isHedge)
        attempts.append(attempt)
        if tries == 1, attempts.count == 1 {
            loop.meter.update { $0.pools[terms.pool].overhead.observe((MonotonicTime.now - terms.arrived).seconds) }
        }
        loop.upstream(assignment, pool: terms.pool).send(attempt, fresh: fresh)
    }

    /// The first byte of an attempt: it has won.
    func answers(_ attempt: Attempt) {
        guard case .sent = phase else { return }
        phase = .answering
        replica = attempt.assignment.id.number
        if attempt.assignment.isProbe { core.answered(terms.pool, attempt.assignment) }
        for other in attempts where other !== attempt { leave(other, as: .abandoned, cancelling: true) }
        attempts = [attempt]
    }

    /// An attempt has no answer.
    func fail(_ attempt: Attempt, _ failure: Attempt.Failure) {
        switch phase {
        case .sent:
            attempts.removeAll { $0 === attempt }
            // A connection that was free is closed by either side when it likes: that says nothing of the replica.
            if failure == .closed, attempt.isOnUsedConnection {
                loop.upstream(attempt.assignment, pool: terms.pool).ended()
                return start(attempt.assignment, at: MonotonicTime.now, fresh: true)
            }
            leave(attempt, as: .failed)
            guard attempts.isEmpty else { return }
            retry(or: Self.noReplica)
        case .answering:
            attempts = []
            leave(attempt, as: .failed)
            lost()
        case .held, .settling, .ended: break  // It was given up before.
        }
    }

    private static let noReplica = APIError(
        status: .badGateway, message: "No replica could answer the request; try again", type: "server_error",
        code: "replica_unreachable", retryAfter: 1)

    /// Looks for another replica, as long as the rules allow.
    private func retry(or error: APIError) {
        guard tries <= core.configuration.settings.retries else { return settle(.failed, .error(error)) }
        let ticket = PoolGate.Ticket(number: terms.number, loop: loop.index)
        let answer = core.state.withLock { state in
            state.poolCounters[terms.pool].retries += 1
            return state.gates[terms.pool].retry(ticket)
        }
        replica = nil
        attempts = []
        switch answer {
        case .send(let assignment): dispatch(to: assignment, at: MonotonicTime.now)
        case .held, .full: phase = .held
        }
    }

    /// Asks a second replica when the first has been silent for long.
    func hedgeIfSilent(at now: Instant) {
        guard let rules = core.configuration.settings.hedging, case .sent = phase, !isHedged, attempts.count == 1,
            let first = attempts.first, now - first.began > rules.after
        else { return }
        isHedged = true
        let other = core.state.withLock { state -> PoolGate.Assignment? in
            let counters = state.poolCounters[terms.pool]
            guard Double(counters.hedges) < max(1, rules.share * Double(counters.requests)) else { return nil }
            guard let other = state.gates[terms.pool].hedge(beside: first.assignment.serial) else { return nil }
            state.poolCounters[terms.pool].hedges += 1
            return other
        }
        if let other { start(other, at: now, isHedge: true) }
    }

    private func leave(_ attempt: Attempt, as release: PoolGate.Release, cancelling: Bool = false) {
        if cancelling { attempt.cancel() }
        trace?.ended(attempt, as: release)
        loop.upstream(attempt.assignment, pool: terms.pool).ended()
        core.release(terms.pool, attempt.assignment, as: release)
    }

    // MARK: - The answer

    /// Takes a piece of a body.
    func receive(_ piece: UnsafeRawBufferPointer, status: Int, from attempt: Attempt, at now: Instant) {
        guard status == 200 else {
            if attempt.refusal.count + piece.count <= 1 << 20 { attempt.refusal.append(contentsOf: piece) }
            return
        }
        guard isStreaming else {
            guard body.count + piece.count <= core.configuration.settings.limits.answerBytes else {
                isBroken = true
                return
            }
            body.append(contentsOf: piece)
            return
        }
        events.read(piece) { note($0, at: now) }
        if events.isOverlong { isBroken = true }
    }

    /// Takes an event of a stream.
    private func note(_ data: UnsafeRawBufferPointer, at now: Instant) {
        guard !isBroken else { return }
        switch stream.take(data, at: now, newChunk: { client?.chunk(capacity: $0) ?? ByteBuffer() }) {
        case .firstToken: loop.meter.update { $0.pools[terms.pool].ttft.observe((now - terms.arrived).seconds) }
        case .token(let gap): loop.noteGap(gap)
        case .other: break
        case .unreadable: isBroken = true
        }
    }

    /// The bytes of one read are all taken: what they brought is sent on.
    func readDone(at now: Instant) {
        let tokens = stream.takeNewTokens()
        if tokens > 0 { loop.flushGaps(pool: terms.pool, tenant: terms.tenant, tokens: tokens) }
        if isBroken, case .answering = phase {
            for attempt in attempts { leave(attempt, as: .failed, cancelling: true) }
            attempts = []
            return lost()
        }
        guard let client, let chunk = stream.takeChunk() else { return }
        begin(client)
        client.send(chunk: chunk)
        if !client.isWritable { pause() }
    }

    private func begin(_ client: ClientConnection) {
        guard !hasBegun else { return }
        hasBegun = true
        client.beginStream(terms.name, terms.standing)
    }

    /// An attempt's answer is whole.
    func complete(_ attempt: Attempt, status: Int) {
        guard case .answering = phase else { return }
        attempts = []
        switch status {
        case 200:
            leave(attempt, as: isBroken || (isStreaming && !stream.isDone) ? .failed : .served)
            readDone(at: MonotonicTime.now)
            // Broken events have ended it there.
            guard case .answering = phase else { return }
            finish()
        case 502, 503:
            leave(attempt, as: .failed)
            phase = .sent
            retry(or: error(of: attempt, status: status))
        default:
            // Errors of the engine count as the replica's, what is wrong with the request does not.
            leave(attempt, as: status >= 500 && status != 501 ? .failed : .served)
            let isRefused = (400..<500).contains(status)
            if isRefused {
                core.state.withLock { state in
                    state.poolCounters[terms.pool].reject(.refusedByWorker)
                    state.tenantCounters[terms.tenant][terms.pool].reject(.refusedByWorker)
                }
            }
            settle(isRefused ? .refusedByWorker : .failed, .error(error(of: attempt, status: status)))
        }
    }

    /// A worker's error in its own words, where it has the public shape.
    private func error(of attempt: Attempt, status: Int) -> APIError {
        let shown = APIError(workerBody: attempt.refusal, status: status)
        return shown
            ?? APIError(
                status: .init(code: (400..<600).contains(status) ? status : 502),
                message: "The replica answered with status \(status)",
                type: status < 500 ? "invalid_request_error" : "server_error", code: "replica_error")
    }

    private func finish() {
        if isStreaming {
            guard stream.isDone else { return lost() }
            settle(.completed, .bytes(stream.ending))
        } else {
            let event = isBroken ? nil : body.withUnsafeBytes { CompletionEvent($0) }
            guard let event else {
                return settle(
                    .failed,
                    .error(
                        APIError(
                            status: .badGateway, message: "The replica's answer cannot be read", type: "server_error",
                            code: "replica_error")))
            }
            if terms.call.kind != .embedding {
                let (pool, tenant, tokens) = (terms.pool, terms.tenant, event.completionTokens ?? 0)
                loop.flushGaps(pool: pool, tenant: tenant, tokens: tokens)
            }
            settle(.completed, .bytes(body), counts: (event.promptTokens, event.completionTokens))
        }
    }

    /// The replica broke off in the middle of the answer.
    private func lost() {
        settle(
            .replicaLost,
            .error(
                APIError(
                    status: .badGateway, message: "The replica was lost before the answer was complete",
                    type: "server_error", code: "replica_lost")))
    }

    // MARK: - Ends that others bring

    /// The client went away, or takes nothing.
    func clientLeft() {
        client = nil
        giveUp(.clientGone, .nothing)
    }

    /// Its class's timeout has passed.
    func timeOut() {
        giveUp(
            .timedOut,
            .error(
                APIError(
                    status: .gatewayTimeout, message: "The answer was not complete within the class's timeout",
                    type: "timeout", code: "timeout")))
    }

    /// The gateway stops.
    func cut() {
        giveUp(.failed, .error(.unavailable("The gateway stopped before the answer was complete", code: "stopped")))
    }

    private func giveUp(_ outcome: UsageOutcome, _ ending: Ending) {
        switch phase {
        case .held:
            let ticket = PoolGate.Ticket(number: terms.number, loop: loop.index)
            // One that is on its way from the gate to here is met by `dispatch` of its loop.
            _ = core.state.withLock { $0.gates[terms.pool].withdraw(ticket) }
        case .sent, .answering:
            let left = attempts
            attempts = []
            for attempt in left { leave(attempt, as: .abandoned, cancelling: true) }
        case .settling(.nothing), .ended: return
        case .settling:
            // The row is on its way; only the client is gone.
            if client == nil { phase = .settling(.nothing) }
            return
        }
        settle(outcome, ending)
    }

    /// Called a few times a second.
    func checkPatience(at now: Instant) {
        if isPaused {
            // The client is what stands still, not the replica.
            for attempt in attempts { loop.upstream(attempt.assignment, pool: terms.pool).lastByte = now }
        }
        expireSettling(at: now)
    }

    /// The row could not be written for long: the client is told as much as can be.
    private func expireSettling(at now: Instant) {
        guard case .settling(let ending) = phase, now - settledSince > .seconds(30) else { return }
        if case .nothing = ending { return }
        phase = .settling(.nothing)
        client?.fail(
            self, hasBegun: hasBegun, name: terms.name, standing: terms.standing,
            .unavailable("Usage could not be recorded, so the answer is not complete", code: "ledger_unavailable"))
        client = nil
    }

    // MARK: - Settling

    /// - Parameter counts: As the replica counts the tokens of an answer that is not streamed.
    private func settle(
        _ outcome: UsageOutcome, _ ending: Ending, counts: (prompt: Int?, output: Int?) = (nil, nil)
    ) {
        let now = MonotonicTime.now
        settledSince = now
        phase = .settling(ending)
        let isServed = outcome != .failed && outcome != .refusedByWorker
        let hasWork = isServed && (outcome == .completed || hasBegun || stream.tokens > 0)
        let prompt = hasWork ? counts.prompt ?? stream.promptTokens ?? terms.call.promptTokens : 0
        let output = hasWork ? counts.output ?? stream.completionTokens ?? stream.tokens : 0
        let pool = core.configuration.pools[terms.pool]
        let cost = pool.price.cost(prompt: prompt, output: output)
        let wall = WallTime.now
        core.state.withLock { state in
            state.accounts[terms.tenant].settle(
                terms.charge, used: prompt + output, cost: cost, at: now, day: GatewayCore.day(of: wall))
            state.settledPrompt[terms.tenant] += UInt64(prompt)
            state.settledOutput[terms.tenant] += UInt64(output)
        }
        if outcome == .completed {
            loop.meter.update { $0.pools[terms.pool].e2e.observe((now - terms.arrived).seconds) }
        }
        let row = UsageRow(
            request: terms.name, tenant: core.configuration.tenants[terms.tenant].name, pool: pool.id.name,
            sloClass: core.configuration.classes[terms.sloClass].name, replica: replica, arrivedAt: terms.arrivedAt,
            firstTokenAt: stream.firstTokenAt.map { terms.arrivedAt + ($0 - terms.arrived) }, endedAt: wall,
            promptTokens: prompt, outputTokens: output, outcome: outcome, cost: cost, precharge: terms.charge.amount)
        core.record(row, loop: loop.index, exchange: terms.number)
        let status = status(row, ending)
        settled = (row, status)
        log(row, status, ending)
    }

    /// What the client is told; 499 where it had gone before that.
    private func status(_ row: UsageRow, _ ending: Ending) -> Int {
        if case .error(let error) = ending, !hasBegun { return error.status.code }
        return row.outcome == .clientGone && !hasBegun ? 499 : 200
    }

    private func log(_ row: UsageRow, _ status: Int, _ ending: Ending) {
        core.log.request { text in
            text.member("request", row.request)
            text.member("tenant", row.tenant)
            text.member("pool", row.pool)
            text.member("class", row.sloClass)
            if let replica = row.replica { text.member("replica", replica) }
            text.member("status", status)
            if case .error(let error) = ending, !hasBegun { text.member("reason", error.code) }
            text.member("outcome", row.outcome.rawValue)
            text.member("prompt_tokens", row.promptTokens)
            text.member("output_tokens", row.outputTokens)
            if let first = stream.firstTokenAt {
                text.member("ttft_us", Int((first - terms.arrived).nanoseconds / 1000))
            }
            text.member("duration_us", Int((settledSince - terms.arrived).nanoseconds / 1000))
            text.member("cost_usd", "\(row.cost)")
        }
    }

    /// The row is on the disk: the answer may end.
    func becameDurable() {
        guard case .settling(let ending) = phase else { return }
        phase = .ended
        if let settled {
            trace?.ended(settled.row, status: settled.status, firstToken: stream.firstTokenAt, settled: settledSince)
        }
        guard let client else { return }
        self.client = nil
        switch ending {
        case .bytes(let bytes) where isStreaming:
            begin(client)
            client.endStream(self, bytes)
        case .bytes(let bytes): client.answer(self, bytes, name: terms.name, standing: terms.standing)
        case .error(let error):
            client.fail(self, hasBegun: hasBegun, name: terms.name, standing: terms.standing, error)
        case .nothing: break
        }
    }

    // MARK: - Slow clients

    var isPaused: Bool { attempts.contains(where: \.isPaused) }

    private func pause() {
        for attempt in attempts where !attempt.isPaused {
            attempt.isPaused = true
            attempt.connection?.setReading(false)
        }
    }

    /// The client takes bytes again.
    func resume() {
        for attempt in attempts where attempt.isPaused {
            attempt.isPaused = false
            attempt.connection?.setReading(true)
        }
    }
}
