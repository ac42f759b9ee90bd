import HTTPTypes
import Hummingbird

extension Response {
    /// An object, written by `body`.
    static func json(_ body: (inout JSONText) -> Void) -> Response {
        var text = JSONText()
        text.object(body)
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: text.bytes)))
    }

    static func error(_ error: APIError) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if let seconds = error.retryAfter { headers[.retryAfter] = "\(seconds)" }
        if let methods = error.allow { headers[.allow] = methods }
        if error.closes { headers[.connection] = "close" }
        return Response(
            status: error.status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: error.json)))
    }
}
