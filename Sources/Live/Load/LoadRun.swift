import FleetModel
import Formats
import NIOCore
import NIOPosix
import Statistics
import Synchronization
import Units

/// Sends a scenario's traffic to a server, open-loop, and measures the answers.
///
/// Three threads: one draws and encodes ahead of time, one sends and receives and does nothing else, and the caller's
/// counts and writes.
public struct LoadRun: Sendable {
    /// How far a load has come.
    public struct Progress: Sendable {
        public var elapsed: TimeSpan
        public var ended: Int
        public var failed: Int
        public var inFlight: Int
    }

    public var traffic: LoadTraffic
    public var target: LoadTarget
    public var style: RequestStyle
    public var limits: LoadLimits
    /// Where a row for each request goes; `nil` for nowhere.
    public var requestsPath: String?
    /// When the load begins, on the monotonic clock; as soon as it can without it.
    var startsAt: Instant?
    /// Whether the sending thread asks to run before ordinary ones.
    public var isUrgent = true
    /// Whether the result holds every request with the times of its tokens.
    public var keepsRequests = false
    /// From when all is ready to the first request: in it the first connections are made.
    public var lead = TimeSpan.milliseconds(200)
    /// Between two looks at what has ended.
    public var interval = TimeSpan.milliseconds(100)

    public init(traffic: LoadTraffic, target: LoadTarget, style: RequestStyle, limits: LoadLimits) {
        self.traffic = traffic
        self.target = target
        self.style = style
        self.limits = limits
    }

    /// Sends it all, and follows the answers to their ends.
    ///
    /// - Parameters:
    ///   - group: One thread, which sends and receives.
    ///   - onProgress: Called ten times a second; `false` stops the load at once.
    /// - Throws: `LoadError` when nothing could be sent, `OutputError` when the rows cannot be written.
    public func play(
        on group: MultiThreadedEventLoopGroup, onProgress: (Progress) -> Bool
    ) async throws -> LoadResult {
        let address = try target.address()
        let loop = group.next()
        var file = try requestsPath.map {
            try LoadRequestFile(path: $0, tenants: traffic.tenants, classes: traffic.classes)
        }
        let urgency = isUrgent ? try await loop.submit { ThreadUrgency.raise() }.get() : .ordinary
        let encoder = RequestEncoder(
            style: style, target: target, tenants: traffic.tenants, classes: traffic.classes,
            pools: traffic.pools, textSeed: traffic.textSeed)
        let feed = RequestFeed(traffic, encoder: encoder)
        feed.start()
        while !feed.isFull { try await Task.sleep(for: .milliseconds(2)) }

        // The first connections are made before the first request is due.
        let start = max(MonotonicTime.now + lead, startsAt ?? .epoch)
        let began = WallTime.seconds
        let board = LoadBoard()
        let sender = try await begin(on: loop, address: address, feed: feed, board: board, start: start)
        var result = LoadResult(tally: LoadTally(classes: traffic.classes), urgency: urgency, beganAt: began)
        var records: [LoadRecord] = []
        while true {
            let standing = board.take(into: &records)
            result.add(records, standing: standing, start: start)
            if keepsRequests { result.records += records }
            file?.append(records, start: start)
            if standing.hasEnded { break }
            let wantsMore = onProgress(result.progress(at: MonotonicTime.now - start, standing))
            if file?.failure != nil || !wantsMore, result.stoppedAt == nil {
                result.stoppedAt = min(MonotonicTime.now - start, traffic.duration)
                loop.execute { sender.value.stop() }
            }
            try await Task.sleep(
                for: result.stoppedAt == nil ? .nanoseconds(interval.nanoseconds) : .milliseconds(5))
        }
        try file?.close()
        result.trafficFailure = feed.failure
        return result
    }

    private func begin(
        on loop: any EventLoop, address: SocketAddress, feed: RequestFeed, board: LoadBoard, start: Instant
    ) async throws -> NIOLoopBound<LoadSender> {
        try await loop.submit {
            let sender = LoadSender(
                loop: loop, target: address, feed: feed, board: board, limits: limits, start: start,
                keepsTimes: keepsRequests)
            sender.begin()
            return NIOLoopBound(sender, eventLoop: loop)
        }.get()
    }
}

/// What a load came to.
public struct LoadResult: Sendable {
    public internal(set) var tally: LoadTally
    public let urgency: ThreadUrgency
    /// Seconds since 1970.
    public let beganAt: Int
    public internal(set) var connectionsOpened = 0
    public internal(set) var mostConnections = 0
    /// When the first request found no connection, after the start; `nil` when all did.
    public internal(set) var limitReachedAt: TimeSpan?
    /// When the load was stopped, after its start; `nil` for a whole one.
    public internal(set) var stoppedAt: TimeSpan?
    /// When the last request was sent, and when the last one ended, after the start.
    public internal(set) var lastSent = TimeSpan.zero
    public internal(set) var span = TimeSpan.zero
    /// Why traffic is missing, such as a trace that changed; `nil` when none is.
    public internal(set) var trafficFailure: String?
    /// Every request as it ended, where they are kept.
    var records: [LoadRecord] = []

    init(tally: LoadTally, urgency: ThreadUrgency, beganAt: Int) {
        self.tally = tally
        self.urgency = urgency
        self.beganAt = beganAt
    }

    mutating func add(_ records: [LoadRecord], standing: LoadBoard.Standing, start: Instant) {
        for record in records {
            tally.add(record)
            if let sent = record.sent { lastSent = max(lastSent, sent - start) }
            span = max(span, record.ended - start)
        }
        tally.itl = standing.gaps
        connectionsOpened = standing.connectionsOpened
        mostConnections = standing.mostConnections
        limitReachedAt = standing.limitReachedAt
    }

    func progress(at elapsed: TimeSpan, _ standing: LoadBoard.Standing) -> LoadRun.Progress {
        LoadRun.Progress(
            elapsed: elapsed, ended: tally.offered, failed: tally.offered - tally.completed,
            inFlight: standing.inFlight)
    }
}
