/// Makes `count` values in parallel, each from its index, and returns them in order.
///
/// The values do not depend on `workers`, as long as each depends on its index alone.
///
/// - Parameters:
///   - workers: Values made at a time. At least 1.
///   - progress: Called after each value with how many are made, from one task.
/// - Throws: The first error met; values being made are finished first.
public func concurrentMap<Value: Sendable>(
    _ count: Int, workers: Int, progress: (@Sendable (Int) -> Void)? = nil,
    _ make: @escaping @Sendable (Int) throws -> Value
) async throws -> [Value] {
    precondition(workers >= 1, "work needs a worker")
    return try await withThrowingTaskGroup(of: (Int, Value).self) { group in
        var values: [Value?] = Array(repeating: nil, count: count)
        var next = 0
        func start() {
            guard next < count else { return }
            let index = next
            next += 1
            group.addTask { (index, try make(index)) }
        }
        for _ in 0..<workers { start() }
        var made = 0
        while let (index, value) = try await group.next() {
            values[index] = value
            made += 1
            progress?(made)
            start()
        }
        return values.map { $0! }
    }
}
