import Collections
import FleetModel
import NIOCore
import NIOPosix
import Statistics
import Units

/// Sends each request when it is due, whatever became of the earlier ones, and follows the answers.
///
/// Everything here happens on one event loop: a timer to the next request's moment, set anew each time, sends what is
/// due, and so does each read of an answer before the loop turns to the next. So a request waits for one read at most, not
/// for all that are ready. A request never waits for another one's answer: it takes a free connection or a new one, and
/// when there can be none it has failed.
final class LoadSender {
    /// Connections are made for requests that are due this soon, and for a share of those in use: but for so many at most.
    private static let foresight = TimeSpan.milliseconds(100)
    private static let mostForeseen = 16
    /// Below the 5 s after which common servers close a connection that is free.
    private static let longestFree = TimeSpan.seconds(4)
    private static let tickSpan = TimeAmount.milliseconds(5)
    private static let connectsPerTick = 32
    /// Connections that are being made at a time: a server that takes none must not get thousands of knocks.
    private static let mostConnecting = 256
    /// Requests sent before the loop may look after connections again, when many are due at once.
    private static let sendsPerTurn = 32

    private let loop: any EventLoop
    private let target: SocketAddress
    private let feed: RequestFeed
    private let board: LoadBoard
    private let limits: LoadLimits
    private let start: Instant
    /// Whether the time of each text is kept, and not only the first and the last.
    let keepsTimes: Bool

    /// Requests taken from the feed, and the first of them that is not sent.
    private var taken: [LoadRequest] = []
    private var next = 0
    private var isFeedOver = false
    private var isSending = true
    /// Requests that are due and wait for a connection that is being made, in order.
    private var waiting: Deque<LoadRequest> = []
    /// The one used last comes first: the others grow old and are closed.
    private var free: [LoadConnection] = []
    /// Those with a request.
    private var busy: [ObjectIdentifier: LoadConnection] = [:]
    private var connecting = 0
    /// By class: when its requests are given up, in order, because a class has one timeout.
    private var deadlines: [Deque<(at: Instant, connection: LoadConnection, serial: Int)>]
    private var gaps = LatencyHistogram()
    private var lastDue: Instant?
    private var hasEnded = false

    /// - Parameter start: When the load begins, by the monotonic clock.
    init(
        loop: any EventLoop, target: SocketAddress, feed: RequestFeed, board: LoadBoard, limits: LoadLimits,
        start: Instant, keepsTimes: Bool = false
    ) {
        self.keepsTimes = keepsTimes
        (self.loop, self.target, self.feed, self.board) = (loop, target, feed, board)
        (self.limits, self.start) = (limits, start)
        deadlines = limits.timeouts.map { _ in [] }
    }

    /// Opens the first connections, as many as requests are due in the first tenth of a second, and sends from `start` on.
    func begin() {
        for _ in 0..<min(dueSoon(start, most: Self.mostConnecting), limits.connections) { connect() }
        schedule(at: start)
        scheduleTick()
    }

    /// Sends no more and gives up what is under way.
    func stop() {
        guard !hasEnded else { return }
        isSending = false
        feed.cancel()
        giveUp()
    }

    // MARK: - The schedule

    /// Sends requests that are due by now.
    func sendDue() {
        guard isSending else { return }
        // The clock is read again for each: sending one takes time, in which the next may have become due. With very many
        // due, the loop must go on to make connections for them; the timer comes back at once.
        for _ in 0..<Self.sendsPerTurn {
            guard let request = upcoming, start + request.offset <= MonotonicTime.now else { return }
            next += 1
            lastDue = start + request.offset
            dispatch(request)
        }
    }

    /// The next request, when it is ready.
    private var upcoming: LoadRequest? {
        if next == taken.count, !isFeedOver {
            next = 0
            isFeedOver = feed.exchange(&taken)
        }
        return next < taken.count ? taken[next] : nil
    }

    /// Requests that are due within ``foresight`` of a moment, as far as they are drawn.
    private func dueSoon(_ now: Instant, most: Int) -> Int {
        guard upcoming != nil else { return 0 }
        return taken[next...].prefix(most).prefix { start + $0.offset < now + Self.foresight }.count
    }

