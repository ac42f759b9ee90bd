import CLinux
import Foundation
import Glibc
import Units

/// A process that was started here or by an earlier controller: named by its number and its start, because numbers are used
/// again.
struct ChildProcess: Hashable, Sendable, Codable {
    let pid: pid_t
    /// Clock ticks after the machine's start, from `/proc/PID/stat`.
    let startTicks: UInt64

    private init(pid: pid_t, startTicks: UInt64) {
        self.pid = pid
        self.startTicks = startTicks
    }

    /// Starts a program in a session of its own: neither a terminal's Ctrl-C nor the end of this process reaches it.
    ///
    /// - Parameter log: A file that gets its standard output and, under the same name with `.err`, its standard error.
    /// - Parameter mark: Names it among all processes of the machine, whoever started it.
    /// - Parameter input: An open file that becomes its standard input; it has an empty one without it.
    /// - Throws: A `SpawnError`.
    static func spawn(
        _ words: [String], log: String, mark: String, input: Int32? = nil
    ) throws(SpawnError) -> ChildProcess {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, log + ".err", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        // What this process has open is not the child's: a socket kept open there would keep a port taken.
        clinux_spawn_close_from(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // POSIX_SPAWN_SETSID of glibc, which Swift does not import.
        let setSession: Int32 = 0x80
        var none = sigset_t()
        sigemptyset(&none)
        var defaults = sigset_t()
        sigfillset(&defaults)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | setSession))
        let arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        let marked = strdup("\(Self.markName)=\(mark)")
        defer { free(marked) }
        var environment: [UnsafeMutablePointer<CChar>?] = []
        var entry = environ
        while let value = entry.pointee {
            environment.append(value)
            entry += 1
        }
        environment += [marked, nil]
        var pid: pid_t = 0
        let error = posix_spawn(&pid, words[0], &actions, &attributes, arguments, environment)
        guard error == 0 else {
            throw SpawnError(program: words[0], reason: String(cString: strerror(error)))
        }
        return ChildProcess(pid: pid, startTicks: startTicks(of: pid) ?? 0)
    }

    private static let markName = "TIDEGATE_REPLICA"

    /// Processes of this machine whose mark begins with `prefix` and a number sign, with their marks.
    static func marked(under prefix: String) -> [(mark: String, process: ChildProcess)] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.sorted().compactMap { pid in
            guard let environment = SmallFile.read("/proc/\(pid)/environ"), let ticks = startTicks(of: pid),
                let entry = environment.split(separator: "\0").first(where: { $0.hasPrefix(markName + "=") })
            else { return nil }
            let mark = String(entry.dropFirst(markName.count + 1))
            return mark.hasPrefix(prefix + "#") ? (mark, ChildProcess(pid: pid, startTicks: ticks)) : nil
        }
    }

    /// How the process stands.
    enum Condition: Hashable, Sendable {
        case running
        /// With its exit status as `wait` has it, when it was this process's child.
        case ended(status: Int32?)
    }

    func condition() -> Condition {
        var status: Int32 = 0
        let waited = waitpid(pid, &status, WNOHANG)
        if waited == pid { return .ended(status: status) }
        // An earlier controller's: only its number and start can be looked at.
        if waited < 0, Self.startTicks(of: pid) != startTicks { return .ended(status: nil) }
        return .running
    }

    /// Sends a signal, unless the number belongs to another process by now.
    func signal(_ number: Int32) {
        guard Self.startTicks(of: pid) == startTicks else { return }
        kill(pid, number)
    }

    /// Field 22 of `/proc/PID/stat`; `nil` when there is no such process. The name before it may hold spaces.
    private static func startTicks(of pid: pid_t) -> UInt64? {
        guard let text = SmallFile.read("/proc/\(pid)/stat"), let close = text.lastIndex(of: ")") else { return nil }
        let fields = text[close...].split(separator: " ")
        // A zombie has ended: nobody has waited for it yet.
        guard fields.count > 20, fields[1] != "Z" else { return nil }
        return UInt64(fields[20])
    }
}

/// Why a program could not be started.
struct SpawnError: Error, Hashable, CustomStringConvertible {
    var program: String
    var reason: String

    var description: String { "\(program): cannot be started: \(reason)" }
}

/// Whole small files.
enum SmallFile {
    /// At most 64 KiB of a file, from `offset`; `nil` when it cannot be read.
    static func read(_ path: String, from offset: Int = 0) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = pread(descriptor, &bytes, bytes.count, off_t(offset))
        guard count >= 0 else { return nil }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
