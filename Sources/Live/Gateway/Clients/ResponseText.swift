import Units

/// Heads of answers, as bytes.
enum ResponseText {
    /// The head of a stream, up to its first chunk.
    static func streamHead(_ request: String, _ standing: RateStanding?, chunked: Bool) -> String {
        var head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
        head += chunked ? "Transfer-Encoding: chunked\r\n" : "Connection: close\r\n"
        return head + fields(request, standing) + "\r\n"
    }

    /// The head of a whole answer.
    static func head(
        _ status: String, type: String, length: Int, request: String?, _ standing: RateStanding?, closes: Bool,
        more: String = ""
    ) -> String {
        var head = "HTTP/1.1 \(status)\r\n"
        if length > 0 { head += "Content-Type: \(type)\r\n" }
        head += "Content-Length: \(length)\r\n\(more)"
        if closes { head += "Connection: close\r\n" }
        return head + fields(request, standing) + "\r\n"
    }

    static func fields(of error: APIError) -> String {
        var fields = ""
        if let seconds = error.retryAfter { fields += "Retry-After: \(seconds)\r\n" }
        if let methods = error.allow { fields += "Allow: \(methods)\r\n" }
        return fields
    }

    private static func fields(_ request: String?, _ standing: RateStanding?) -> String {
        (request.map { "X-Request-Id: \($0)\r\n" } ?? "") + (standing?.fields ?? "")
    }
}

/// How a tenant stands against its rates, as the public API tells it.
struct RateStanding: Hashable, Sendable {
    struct Rate: Hashable, Sendable {
        var limit: Int
        var remaining: Int
        var reset: TimeSpan
    }
    var requests: Rate?
    var tokens: Rate?

    var fields: String {
        var text = ""
        for (name, rate) in [("requests", requests), ("tokens", tokens)] {
            guard let rate else { continue }
            text += "X-RateLimit-Limit-\(name): \(rate.limit)\r\nX-RateLimit-Remaining-\(name): \(rate.remaining)\r\n"
            text += "X-RateLimit-Reset-\(name): \(Self.text(rate.reset))\r\n"
        }
        return text
    }

    private static func text(_ span: TimeSpan) -> String {
        let milliseconds = (span.nanoseconds + 999_999) / 1_000_000
        return milliseconds < 1000 ? "\(milliseconds)ms" : "\((milliseconds + 999) / 1000)s"
    }
}

extension TenantAccount {
    /// `nil` for a tenant without rates.
    var standing: RateStanding? {
        let tighter = [tokens, cap?.bucket].compactMap { $0 }.min { $0.limit < $1.limit }
        guard requests != nil || tighter != nil else { return nil }
        func rate(_ bucket: RateBucket?) -> RateStanding.Rate? {
            bucket.map { .init(limit: $0.limit, remaining: $0.remaining, reset: $0.reset) }
        }
        return RateStanding(requests: rate(requests), tokens: rate(tighter))
    }
}