    private func schedule(at due: Instant) {
        loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(UInt64(due.nanoseconds))) { self.wake() }
    }

    private func wake() {
        sendDue()
        guard isSending else { return }
        if let request = upcoming {
            schedule(at: start + request.offset)
        } else if isFeedOver {
            isSending = false
        } else {
            // The feed is behind, which the send delays will show.
            schedule(at: MonotonicTime.now + .milliseconds(1))
        }
    }

    private func dispatch(_ request: LoadRequest) {
        while let connection = free.popLast() {
            guard connection.isOpen else { continue }
            return send(request, on: connection)
        }
        // Whoever waits has a connection on the way, or one that will be when others are made.
        guard waiting.count < connecting || openConnections + waiting.count - connecting < limits.connections else {
            board.note(limitReachedAt: request.offset)
            return fail(request, .noConnection)
        }
        waiting.append(request)
        connectForWaiting()
    }

    private func send(_ request: LoadRequest, on connection: LoadConnection) {
        let scheduled = start + request.offset
        busy[ObjectIdentifier(connection)] = connection
        connection.send(request, scheduled: scheduled)
        let sloClass = Int(request.arrival.sloClass)
        if let timeout = limits.timeouts[sloClass] {
            deadlines[sloClass].append((scheduled + timeout, connection, connection.serial))
        }
    }

    private func fail(_ request: LoadRequest, _ outcome: LoadOutcome) {
        var record = LoadRecord(request, scheduled: start + request.offset)
        record.outcome = outcome
        record.ended = MonotonicTime.now
        board.append(record)
    }

    // MARK: - Connections

    private var openConnections: Int { free.count + busy.count + connecting }

    private func connect() {
        connecting += 1
        let sender = NIOLoopBound(self, eventLoop: loop)
        ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(LoadConnection(sender.value))
                }
            }
            .connect(to: target).assumeIsolated().whenFailure { self.failedToConnect($0) }
    }

    func opened(_ connection: LoadConnection) {
        connecting -= 1
        guard !hasEnded else { return connection.close() }
        board.note(connections: openConnections + 1)
        use(connection)
        connectForWaiting()
    }

    /// Gives a free connection its next request.
    private func use(_ connection: LoadConnection) {
        if let request = waiting.popFirst() { send(request, on: connection) } else { free.append(connection) }
    }

    private func failedToConnect(_ error: any Error) {
        connecting -= 1
        // One connection less for those who wait, if there are that many.
        if waiting.count > connecting, let request = waiting.popFirst() { fail(request, .connectFailed) }
        connectForWaiting()
        endWhenDone()
    }

    /// A free connection was closed by the server.
    func lost(_ connection: LoadConnection) { free.removeAll { $0 === connection } }

    /// A connection's request has ended.
    func ended(_ record: LoadRecord, on connection: LoadConnection, isFree: Bool) {
        busy[ObjectIdentifier(connection)] = nil
        board.append(record)
        // One that is not free has closed itself.
        if isFree { if limits.reusesConnections { use(connection) } else { connection.close() } }
        connectForWaiting()
        endWhenDone()
    }

    /// Those who wait need as many connections as they are.
    private func connectForWaiting() {
        while waiting.count > connecting, connecting < Self.mostConnecting, openConnections < limits.connections {
            connect()
        }
    }

    // MARK: - Upkeep

    func gap(_ span: TimeSpan) { gaps.record(span) }

    private func scheduleTick() {
        loop.assumeIsolated().scheduleTask(in: Self.tickSpan) {
            guard !self.hasEnded else { return }
            self.tick()
            self.scheduleTick()
        }
    }

    private func tick() {
        let now = MonotonicTime.now
        sendDue()
        passDeadlines(now)
        keepSpares(now)
        board.note(inFlight: busy.count + waiting.count)
        if !isSending, let lastDue, now > lastDue + limits.drain { giveUp() }
        endWhenDone()
    }

    private func passDeadlines(_ now: Instant) {
        for sloClass in deadlines.indices {
            while let first = deadlines[sloClass].first {
                let isOver = first.connection.serial != first.serial || first.connection.record == nil
                guard isOver || first.at <= now else { break }
                deadlines[sloClass].removeFirst()
                if !isOver { first.connection.abandon(.timedOut) }
            }
        }
        while let first = waiting.first, let timeout = limits.timeouts[Int(first.arrival.sloClass)],
            start + first.offset + timeout <= now
        {
            waiting.removeFirst()
            fail(first, .timedOut)
        }
    }

    /// Opens connections before they are needed and closes those that were not for long.
    private func keepSpares(_ now: Instant) {
        guard isSending else { return }
        while let oldest = free.first, now - oldest.freeSince > Self.longestFree {
            free.removeFirst()
            oldest.close()
        }
        let wanted = dueSoon(now, most: Self.mostForeseen) + busy.count / 8
        let room = min(limits.connections - openConnections, Self.mostConnecting - connecting)
        let missing = min(wanted - free.count - connecting + waiting.count, room, Self.connectsPerTick)
        for _ in 0..<max(0, missing) {
            connect()
            sendDue()
        }
    }

    private func giveUp() {
        while let request = waiting.popFirst() { fail(request, .unfinished) }
        for connection in busy.values { connection.abandon(.unfinished) }
        endWhenDone()
    }

    private func endWhenDone() {
        guard !isSending, busy.isEmpty, waiting.isEmpty, !hasEnded else { return }
        hasEnded = true
        for connection in free { connection.close() }
        free.removeAll()
        board.end(gaps: gaps)
    }
}
