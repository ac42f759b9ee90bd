/// Whether this process is the one that may give orders.
public protocol Leadership: Sendable {
    /// The number of this process's term while it leads; `nil` while it does not, or cannot be sure that it does.
    ///
    /// Asked before each order: what was true a moment ago may have ended while the process was stopped. A later term has a
    /// higher number, and whoever carries orders out refuses those of lower ones.
    var epoch: Int? { get }

    /// Strives for the lead, and keeps it, until the task is cancelled; then gives it up.
    func run() async
}
