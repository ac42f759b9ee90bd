import FleetModel
import Formats
import Serving
import Testing
import Units

@testable import Live

@Suite("The gate of a pool")
struct PoolGateTests {
    private static func gate(
        maxWaiting: Int = 2, maxSequences: Int = 2, router: RouterKind = .leastOutstanding
    ) -> PoolGate {
        PoolGate(
            .init(
                id: PoolID("chat"), router: router, maxWaitingPerReplica: maxWaiting, maxSequences: maxSequences,
                maxContext: 512), ejection: EjectionRules())
    }

    private static func replica(
        _ id: Int, port: Int? = nil, socket: String? = nil, draining: Bool = false
    ) throws -> RegisteredReplica {
        RegisteredReplica(
            id: ReplicaID(id), endpoint: try Endpoint("http://127.0.0.1:\(port ?? 9000 + id)", socket: socket),
            isDraining: draining)
    }

    private static func ticket(_ number: UInt64) -> PoolGate.Ticket { .init(number: number, loop: 0) }

    private static func assignment(_ answer: PoolGate.Answer) throws -> PoolGate.Assignment {
        guard case .send(let assignment) = answer else { throw TestWorker.Failure(text: "\(answer) is no replica") }
        return assignment
    }

    @Test("Without a replica requests wait in order, as many as may, and go in order when one comes")
    func holds() throws {
        var gate = Self.gate()
        #expect(gate.arrive(Self.ticket(1)) == .held)
        #expect(gate.arrive(Self.ticket(2)) == .held)
        #expect(gate.arrive(Self.ticket(3)) == .full)
        gate.set([try Self.replica(7)])
        // Nobody passes those who wait, whatever room there is.
        #expect(gate.arrive(Self.ticket(4)) == .full)
        #expect(gate.dispatchHeld().map(\.ticket.number) == [1, 2])
        #expect(gate.held.isEmpty)
    }

    @Test("A replica takes what its engine runs and as many as may wait, then requests are refused")
    func fills() throws {
        var gate = Self.gate()
        gate.set([try Self.replica(1), try Self.replica(2)])
        let places = try (1...8).map { try Self.assignment(gate.arrive(Self.ticket($0))).id.number }
        #expect(places == [1, 2, 1, 2, 1, 2, 1, 2])
        #expect(gate.arrive(Self.ticket(9)) == .full)
    }

    @Test("A replica that is reached in another way is another one to who keeps connections", arguments: [true, false])
    func sockets(isSame: Bool) throws {
        var gate = Self.gate()
        gate.set([try Self.replica(1, socket: "/run/a.sock")])
        let first = try Self.assignment(gate.arrive(Self.ticket(1)))
        #expect(first.endpoint.socket?.path == "/run/a.sock")
        for socket in isSame ? ["/run/a.sock"] : ["/run/b.sock", nil] {
            gate.set([try Self.replica(1, socket: socket)])
            let next = try Self.assignment(gate.arrive(Self.ticket(2)))
            #expect((next.serial == first.serial) == isSame)
            #expect(next.endpoint.socket?.path == socket)
        }
    }

    @Test("A request given up while it waits leaves its place")
    func withdraws() {
        var gate = Self.gate()
        _ = gate.arrive(Self.ticket(1))
        _ = gate.arrive(Self.ticket(2))
        #expect(gate.withdraw(Self.ticket(1)) == true)
        #expect(gate.withdraw(Self.ticket(1)) == false)
        #expect(gate.arrive(Self.ticket(3)) == .held)
    }

    @Test("A replica that drains, or is named no longer, gets nothing new, and what runs there is counted to its end")
    func drains() throws {
        var gate = Self.gate()
        gate.set([try Self.replica(1), try Self.replica(2)])
        let first = try Self.assignment(gate.arrive(Self.ticket(1)))
        #expect(first.id == ReplicaID(1))
        gate.set([try Self.replica(1, draining: true), try Self.replica(2)])
        #expect(gate.replicas.map(\.state) == ["draining", "routing"])
        #expect(try Self.assignment(gate.arrive(Self.ticket(2))).id == ReplicaID(2))
        #expect(try Self.assignment(gate.arrive(Self.ticket(3))).id == ReplicaID(2))
        gate.set([try Self.replica(2)])
        #expect(gate.replicas.map(\.outstanding) == [2, 1])
        gate.release(first.serial, as: .served, at: .epoch)
        #expect(gate.replicas.map(\.id) == [ReplicaID(2)])
    }

    @Test("Naming the same set twice changes nothing; the same number at another place is another replica")
    func declarative() throws {
        var gate = Self.gate()
        gate.set([try Self.replica(1)])
        let old = try Self.assignment(gate.arrive(Self.ticket(1)))
        let before = gate.replicas
        gate.set([try Self.replica(1)])
        #expect(gate.replicas == before)
        gate.set([try Self.replica(1, port: 9999)])
        #expect(gate.replicas.map(\.outstanding) == [0, 1])
        #expect(try Self.assignment(gate.arrive(Self.ticket(2))).serial != old.serial)
    }

