import Foundation
import Synchronization
import Units
import Workload

/// Draws the traffic and encodes requests ahead of time, on a thread of its own.
///
/// So the sending thread neither draws, nor reads a trace, nor formats a prompt. What is ready is bounded: memory does not
/// grow with the load.
final class RequestFeed: Sendable {
    /// Requests, and bytes of them, that may be ready and not yet taken.
    static let requestLimit = 4096
    static let byteLimit = 32 << 20
    /// Requests handed over at a time: one lock for many.
    private static let batch = 32

    private struct State {
        var ready: [LoadRequest] = []
        var bytes = 0
        /// Sent ones, which this thread gives back to the allocator: it took them from there, and the sending thread would
        /// have to wait for the allocator's lock while this one, less urgent, holds it.
        var spent: [LoadRequest] = []
        var isOver = false
        var isCancelled = false
        var failure: String?
    }

    private let traffic: LoadTraffic
    private let encoder: RequestEncoder
    private let state = Mutex(State())

    init(_ traffic: LoadTraffic, encoder: RequestEncoder) {
        self.traffic = traffic
        self.encoder = encoder
    }

    /// Why the traffic ended early, such as a trace that changed since it was checked.
    var failure: String? { state.withLock(\.failure) }

    /// Starts the thread.
    func start() {
        let thread = Thread { self.run() }
        thread.name = "load-feed"
        thread.start()
    }

    /// Makes no more.
    func cancel() { state.withLock { $0.isCancelled = true } }

    /// Takes what is ready, in order, in exchange for requests that were sent.
    ///
    /// - Returns: Whether nothing follows.
    func exchange(_ requests: inout [LoadRequest]) -> Bool {
        state.withLock { state in
            if !requests.isEmpty {
                if state.spent.isEmpty { swap(&requests, &state.spent) } else { state.spent += requests }
                requests.removeAll(keepingCapacity: true)
            }
            swap(&requests, &state.ready)
            state.bytes = 0
            return state.isOver
        }
    }

    /// Whether the thread has as much ready as it may, or all there is.
    var isFull: Bool { state.withLock { Self.isFull($0) || $0.isOver } }

    private static func isFull(_ state: State) -> Bool {
        state.ready.count >= requestLimit || state.bytes >= byteLimit
    }

    private func run() {
        var stream = traffic.stream()
        var made: [LoadRequest] = []
        var number = 0
        while let next = stream.next() {
            let arrival = next.arrival
            let offset = traffic.offset(of: arrival)
            guard offset >= .zero else { continue }
            made.append(
                LoadRequest(
                    number: number, offset: offset, arrival: arrival,
                    bytes: encoder.encode(arrival, number: number, source: next.source)))
            number += 1
            if made.count == Self.batch, !hand(over: &made) { return }
        }
        _ = hand(over: &made)
        let failure = stream.failure
        state.withLock {
            $0.failure = failure
            $0.isOver = true
        }
    }

    /// Waits until there is room.
    ///
    /// - Returns: Whether more is wanted.
    private func hand(over made: inout [LoadRequest]) -> Bool {
        var spent: [LoadRequest] = []
        while true {
            let (isDone, isCancelled) = state.withLock { state in
                swap(&spent, &state.spent)
                guard !state.isCancelled, !Self.isFull(state) else { return (false, state.isCancelled) }
                state.ready += made
                for request in made { state.bytes += request.bytes.readableBytes }
                return (true, false)
            }
            if isCancelled { return false }
            spent.removeAll()
            if isDone {
                made.removeAll(keepingCapacity: true)
                return true
            }
            usleep(2_000)
        }
    }
}
