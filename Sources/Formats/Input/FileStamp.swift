#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Which file it is and when it was last written: a file that is read twice must have the same stamp both times.
///
/// A digest would say more and cost a whole reading; whoever writes to a file changes its stamp.
struct FileStamp: Hashable, Sendable {
    private var device: UInt64
    private var number: UInt64
    private var bytes: Int64
    private var written: Moment
    /// When anything about the file changed, its name and permissions included: no program can set this one back.
    private var changed: Moment

    private struct Moment: Hashable {
        var seconds: Int
        var nanoseconds: Int

        init(_ time: timespec) { (seconds, nanoseconds) = (time.tv_sec, time.tv_nsec) }
    }

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        bytes = Int64(status.st_size)
        #if canImport(Darwin)
            written = Moment(status.st_mtimespec)
            changed = Moment(status.st_ctimespec)
        #else
            written = Moment(status.st_mtim)
            changed = Moment(status.st_ctim)
        #endif
    }
}
