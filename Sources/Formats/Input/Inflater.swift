import CZlib

/// A streaming gzip decoder over zlib; several members in a row read as one stream, as `gzip -d` reads them.
///
/// - Source: RFC 1952 (gzip); zlib 1.2 or later, `inflateInit2` with 15 + 16 window bits, which also checks the CRC.
final class Inflater {
    /// The name to report problems under.
    private let name: String
    private var stream = z_stream()
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
    /// Between two members: here, and only here, the input may end.
    private var betweenMembers = false
    private var inputEnded = false

    init(name: String) {
        self.name = name
        let status = inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "inflateInit2 returned \(status)")
    }

    deinit {
        inflateEnd(&stream)
        input.deallocate()
    }

    /// Fills `output` as far as one pass goes; returns how many bytes, 0 at the end of the last member.
    ///
    /// - Parameter source: Yields compressed bytes, 0 at the end of the file.
    func inflate(
        into output: UnsafeMutableRawBufferPointer,
        from source: (UnsafeMutableRawBufferPointer) throws(InputError) -> Int
    ) throws(InputError) -> Int {
        stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(output.count)
        while Int(stream.avail_out) == output.count {
            if stream.avail_in == 0, !inputEnded {
                let count = try source(input)
                inputEnded = count == 0
                stream.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.avail_in = UInt32(count)
            }
            if stream.avail_in == 0 {
                guard betweenMembers else { throw InputError(file: name, problem: .truncated) }
                return 0
            }
            if betweenMembers {
                inflateReset(&stream)
                betweenMembers = false
            }
            switch CZlib.inflate(&stream, Z_NO_FLUSH) {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END: betweenMembers = true
            case Z_NEED_DICT: throw InputError(file: name, problem: .corrupt("it needs a dictionary"))
            case let status:
                let reason = stream.msg.map { String(cString: $0) } ?? "zlib error \(status)"
                throw InputError(file: name, problem: .corrupt(reason))
            }
        }
        return output.count - Int(stream.avail_out)
    }
}
