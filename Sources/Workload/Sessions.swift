import FleetModel
import Randomness
import Units

#if canImport(Glibc)
    import Glibc
#endif

/// Conversations: requests whose prompt is all that was said before and a new message.
///
/// Conversations start by the source's arrival process, at its rate over `turns`, so that the stated rate is that of all
/// requests once conversations of every age are under way. A later turn comes a drawn time after the turn before
/// *arrived*: the traffic is open-loop and does not wait for the answer, as little as other synthetic traffic does.
public struct Sessions: Hashable, Sendable, Codable {
    /// Mean number of turns, geometric. Range: 1...10,000.
    public var turns: Double
    /// Mean time from one turn's arrival to the next one's, exponential. Positive.
    public var thinkTime: TimeSpan

    public init(turns: Double, thinkTime: TimeSpan) {
        self.turns = turns
        self.thinkTime = thinkTime
    }

    var problem: String? {
        if !(turns >= 1 && turns <= 10_000) { return "sessions of \(turns) turns on average" }
        if thinkTime <= .zero { return "a think time of \(thinkTime)" }
        return nil
    }
}

/// The conversations of one source that have turns to come.
///
/// Every draw follows from the conversation's number and the turn's, so a copy goes on with the same requests.
struct OpenSessions {
    /// The next turn of a conversation.
    private struct Turn {
        var time: Int64
        var session: Int
        var number: Int32
        /// Turns after this one.
        var left: Int32
        /// Tokens said before.
        var history: Int32
        var tenant: Int32
        var variant: Int32

        static func < (a: Turn, b: Turn) -> Bool { (a.time, a.session) < (b.time, b.session) }
    }

    /// What is drawn for a turn, by number.
    private enum Purpose: UInt64 { case message, answer, gap }

    /// Longest conversation: draws of a turn are found by its number, which has twenty bits.
    private static let longest: Int32 = 1 << 20 - 1

    private let turns: LengthSampler
    private let thinkTime: Double
    private let draws: CounterStream
    /// The longest prompt: what was said is cut there.
    private let maximum: Int32
    private let end: Int64
    /// A binary heap by (time, conversation).
    private var pending: [Turn] = []

    init(_ sessions: Sessions, source: TrafficSource, streams: RandomStreams, end: Instant) {
        turns = LengthSampler(LengthDistribution(.geometric(mean: sessions.turns)))
        thinkTime = sessions.thinkTime.seconds
        draws = CounterStream(seed: streams.seed, names: "turns", source.name)
        maximum = Int32(source.promptTokens.maximum ?? Int(Int32.max))
        self.end = end.nanoseconds
    }

    /// When the next turn of an open conversation comes, and whose it is.
    var first: Instant? { pending.first.map { Instant(nanoseconds: $0.time) } }

    /// A conversation's number of turns.
    func turns(at u: Double) -> Int32 { min(turns.tokens(at: u), Self.longest) }

    /// The first turn of a new conversation.
    mutating func open(
        session: Int, at time: Instant, turns: Int32, tenant: Int32, variant: Int, _ laws: TurnLaws
    ) -> Arrival {
        play(
            Turn(
                time: time.nanoseconds, session: session, number: 0, left: turns - 1,
                history: laws.contents.sharedTokens, tenant: tenant, variant: Int32(variant)), laws)
    }

    /// The next turn of the conversation whose turn it is.
    mutating func next(_ laws: TurnLaws) -> Arrival {
        let turn = pending[0]
        let last = pending.removeLast()
        if !pending.isEmpty { settle(last) }
        return play(turn, laws)
    }

    private mutating func play(_ turn: Turn, _ laws: TurnLaws) -> Arrival {
        let message = laws.prompts.tokens(at: draw(.message, of: turn))
        let answer = laws.outputs.tokens(at: draw(.answer, of: turn))
        let (said, isTooLong) = turn.history.addingReportingOverflow(message)
        let prompt = isTooLong ? maximum : max(laws.contents.sharedTokens + 1, min(said, maximum))
        if turn.left > 0 {
            var following = turn
            let (history, isOver) = prompt.addingReportingOverflow(answer)
            following.history = isOver ? .max : history
            following.number += 1
            following.left -= 1
            let gap = -log(draw(.gap, of: turn)) * thinkTime * 1e9
            following.time = gap < Double(end - turn.time) ? turn.time + Int64(gap) : end
            if following.time < end { insert(following) }
        }
        return Arrival(
            time: Instant(nanoseconds: turn.time), promptTokens: prompt, outputTokens: answer, tenant: turn.tenant,
            sloClass: laws.sloClass,
            content: laws.contents.content(tenant: turn.tenant, variant: Int(turn.variant), number: turn.session))
    }

    private func draw(_ purpose: Purpose, of turn: Turn) -> Double {
        draws.uniform(at: UInt64(turn.session) << 24 | UInt64(turn.number) << 2 | purpose.rawValue)
    }

    private mutating func insert(_ turn: Turn) {
        pending.append(turn)
        var child = pending.count - 1
        while child > 0, turn < pending[(child - 1) / 2] {
            pending[child] = pending[(child - 1) / 2]
            child = (child - 1) / 2
        }
        pending[child] = turn
    }

    /// Puts a turn in place of the first one.
    private mutating func settle(_ turn: Turn) {
        var hole = 0
        while true {
            var child = 2 * hole + 1
            guard child < pending.count else { break }
            if child + 1 < pending.count, pending[child + 1] < pending[child] { child += 1 }
            guard pending[child] < turn else { break }
            pending[hole] = pending[child]
            hole = child
        }
        pending[hole] = turn
    }
}

/// What the requests of a source have in common that share prompts. A reference, for lanes are handed on and have it rarely.
final class TurnLaws {
    let prompts: LengthSampler
    let outputs: LengthSampler
    let contents: ContentSampler
    let sloClass: Int32

    init(prompts: LengthSampler, outputs: LengthSampler, contents: ContentSampler, sloClass: Int32) {
        self.prompts = prompts
        self.outputs = outputs
        self.contents = contents
        self.sloClass = sloClass
    }
}
