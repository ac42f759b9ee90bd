import Control
import FleetModel
import Testing
import Units

@Suite("Replica lifecycle and choice of victims")
struct ReplicaTests {
    static let coldStart = ColdStart(
        provision: .seconds(60), pull: .seconds(30), load: .seconds(20), warmUp: .seconds(10))

    @Test("A start passes its stages one timer after another and serves at the end")
    func start() {
        var life = ReplicaLifecycle(coldStart: Self.coldStart, at: at(0))
        #expect(life.phase == .starting(.provision, since: at(0)))
        for (time, action) in [
            (60, ReplicaAction.beginStage(.pull)), (90, .beginStage(.load)), (110, .beginStage(.warmUp)), (120, .serve),
        ] {
            #expect(life.nextTimer == at(Int64(time)))
            #expect(life.handle(.timer, at: at(Int64(time))) == action)
        }
        #expect(life.phase == .ready(since: at(120)) && life.nextTimer == nil)
    }

    @Test("A drain ends with the last request or at its first deadline", arguments: [true, false])
    func drain(empties: Bool) {
        var life = ReplicaLifecycle(readyAt: at(0))
        #expect(life.handle(.emptied, at: at(1)) == nil)
        #expect(life.handle(.drain(deadline: at(100)), at: at(10)) == .stopRouting)
        #expect(life.handle(.drain(deadline: at(500)), at: at(20)) == nil)
        #expect(life.phase == .draining(since: at(10), deadline: at(100)) && life.nextTimer == at(100))
        let end = life.handle(empties ? .emptied : .timer, at: at(empties ? 50 : 100))
        #expect(end == .release(empties ? .drained : .drainDeadline))
        #expect(life.nextTimer == nil)
        for event in [ReplicaEvent.timer, .emptied, .stop, .drain(deadline: at(900))] {
            #expect(life.handle(event, at: at(200)) == nil)
        }
    }

    @Test("A start that is no longer wanted is cancelled, and the end of a run ends every phase")
    func cancelled() {
        var life = ReplicaLifecycle(coldStart: Self.coldStart, at: at(0))
        #expect(life.handle(.drain(deadline: at(100)), at: at(10)) == .release(.cancelledStart))
        #expect(life.phase == .terminated(at: at(10), .cancelledStart))
        var ready = ReplicaLifecycle(readyAt: at(0))
        #expect(ready.handle(.stop, at: at(5)) == .release(.endOfRun))
    }

    @Test("Victims: starting first, then the emptiest machine, then the fewest requests, then the youngest")
    func victims() {
        func candidate(_ number: Int, starting: Bool = false, outstanding: Int, neighbours: Int) -> VictimCandidate {
            VictimCandidate(
                replica: ReplicaID(number), isStarting: starting, outstanding: outstanding, neighbours: neighbours)
        }
        var candidates = [
            candidate(1, outstanding: 0, neighbours: 1), candidate(2, outstanding: 9, neighbours: 0),
            candidate(3, outstanding: 5, neighbours: 0), candidate(4, outstanding: 5, neighbours: 0),
            candidate(5, starting: true, outstanding: 0, neighbours: 3),
        ]
        for expected in [5, 4, 3, 2, 1] {
            #expect(chooseVictim(among: candidates) == ReplicaID(expected))
            candidates.removeAll { $0.replica == ReplicaID(expected) }
        }
        #expect(chooseVictim(among: candidates) == nil)
    }
}
