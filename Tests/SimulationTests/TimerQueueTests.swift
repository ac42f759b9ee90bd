import Randomness
import Testing
import Units

@testable import Simulation

@Suite struct TimerQueueTests {
    @Test func `timers come out as a sorted list gives them`() {
        let draw = RandomStreams(seed: 1).generator("timers")
        for sources in [1, 2, 7, 40] {
            var queue = TimerQueue()
            let ranks = (0..<sources).map { _ in UInt8(draw.uniform(below: 3)) }
            for (index, rank) in ranks.enumerated() { #expect(queue.addSource(rank: rank) == index) }
            var list: [Int: Int64] = [:]
            for _ in 0..<2_000 {
                let least = list.map { ($0.value, ranks[$0.key], $0.key) }.min { $0 < $1 }
                #expect(queue.nextTime.nanoseconds == least?.0 ?? .max)
                switch draw.uniform(below: 4) {
                case 0 where least != nil:
                    let (source, time) = queue.pop()
                    #expect(source == least!.2 && time.nanoseconds == least!.0)
                    list[source] = nil
                case 1:
                    let source = draw.uniform(below: sources)
                    queue.set(source, to: .never)
                    list[source] = nil
                default:
                    let source = draw.uniform(below: sources)
                    let time = Int64(draw.uniform(below: 30))
                    queue.set(source, to: Instant(nanoseconds: time))
                    list[source] = time
                }
            }
        }
    }
}
