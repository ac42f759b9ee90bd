import FleetModel
import Foundation
import NIOCore
import NIOPosix
import Units

/// The controller's side of a gateway's admin interface: which replicas there are, and what the gateway knows of them.
struct GatewayClient: Sendable {
    /// A pool as the gateway tells of it.
    struct Pool: Decodable, Sendable {
        struct Replica: Decodable, Sendable {
            var id: ReplicaID
            var state: String
            var outstanding: Int
        }
        var pool: PoolID
        var held: Int
        var replicas: [Replica]

        /// Requests in each replica's hands.
        var outstanding: [ReplicaID: Int] {
            Dictionary(replicas.map { ($0.id, $0.outstanding) }) { first, _ in first }
        }
    }

    /// What the gateway is to route to.
    struct Routes: Encodable, Hashable, Sendable {
        struct Replica: Encodable, Hashable, Sendable {
            var id: ReplicaID
            var url: String
            var socket: String?
            var draining: Bool
        }
        var epoch: Int
        var replicas: [Replica]
    }

    /// Why the gateway did not do as asked.
    enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// It has heard from a later leader.
        case fenced
        case refused(status: Int, String)
        case unreachable(String)

        var description: String {
            switch self {
            case .fenced: "the gateway has heard from a later leader"
            case .refused(let status, let text): "the gateway answered \(status): \(text)"
            case .unreachable(let reason): "the gateway does not answer: \(reason)"
            }
        }
    }

    let target: LoadTarget
    /// Sent as a bearer token.
    let token: String?
    let group: MultiThreadedEventLoopGroup
    /// With it the gateway is spoken to by mutual TLS.
    var tls: TLSMaterial?
    private let patience = TimeSpan.seconds(1)

    /// Replaces the replicas of a pool.
    func route(_ routes: Routes, of pool: PoolID) async throws(Failure) -> Pool {
        guard let body = try? JSONEncoder().encode(routes) else { throw .unreachable("routes that cannot be written") }
        let answer = try await call(
            "PUT", "/admin/v1/pools/\(pool.name.urlEncoded)/replicas", body: String(decoding: body, as: UTF8.self))
        if answer.status == 409 { throw .fenced }
        guard answer.status == 200 else { throw .refused(status: answer.status, String(answer.body.prefix(300))) }
        guard let state = try? JSONDecoder().decode(Pool.self, from: Data(answer.body.utf8)) else {
            throw .refused(status: 200, "an answer that is none of a gateway: \(answer.body.prefix(200))")
        }
        return state
    }

    /// A tenant's token rate as it was set, and why.
    struct Cap: Codable, Hashable, Sendable {
        var tokensPerMinute: Int?
        var reason: String

        private enum CodingKeys: String, CodingKey {
            case tokensPerMinute = "tokens_per_minute"
            case reason
        }
    }

    /// The caps in force, by tenant.
    func caps() async throws(Failure) -> [String: Cap] {
        struct Tenants: Decodable {
            struct Tenant: Decodable {
                var tenant: String
                var cap: Cap?
            }
            var tenants: [Tenant]
        }
        let answer = try await call("GET", "/admin/v1/tenants")
        guard answer.status == 200 else { throw .refused(status: answer.status, String(answer.body.prefix(300))) }
        guard let told = try? JSONDecoder().decode(Tenants.self, from: Data(answer.body.utf8)) else {
            throw .refused(status: 200, "an answer that is none of a gateway: \(answer.body.prefix(200))")
        }
        return Dictionary(told.tenants.compactMap { own in own.cap.map { (own.tenant, $0) } }) { first, _ in first }
    }

    /// Holds a tenant to a token rate, or with a `nil` rate to its terms alone.
    func set(_ cap: Cap, of tenant: String) async throws(Failure) {
        // `null` must be written: an absent rate would be one too, but nobody could tell it from a slip.
        let rate = cap.tokensPerMinute.map { "\($0)" } ?? "null"
        guard let reason = try? JSONEncoder().encode(cap.reason) else { throw .unreachable("a reason that is no text") }
        let body = "{\"tokens_per_minute\":\(rate),\"reason\":\(String(decoding: reason, as: UTF8.self))}"
        let answer = try await call("PUT", "/admin/v1/tenants/\(tenant.urlEncoded)/cap", body: body)
        guard answer.status == 200 else { throw .refused(status: answer.status, String(answer.body.prefix(300))) }
    }

    /// The metrics page.
    func metrics() async throws(Failure) -> String {
        let answer = try await call("GET", "/metrics")
        guard answer.status == 200 else { throw .refused(status: answer.status, String(answer.body.prefix(300))) }
        return answer.body
    }

    private func call(_ method: String, _ path: String, body: String? = nil) async throws(Failure) -> PlainCall.Answer {
        do {
            return try await PlainCall.send(
                method, path, to: target, token: token, body: body, on: group.next(), within: patience,
                tls: tls.map { ($0, .gateway) })
        } catch {
            throw .unreachable(error.description)
        }
    }
}

extension GatewayClient.Routes {
    /// To replicas as their carrier tells of them: those that start are not routed to yet.
    ///
    /// - Parameter areDraining: Whether none of them gets anything new.
    init(epoch: Int, _ endpoints: [ReplicaEndpoint], areDraining: Bool = false) {
        self.epoch = epoch
        replicas = endpoints.compactMap { endpoint in
            guard endpoint.phase != .starting, let url = endpoint.url else { return nil }
            return Replica(
                id: endpoint.id, url: url, socket: endpoint.socket,
                draining: areDraining || endpoint.phase == .draining)
        }
    }
}

extension PlainCall {
    /// One call with a body of JSON, or without one.
    static func send(
        _ method: String, _ path: String, to target: LoadTarget, token: String? = nil,
        fields: [String: String] = [:], body: String? = nil, on loop: any EventLoop, within limit: TimeSpan,
        tls: (material: TLSMaterial, server: PeerRole)? = nil
    ) async throws(LoadError) -> Answer {
        var text = "\(method) \(target.path(path)) HTTP/1.1\r\nHost: \(target.authority)\r\nConnection: close\r\n"
        if let token { text += "Authorization: Bearer \(token)\r\n" }
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) { text += "\(name): \(value)\r\n" }
        if body == nil, method != "GET" { text += "Content-Length: 0\r\n" }
        if let body { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        text += "\r\n" + (body ?? "")
        return try await send(ByteBuffer(string: text), to: try target.address(), on: loop, within: limit, tls: tls)
    }
}

extension String {
    /// As a component of a path.
    var urlEncoded: String { addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? self }
}
