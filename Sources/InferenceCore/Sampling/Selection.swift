/// Keeps the greatest weights until enough are kept.
enum Selection {
    /// Sets to 0 all weights but the fewest greatest for which `isEnough` holds of their sum and count; of equal weights
    /// the lower index goes first.
    ///
    /// - Parameter candidates: As long as `weights`; what it holds does not matter.
    /// - Complexity: O(n) expected, by partitioning around pivots drawn from a fixed stream. Takes no memory.
    static func keep(
        _ weights: UnsafeMutableBufferPointer<Double>, _ candidates: UnsafeMutableBufferPointer<Int32>,
        until isEnough: (Double, Int) -> Bool
    ) {
        var count = 0
        for index in weights.indices where weights[index] > 0 {
            candidates[count] = Int32(truncatingIfNeeded: index)
            count += 1
        }
        guard count > 0 else { return }
        func weight(_ place: Int) -> Double { weights[Int(candidates[place])] }
        var (low, high) = (0, count)
        var mass = 0.0
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        // All before `low` are kept and not enough; all from `high` on are not needed.
        while high - low > 1 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            candidates.swapAt(low + Int((state >> 33) % UInt64(high - low)), high - 1)
            let pivot = candidates[high - 1]
            let pivotWeight = weights[Int(pivot)]
            var middle = low
            var part = 0.0
            for index in low..<(high - 1) {
                let value = weight(index)
                guard value > pivotWeight || (value == pivotWeight && candidates[index] < pivot) else { continue }
                candidates.swapAt(index, middle)
                part += value
                middle += 1
            }
            candidates.swapAt(middle, high - 1)
            if middle > low, isEnough(mass + part, middle) {
                high = middle
            } else if isEnough(mass + part + pivotWeight, middle + 1) {
                high = middle + 1
                break
            } else {
                mass += part + pivotWeight
                low = middle + 1
            }
        }
        for place in high..<count { weights[Int(candidates[place])] = 0 }
    }
}

/// Room for choosing a token, kept from one choice to the next: one for all requests of a core.
struct SamplingScratch {
    private var storage: Storage?

    private final class Storage {
        let scores: UnsafeMutableBufferPointer<Double>
        let candidates: UnsafeMutableBufferPointer<Int32>

        init(count: Int) {
            scores = .allocate(capacity: count)
            scores.initialize(repeating: 0)
            candidates = .allocate(capacity: count)
            candidates.initialize(repeating: 0)
        }

        deinit {
            scores.deallocate()
            candidates.deallocate()
        }
    }

    /// One for each token; what is in them is the last choice's.
    var scores: UnsafeMutableBufferPointer<Double> { storage!.scores }
    var candidates: UnsafeMutableBufferPointer<Int32> { storage!.candidates }

    mutating func resize(to count: Int) {
        if storage?.scores.count != count { storage = Storage(count: count) }
    }
}
