import Foundation
import Synchronization
import Testing
import Units

@testable import Live

@Suite("A server's connections", .serialized)
struct HTTPConnectionsTests {
    /// What a server that listens, and does not serve yet, does when somebody has connected.
    private final class Ending: Sendable {
        private let state = Mutex<(client: HTTP?, serving: Task<Void, any Error>?)>((nil, nil))
        private let known = DispatchSemaphore(value: 0)

        var client: HTTP? { state.withLock { $0.client } }

        func know(_ serving: Task<Void, any Error>) {
            state.withLock { $0.serving = serving }
            known.signal()
        }

        func connectAndCancel(_ port: Int) {
            known.wait()
            let client = try? HTTP(port: port)
            // Until the server has accepted, which nothing tells.
            Thread.sleep(forTimeInterval: 0.2)
            state.withLock {
                $0.client = client
                $0.serving?.cancel()
            }
        }
    }

    /// SwiftNIO ends the whole process at an accepted connection that is let go of unclosed.
    @Test("A connection that was accepted just as the server ends is closed")
    func dropped() async throws {
        let profile = TestProfiles.flat(step: 2e6)
        let limits = TestProfiles.limits(profile)
        let loop = EngineLoop.emulated(profile, limits: limits, maxQueue: 4)
        let model = ServedModel(
            name: profile.model, maxContext: limits.maxContext, prompts: .counted, created: 1, root: profile.name)
        let ending = Ending()
        let server = WorkerServer(loop: loop, model: model, configuration: .init()) { ending.connectAndCancel($0) }
        let serving = Task { try await server.run() }
        ending.know(serving)
        _ = try? await serving.value
        let client = try #require(ending.client)
        #expect(await client.isClosed())
    }
}
