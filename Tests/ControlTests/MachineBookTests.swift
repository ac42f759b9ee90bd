import FleetModel
import Testing
import Units

@testable import Control

@Suite("Machines and their charge periods")
struct MachineBookTests {
    private let start = Instant.epoch + .hours(1)
    private var book: MachineBook {
        MachineBook(
            pool: PoolID("chat"),
            offering: Offering(provider: "p", instanceType: "i", zone: "z", capacityType: .onDemand), slots: 1,
            tenantCount: 1)
    }

    @Test("A period that is closed twice in one moment is one record")
    func closedTwice() {
        var book = book
        _ = book.place(handedOver: start)
        #expect(book.closePeriod(at: start + .minutes(5)).map(\.end) == [start + .minutes(5)])
        #expect(book.closePeriod(at: start + .minutes(5)).isEmpty)
        #expect(book.closePeriod(at: start + .minutes(6)).map(\.start) == [start + .minutes(5)])
    }

    @Test("A clock that is behind that of the period's beginning ends it no earlier")
    func clockBehind() throws {
        var book = book
        let machine = book.place(handedOver: start)
        _ = book.closePeriod(at: start + .minutes(5))
        #expect(book.closePeriod(at: start + .minutes(4)).isEmpty)
        let record = book.leave(machine, at: start + .minutes(4))
        let last = try #require(record)
        #expect(last.terminated && last.start == start + .minutes(5) && last.end == last.start)
    }
}
