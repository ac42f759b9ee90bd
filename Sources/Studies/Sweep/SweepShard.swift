/// Some of a sweep's points: what one command plays.
public enum SweepShard: Hashable, Sendable {
    case all
    /// Every `count`-th point from the `index`-th on, so that neighbours, which take about as long, are spread.
    case part(index: Int, count: Int)
    /// The points of these numbers.
    case points(ClosedRange<Int>)

    /// The numbers of its points in a sweep of `total`, in order.
    public func points(of total: Int) -> [Int] {
        switch self {
        case .all: Array(0..<total)
        case .part(let index, let count): Array(stride(from: index, to: total, by: count))
        case .points(let range):
            range.lowerBound < total ? Array(range.lowerBound...min(range.upperBound, total - 1)) : []
        }
    }

    /// Reads `INDEX/COUNT`, such as `0/4` to `3/4`; `nil` for anything else.
    public init?(part text: String) {
        let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let index = numbers[0], let count = numbers[1], count >= 1, 0..<count ~= index
        else { return nil }
        self = .part(index: index, count: count)
    }

    /// Reads `FIRST..LAST`, such as `10..19`, or the number of one point; `nil` for anything else.
    public init?(points text: String) {
        if let one = Int(text), one >= 0 {
            self = .points(one...one)
            return
        }
        guard let dots = text.firstRange(of: ".."), let first = Int(text[..<dots.lowerBound]),
            let last = Int(text[dots.upperBound...]), 0 <= first, first <= last
        else { return nil }
        self = .points(first...last)
    }
}

extension SweepShard {
    /// Numbers of points as `sweep run --points` takes them and people read them: `0..3, 7, 9..10`.
    public static func spelled(_ points: [Int]) -> String {
        var runs: [ClosedRange<Int>] = []
        for point in points.sorted() {
            if let last = runs.last, point <= last.upperBound + 1 {
                runs[runs.count - 1] = last.lowerBound...max(point, last.upperBound)
            } else {
                runs.append(point...point)
            }
        }
        return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)..\($0.upperBound)" }
            .joined(separator: ", ")
    }
}
