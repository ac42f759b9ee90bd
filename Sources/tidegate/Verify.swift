import ArgumentParser
import Commands
import Control
import Formats
import Foundation
import Scaling

/// `tidegate verify`: whether a journal is whole and its policy decides the same again.
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a journal's chain of hashes, and that its policy makes the same decisions again.",
        discussion: """
            Reads the journal as a stream, whatever its size, plain or gzip. Of a controller's folder of state all files are
            read, journal.1.jsonl, journal.2.jsonl … and journal.jsonl, each of which must go on where the one before it ends;
            one of them alone is verified with what its first line remembers of those before. Its first line holds the policy with its
            parameters and the limits of the guards; every other line must come out of the observation in it as it was
            recorded, byte for byte. A chain says that no line was changed, left out or moved; it cannot say that lines are
            missing at the end.

            EXAMPLES
              tidegate replay chat-day --output out --journal out/journal.jsonl
              tidegate verify out/journal.jsonl
              tidegate verify out/journal.jsonl --policy out/policy.json
              tidegate verify state

            Exits with 0 when every line is right, 65 at the first that is not, with its number; 66 when there is no file.
            """)

    @Argument(help: "The journal, as 'replay --journal' wrote it, or a folder of state.")
    var journal: String
    @Option(
        help: ArgumentHelp("Also demand that this policy made it, as 'replay' wrote it.", valueName: "policy.json"))
    var policy: String?

    func run() throws {
        let console = Console(isQuiet: false)
        do {
            let file = try policy.map { path in try PolicyFileReader.read(path: path) }
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: journal, isDirectory: &isFolder)
            if isFolder.boolValue { return try verifyFolder(policy: file, console) }
            tell(journal, try JournalVerification.verify(path: journal, policy: file))
        } catch let error as InputError {
            console.alert("\(error)")
            throw ExitCode(ofReading: error.file)
        } catch let error as JournalError {
            console.alert("\(error)")
            throw ExitCode.badData
        }
    }

    private func verifyFolder(policy: PolicyFile?, _ console: Console) throws {
        let files = JournalSegments.files(in: journal)
        guard !files.isEmpty else {
            console.alert(
                "\(journal): error: there is no journal.jsonl in this folder\n    name a controller's folder of state")
            throw ExitCode.missingInput
        }
        var ticks = 0
        try JournalVerification.verify(segments: files, policy: policy) { path, found in
            tell(path, found)
            ticks += found.ticks
        }
        print("\(journal): verified: \(ticks) ticks in \(files.count) \(files.count == 1 ? "file" : "files")")
    }

    private func tell(_ path: String, _ found: JournalSummary) {
        let policy = found.header.policy
        var text = "\(path): verified: \(found.ticks) ticks, \(found.changes) of which changed a target"
        if let first = found.first, let last = found.last { text += ", from \(first) to \(last)" }
        print(text)
        print("  policy   \(policy.name), digest \(policy.digest)")
        print("  hash     \(found.hash)")
        print("  from     \(found.header.origin)")
    }
}
