#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Output that could not be written, and what the system said.
public struct OutputError: Error, Hashable, Sendable, CustomStringConvertible {
    public var path: String
    public var reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): error: cannot be written: \(reason)" }
}

/// Writes a set of files into a folder so that a failure leaves nothing half-written.
///
/// Every file is first written in full and synced under a name of its own, then all are renamed into place. A failure
/// before the first rename leaves the folder as it was; a rename on one file system does not fail half-way. Several
/// processes, on several machines too, may write the same file at once: each writes its own, and the last rename holds.
public enum AtomicOutput {
    /// Writes `files` into `folder`, which is made, with the folders above it, when it is not there.
    ///
    /// - Parameter files: Names without a slash, each once, and their text.
    /// - Throws: `OutputError` with the path that could not be made or written; unfinished files are removed.
    public static func write(_ files: [(name: String, text: String)], to folder: String) throws(OutputError) {
        for (index, file) in files.enumerated() {
            precondition(!file.name.isEmpty && !file.name.contains("/"), "'\(file.name)' is no file name")
            precondition(!files[..<index].contains { $0.name == file.name }, "'\(file.name)' is written twice")
        }
        let made = try makeFolder(folder)
        var written: [String] = []
        do throws(OutputError) {
            for file in files {
                let target = "\(folder)/\(file.name)"
                guard !isFolder(target) else { throw OutputError(path: target, reason: "a folder is in the way") }
                let temporary = "\(folder)/\(temporaryName(of: file.name))"
                written.append(temporary)
                try write(file.text, to: temporary)
            }
            for (file, temporary) in zip(files, written) {
                let target = "\(folder)/\(file.name)"
                guard rename(temporary, target) == 0 else { throw OutputError(path: target, reason: lastErrorText()) }
            }
        } catch {
            for temporary in written { unlink(temporary) }
            // Only empty ones go: `rmdir` refuses a folder that holds anything.
            for folder in made.reversed() { rmdir(folder) }
            throw error
        }
    }

    /// Tells whether `write` could write these files, and leaves everything as it was: for work that takes long, so that
    /// the user need not wait for it in vain.
    ///
    /// - Throws: The `OutputError` that `write` would.
    public static func check(_ names: [String], in folder: String) throws(OutputError) {
        let made = try makeFolder(folder)
        defer { for folder in made.reversed() { rmdir(folder) } }
        for name in names where isFolder("\(folder)/\(name)") {
            throw OutputError(path: "\(folder)/\(name)", reason: "a folder is in the way")
        }
        let temporary = "\(folder)/\(temporaryName(of: "check"))"
        defer { unlink(temporary) }
        try write("", to: temporary)
    }

    /// Removes what processes left in `folder` that did not live to rename it; only for a folder that nobody else writes to.
    public static func removeUnfinished(in folder: String) {
        guard let entries = opendir(folder) else { return }
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            }
            if name.hasPrefix("."), name.hasSuffix(".partial") { unlink("\(folder)/\(name)") }
        }
    }

    /// A hidden name that nobody else uses.
    static func temporaryName(of name: String) -> String {
        // A process number alone is not enough: on a shared folder machines, and containers above all, have the same.
        ".\(name).\(String(UInt64.random(in: 0 ... .max), radix: 36)).partial"
    }

    private static func write(_ text: String, to path: String) throws(OutputError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw OutputError(path: path, reason: lastErrorText()) }
        var reason: String?
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count, reason == nil {
            let count = bytes[done...].withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { reason = lastErrorText() }
            done += max(0, count)
        }
        if reason == nil, fsync(descriptor) != 0 { reason = lastErrorText() }
        if close(descriptor) != 0, reason == nil { reason = lastErrorText() }
        if let reason { throw OutputError(path: path, reason: reason) }
    }

    /// Makes a folder and those above it; returns the ones that were not there, outermost first.
    static func makeFolder(_ path: String) throws(OutputError) -> [String] {
        guard !isFolder(path) else { return [] }
        var made: [String] = []
        let parent = folderPart(of: path)
        if !parent.isEmpty, parent != path { made = try makeFolder(parent) }
        guard mkdir(path, 0o755) == 0 || (errno == EEXIST && isFolder(path)) else {
            let reason = lastErrorText()
            for folder in made.reversed() { rmdir(folder) }
            throw OutputError(path: path, reason: reason)
        }
        return made + [path]
    }
}
