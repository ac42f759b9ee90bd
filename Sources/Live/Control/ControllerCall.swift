import Foundation
import NIOPosix
import Units

/// One call of an operator to a running controller.
public struct ControllerCall: Sendable {
    public struct Answer: Sendable {
        public var status: Int
        public var body: String

        /// What went wrong, of an answer in the public API's shape; else the body's beginning.
        public var message: String {
            struct Failure: Decodable {
                struct Inner: Decodable { var message: String }
                var error: Inner
            }
            let failure = try? JSONDecoder().decode(Failure.self, from: Data(body.utf8))
            return failure?.error.message ?? String(body.prefix(300))
        }
    }

    private let target: LoadTarget
    private let token: String?

    /// - Throws: What is wrong with the URL.
    public init(url: String, token: String?) throws(LoadError) {
        target = try LoadTarget(url)
        self.token = token
    }

    /// - Throws: When there is no answer.
    public func send(_ method: String, _ path: String) async throws(LoadError) -> Answer {
        // Each command is let through once.
        let milliseconds = LiveClock().now.nanoseconds / 1_000_000
        let name = "\(milliseconds)-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        let answer = try await PlainCall.send(
            method, path, to: target, token: token, fields: ["X-Tidegate-Command": name],
            on: MultiThreadedEventLoopGroup.singleton.next(), within: .seconds(5))
        return Answer(status: answer.status, body: answer.body)
    }
}
