import Randomness
import Serving
import Testing

@Suite struct RouterTests {
    private func router(
        _ kind: RouterKind, waiting: [Int], outstanding: [Int]? = nil
    ) -> Router {
        var router = Router(kind: kind, maxWaiting: 5)
        router.reset(to: candidates(waiting, outstanding: outstanding))
        return router
    }

    private func candidates(_ waiting: [Int], outstanding: [Int]? = nil) -> [RouteCandidate] {
        waiting.indices.map { RouteCandidate(outstanding: (outstanding ?? waiting)[$0], waiting: waiting[$0]) }
    }

    @Test func `round robin takes each in turn and passes over full queues`() {
        var router = router(.roundRobin, waiting: [0, 0, 0])
        #expect((0..<5).map { _ in router.route() } == [0, 1, 2, 0, 1])
        router.update(2, to: RouteCandidate(outstanding: 5, waiting: 5))
        #expect(router.route() == 0)
        router.update(2, to: RouteCandidate(outstanding: 5, waiting: 4))
        #expect((0..<2).map { _ in router.route() } == [1, 2])
        // Replicas that have gone do not send it astray.
        #expect(router.route() == 0)
        router.reset(to: candidates([0]))
        #expect(router.route() == 0)
    }

    @Test func `least outstanding counts all requests and prefers the first of equals`() {
        var equal = router(.leastOutstanding, waiting: [0, 0, 0], outstanding: [7, 3, 3])
        #expect(equal.route() == 1)
        equal.update(1, to: RouteCandidate(outstanding: 4, waiting: 0))
        #expect(equal.route() == 2)
        var full = router(.leastOutstanding, waiting: [0, 5, 0], outstanding: [7, 3, 9])
        #expect(full.route() == 0)
    }

    @Test(arguments: RouterKind.allCases) func `full queues take nobody`(kind: RouterKind) {
        var full = router(kind, waiting: [5, 6])
        #expect(full.route() == nil)
        full.update(1, to: RouteCandidate(outstanding: 4, waiting: 4))
        #expect(full.route() == 1)
        var nobody = router(kind, waiting: [])
        #expect(nobody.route() == nil)
    }

    @Test func `the tree names the first of the least keys, as a search does`() {
        let draw = RandomStreams(seed: 1).generator("keys")
        for places in [1, 2, 7, 40] {
            var tree = LeastKeyTree()
            var keys = [Int64](repeating: .max, count: places)
            for _ in 0..<2_000 {
                let place = draw.uniform(below: places)
                keys[place] = draw.uniform(below: 4) == 0 ? .max : Int64(draw.uniform(below: 30))
                tree.set(place, to: keys[place])
                #expect(tree.leastKey == keys.min())
                if let least = keys.min(), least < .max { #expect(tree.first == keys.firstIndex(of: least)) }
            }
        }
    }
}
