import Formats
import Units

/// Who may change a pool: the latest leader that took it over.
///
/// A leader that stood still does not know of the next one until it asks. So it asks here before each change, and changes
/// while it holds the file's lock: what it read and what it does cannot be parted by another's orders.
struct PoolFence: Sendable {
    private struct Leader: Codable {
        var epoch: Int
    }

    let path: String

    /// Does something as the leader of `epoch`, while nobody else can do anything to the pool.
    ///
    /// - Throws: `ActuationError.fenced` when a later leader has been here, `OutputError` when the file cannot be used, and
    ///   what `act` throws.
    func hold<Value>(_ epoch: Int, _ act: () throws -> Value) throws -> Value {
        let file = try LockedFile(path: path)
        let last = try file.contents(as: Leader.self, what: "pool's leader")?.epoch ?? 0
        guard last <= epoch else { throw ActuationError.fenced(epoch: last) }
        if last < epoch { try file.write(Leader(epoch: epoch)) }
        return try act()
    }
}
