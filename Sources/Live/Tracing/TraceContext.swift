/// W3C trace context, version 00: the trace that a request belongs to, and one span of it.
///
/// - Source: W3C Recommendation *Trace Context*, section 3.2.
struct TraceContext: Hashable, Sendable {
    /// 32 hexadecimal digits, not all 0.
    let trace: String
    /// 16 hexadecimal digits, not all 0.
    let span: String
    private let flags: UInt8

    /// Whether whoever began the trace wants its spans.
    var isSampled: Bool { flags & 1 == 1 }

    private init(trace: String, span: String, flags: UInt8) {
        (self.trace, self.span, self.flags) = (trace, span, flags)
    }

    /// Reads the field `traceparent`; `nil` where it is none, which counts as absent.
    init?(_ field: String) {
        // Later versions may say more behind the flags.
        let parts = field.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4 || (parts.count > 4 && parts[0] != "00"), parts[0].utf8.count == 2, parts[0] != "ff",
            parts[1].utf8.count == 32, parts[2].utf8.count == 16, parts[3].utf8.count == 2,
            parts[0...3].allSatisfy({ $0.utf8.allSatisfy(Self.isDigit) }), parts[1].contains(where: { $0 != "0" }),
            parts[2].contains(where: { $0 != "0" }), let flags = UInt8(parts[3], radix: 16)
        else { return nil }
        // Sampled, and that the trace's name is random; the other bits have no meaning yet, and are not passed on.
        self.init(trace: String(parts[1]), span: String(parts[2]), flags: flags & 3)
    }

    /// A new trace with its first span.
    init(isSampled: Bool) {
        let trace = hexadecimal(.random(in: 0 ... .max), digits: 16) + hexadecimal(.random(in: 1 ... .max), digits: 16)
        self.init(trace: trace, span: Self.newSpan, flags: isSampled ? 3 : 2)
    }

    /// Another span of the same trace.
    var child: TraceContext { TraceContext(trace: trace, span: Self.newSpan, flags: flags) }

    /// The field `traceparent` for what is sent on.
    var field: String { "00-\(trace)-\(span)-\(hexadecimal(UInt64(flags), digits: 2))" }

    private static var newSpan: String { hexadecimal(.random(in: 1 ... .max), digits: 16) }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66)
    }
}
