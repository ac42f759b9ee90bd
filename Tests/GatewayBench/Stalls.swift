import CBench
import Foundation
import Glibc
import Synchronization

/// Notices when the machine itself stands still, as virtual machines do whose host gives them less than whole processors.
///
/// A thread on each processor, before all others, sleeps for half a millisecond again and again: when one comes back much later,
/// nothing else ran there either.
final class StallWatch: Sendable {
    struct Stall: Hashable, Sendable {
        var from: Int64
        var to: Int64
    }

    /// Nanoseconds: a thread before all others that is this late was not delayed by any of them.
    private static let lateness: Int64 = 1_500_000
    private let stalls = Mutex<[Stall]>([])

    /// - Returns: `nil` where the system lets no thread go before others.
    static func start() -> StallWatch? {
        let watch = StallWatch()
        let isAllowed = Mutex(true)
        let ready = DispatchSemaphore(value: 0)
        let processors = (0..<1024).filter { cbench_allows_processor($0) != 0 }
        for processor in processors {
            Thread {
                // Where they may move, all of them may sleep beside the processor that stands still.
                cbench_stay_on(processor)
                var parameters = sched_param(sched_priority: 90)
                let isFirst = pthread_setschedparam(pthread_self(), SCHED_RR, &parameters) == 0
                if !isFirst { isAllowed.withLock { $0 = false } }
                ready.signal()
                if isFirst { watch.watch() }
            }.start()
        }
        for _ in processors { ready.wait() }
        return isAllowed.withLock { $0 } ? watch : nil
    }

    private func watch() {
        var last = nanoseconds()
        while true {
            usleep(500)
            let now = nanoseconds()
            if now - last > 500_000 + Self.lateness { stalls.withLock { $0.append(Stall(from: last, to: now)) } }
            last = now
        }
    }

    /// Stalls between two moments, each with four times as much after it, in which what has piled up is worked off: where
    /// four fifths of the processors are busy, a fifth is left for that.
    func windows(from: Int64, to: Int64) -> [Stall] {
        stalls.withLock { $0 }.filter { $0.to >= from && $0.from <= to }
            .map { Stall(from: $0.from, to: $0.to + 4 * ($0.to - $0.from)) }.sorted { $0.from < $1.from }
    }
}
