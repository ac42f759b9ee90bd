import Control
import Reporting
import Units

/// What an operator should know of: the latest troubles, each with when it was last met.
struct ProblemLog: Sendable {
    private static let kept = 200

    /// Oldest first.
    private(set) var problems: [ControllerStatus.Problem] = []
    /// As they stood at the last tick.
    private(set) var alarms: [Alarm] = []

    mutating func note(_ text: String, at now: Instant) {
        // The same trouble again and again is one line.
        if let last = problems.last, last.text == text {
            problems[problems.count - 1].time = now
            return
        }
        problems.append(.init(time: now, text: text))
        if problems.count > Self.kept { problems.removeFirst() }
    }

    /// Takes in what is the matter now, and notes what is new and what is over.
    mutating func show(_ current: [Alarm], at now: Instant) {
        func same(_ a: Alarm, _ b: Alarm) -> Bool { (a.kind, a.pool, a.tenant) == (b.kind, b.pool, b.tenant) }
        for alarm in current where !alarms.contains(where: { same($0, alarm) }) {
            note("\(alarm.kind.rawValue): \(alarm.text)", at: now)
        }
        for alarm in alarms where !current.contains(where: { same($0, alarm) }) {
            note("\(alarm.kind.rawValue) is over: \(alarm.text)", at: now)
        }
        alarms = current
    }
}
