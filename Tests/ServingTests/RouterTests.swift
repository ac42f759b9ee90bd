import Serving
import Testing

@Suite struct RouterTests {
    private func candidates(_ waiting: [Int], outstanding: [Int]? = nil) -> (Int) -> RouteCandidate {
        { RouteCandidate(outstanding: (outstanding ?? waiting)[$0], waiting: waiting[$0]) }
    }

    @Test func `round robin takes each in turn and passes over full queues`() {
        var router = Router(kind: .roundRobin, maxWaiting: 5)
        let idle = candidates([0, 0, 0])
        #expect((0..<5).map { _ in router.route(count: 3, candidate: idle) } == [0, 1, 2, 0, 1])
        #expect(router.route(count: 3, candidate: candidates([0, 0, 5])) == 0)
        #expect(router.route(count: 3, candidate: candidates([0, 0, 4])) == 1)
        // Replicas that have gone do not send it astray.
        #expect(router.route(count: 1, candidate: candidates([0])) == 0)
    }

    @Test func `least outstanding counts all requests and prefers the first of equals`() {
        var router = Router(kind: .leastOutstanding, maxWaiting: 5)
        #expect(router.route(count: 3, candidate: candidates([0, 0, 0], outstanding: [7, 3, 3])) == 1)
        #expect(router.route(count: 3, candidate: candidates([0, 5, 0], outstanding: [7, 3, 9])) == 0)
    }

    @Test(arguments: RouterKind.allCases) func `full queues take nobody`(kind: RouterKind) {
        var router = Router(kind: kind, maxWaiting: 5)
        #expect(router.route(count: 2, candidate: candidates([5, 6])) == nil)
        #expect(router.route(count: 0, candidate: candidates([])) == nil)
        #expect(router.route(count: 2, candidate: candidates([5, 4])) == 1)
    }
}
