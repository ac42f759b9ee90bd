import Units

/// Why an API server did not do what it was asked.
enum APIServerError: Error, Hashable {
    /// 401: the token is wrong or has expired.
    case unauthorized(String)
    /// 403: the service account lacks a right; the server's message names it.
    case forbidden(String)
    /// 404.
    case notFound(String)
    /// 409: the object has changed since it was read.
    case conflict(String)
    /// 410: the list's version or its continuation is older than what the server keeps.
    case gone(String)
    /// Any other 4xx: what was sent can never be done, such as a level that a quota or a webhook refuses.
    case invalid(status: Int, String)
    /// 429 or 5xx, still after the retries.
    case unavailable(status: Int, String)
    /// No whole answer within the time.
    case slow(TimeSpan)
    /// No connection, or one that broke.
    case unreachable(String)
    /// An answer that is not what the API promises.
    case garbled(String)

    init(status: Int, message: String) {
        switch status {
        case 401: self = .unauthorized(message)
        case 403: self = .forbidden(message)
        case 404: self = .notFound(message)
        case 409: self = .conflict(message)
        case 410: self = .gone(message)
        case 429, 500...: self = .unavailable(status: status, message)
        default: self = .invalid(status: status, message)
        }
    }

    init(_ failure: HTTPExchange.Failure) {
        switch failure {
        case .noConnection(let reason), .broken(let reason): self = .unreachable(reason)
        case .tooSlow(let limit): self = .slow(limit)
        }
    }

    /// Whether the same request may succeed a moment later.
    var isPassing: Bool {
        switch self {
        case .unavailable, .slow, .unreachable: true
        // 401 is answered by reading the token again, which is done once and not by waiting.
        case .unauthorized, .forbidden, .notFound, .conflict, .gone, .invalid, .garbled: false
        }
    }
}

extension ActuationError {
    init(_ error: APIServerError) {
        switch error {
        case .unauthorized(let message):
            self = .refused("401, the API server does not accept the service account's token: \(message)")
        case .forbidden(let message): self = .refused("403, a right is missing from the Role: \(message)")
        case .notFound(let message): self = .missing(message)
        case .invalid(let status, let message): self = .refused("\(status): \(message)")
        case .conflict(let message):
            self = .unreachable("409, the object keeps changing faster than it can be written: \(message)")
        case .gone(let message): self = .unreachable("410, the list expired again and again: \(message)")
        case .unavailable(let status, let message): self = .unreachable("the API server answers \(status): \(message)")
        case .slow(let limit): self = .unreachable("no answer from the API server within \(limit)")
        case .unreachable(let reason): self = .unreachable("no API server: \(reason)")
        case .garbled(let what): self = .garbled(what)
        }
    }
}
