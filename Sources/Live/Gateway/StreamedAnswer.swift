import NIOCore
import Units

/// What a replica streams, and what the client is to have of it: events are counted and timed, and put together into one
/// chunk for each read of the connection. A value without a socket and without a clock.
///
///     switch answer.take(data, at: now, newChunk: newChunk) { … }    // for each event of a read
///     if let chunk = answer.takeChunk() { client.send(chunk: chunk) } // when the read is all taken
struct StreamedAnswer {
    /// What an event was.
    enum Event: Hashable, Sendable {
        case firstToken
        /// A later one, and how long after the one before it.
        case token(after: TimeSpan)
        /// No token: who speaks, the counts, the end.
        case other
        /// Neither JSON nor the end: nothing that follows can be trusted.
        case unreadable
    }

    /// Whether the client asked for the counts.
    private let includesUsage: Bool
    /// Events of the read under way, to be sent together; room for the chunk's size comes first.
    private var chunk: ByteBuffer?
    /// Tokens that `takeNewTokens` has not told of.
    private var newTokens = 0
    /// The event with the counts.
    private var usageEvent: [UInt8] = []
    /// Whether the replica has said that this is all.
    private(set) var isDone = false
    private(set) var tokens = 0
    private(set) var firstTokenAt: Instant?
    private var lastTokenAt: Instant?
    /// As the replica counts them; `nil` until it says.
    private(set) var promptTokens: Int?
    private(set) var completionTokens: Int?

    init(includesUsage: Bool) { self.includesUsage = includesUsage }

    /// Takes an event. One that comes after the end is passed over.
    ///
    /// - Parameter newChunk: Makes the chunk that a read's first event begins, with room for so many bytes.
    mutating func take(
        _ data: UnsafeRawBufferPointer, at now: Instant, newChunk: (_ capacity: Int) -> ByteBuffer
    ) -> Event {
        guard !isDone else { return .other }
        guard let event = CompletionEvent(data) else { return .unreadable }
        if event.isDone {
            isDone = true
            return .other
        }
        if let count = event.promptTokens { promptTokens = count }
        if let count = event.completionTokens { completionTokens = count }
        if event.promptTokens != nil, !event.hasChoice {
            usageEvent = Array(data)
            return .other
        }
        relay(data, newChunk)
        return event.isToken(afterText: firstTokenAt != nil) ? countToken(at: now) : .other
    }

    private mutating func countToken(at now: Instant) -> Event {
        defer { lastTokenAt = now }
        tokens += 1
        newTokens += 1
        if let lastTokenAt { return .token(after: now - lastTokenAt) }
        firstTokenAt = now
        return .firstToken
    }

    private mutating func relay(_ data: UnsafeRawBufferPointer, _ newChunk: (_ capacity: Int) -> ByteBuffer) {
        var chunk = takeChunk() ?? newChunk(data.count)
        chunk.writeStaticString("data: ")
        // Engines that are asked for the counts say in every event that they come later; a client that did not ask knows
        // no such member.
        let later = #","usage":null}"#.utf8
        if !includesUsage, data.count > later.count, data.suffix(later.count).elementsEqual(later) {
            chunk.writeBytes(UnsafeRawBufferPointer(rebasing: data.dropLast(later.count)))
            chunk.writeStaticString("}\n\n")
        } else {
            chunk.writeBytes(data)
            chunk.writeStaticString("\n\n")
        }
        self.chunk = chunk
    }

    /// What the events since the last time come to; `nil` when none of them is for the client.
    mutating func takeChunk() -> ByteBuffer? {
        defer { chunk = nil }
        return chunk
    }

    /// How many tokens came since the last time.
    mutating func takeNewTokens() -> Int {
        defer { newTokens = 0 }
        return newTokens
    }

    /// What the client gets last: the counts where it asked for them, and the end.
    var ending: [UInt8] {
        guard includesUsage, !usageEvent.isEmpty else { return CompletionFormat.done }
        return Array("data: ".utf8) + usageEvent + Array("\n\n".utf8) + CompletionFormat.done
    }
}
