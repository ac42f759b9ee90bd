import Formats
import Foundation

/// A lock on a folder: one process at a time may hold it, and it goes with the process.
final class FolderLock: Sendable {
    private let descriptor: Int32

    init(_ path: String) throws(GatewayStartError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw GatewayStartError("\(path): error: cannot be opened: \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw GatewayStartError(
                "\(path): error: another gateway uses this folder\n    stop it, or give this one a folder of its own")
        }
    }

    func release() { close(descriptor) }
}

/// The secret that cache salts are made of, readable by the gateway's user alone.
struct SaltFile {
    let folder: String

    func readOrMake() throws -> String {
        let path = "\(folder)/salt"
        if let text = try? String(contentsOfFile: path, encoding: .utf8), text.utf8.count >= 32 { return text }
        let secret = (0..<4).map { _ in hexadecimal(.random(in: 0 ... .max), digits: 16) }.joined()
        try AtomicOutput.write([("salt", secret)], to: folder)
        guard chmod(path, 0o600) == 0 else {
            throw GatewayStartError("\(path): error: \(String(cString: strerror(errno)))")
        }
        return secret
    }
}
