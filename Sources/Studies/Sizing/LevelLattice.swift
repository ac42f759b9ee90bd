import Units

/// The fixed fleets of one way to build the pools, searched from the cheapest up.
///
/// Cost and attainment both rise with each count. So a fleet that misses condemns every smaller one, none that costs
/// more than one that meets is ever played, and the cheapest that meets is found by walking up from a floor that every
/// answer lies on or above.
struct LevelLattice {
    let fleet: Int
    /// The counts of each pool worth trying, ascending.
    let levels: [[Int]]
    private let costs: @Sendable ([Int]) -> USD
    private let isAllowed: @Sendable ([Int]) -> Bool
    /// Fleets that may be the cheapest still standing: one of them is, unless none meets.
    private var frontier: [[Int]] = []
    private var seen: Set<[Int]> = []
    private(set) var refuted: [[Int]] = []

    init(fleet: Int, of candidates: SizingCandidates) {
        let built = candidates.fleets[fleet]
        self.fleet = fleet
        levels = built.scenario.pools.indices.map { built.levels(of: $0) }
        costs = { built.cost(of: $0) }
        isAllowed = { built.isWithinCeiling($0) }
    }

    /// The largest count of every pool.
    var top: [Int] { levels.map { $0.last! } }

    /// Starts the walk at a fleet that every answer has at least as many replicas as, pool by pool.
    mutating func start(at floor: [Int]) {
        frontier = [floor]
        seen = [floor]
    }

    /// The cheapest fleet that is not refuted, with its cost; `nil` when all are.
    ///
    /// - Complexity: O(frontier × refuted).
    mutating func cheapest() -> (counts: [Int], cost: USD)? {
        while let counts = frontier.min(by: { (costs($0).nanodollars, $0) < (costs($1).nanodollars, $1) }) {
            guard isAllowed(counts) else {
                // Every fleet above it is dearer still.
                frontier.removeAll { $0 == counts }
                continue
            }
            guard isRefuted(counts) else { return (counts, costs(counts)) }
            climb(from: counts)
        }
        return nil
    }

    /// Notes that a fleet misses too often, and with it every smaller one.
    mutating func refute(_ counts: [Int]) { refuted.append(counts) }

    /// Whether a fleet, or one with as many replicas of every pool or more, was refuted.
    func isRefuted(_ counts: [Int]) -> Bool {
        refuted.contains { larger in zip(counts, larger).allSatisfy { $0 <= $1 } }
    }

    private mutating func climb(from counts: [Int]) {
        frontier.removeAll { $0 == counts }
        for pool in counts.indices {
            guard let next = levels[pool].first(where: { $0 > counts[pool] }) else { continue }
            var higher = counts
            higher[pool] = next
            if seen.insert(higher).inserted { frontier.append(higher) }
        }
    }
}

private func < (a: (Int64, [Int]), b: (Int64, [Int])) -> Bool {
    a.0 != b.0 ? a.0 < b.0 : a.1.lexicographicallyPrecedes(b.1)
}
