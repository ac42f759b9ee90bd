import ArgumentParser
import Foundation
import Units
import UnixSignals

extension EventOutput {
    /// Drains a serving process at the first SIGTERM or SIGINT; a second one ends it.
    ///
    /// - Parameters:
    ///   - deadline: How long the drain may take, for whoever is told.
    ///   - ended: Told the exit code when the drain has ended.
    func drainOnSignal(
        within deadline: TimeSpan, _ ended: AsyncStream<ExitCode>.Continuation,
        drain: @escaping @Sendable () async -> ExitCode
    ) async {
        var isDraining = false
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            guard !isDraining else { Foundation.exit(128 + (signal == .sigterm ? SIGTERM : SIGINT)) }
            isDraining = true
            tell(
                "draining", ["deadline_s": deadline.seconds],
                text: "draining: no new requests; at most \(deadline). A second signal ends at once")
            Task { ended.yield(await drain()) }
        }
    }
}
