import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file that is written as a run goes and appears under its name only when it is whole. Memory is one buffer.
///
/// It is written under a hidden name beside its own, synced and renamed by `close`; without that nothing is left. A name
/// that ends in `.gz` gets gzip. A failure on the way is kept: what is appended later goes nowhere, `failure` tells it to
/// who could stop the work, and `close` throws it.
public final class StreamedFile: Sendable {
    private struct State: ~Copyable {
        var descriptor: Int32
        var buffer: [UInt8] = []
        var failure: OutputError?
        let deflater: Deflater?
        /// Folders that were made for it, outermost first.
        let made: [String]
    }

    private static let capacity = 256 * 1024

    public let path: String
    private let temporary: String
    private let state: Mutex<State>

    /// Opens the file, and makes the folders above it where there are none.
    ///
    /// - Throws: `OutputError` when it could not be written.
    public init(path: String) throws(OutputError) {
        guard !path.isEmpty, !path.hasSuffix("/"), !isFolder(path) else {
            throw OutputError(path: path, reason: "a folder is in the way")
        }
        self.path = path
        let folder = folderPart(of: path)
        let name = folder.isEmpty ? path : String(path.split(separator: "/").last!)
        let made = folder.isEmpty ? [] : try AtomicOutput.makeFolder(folder)
        temporary = (folder.isEmpty ? "" : folder + "/") + AtomicOutput.temporaryName(of: name)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            let reason = lastErrorText()
            for folder in made.reversed() { rmdir(folder) }
            throw OutputError(path: path, reason: reason)
        }
        state = Mutex(State(descriptor: descriptor, deflater: path.hasSuffix(".gz") ? Deflater() : nil, made: made))
    }

    deinit { discard() }

    /// Why what is written from now on is lost; `nil` while all is well.
    public var failure: OutputError? { state.withLock { $0.failure } }

    public func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    public func append(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { state in
            guard state.descriptor >= 0, state.failure == nil else { return }
            state.buffer.append(contentsOf: bytes)
            if state.buffer.count >= Self.capacity { flush(&state, isLast: false) }
        }
    }

    /// Ends the file and gives it its name.
    public func close() throws(OutputError) {
        let failure = state.withLock { state -> OutputError? in
            guard state.descriptor >= 0 else { return nil }
            flush(&state, isLast: true)
            if state.failure == nil, fsync(state.descriptor) != 0 { fail(&state) }
            if systemClose(state.descriptor) != 0, state.failure == nil { fail(&state) }
            state.descriptor = -1
            if state.failure == nil, rename(temporary, path) != 0 { fail(&state) }
            if state.failure != nil { remove(state.made) }
            return state.failure
        }
        if let failure { throw failure }
    }

    /// Leaves nothing behind. Does nothing once the file is closed.
    public func discard() {
        state.withLock { state in
            guard state.descriptor >= 0 else { return }
            _ = systemClose(state.descriptor)
            state.descriptor = -1
            remove(state.made)
        }
    }

    private func remove(_ folders: [String]) {
        unlink(temporary)
        // Only empty ones go: `rmdir` refuses a folder that holds anything.
        for folder in folders.reversed() { rmdir(folder) }
    }

    private func flush(_ state: inout State, isLast: Bool) {
        state.buffer.withUnsafeBytes { bytes in
            guard let deflater = state.deflater else { return write(bytes, &state.failure, state.descriptor) }
            var failure = state.failure
            deflater.deflate(bytes, isLast: isLast) { write($0, &failure, state.descriptor) }
            state.failure = failure
        }
        state.buffer.removeAll(keepingCapacity: true)
    }

    private func write(_ bytes: UnsafeRawBufferPointer, _ failure: inout OutputError?, _ descriptor: Int32) {
        var done = 0
        while done < bytes.count, failure == nil {
            let count = systemWrite(descriptor, bytes.baseAddress! + done, bytes.count - done)
            if count < 0, errno != EINTR { failure = OutputError(path: path, reason: lastErrorText()) }
            done += max(0, count)
        }
    }

    private func fail(_ state: inout State) { state.failure = OutputError(path: path, reason: lastErrorText()) }
}
