import HTTPTypes

/// An answer other than the one that was asked for, in the shape and with the status of the public API.
struct APIError: Error, Sendable {
    var status: HTTPResponse.Status
    var message: String
    var type: String
    /// The field to blame.
    var param: String?
    var code: String?
    /// Seconds after which it is worth asking again.
    var retryAfter: Int?
    /// The methods that are allowed instead.
    var allow: String?

    static func invalid(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
        APIError(status: .badRequest, message: message, type: "invalid_request_error", param: param, code: code)
    }

    static func contextExceeded(_ message: String, param: String) -> APIError {
        .invalid(message, param: param, code: "context_length_exceeded")
    }

    static func notSupported(_ param: String, _ message: String) -> APIError {
        .invalid(message, param: param, code: "unsupported_parameter")
    }

    static func unknownModel(_ name: String, served: String) -> APIError {
        APIError(
            status: .notFound,
            message: "The model '\(name.prefix(200))' does not exist; this worker serves '\(served)'",
            type: "invalid_request_error", param: "model", code: "model_not_found")
    }

    static func unknownPath(_ path: String) -> APIError {
        APIError(
            status: .notFound, message: "Unknown path '\(path.prefix(200))'", type: "invalid_request_error",
            code: "unknown_url")
    }

    static func wrongMethod(_ method: String, allowed: String) -> APIError {
        APIError(
            status: .methodNotAllowed, message: "\(method.prefix(40)) is not allowed here, \(allowed) is",
            type: "invalid_request_error", code: "method_not_allowed", allow: allowed)
    }

    static func bodyTooLarge(limit: Int) -> APIError {
        APIError(
            status: .contentTooLarge, message: "The body is larger than \(limit) bytes", type: "invalid_request_error",
            code: "request_too_large")
    }

    static let queueFull = APIError(
        status: .tooManyRequests, message: "As many requests are waiting as may; ask again later",
        type: "rate_limit_error", code: "queue_full", retryAfter: 1)

    static func unavailable(_ message: String, code: String, retryAfter: Int = 1) -> APIError {
        APIError(
            status: .serviceUnavailable, message: message, type: "service_unavailable", code: code,
            retryAfter: retryAfter)
    }

    static let draining = APIError.unavailable("The worker is draining and takes no new requests", code: "draining")

    /// Nobody reads it: the client went away.
    static let clientGone = APIError(
        status: .init(code: 499, reasonPhrase: "Client Closed Request"), message: "The client went away",
        type: "client_closed_request")

    var json: String {
        var text = JSONText()
        text.object {
            $0.key("error")
            $0.object {
                $0.member("message", message)
                $0.member("type", type)
                $0.member("param", param)
                $0.member("code", code)
            }
        }
        return text.string
    }
}
