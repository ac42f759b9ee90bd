import Testing

@testable import Studies

@Suite struct SweepDesignTests {
    private func shares(_ points: [[SweepPosition]], axis: Int) -> [Double] {
        points.compactMap { if case .share(let share) = $0[axis] { share } else { nil } }
    }

    private func items(_ points: [[SweepPosition]], axis: Int) -> [Int] {
        points.compactMap { if case .item(let item) = $0[axis] { item } else { nil } }
    }

    @Test func `a grid has every combination, the last field changing fastest`() throws {
        let points = try SweepDesign.grid.points(
            of: [.listed(2), .between(levels: 3)], names: ["a", "b"], seed: 1)
        #expect(
            points == [
                [.item(0), .share(0)], [.item(0), .share(0.5)], [.item(0), .share(1)],
                [.item(1), .share(0)], [.item(1), .share(0.5)], [.item(1), .share(1)],
            ])
        let one = try SweepDesign.grid.points(of: [.between(levels: 1)], names: ["a"], seed: 1)
        #expect(one == [[.share(0.5)]])
    }

    @Test(arguments: [1, 7, 50], [1, 2, 3] as [UInt64])
    func `a Latin hypercube has one point in each slice of each field`(count: Int, seed: UInt64) throws {
        let axes: [SweepAxis] = [.between(levels: 1), .between(levels: 1), .listed(count)]
        let points = try SweepDesign.latinHypercube(points: count).points(of: axes, names: ["a", "b", "c"], seed: seed)
        #expect(points.count == count)
        for axis in 0..<2 {
            #expect(shares(points, axis: axis).map { Int($0 * Double(count)) }.sorted() == Array(0..<count))
        }
        // As many values as points: each of them once.
        #expect(items(points, axis: 2).sorted() == Array(0..<count))
        if count > 10 {
            #expect(shares(points, axis: 0) != shares(points, axis: 1))
            #expect(shares(points, axis: 0) != shares(points, axis: 0).sorted())
        }
    }

    @Test func `a field more moves no other field of a Latin hypercube, and another seed moves them all`() throws {
        let design = SweepDesign.latinHypercube(points: 20)
        let axis = SweepAxis.between(levels: 1)
        let two = try design.points(of: [axis, axis], names: ["a", "b"], seed: 9)
        let three = try design.points(of: [axis, axis, axis], names: ["a", "x", "b"], seed: 9)
        #expect(shares(two, axis: 0) == shares(three, axis: 0))
        #expect(shares(two, axis: 1) == shares(three, axis: 2))
        let other = try design.points(of: [axis, axis], names: ["a", "b"], seed: 10)
        #expect(shares(two, axis: 0) != shares(other, axis: 0))
    }

    @Test func `Sobol's points come first and give listed values equal parts`() throws {
        let points = try SweepDesign.sobol(points: 63).points(
            of: [.between(levels: 1), .listed(4)], names: ["a", "b"], seed: 1)
        #expect(points.prefix(3) == [[.share(0.5), .item(2)], [.share(0.75), .item(1)], [.share(0.25), .item(3)]])
        let counts = items(points, axis: 1).reduce(into: [:]) { $0[$1, default: 0] += 1 }
        // 64 with the origin, which is left out and would be of the first value.
        #expect(counts == [0: 15, 1: 16, 2: 16, 3: 16])
    }

    @Test func `a sweep that is too large is refused before it fills the memory`() {
        let wide = Array(repeating: SweepAxis.between(levels: 100_000), count: 3)
        #expect(throws: SweepDesign.Problem.tooManyPoints(limit: 100_000)) {
            try SweepDesign.grid.points(of: wide, names: ["a", "b", "c"], seed: 1)
        }
        #expect(throws: SweepDesign.Problem.tooManyPoints(limit: 100_000)) {
            try SweepDesign.sobol(points: 100_001).points(of: [.listed(1)], names: ["a"], seed: 1)
        }
        #expect(throws: SweepDesign.Problem.tooManyFields(limit: 40)) {
            try SweepDesign.sobol(points: 1).points(
                of: Array(repeating: .listed(1), count: 41), names: (0..<41).map(String.init), seed: 1)
        }
    }

    @Test(arguments: [1, 2, 5, 7, 30])
    func `the shards of a sweep hold each point once`(count: Int) {
        let shards = (0..<count).map { SweepShard.part(index: $0, count: count).points(of: 12) }
        #expect(shards.joined().sorted() == Array(0..<12))
        let sizes = shards.map(\.count)
        #expect(sizes.max()! - sizes.min()! <= 1)
    }

    @Test func `shards and points read as they are written`() {
        #expect(SweepShard(part: "3/4") == .part(index: 3, count: 4))
        for text in ["4/4", "-1/4", "1/0", "1", "1/2/3", "a/b", ""] {
            #expect(SweepShard(part: text) == nil, "\(text)")
        }
        #expect(SweepShard(points: "10..19") == .points(10...19))
        #expect(SweepShard(points: "7") == .points(7...7))
        for text in ["9..1", "-1..2", "a", "1..", ""] { #expect(SweepShard(points: text) == nil, "\(text)") }
        #expect(SweepShard.points(10...19).points(of: 12) == [10, 11])
        #expect(SweepShard.points(12...19).points(of: 12) == [])
        #expect(SweepShard.spelled([3, 0, 1, 9, 2, 7, 8]) == "0..3, 7..9")
        #expect(SweepShard.spelled([5]) == "5")
    }
}
