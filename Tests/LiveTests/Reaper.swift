import Foundation

/// Ends the programs that tests have started when the tests' own process ends, however it ends: killed, it cleans up nothing
/// itself, and workers are made to outlive whoever started them.
///
/// A shell waits for the end of its standard input, whose other end is open in this process alone, and then kills every
/// process with this one's mark in its environment. Children hand it down to theirs.
enum Reaper {
    /// What programs are started with.
    static let environment: [String: String] = {
        let mark = "TIDEGATE_TESTS=\(UUID())"
        watch(for: mark)
        let parts = mark.split(separator: "=")
        return ProcessInfo.processInfo.environment.merging([String(parts[0]): String(parts[1])]) { $1 }
    }()

    private static func watch(for mark: String) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/sh")
        // Three times: what is being started as its starter is killed shows its mark a moment later.
        let script = """
            trap '' INT TERM HUP
            cat >/dev/null
            for round in 1 2 3; do
                for folder in /proc/[0-9]*; do
                    if grep -qsz '^\(mark)$' "$folder/environ"; then kill -9 "${folder#/proc/}"; fi
                done
                sleep 0.3
            done
            """
        shell.arguments = ["-c", script]
        shell.standardInput = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        shell.standardOutput = FileHandle.nullDevice
        shell.standardError = FileHandle.nullDevice
        try? shell.run()
        // The other end stays open for as long as this process is there.
    }
}
