import CLinux
import Glibc

/// Lets processes know that the one that started them has ended, however that ended.
///
/// They have the reading end of a pipe as their standard input. Nothing is ever written to it, and its other end is open in
/// the starter alone, so that it comes to its end with the starter: after a SIGKILL too, which nobody can catch.
///
/// For the workers of a fleet that lives in one process. Those of a controller go on without it, for the next one.
final class Lifeline: Sendable {
    /// What a child has as its standard input.
    let end: Int32
    private let start: Int32

    /// What a worker is told, so that it heeds its standard input.
    static let option = "--end-with-input"

    /// - Throws: A `FleetError` when this process may open no more files.
    init() throws(FleetError) {
        var ends: [Int32] = [0, 0]
        guard clinux_pipe(&ends) == 0 else {
            throw FleetError("no pipe can be made for the workers: \(String(cString: strerror(errno)))")
        }
        (end, start) = (ends[0], ends[1])
    }

    deinit {
        close(end)
        close(start)
    }
}
