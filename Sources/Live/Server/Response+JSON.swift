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
        Response(
            status: error.status, headers: headers(of: error),
            body: .init(byteBuffer: ByteBuffer(string: error.json)))
    }

    /// An answer that is sent before the request's body is read.
    ///
    /// The body is read afterwards: a client that sends before it reads would otherwise never come to see the answer.
    static func error(_ error: APIError, discarding body: RequestBody) -> Response {
        let json = ByteBuffer(string: error.json)
        return Response(
            status: error.status, headers: headers(of: error),
            body: .init(contentLength: json.readableBytes) { writer in
                try await writer.write(json)
                try await writer.finish(nil)
                for try await _ in body {}
            })
    }

    private static func headers(of error: APIError) -> HTTPFields {
        var headers: HTTPFields = [.contentType: "application/json"]
        if let seconds = error.retryAfter { headers[.retryAfter] = "\(seconds)" }
        if let methods = error.allow { headers[.allow] = methods }
        return headers
    }
}
