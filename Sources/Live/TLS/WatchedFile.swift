import Foundation
import Synchronization

/// A file's contents as `Value`, read again when the file has become another one.
///
/// Whoever replaces a secret renames a new file or link over the old one, so a change of number, size or time of writing
/// says that it is another; asking costs one `stat` a use. A file that cannot be read while it is replaced leaves the value
/// that was read before.
final class WatchedFile<Value: Sendable>: Sendable {
    private struct Stamp: Equatable {
        var number: UInt64
        var bytes: Int64
        var seconds: Int
        var nanoseconds: Int
    }
    private struct Held {
        var stamps: [Stamp]
        var value: Value
    }

    private let paths: [String]
    private let read: @Sendable ([String]) throws -> Value
    private let held = Mutex<Held?>(nil)

    /// - Parameter read: Makes the value of all the files together.
    init(_ paths: [String], read: @escaping @Sendable ([String]) throws -> Value) {
        self.paths = paths
        self.read = read
    }

    /// - Throws: What `read` throws, when there is no earlier value.
    var value: Value {
        get throws {
            let stamps = paths.compactMap(Self.stamp)
            return try held.withLock { held in
                if let held, held.stamps == stamps { return held.value }
                do {
                    let value = try read(paths)
                    held = Held(stamps: stamps, value: value)
                    return value
                } catch {
                    guard let held else { throw error }
                    return held.value
                }
            }
        }
    }

    /// Reads the files at the next use even if they look the same.
    func forget() { held.withLock { $0?.stamps = [] } }

    private static func stamp(_ path: String) -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Stamp(
            number: UInt64(status.st_ino), bytes: Int64(status.st_size), seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec)
    }
}
