import Formats
import Foundation

/// An operator's pause, in `paused` beside the journal: without it a controller that starts again would act.
struct PauseFile: Sendable {
    private static let name = "paused"

    let folder: String

    private var path: String { "\(folder)/\(Self.name)" }

    var isThere: Bool { FileManager.default.fileExists(atPath: path) }

    /// Until `lift`, whoever leads by this folder is paused.
    func keep() throws(OutputError) {
        try AtomicOutput.write([(Self.name, "'tidegate control resume' lets the controller act again\n")], to: folder)
    }

    func lift() throws(OutputError) {
        guard unlink(path) != 0, errno != ENOENT else { return }
        throw OutputError(path: path, reason: String(cString: strerror(errno)))
    }
}
