import ArgumentParser
import Control
import Formats
import Reporting
import Simulation
import Studies

/// Files of one run that are written while it is played, because they grow with it.
struct StreamArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Write a line for each control tick: what was observed, decided, guarded and sent, chained by hashes. 'tidegate verify' plays it again. With .gz compressed. A single run only.",
            valueName: "FILE"))
    var journal: String?
    @Option(
        help: ArgumentHelp(
            "Write a CSV row for each request as it ends, times in nanoseconds. With .gz compressed. A single run only.",
            valueName: "FILE"))
    var requests: String?

    /// Refuses them beside more than one run.
    func validate(with study: StudyArguments) throws {
        for (name, path) in [("--journal", journal), ("--requests", requests)] {
            guard let path else { continue }
            guard study.count == .exactly(1) else {
                throw ValidationError(
                    "\(name) writes the file of a single run; leave out "
                        + (study.precision != nil ? "--precision" : "--replications \(study.replications ?? 1)")
                        + ", or ask for \(name) in a replay of its own: the first replication is the run without it")
            }
            guard !path.isEmpty else { throw ValidationError("\(name) needs the name of a file") }
        }
        if let journal, journal == requests { throw ValidationError("--journal and --requests name one file") }
    }
}

/// The same files, open.
final class RunStreams: Sendable {
    private let journal: JournalFile?
    private let requests: RequestFile?

    /// Opens what was asked for, before anything is played.
    ///
    /// - Throws: `OutputError`, and leaves nothing behind.
    init(_ arguments: StreamArguments, of scenario: Scenario) throws(OutputError) {
        journal = try arguments.journal.map { path throws(OutputError) in try JournalFile(path: path) }
        requests = try arguments.requests.map { path throws(OutputError) in
            try RequestFile(path: path, scenario: scenario)
        }
    }

    /// What a run has to tell.
    ///
    /// - Parameter origin: The command that plays it again, for the journal's header.
    func tap(origin: String) -> RunTap {
        var tap = RunTap()
        if let journal {
            tap.start = { journal.begin(origin: origin, policy: $0, limits: $1) }
            tap.tick = { journal.append($0, by: $1) }
        }
        if let requests { tap.requests = { pool, ended in requests.append(ended, of: pool) } }
        return tap
    }

    /// Why what is written is lost, as on a full disk; `nil` while all is well.
    var failure: OutputError? { journal?.failure ?? requests?.failure }

    /// Ends the files and gives them their names: both, or none that was not there.
    func close() throws(OutputError) {
        if let failure { throw failure }
        try journal?.close()
        try requests?.close()
    }
}
