import FleetModel
import Foundation
import NIOCore
import NIOPosix
import Units

/// Asks a server, before a load, what it serves and how it takes prompts.
public struct TargetProbe: Sendable {
    private let target: LoadTarget
    private let address: SocketAddress
    private let group: MultiThreadedEventLoopGroup
    /// How long an answer may take: a first request may wake a server.
    private let patience = TimeSpan.seconds(30)

    /// - Throws: When the host has no address.
    public init(_ target: LoadTarget, on group: MultiThreadedEventLoopGroup) throws(LoadError) {
        self.target = target
        self.group = group
        address = try target.address()
    }

    /// A style in which the server answers.
    ///
    /// - Parameters:
    ///   - wanted: What is fixed; its model when it is not empty.
    ///   - prompts: `nil` for token ids where the server takes them, and text elsewhere.
    ///   - priority: The largest of the traffic, so that a server that wants none says so now.
    ///   - remark: Told why prompts are text.
    /// - Throws: What the server, or the way to it, has against it.
    public func style(
        _ wanted: RequestStyle, prompts: RequestStyle.Prompts?, priority: Int, remark: (String) -> Void
    ) async throws(LoadError) -> RequestStyle {
        var style = wanted
        if style.model.isEmpty { style.model = try await onlyModel(fields: style.fields) }
        let isFree = prompts == nil && style.api == .completions
        style.prompts = prompts ?? (isFree ? .tokenIDs : .text)
        var answer = try await tryOut(style, priority: priority)
        for other in [RequestStyle.Prompts.smallTokenIDs, .text] where isFree && Self.isObjection(answer) {
            if other == .text {
                remark("the server takes no token ids as prompts (\(Self.message(answer.body))): they are sent as text")
            }
            style.prompts = other
            answer = try await tryOut(style, priority: priority)
        }
        guard answer.status == 200 else { throw refusal(answer) }
        return style
    }

    /// Whether an answer may be another where the prompt is.
    private static func isObjection(_ answer: PlainCall.Answer) -> Bool {
        [400, 415, 422, 501].contains(answer.status)
    }

    /// The style with the name of the only model that the server has; no request is made.
    public func named(_ style: RequestStyle) async throws(LoadError) -> RequestStyle {
        var style = style
        style.model = try await onlyModel(fields: style.fields)
        return style
    }

    // MARK: - Calls

    private func onlyModel(fields: [HeaderField]) async throws(LoadError) -> String {
        var head = "GET \(target.path("/v1/models")) HTTP/1.1\r\nHost: \(target.authority)\r\n"
        for field in fields { head += "\(field.name): \(field.value)\r\n" }
        let answer = try await call(ByteBuffer(string: head + "Connection: close\r\n\r\n"))
        guard answer.status == 200 else { throw refusal(answer) }
        guard let list = try? JSONDecoder().decode(ModelList.self, from: Data(answer.body.utf8)),
            let first = list.data.first
        else { throw LoadError("\(target): error: it does not say what models it has; name one with --model") }
        guard list.data.count == 1 else {
            let names = list.data.prefix(10).map(\.id).joined(separator: ", ")
            throw LoadError("\(target): error: it has \(list.data.count) models; choose one with --model: \(names)")
        }
        return first.id
    }

    private struct ModelList: Decodable {
        struct Model: Decodable { var id: String }
        var data: [Model]
    }

    /// Sends a small request, as the load's will be.
    private func tryOut(_ style: RequestStyle, priority: Int) async throws(LoadError) -> PlainCall.Answer {
        let encoder = RequestEncoder(
            style: style, target: target, tenants: [Tenant(name: "probe")],
            classes: [SLOClass(name: "probe", priority: priority)])
        let arrival = Arrival(time: .epoch, promptTokens: 4, outputTokens: 1, tenant: 0, sloClass: 0)
        return try await call(encoder.encode(arrival, number: 0))
    }

    private func call(_ bytes: ByteBuffer) async throws(LoadError) -> PlainCall.Answer {
        do throws(LoadError) {
            return try await PlainCall.send(bytes, to: address, on: group.next(), within: patience)
        } catch {
            throw LoadError("\(target): error: \(error)")
        }
    }

    private func refusal(_ answer: PlainCall.Answer) -> LoadError {
        LoadError("\(target): error: it answers a request with status \(answer.status): \(Self.message(answer.body))")
    }

    /// What an error's body says, in its own words.
    private static func message(_ body: String) -> String {
        struct Body: Decodable {
            struct Problem: Decodable { var message: String }
            var error: Problem
        }
        let text = (try? JSONDecoder().decode(Body.self, from: Data(body.utf8)))?.error.message ?? body
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.isEmpty ? "no message" : String(line.prefix(300))
    }
}

extension LoadTarget {
    /// Where its host is.
    func address() throws(LoadError) -> SocketAddress {
        do {
            return try SocketAddress.makeAddressResolvingHost(host, port: port)
        } catch {
            throw LoadError("\(self): error: there is no host '\(host)'")
        }
    }
}
