import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Units

/// Asks a Kubernetes API server for JSON, and tells apart why it did not get any.
///
/// Server errors, throttling and broken connections are tried again with back-off until the deadline; what the client has
/// to decide itself (409, 410) or cannot change (403, 404, 422) comes back at once. An expired token is read again once.
struct APIServerClient: Sendable {
    struct Limits: Hashable, Sendable {
        /// For one try.
        var attempt = TimeSpan.seconds(5)
        /// For all tries of one call, waits included.
        var call = TimeSpan.seconds(15)
        /// Bytes of an answer.
        var answerBytes = 32 << 20
        var backoff = Backoff()
    }

    let access: ClusterAccess
    let limits: Limits
    private let token: WatchedFile<String>?
    private let tls: WatchedFile<NIOSSLContext>?
    private let group: any EventLoopGroup

    init(
        _ access: ClusterAccess, limits: Limits = Limits(),
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) {
        self.access = access
        self.limits = limits
        self.group = group
        token = access.tokenFile.map { path in
            WatchedFile([path]) { _ in
                try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
            }
        }
        tls =
            access.isTLS
            ? WatchedFile(access.authorityFile.map { [$0] } ?? []) { paths in
                var configuration = TLSConfiguration.makeClientConfiguration()
                configuration.trustRoots = paths.first.map { .file($0) } ?? .default
                return try NIOSSLContext(configuration: configuration)
            } : nil
    }

    // MARK: - Calls

    func get<Value: Decodable>(_ path: String, as type: Value.Type) async throws(APIServerError) -> Value {
        try decode(await call(.GET, path), path)
    }

    /// - Throws: `.conflict` when the object is not of the `resourceVersion` in `body` any more.
    func put<Value: Codable>(_ path: String, _ body: Value) async throws(APIServerError) -> Value {
        try decode(await call(.PUT, path, encode(body), "application/json"), path)
    }

    func post<Value: Codable>(_ path: String, _ body: Value) async throws(APIServerError) -> Value {
        try decode(await call(.POST, path, encode(body), "application/json"), path)
    }

    /// A merge patch (RFC 7386): members that are null are removed, those not named stay.
    func patch<Value: Decodable>(
        _ path: String, _ body: some Encodable, as type: Value.Type
    ) async throws(APIServerError) -> Value {
        try decode(await call(.PATCH, path, encode(body), "application/merge-patch+json"), path)
    }

    /// The lines of a watch, until it ends.
    ///
    /// - Parameter limit: When it is given up, whatever comes: later than the server itself is asked to end it.
    func watch(
        _ path: String, within limit: TimeSpan, line: @Sendable (ArraySlice<UInt8>) async throws(APIServerError) -> Void
    ) async throws(APIServerError) {
        let pieces = try await send(.GET, path, [], nil, within: limit)
        var answer = Answer()
        var rest: [UInt8] = []
        do {
            for try await piece in pieces {
                try answer.take(piece, limit: limits.answerBytes)
                guard answer.status == 200 else { continue }
                rest += answer.body
                answer.body = []
                while let end = rest.firstIndex(of: 0x0A) {
                    if end > 0 { try await line(rest[..<end]) }
                    rest = Array(rest[(end + 1)...])
                }
            }
        } catch {
            throw Self.failure(error)
        }
        guard answer.status != 0, !Task.isCancelled else { throw .unreachable("cancelled") }
        guard answer.status == 200 else { throw answer.error }
    }

    // MARK: - Tries

    private func call(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8] = [], _ type: String? = nil
    ) async throws(APIServerError) -> [UInt8] {
        let deadline = MonotonicTime.now + limits.call
        var backoff = limits.backoff
        var generator = SystemRandomNumberGenerator()
        var mayReadToken = true
        var last: APIServerError?
        while true {
            var asked: TimeSpan?
            let left = min(limits.attempt, deadline - MonotonicTime.now)
            do throws(APIServerError) {
                let answer = try await attempt(method, path, body, type, within: left)
                if (200..<300).contains(answer.status) { return answer.body }
                asked = answer.retryAfter
                throw answer.error
            } catch {
                if case .unauthorized = error, mayReadToken, let token {
                    mayReadToken = false
                    token.forget()
                    continue
                }
                // A try that the deadline cut short says less than the one before it.
                if case .slow = error, left < limits.attempt, let last { throw last }
                last = error
                let wait = backoff.next(atLeast: asked, using: &generator)
                guard error.isPassing, MonotonicTime.now + wait < deadline else { throw error }
                do { try await Task.sleep(for: .nanoseconds(wait.nanoseconds)) } catch {
                    throw .unreachable("cancelled")
                }
            }
        }
    }

    private func attempt(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8], _ type: String?, within limit: TimeSpan
    ) async throws(APIServerError) -> Answer {
        let pieces = try await send(method, path, body, type, within: limit)
        var answer = Answer()
        do {
            for try await piece in pieces { try answer.take(piece, limit: limits.answerBytes) }
        } catch {
            throw Self.failure(error)
        }
        // A task that is cancelled is given no more pieces and no error.
        guard answer.status != 0, !Task.isCancelled else { throw .unreachable("cancelled") }
        return answer
    }

    private func send(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8], _ type: String?, within limit: TimeSpan
    ) async throws(APIServerError) -> HTTPExchange.Pieces {
        var headers: HTTPHeaders = ["Accept": "application/json", "User-Agent": "tidegate"]
        if let type { headers.add(name: "Content-Type", value: type) }
        let context: NIOSSLContext?
        do {
            if let token = try token?.value { headers.add(name: "Authorization", value: "Bearer \(token)") }
            context = try tls?.value
        } catch {
            throw .unauthorized("the token or the authority's certificate cannot be read: \(error)")
        }
        let exchange = HTTPExchange(host: access.host, port: access.port, tls: context)
        do {
            return try await exchange.send(method, path, headers: headers, body: body, within: limit, on: group)
        } catch {
            throw APIServerError(error)
        }
    }

    private static func failure(_ error: any Error) -> APIServerError {
        switch error {
        case let error as APIServerError: error
        case let error as HTTPExchange.Failure: APIServerError(error)
        default: .unreachable("\(error)")
        }
    }

    // MARK: - JSON

    private func decode<Value: Decodable>(_ bytes: [UInt8], _ path: String) throws(APIServerError) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data(bytes))
        } catch {
            throw .garbled("the answer to \(path) is no \(Value.self): \(error)")
        }
    }

    private func encode(_ value: some Encodable) -> [UInt8] {
        do {
            return Array(try JSONEncoder().encode(value))
        } catch {
            preconditionFailure("an object of texts and whole numbers that cannot be encoded: \(error)")
        }
    }
}

/// An answer as its pieces come.
private struct Answer {
    var status = 0
    var retryAfter: TimeSpan?
    var body: [UInt8] = []

    mutating func take(_ piece: HTTPExchange.Piece, limit: Int) throws(APIServerError) {
        switch piece {
        case .head(let status, let retryAfter): (self.status, self.retryAfter) = (status, retryAfter)
        case .body(let bytes):
            guard body.count + bytes.readableBytes <= limit else {
                throw .garbled("an answer of more than \(limit) bytes")
            }
            body += bytes.readableBytesView
        }
    }

    /// What the server says of an answer that is no success: the message of its `Status` object, or the start of the text.
    var error: APIServerError {
        let status = try? JSONDecoder().decode(KubernetesStatus.self, from: Data(body))
        let message = status?.message ?? String(String(decoding: body.prefix(300), as: UTF8.self))
        return APIServerError(status: self.status, message: message)
    }
}
