import CLinux
import Glibc

/// Says that a leader's process is there: a byte of the lease's file, which the system lets go of when the process ends.
///
/// A lease alone cannot tell one that was killed from one that is slow, so a successor would wait it out. Each epoch has a
/// byte of its own: one that is stopped keeps its sign, and does not stand in the way of those who lead after its lease.
final class LifeSign: Sendable {
    private let descriptor: Int32

    /// `nil` where files cannot be locked so: then the lease alone counts.
    init?(path: String, epoch: Int) {
        let opened = open(path, O_RDWR | O_CLOEXEC)
        guard opened >= 0 else { return nil }
        guard clinux_hold_byte(opened, Self.offset(of: epoch)) == 0 else {
            close(opened)
            return nil
        }
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// Whether the leader of that epoch has ended; not when that cannot be told.
    static func isGone(_ file: borrowing LockedFile, epoch: Int) -> Bool {
        clinux_is_byte_held(file.descriptor, offset(of: epoch)) == 0
    }

    /// Beyond what the file holds.
    private static func offset(of epoch: Int) -> Int { 4096 + epoch }
}
