import GRDB

/// Why the store could not be used. The files of a run are not in it and are not touched.
public enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file or its folder is missing, or may not be read or written.
    case cannotOpen(path: String, reason: String)
    /// The file holds something else, or is damaged.
    case notADatabase(path: String)
    /// Another process kept writing for longer than `RunStore.patience`.
    case locked(path: String)
    /// A later version of Tidegate wrote it.
    case newerVersion(path: String)
    /// The disk is full, or another failure that the text names.
    case failed(path: String, reason: String)

    public var description: String {
        switch self {
        case .cannotOpen(let path, let reason): "\(path): error: the store cannot be opened: \(reason)"
        case .notADatabase(let path):
            "\(path): error: this is no store of tidegate, or it is damaged\n    move it away and a new one is made"
        case .locked(let path):
            "\(path): error: another process is writing to the store\n    try again when it has ended"
        case .newerVersion(let path):
            "\(path): error: a newer version of tidegate wrote this store\n    use that version, or another path"
        case .failed(let path, let reason): "\(path): error: the store failed: \(reason)"
        }
    }

    /// Runs `body`, turning what SQLite reports into what a user can act on.
    static func translating<Value>(_ path: String, _ body: () throws -> Value) throws(StoreError) -> Value {
        do {
            return try body()
        } catch let error as StoreError {
            throw error
        } catch let error as DatabaseError {
            let reason = error.message ?? "\(error.resultCode)"
            switch error.resultCode {
            case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
                throw .cannotOpen(path: path, reason: reason)
            case .SQLITE_NOTADB, .SQLITE_CORRUPT: throw .notADatabase(path: path)
            case .SQLITE_BUSY, .SQLITE_LOCKED: throw .locked(path: path)
            default: throw .failed(path: path, reason: reason)
            }
        } catch {
            throw .failed(path: path, reason: "\(error)")
        }
    }
}
