/// Takes server-sent events out of a body that comes in pieces. A value without a socket.
///
/// Each `data:` line is an event of its own, as every server of this API sends them; lines of other fields and comments
/// are left out. A line that lies whole in one piece is handed on as it lies in memory.
///
/// - Source: HTML Living Standard, section 9.2.6 (lines ended by CR alone, which nobody sends, are not recognised).
struct EventSplitter {
    /// Bytes of a line.
    static let lineLimit = 4 << 20

    /// The part of a line that came in earlier pieces.
    private var begun: [UInt8] = []
    /// Whether a line was longer than the limit: nothing after it can be trusted.
    private(set) var isOverlong = false

    /// A new body begins.
    mutating func reset() {
        begun.removeAll(keepingCapacity: true)
        isOverlong = false
    }

    /// Takes a piece of the body.
    ///
    /// - Parameter event: Receives the data of each event that is complete.
    mutating func read(_ bytes: UnsafeRawBufferPointer, event: (UnsafeRawBufferPointer) -> Void) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let piece = UnsafeRawBufferPointer(rebasing: rest[..<end])
            rest = rest[(end + 1)...]
            if begun.isEmpty {
                Self.readLine(piece, event)
            } else {
                keep(piece)
                begun.withUnsafeBytes { Self.readLine($0, event) }
                begun.removeAll(keepingCapacity: true)
            }
        }
        if !rest.isEmpty { keep(UnsafeRawBufferPointer(rebasing: rest)) }
    }

    private mutating func keep(_ piece: UnsafeRawBufferPointer) {
        guard begun.count + piece.count <= Self.lineLimit else {
            isOverlong = true
            return
        }
        begun.append(contentsOf: piece)
    }

    private static func readLine(_ line: UnsafeRawBufferPointer, _ event: (UnsafeRawBufferPointer) -> Void) {
        guard line.count >= 5, line.starts(with: "data:".utf8) else { return }
        var data = line[5...]
        if data.first == UInt8(ascii: " ") { data = data.dropFirst() }
        if data.last == UInt8(ascii: "\r") { data = data.dropLast() }
        event(UnsafeRawBufferPointer(rebasing: data))
    }
}
