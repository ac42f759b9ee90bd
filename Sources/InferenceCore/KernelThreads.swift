import CKernels

/// The threads that compute a decoder's steps.
///
/// They share each product, and what a thread computes depends on nothing but its own outputs: the numbers are the same
/// bits with any count. Between steps they sleep.
final class KernelThreads {
    /// What the kernels take; `nil` for the caller's thread alone.
    let pool: OpaquePointer?

    init(_ count: Int) {
        precondition(count >= 1, "\(count) threads")
        pool = count > 1 ? ck_pool_create(Int32(count)) : nil
    }

    deinit { ck_pool_destroy(pool) }

    /// Threads that there are, the caller's included.
    var count: Int { Int(ck_pool_threads(pool)) }
}
