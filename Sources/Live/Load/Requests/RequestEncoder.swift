import FleetModel
import Formats
import NIOCore

/// How requests are put to a server.
public struct RequestStyle: Hashable, Sendable {
    public enum API: String, Hashable, Sendable, CaseIterable {
        case completions, chat

        var path: String { self == .chat ? "/v1/chat/completions" : "/v1/completions" }
    }

    public enum Prompts: String, Hashable, Sendable, CaseIterable {
        /// Arrays of token ids: exactly as long as the scenario says. Completions only.
        case tokenIDs = "token-ids"
        /// The same of ids below 256, for vocabularies too small for those. Completions only.
        case smallTokenIDs = "small-token-ids"
        /// Words, one token each in the usual vocabularies; the server's own count is in `usage`.
        case text
    }

    public var api = API.completions
    public var prompts = Prompts.tokenIDs
    public var model: String
    /// Whether a request asks for the pool of its traffic in place of `model`: a gateway serves each under its name.
    public var asksForPools = false
    /// Whether the server is asked to go on to the asked length whatever the model says: an extension of vLLM.
    public var ignoresEnd = true
    /// Whether a class's priority goes into the body too, an extension of vLLM, and not only into `X-Priority`.
    public var writesPriority = false
    /// More head fields, such as `Authorization`.
    public var fields: [HeaderField] = []

    public init(model: String) { self.model = model }
}

/// A field of a request's head.
public struct HeaderField: Hashable, Sendable {
    public var name: String
    public var value: String

    /// Reads `Name: value`; `nil` where that is no field of a head.
    public init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        name = String(text[..<colon])
        value = String(text[text.index(after: colon)...].drop { $0 == " " })
        let isToken = { (byte: UInt8) in
            (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
                || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
        guard !name.isEmpty, name.utf8.allSatisfy(isToken), value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            return nil
        }
    }
}

/// Writes requests as they go over the wire, so that nothing of it is left to do when one is due.
struct RequestEncoder {
    private let style: RequestStyle
    private let writer: PromptWriter
    /// The head up to the fields that differ between requests.
    private let head: [UInt8]
    /// The body up to the prompt: by source where that names the pool, or else one. And what follows the maximum of tokens.
    private let openings: [[UInt8]]
    private let closing: [UInt8]
    /// Tenants' names in quotes.
    private let tenants: [[UInt8]]
    private let priorities: [Int]
    /// What the head says of each class; nothing where there is one class alone.
    private let classFields: [[UInt8]]

    /// - Parameters:
    ///   - pools: Of each source of traffic, for a style that asks for them.
    ///   - textSeed: What the texts of prompts follow from that nobody else has.
    init(
        style: RequestStyle, target: LoadTarget, tenants: [Tenant], classes: [SLOClass], pools: [PoolID] = [],
        textSeed: UInt64 = 0
    ) {
        self.style = style
        writer = PromptWriter(seed: textSeed)
        var head = "POST \(target.path(style.api.path)) HTTP/1.1\r\nHost: \(target.authority)\r\n"
        head += "Content-Type: application/json\r\nAccept: text/event-stream\r\nUser-Agent: tidegate-load\r\n"
        for field in style.fields { head += "\(field.name): \(field.value)\r\n" }
        self.head = Array(head.utf8)
        let models = style.asksForPools && !pools.isEmpty ? pools.map(\.name) : [style.model]
        openings = models.map { Array("{\"model\":\(quoted($0)),".utf8) }
        let end = style.ignoresEnd ? ",\"ignore_eos\":true" : ""
        closing = Array("\(end),\"stream\":true,\"stream_options\":{\"include_usage\":true}".utf8)
        self.tenants = tenants.map { Array(quoted($0.name).utf8) }
        priorities = classes.map(\.priority)
        classFields = classes.map { sloClass in
            // A name that no field can hold is left out.
            let field = classes.count > 1 ? HeaderField("X-SLO-Class: \(sloClass.name)") : nil
            var fields = field.map { "\($0.name): \($0.value)\r\n" } ?? ""
            if sloClass.priority != 0 { fields += "X-Priority: \(sloClass.priority)\r\n" }
            return Array(fields.utf8)
        }
    }

    /// The bytes of a request.
    ///
    /// - Parameter source: Which of the traffic's sources it is from.
    func encode(_ arrival: Arrival, number: Int, source: Int = 0) -> ByteBuffer {
        let body = body(of: arrival, number: number, opening: openings[min(source, openings.count - 1)])
        let fields = classFields[Int(arrival.sloClass)]
        var bytes = head
        bytes.reserveCapacity(head.count + body.count + fields.count + 64)
        bytes.append(contentsOf: fields)
        bytes.append(contentsOf: "Content-Length: ".utf8)
        bytes.append(number: Int64(body.count))
        bytes.append(contentsOf: "\r\n\r\n".utf8)
        bytes.append(contentsOf: body)
        return ByteBuffer(bytes: bytes)
    }

    private func body(of arrival: Arrival, number: Int, opening: [UInt8]) -> [UInt8] {
        var body = opening
        body.reserveCapacity(opening.count + closing.count + 6 * Int(arrival.promptTokens) + 128)
        switch (style.api, style.prompts) {
        case (.completions, .tokenIDs), (.completions, .smallTokenIDs):
            let identifiers = style.prompts == .tokenIDs ? PromptWriter.identifiers : PromptWriter.smallIdentifiers
            body.append(contentsOf: "\"prompt\":[".utf8)
            writer.appendIdentifiers(of: arrival, number: number, from: identifiers, to: &body)
            body.append(UInt8(ascii: "]"))
        case (.completions, .text):
            body.append(contentsOf: "\"prompt\":\"".utf8)
            writer.appendText(of: arrival, number: number, places: 0..<Int(arrival.promptTokens), to: &body)
            body.append(UInt8(ascii: "\""))
        case (.chat, _): appendMessages(of: arrival, number: number, to: &body)
        }
        body.append(contentsOf: ",\"max_tokens\":".utf8)
        body.append(number: Int64(arrival.outputTokens))
        body.append(contentsOf: closing)
        body.append(contentsOf: ",\"user\":".utf8)
        body.append(contentsOf: tenants[Int(arrival.tenant)])
        let priority = priorities[Int(arrival.sloClass)]
        if style.writesPriority, priority != 0 {
            body.append(contentsOf: ",\"priority\":".utf8)
            body.append(number: Int64(priority))
        }
        body.append(UInt8(ascii: "}"))
        return body
    }

    /// The shared text as the system's message, the rest as the user's. The model's template adds tokens of its own.
    private func appendMessages(of arrival: Arrival, number: Int, to body: inout [UInt8]) {
        let shared = min(arrival.content.sharedTokens, Int(arrival.promptTokens))
        body.append(contentsOf: "\"messages\":[".utf8)
        if shared > 0 {
            body.append(contentsOf: "{\"role\":\"system\",\"content\":\"".utf8)
            writer.appendText(of: arrival, number: number, places: 0..<shared, to: &body)
            body.append(contentsOf: "\"},".utf8)
        }
        body.append(contentsOf: "{\"role\":\"user\",\"content\":\"".utf8)
        writer.appendText(of: arrival, number: number, places: shared..<Int(arrival.promptTokens), to: &body)
        body.append(contentsOf: "\"}]".utf8)
    }
}

/// A text in quotes, as JSON has it.
func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case "\u{0}"..<"\u{20}":
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
