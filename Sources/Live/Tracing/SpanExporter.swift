import Formats
import Foundation
import NIOPosix
import Synchronization
import Units

/// Where spans go, and of which traces.
public struct TraceExport: Hashable, Sendable {
    public var collector: LoadTarget
    /// The share of the traces that begin here whose spans are exported; where a client began it, it has chosen.
    public var share: Double

    public init(collector: LoadTarget, share: Double) {
        self.collector = collector
        self.share = share
    }

    /// `nil` where its URL is none, which its reader has told.
    init?(_ settings: TraceSettings) {
        guard let collector = try? LoadTarget(settings.collector) else { return nil }
        self.init(collector: collector, share: settings.share)
    }
}

/// Sends spans to an OpenTelemetry collector over OTLP/HTTP, some at a time.
///
/// Serving never waits for it: who has a span leaves it here and goes on, and where the collector is slow or gone, spans
/// beyond a limit are dropped and counted.
public final class SpanExporter: Sendable {
    /// How many spans a collector has taken, and how many were lost.
    public struct Counts: Hashable, Sendable {
        public var exported: UInt64 = 0
        public var dropped: UInt64 = 0
    }

    private struct State {
        var waiting: [Span] = []
        var counts = Counts()
        var isClosing = false
    }

    /// Spans that may wait.
    private static let limit = 16_384
    /// Spans of one export.
    private static let batch = 512
    private static let patience = TimeSpan.seconds(5)
    /// How often an export is tried that the collector could not take.
    private static let tries = 5

    private let collector: LoadTarget
    private let resource: [(name: String, value: String)]
    private let state = Mutex(State())
    private let task = Mutex<Task<Void, Never>?>(nil)

    /// - Parameters:
    ///   - collector: Where `/v1/traces` is, such as `http://127.0.0.1:4318`.
    ///   - service: What the spans are told to be of.
    public init(to collector: LoadTarget, service: String, version: String) {
        self.collector = collector
        resource = [
            ("service.name", service), ("service.version", version),
            ("service.instance.id", hexadecimal(.random(in: 0 ... .max), digits: 16)),
        ]
    }

    public var counts: Counts { state.withLock(\.counts) }

    func add(_ span: Span) {
        state.withLock { state in
            if state.waiting.count < Self.limit { state.waiting.append(span) } else { state.counts.dropped += 1 }
        }
    }

    /// Exports once a second, and at once where many wait.
    func start() {
        task.withLock { task in
            task = Task { [self] in
                while !state.withLock(\.isClosing) {
                    var rest = 20
                    while rest > 0, state.withLock({ !$0.isClosing && $0.waiting.count < Self.batch }) {
                        try? await Task.sleep(for: .milliseconds(50))
                        rest -= 1
                    }
                    await exportAll()
                }
                await exportAll()
            }
        }
    }

    /// Exports what is left, for little more than two seconds at most.
    func close() async {
        state.withLock { $0.isClosing = true }
        guard let task = task.withLock({ $0 }) else { return }
        // A call that a collector does not answer hears of no cancellation: it is left behind.
        let (ended, end) = AsyncStream<Void>.makeStream()
        let exporting = Task {
            await task.value
            end.finish()
        }
        let limit = Task {
            try? await Task.sleep(for: .seconds(2))
            task.cancel()
            try? await Task.sleep(for: .milliseconds(200))
            end.finish()
        }
        for await _ in ended {}
        for task in [exporting, limit] { task.cancel() }
    }

    private func exportAll() async {
        while !Task.isCancelled {
            let spans = state.withLock { state in
                let taken = Array(state.waiting.prefix(Self.batch))
                state.waiting.removeFirst(taken.count)
                return taken
            }
            guard !spans.isEmpty else { return }
            let rejected = await export(spans)
            state.withLock { state in
                state.counts.exported += UInt64(spans.count - rejected)
                state.counts.dropped += UInt64(rejected)
            }
        }
        state.withLock { state in
            state.counts.dropped += UInt64(state.waiting.count)
            state.waiting = []
        }
    }

    /// - Returns: How many the collector did not take.
    private func export(_ spans: [Span]) async -> Int {
        let body = SpanText.body(of: spans, resource: resource)
        var pause = Duration.milliseconds(200)
        for _ in 0..<Self.tries {
            let answer = try? await PlainCall.send(
                "POST", "/v1/traces", to: collector, body: body, on: MultiThreadedEventLoopGroup.singleton.next(),
                within: Self.patience)
            switch answer?.status {
            case .some(200..<300): return Self.rejected(answer!.body, of: spans.count)
            // What the protocol says may be tried again.
            case nil, 429, 502, 503, 504: break
            default: return spans.count
            }
            guard (try? await Task.sleep(for: pause)) != nil else { break }
            pause *= 2
        }
        return spans.count
    }

    /// Spans that a collector took the others without.
    private static func rejected(_ body: String, of count: Int) -> Int {
        guard let tree = try? JSONTree(Array(body.utf8)), let fields = try? RequestFields(tree, at: ""),
            let partial = try? fields.object("partialSuccess")
        else { return 0 }
        // 64-bit numbers are text; some collectors write them as numbers all the same.
        let told = (try? partial.string("rejectedSpans")).flatMap { Int($0) } ?? (try? partial.integer("rejectedSpans"))
        return min(count, max(0, told ?? 0))
    }
}
