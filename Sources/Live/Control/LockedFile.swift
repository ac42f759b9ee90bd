import Formats
import Foundation
import Glibc

/// A small file that one process at a time reads and writes. The lock ends with the value, or with the process.
///
/// It is written in place, for the file is the lock and may not be replaced; at most one sector, so never half.
struct LockedFile: ~Copyable {
    let path: String
    let descriptor: Int32

    /// Waits until nobody else has it.
    init(path: String) throws(OutputError) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw OutputError(path: path, reason: String(cString: strerror(errno))) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let reason = String(cString: strerror(errno))
                close(descriptor)
                throw OutputError(path: path, reason: reason)
            }
        }
    }

    deinit { close(descriptor) }

    /// What is there; `nil` in a new file.
    ///
    /// - Parameter what: What it should be, for the error.
    /// - Throws: For a file that is none: with its epoch lost, an old leader could no longer be told from a new one.
    func contents<Contents: Decodable>(as type: Contents.Type, what: String) throws(OutputError) -> Contents? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count != 0 else { return nil }
        guard count > 0, let contents = try? JSONDecoder().decode(type, from: Data(bytes[..<count])) else {
            throw OutputError(path: path, reason: "this is no \(what); stop every controller and remove it")
        }
        return contents
    }

    /// Writes it and waits until the disk has it.
    func write(_ contents: some Encodable) throws(OutputError) {
        guard var bytes = try? [UInt8](JSONEncoder().encode(contents)) else { return }
        // Shorter texts overwrite longer ones.
        while bytes.count < 512 { bytes.append(UInt8(ascii: " ")) }
        guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count, fdatasync(descriptor) == 0 else {
            throw OutputError(path: path, reason: String(cString: strerror(errno)))
        }
    }
}