    @Test("A replica that fails gets nothing for a while, then one request, which decides")
    func ejects() throws {
        var gate = Self.gate()
        gate.set([try Self.replica(1)])
        let first = try Self.assignment(gate.arrive(Self.ticket(1)))
        gate.release(first.serial, as: .failed, at: .epoch)
        #expect(gate.replicas.map(\.state) == ["ejected"])
        #expect(gate.arrive(Self.ticket(2)) == .held)
        #expect(gate.readmit(at: .epoch + .milliseconds(999)) == false)
        #expect(gate.readmit(at: .epoch + .seconds(1)) == true)
        let probe = try #require(gate.dispatchHeld().first).assignment
        #expect(probe.isProbe)
        // While it is tried, nothing else goes there.
        #expect(gate.arrive(Self.ticket(3)) == .full)
        gate.release(probe.serial, as: .failed, at: .epoch + .seconds(1))
        // The next pause is twice as long.
        #expect(gate.readmit(at: .epoch + .milliseconds(2_999)) == false)
        #expect(gate.readmit(at: .epoch + .seconds(3)) == true)
        let second = try Self.assignment(gate.arrive(Self.ticket(4)))
        gate.release(second.serial, as: .served, at: .epoch + .seconds(3))
        #expect(try Self.assignment(gate.arrive(Self.ticket(5))).isProbe == false)
        // What went well begins anew.
        let third = try Self.assignment(gate.arrive(Self.ticket(6)))
        gate.release(third.serial, as: .failed, at: .epoch + .seconds(4))
        #expect(gate.readmit(at: .epoch + .seconds(5)) == true)
    }

    @Test("The first byte of a try is enough: others need not wait for its end")
    func readmits() throws {
        var gate = Self.gate()
        gate.set([try Self.replica(1)])
        let first = try Self.assignment(gate.arrive(Self.ticket(1)))
        gate.release(first.serial, as: .failed, at: .epoch)
        #expect(gate.readmit(at: .epoch + .seconds(1)) == true)
        let probe = try Self.assignment(gate.arrive(Self.ticket(2)))
        #expect(gate.arrive(Self.ticket(3)) == .full)
        gate.answered(probe.serial)
        #expect(try Self.assignment(gate.arrive(Self.ticket(4))).isProbe == false)
    }

    @Test("A second replica is another one than the first")
    func hedges() throws {
        var gate = Self.gate(maxSequences: 100)
        gate.set([try Self.replica(1), try Self.replica(2)])
        let first = try Self.assignment(gate.arrive(Self.ticket(1)))
        // The router alone would choose the first again, which has less to do.
        for number in 2...6 {
            let next = try Self.assignment(gate.arrive(Self.ticket(UInt64(number))))
            if next.id == first.id { gate.release(next.serial, as: .served, at: .epoch) }
        }
        #expect(gate.hedge(beside: first.serial)?.id == ReplicaID(2))
        #expect(gate.replicas.map(\.outstanding)[0] == 1)
        gate.set([try Self.replica(1)])
        #expect(gate.hedge(beside: first.serial) == nil)
    }

    @Test("Whatever happens, the gate counts what was given out and not given back", arguments: 1...20)
    func conserves(seed: Int) throws {
        var random = SplitMix(state: UInt64(seed))
        var gate = Self.gate(maxWaiting: 3, maxSequences: 3, router: seed % 2 == 0 ? .roundRobin : .leastOutstanding)
        var out: [PoolGate.Assignment] = []
        var waiting: [UInt64] = []
        var now = Instant.epoch
        for number in 1...2000 {
            now += .milliseconds(Int64(random.next() % 300))
            switch random.next() % 6 {
            case 0, 1, 2:
                switch gate.arrive(Self.ticket(UInt64(number))) {
                case .send(let assignment):
                    #expect(waiting.isEmpty, "request \(number) passed those who wait, seed \(seed)")
                    out.append(assignment)
                case .held: waiting.append(UInt64(number))
                case .full: break
                }
            case 3 where !out.isEmpty:
                let assignment = out.remove(at: Int(random.next() % UInt64(out.count)))
                let ends: [PoolGate.Release] = [.served, .served, .abandoned, .failed]
                gate.release(assignment.serial, as: ends[Int(random.next() % 4)], at: now)
            case 4:
                let ids = (1...4).filter { _ in random.next() % 3 > 0 }
                gate.set(try ids.map { try Self.replica($0, draining: random.next() % 4 == 0) })
            default: _ = gate.readmit(at: now)
            }
            for (ticket, assignment) in gate.dispatchHeld() {
                #expect(ticket.number == waiting.removeFirst(), "seed \(seed)")
                out.append(assignment)
            }
            #expect(gate.held.map(\.number) == waiting)
            #expect(gate.replicas.reduce(0) { $0 + $1.outstanding } == out.count, "seed \(seed), step \(number)")
            #expect(gate.replicas.allSatisfy { $0.outstanding <= 6 }, "seed \(seed), step \(number)")
        }
    }
}

/// Random numbers that a seed repeats.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
