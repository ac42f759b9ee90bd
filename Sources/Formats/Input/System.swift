#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The system's words for `errno`.
func lastErrorText() -> String { String(cString: strerror(errno)) }

/// `write(2)` under a name that a method called `write` does not hide.
func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

/// `close(2)` under a name that a method called `close` does not hide.
@discardableResult func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }

/// Whether `path` is a folder.
func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Whether `path` exists.
func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// The part of a path before its last component, without the slash: `a/b` of `a/b/c`; empty when there is none.
func folderPart(of path: String) -> String {
    var trimmed = Substring(path)
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed = trimmed.dropLast() }
    guard let slash = trimmed.lastIndex(of: "/") else { return "" }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
}
