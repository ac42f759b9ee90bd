import Glibc

/// The file of a Unix socket, by which a server is reached from its own machine.
public struct SocketFile: Hashable, Sendable, CustomStringConvertible {
    /// Bytes of the longest path: Linux's addresses hold 107, and 103 those of every system that NIO runs on, which is what
    /// it takes.
    public static let longestPath = 103

    public let path: String

    /// - Throws: What is wrong with the path, in words.
    public init(_ path: String) throws(LoadError) {
        guard !path.isEmpty, !path.utf8.contains(0) else { throw LoadError("'\(path)': a socket has a path") }
        let count = path.utf8.count
        guard count <= Self.longestPath else {
            throw LoadError(
                "\(path): this path has \(count) bytes, and a socket's at most \(Self.longestPath): give a shorter one")
        }
        self.path = path
    }

    public var description: String { path }

    /// Makes room for a server that is to listen there: removes what one that is gone has left.
    ///
    /// - Throws: Why no server can listen there, in words.
    func claim() throws(LoadError) {
        var found = stat()
        guard lstat(path, &found) == 0 else { return try requireFolder() }
        guard found.st_mode & S_IFMT == S_IFSOCK else {
            throw LoadError("\(path): error: there is a file that is no socket\n    move it away, or give another path")
        }
        switch reach() {
        case ECONNREFUSED: unlink(path)
        // Whoever listens there does not keep up.
        case 0, EAGAIN:
            throw LoadError("\(path): error: somebody listens there already\n    end that one, or give another path")
        case let problem:
            throw LoadError(
                "\(path): error: whether somebody listens there is not known: \(Self.words(for: problem))")
        }
    }

    /// Keeps other users of the machine from connecting.
    func keepPrivate() { chmod(path, 0o600) }

    private func requireFolder() throws(LoadError) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard access(folder, W_OK | X_OK) != 0 else { return }
        throw LoadError(
            "\(path): error: no socket can be made there: \(Self.words(for: errno))\n    give a path in a folder of yours"
        )
    }

    /// Tries to connect.
    ///
    /// - Returns: The system's number of what went wrong; 0 for nothing.
    private func reach() -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // It ends with a 0, which is there already.
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result == 0 ? 0 : errno
    }

    private static func words(for problem: Int32) -> String { String(cString: strerror(problem)) }
}
