import CZlib

/// A streaming gzip decoder over zlib; several members in a row read as one stream, as `gzip -d` reads them.
///
/// - Source: RFC 1952 (gzip); zlib 1.2 or later, `inflateInit2` with 15 + 16 window bits, which also checks the CRC.
final class Inflater {
    /// Yields compressed bytes from an offset of the file on, 0 at its end.
    typealias Source = (UnsafeMutableRawBufferPointer) throws(InputError) -> Int

    private static let chunk = 64 * 1024
    private static let gzipFormat: Int32 = 15 + 16
    private static let plainDeflate: Int32 = -15
    /// CRC and length behind each member.
    private static let trailer = 8

    /// The name to report problems under.
    private let name: String
    private var stream = z_stream()
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk, alignment: 16)
    /// Between two members: here, and only here, the input may end.
    private var betweenMembers = false
    private var inputEnded = false
    /// Begun in the middle of a member: zlib then sees neither its header nor its trailer.
    private var isInside = false
    private var trailerLeft = 0
    /// Bytes taken from the file, and bytes of text made, both from the start of the file.
    private var taken = 0
    private(set) var produced = 0
    /// Filled while inflating, when it is wanted.
    private(set) var index: GzipIndex?

    init(name: String, indexing: Bool = false) {
        self.name = name
        index = indexing ? GzipIndex() : nil
        let status = inflateInit2_(&stream, Self.gzipFormat, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "inflateInit2 returned \(status)")
    }

    /// Another inflater at the same place.
    init(copying other: Inflater) {
        name = other.name
        betweenMembers = other.betweenMembers
        inputEnded = other.inputEnded
        isInside = other.isInside
        trailerLeft = other.trailerLeft
        taken = other.taken
        produced = other.produced
        index = other.index
        let status = inflateCopy(&stream, &other.stream)
        precondition(status == Z_OK, "inflateCopy returned \(status)")
        let left = Int(other.stream.avail_in)
        if left > 0 { input.baseAddress!.copyMemory(from: other.stream.next_in, byteCount: left) }
        stream.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
    }

    deinit {
        inflateEnd(&stream)
        input.deallocate()
    }

    /// Begins anew at a place, or at the start of the file without one. The source must yield the bytes from
    /// `place.input` on, or from the byte before where `place.bits` is not 0.
    func restart(at place: GzipPlace?, from source: Source) throws(InputError) {
        (betweenMembers, inputEnded, trailerLeft) = (false, false, 0)
        stream.avail_in = 0
        isInside = place != nil
        inflateReset2(&stream, isInside ? Self.plainDeflate : Self.gzipFormat)
        taken = place?.input ?? 0
        produced = place?.position ?? 0
        guard let place else { return }
        if place.bits != 0 {
            taken -= 1
            try refill(from: source)
            guard stream.avail_in > 0 else { throw InputError(file: name, problem: .truncated) }
            inflatePrime(&stream, place.bits, Int32(stream.next_in.pointee) >> (8 - place.bits))
            stream.next_in += 1
            stream.avail_in -= 1
        }
        if !place.window.isEmpty {
            place.window.withUnsafeBufferPointer { window in
                _ = inflateSetDictionary(&stream, window.baseAddress, UInt32(window.count))
            }
        }
    }

    /// Fills `output` as far as one pass goes; returns how many bytes, 0 at the end of the last member.
    func inflate(into output: UnsafeMutableRawBufferPointer, from source: Source) throws(InputError) -> Int {
        stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(output.count)
        let before = produced
        while Int(stream.avail_out) == output.count {
            if stream.avail_in == 0, !inputEnded { try refill(from: source) }
            if stream.avail_in == 0 {
                guard betweenMembers else { throw InputError(file: name, problem: .truncated) }
                return 0
            }
            if trailerLeft > 0 {
                let skipped = min(trailerLeft, Int(stream.avail_in))
                stream.next_in += skipped
                stream.avail_in -= UInt32(skipped)
                trailerLeft -= skipped
                betweenMembers = trailerLeft == 0
                continue
            }
            if betweenMembers {
                inflateReset2(&stream, Self.gzipFormat)
                (betweenMembers, isInside) = (false, false)
            }
            // Z_BLOCK also stops at the borders of deflate blocks.
            let status = CZlib.inflate(&stream, index == nil ? Z_NO_FLUSH : Z_BLOCK)
            produced = before + output.count - Int(stream.avail_out)
            switch status {
            case Z_OK, Z_BUF_ERROR: notePlace()
            case Z_STREAM_END:
                trailerLeft = isInside ? Self.trailer : 0
                betweenMembers = !isInside
            case Z_NEED_DICT: throw InputError(file: name, problem: .corrupt("it needs a dictionary"))
            default:
                let reason = stream.msg.map { String(cString: $0) } ?? "zlib error \(status)"
                throw InputError(file: name, problem: .corrupt(reason))
            }
        }
        return output.count - Int(stream.avail_out)
    }

    private func refill(from source: Source) throws(InputError) {
        let count = try source(input)
        inputEnded = count == 0
        taken += count
        stream.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_in = UInt32(count)
    }

    /// Adds where zlib stands to the index, if it is between two deflate blocks of a member and the index wants it.
    private func notePlace() {
        guard index != nil, stream.data_type & 128 != 0, stream.data_type & 64 == 0, produced >= index!.next
        else { return }
        var length: UInt32 = 32 * 1024
        let window = [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
            inflateGetDictionary(&stream, buffer.baseAddress, &length)
            count = Int(length)
        }
        index!.add(
            GzipPlace(
                input: taken - Int(stream.avail_in), bits: stream.data_type & 7, position: produced, window: window))
    }
}
