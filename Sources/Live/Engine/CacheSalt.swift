import Units

/// The number under which a client's salt is known to the prefix cache.
enum CacheSalt {
    /// 0 for none. A hash: two salts share prefixes by accident once in 2⁶⁴.
    static func number(of text: String) -> UInt64 {
        guard !text.isEmpty else { return 0 }
        return UInt64(Digest(of: text).hexadecimal.prefix(16), radix: 16)!
    }
}
