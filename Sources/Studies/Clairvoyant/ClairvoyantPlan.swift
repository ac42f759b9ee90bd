import Units

/// One pool's demand and machines, as the clairvoyant planner sees them: it knows every arrival beforehand.
///
/// Time is cut into intervals. `n` instances that are ready through interval t carry `n · capacity` requests of it; the
/// rest of its arrivals are late. Money is whole nanodollars.
public struct ClairvoyantProblem: Hashable, Sendable {
    /// Requests that arrive in each interval.
    public var arrivals: [Int64]
    /// The most requests of each interval that one ready instance can answer within the promise.
    public var capacity: [Int64]
    /// What one instance costs in each interval while it serves, in nanodollars.
    public var price: [Int64]
    /// What starting an instance costs before it serves, in nanodollars: it is paid for while it boots.
    public var startPrice: Int64
    /// Instances that are ready at the start, at no start price.
    public var initial: Int
    /// Intervals at the start in which nothing ordered can be ready yet.
    public var bootIntervals: Int
    /// Fewest and most instances at any time.
    public var minimum: Int
    public var maximum: Int
    /// Requests that may be late over all intervals.
    public var allowedLate: Int64

    public init(
        arrivals: [Int64], capacity: [Int64], price: [Int64], startPrice: Int64, initial: Int, bootIntervals: Int,
        minimum: Int, maximum: Int, allowedLate: Int64
    ) {
        precondition(arrivals.count == capacity.count && arrivals.count == price.count, "one value an interval")
        precondition(
            minimum >= 0 && minimum <= maximum && (minimum...maximum).contains(initial),
            "instances \(minimum) to \(maximum), \(initial) at the start")
        self.arrivals = arrivals
        self.capacity = capacity
        self.price = price
        self.startPrice = startPrice
        self.initial = initial
        self.bootIntervals = bootIntervals
        self.minimum = minimum
        self.maximum = maximum
        self.allowedLate = allowedLate
    }
}

/// The cheapest sizes in hindsight for one price of lateness.
public struct ClairvoyantPlan: Hashable, Sendable {
    /// Instances in each interval.
    public var instances: [Int]
    /// What the instances cost, starts included, in nanodollars.
    public var cost: Int64
    /// Requests that are late.
    public var late: Int64
}

extension ClairvoyantProblem {
    /// The plan that minimises cost + `penalty` · late, exactly; of equal plans the one with fewer late requests.
    ///
    /// A dynamic program over (interval, instances): the cost of being at n in interval t is what n cost and leaves late
    /// there, plus the least over the sizes before of their cost and what starting the difference costs. That is linear in
    /// the size before, so the least over smaller sizes and the least over larger ones are running minima.
    ///
    /// Before the first boot can have ended a pool cannot grow. Orders are placed ahead, so later it grows when needed,
    /// and pays for the boot.
    ///
    /// - Parameter penalty: Nanodollars for a late request. At least 0.
    /// - Complexity: O(intervals × instances) time and memory.
    /// - Source: the offline optimum of data-centre right-sizing, Lin, Wierman, Andrew and Thereska, *Dynamic
    ///   right-sizing for power-proportional data centers* (INFOCOM 2011), with a boot delay and whole machines.
    public func plan(penalty: Int64) -> ClairvoyantPlan {
        let sizes = Array(minimum...maximum)
        guard !arrivals.isEmpty else { return ClairvoyantPlan(instances: [], cost: 0, late: 0) }
        var best: [Value?] = []
        var from: [[Int]] = []
        for interval in arrivals.indices {
            let (arriving, choice) = arrive(interval == 0 ? nil : best, sizes, canGrow: interval >= bootIntervals)
            from.append(choice)
            best = zip(sizes, arriving).map { size, value in
                guard let value else { return nil }
                let late = late(size, in: interval)
                let cost = Int128(price[interval]) * Int128(size)
                return Value(total: value.total + cost + Int128(penalty) * Int128(late), late: value.late + late)
            }
        }
        return trace(best, from, sizes)
    }

    /// Requests of an interval that so many instances leave late.
    func late(_ instances: Int, in interval: Int) -> Int64 {
        max(0, arrivals[interval] - capacity[interval] * Int64(instances))
    }

    /// Cost so far, lateness priced in, and of equal costs the late requests.
    private struct Value: Comparable {
        var total: Int128
        var late: Int64

        static func < (a: Value, b: Value) -> Bool { a.total != b.total ? a.total < b.total : a.late < b.late }
    }

    /// The least value with which each size can begin an interval, and the size before it.
    private func arrive(_ before: [Value?]?, _ sizes: [Int], canGrow: Bool) -> (values: [Value?], choice: [Int]) {
        guard let before else {
            let values = sizes.map { size -> Value? in
                guard size > initial else { return Value(total: 0, late: 0) }
                return canGrow ? Value(total: Int128(startPrice) * Int128(size - initial), late: 0) : nil
            }
            return (values, sizes.map { _ in 0 })
        }
        var values: [Value?] = Array(repeating: nil, count: sizes.count)
        var choice = Array(repeating: 0, count: sizes.count)
        // From above: letting instances go is free.
        var running: (value: Value, index: Int)?
        for index in sizes.indices.reversed() {
            if let value = before[index], running.map({ value < $0.value }) ?? true { running = (value, index) }
            if let running { (values[index], choice[index]) = (running.value, running.index) }
        }
        guard canGrow else { return (values, choice) }
        // From below: each instance more is a start.
        running = nil
        for index in sizes.indices {
            if let reached = running {
                running = (
                    Value(total: reached.value.total + Int128(startPrice), late: reached.value.late), reached.index
                )
            }
            if let value = before[index], running.map({ value < $0.value }) ?? true { running = (value, index) }
            if let running, values[index].map({ running.value < $0 }) ?? true {
                (values[index], choice[index]) = (running.value, running.index)
            }
        }
        return (values, choice)
    }

    private func trace(_ best: [Value?], _ from: [[Int]], _ sizes: [Int]) -> ClairvoyantPlan {
        var index = best.indices.filter { best[$0] != nil }.min { best[$0]! < best[$1]! }!
        var instances: [Int] = []
        for interval in from.indices.reversed() {
            instances.append(sizes[index])
            index = from[interval][index]
        }
        instances.reverse()
        return ClairvoyantPlan(
            instances: instances, cost: cost(of: instances),
            late: instances.indices.reduce(0) { $0 + late(instances[$1], in: $1) })
    }

    /// What sizes cost over all intervals, starts included.
    func cost(of instances: [Int]) -> Int64 {
        var (cost, before) = (Int64(0), initial)
        for (interval, size) in instances.enumerated() {
            cost += price[interval] * Int64(size) + startPrice * Int64(max(0, size - before))
            before = size
        }
        return cost
    }
}
