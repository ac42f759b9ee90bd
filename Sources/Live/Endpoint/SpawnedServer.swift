import CLinux
import Foundation
import Units

/// A server that this program starts, and how long it takes until it serves.
public final class SpawnedServer: Sendable {
    /// The stages of a start.
    public struct Stages: Hashable, Sendable {
        /// Until something answers at the address.
        public var spawn: TimeSpan
        /// From there until the server says that it is ready.
        public var load: TimeSpan
    }

    private let command: String
    private let child: Int32

    /// Starts a command of the shell, in a process group of its own.
    ///
    /// - Throws: `LoadError` when no process can be made.
    public init(_ command: String) throws(LoadError) {
        self.command = command
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        posix_spawnattr_setpgroup(&attributes, 0)
        // Its output would mix with the profile on standard output.
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        // What this process has open is not the child's.
        clinux_spawn_close_from(&actions, 3)
        let words: [UnsafeMutablePointer<CChar>?] = (["/bin/sh", "-c", command] as [String]).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        let problem = posix_spawn(&child, "/bin/sh", &actions, &attributes, words, environ)
        guard problem == 0 else {
            throw LoadError("--spawn '\(command)': error: cannot start it: \(String(cString: strerror(problem)))")
        }
        self.child = child
    }

    /// Waits until the server is ready.
    ///
    /// - Parameter goesOn: Asked again and again; `false` ends the wait.
    /// - Throws: `LoadError` when the process ends or the time passes first, `CancellationError` when it shall not go on.
    public func stages(
        _ inquiry: EndpointInquiry, within limit: TimeSpan, while goesOn: () -> Bool = { true }
    ) async throws -> Stages {
        let start = MonotonicTime.now
        var answered: Instant?
        while MonotonicTime.now - start < limit {
            guard goesOn() else { throw CancellationError() }
            var status: Int32 = 0
            if waitpid(child, &status, WNOHANG) == child {
                throw LoadError("--spawn '\(command)': error: it ended before it served; see what it says above")
            }
            let isReady = await inquiry.isReady()
            let now = MonotonicTime.now
            if isReady != nil, answered == nil { answered = now }
            if isReady == true { return Stages(spawn: answered! - start, load: now - answered!) }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw LoadError("--spawn '\(command)': error: it is not ready after \(limit); allow more with --timeout")
    }

    /// Ends it, first politely, then not.
    public func stop() async {
        kill(-child, SIGTERM)
        for _ in 0..<400 {
            var status: Int32 = 0
            if waitpid(child, &status, WNOHANG) != 0 {
                kill(-child, SIGKILL)
                return
            }
            try? await Task.sleep(for: .milliseconds(10))
        }
        kill(-child, SIGKILL)
        var status: Int32 = 0
        waitpid(child, &status, 0)
    }

    /// Takes files out of the page cache, so that the next start reads them from the disk.
    ///
    /// - Throws: `LoadError` naming a file that cannot be opened.
    public static func evict(_ paths: [String]) throws(LoadError) {
        for path in paths {
            let file = open(path, O_RDONLY)
            guard file >= 0 else { throw LoadError("\(path): error: \(String(cString: strerror(errno)))") }
            defer { close(file) }
            // Only what is on the disk already can be dropped.
            fdatasync(file)
            posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
        }
    }
}
