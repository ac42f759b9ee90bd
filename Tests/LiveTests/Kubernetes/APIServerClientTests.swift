import Foundation
import Synchronization
import Testing
import Units

@testable import Live

@Suite("The client of the API server", .serialized)
struct APIServerClientTests {
    static let scale = "/apis/apps/v1/namespaces/live/deployments/chat/scale"

    static func client(
        _ access: ClusterAccess, attempt: TimeSpan = .seconds(5), call: TimeSpan = .seconds(15)
    ) -> APIServerClient {
        var limits = APIServerClient.Limits()
        limits.attempt = attempt
        limits.call = call
        limits.backoff = Backoff(first: .milliseconds(5), longest: .milliseconds(20))
        return APIServerClient(access, limits: limits)
    }

    @Test("Errors that pass are tried again", arguments: [429, 500, 503])
    func retries(status: Int) async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            server.cluster.configure {
                $0.fault = { $0.number < 3 ? FakeCluster.status(status, "x", "later") : nil }
            }
            let found = try await Self.client(server.access).get(Self.scale, as: KubernetesScale.self).replicas
            #expect(found == 2)
            #expect(server.cluster.requests.count == 4)
        }
    }

    @Test(
        "A wait that none can be is none", arguments: ["-1", "-9223372036854775808", "9223372036854775808", "tomorrow"])
    func oddWaits(wait: String) async throws {
        let answer = "HTTP/1.1 503 No\r\nRetry-After: \(wait)\r\nContent-Length: 0\r\n\r\n"
        let server = try await OddServer { _ in [.send(answer)] }
        let access = ClusterAccess(host: "127.0.0.1", port: server.port, isTLS: false, namespace: "live")
        await #expect(throws: APIServerError.unavailable(status: 503, "")) {
            try await Self.client(access, call: .milliseconds(200)).get(Self.scale, as: KubernetesScale.self)
        }
        #expect(server.requests.count > 1)
        try await server.stop()
    }

    @Test("A connection that is closed without an answer is tried again")
    func hangUp() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            server.cluster.configure { $0.fault = { $0.number < 2 ? .hangUp : nil } }
            let found = try await Self.client(server.access).get(Self.scale, as: KubernetesScale.self).replicas
            #expect(found == 2)
        }
    }

    @Test("What stays wrong is told apart")
    func errors() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            func error(
                _ answer: FakeCluster.Answer, attempt: TimeSpan = .seconds(5)
            ) async -> APIServerError? {
                server.cluster.configure { $0.fault = { _ in answer } }
                do throws(APIServerError) {
                    _ = try await Self.client(server.access, attempt: attempt, call: .seconds(3)).get(
                        Self.scale, as: KubernetesScale.self)
                    return nil
                } catch { return error }
            }
            #expect(await error(FakeCluster.status(403, "x", "no right")) == .forbidden("no right"))
            #expect(await error(FakeCluster.status(404, "x", "not there")) == .notFound("not there"))
            #expect(await error(FakeCluster.status(409, "x", "changed")) == .conflict("changed"))
            #expect(await error(FakeCluster.status(410, "x", "expired")) == .gone("expired"))
            #expect(await error(FakeCluster.status(422, "x", "quota")) == .invalid(status: 422, "quota"))
            #expect(await error(.json(502, "<html>bad gateway")) == .unavailable(status: 502, "<html>bad gateway"))
            guard case .slow = await error(.silence, attempt: .milliseconds(50)) else {
                Issue.record("a server that says nothing is not slow")
                return
            }
            guard case .garbled = await error(.json(200, "{\"spec\":")) else {
                Issue.record("half of a JSON text was taken for a whole one")
                return
            }
        }
        guard case .unreachable(let reason)? = await Self.refusedConnection() else {
            Issue.record("a port where nobody listens is not unreachable")
            return
        }
        // The last try may be cut short by the deadline.
        #expect(["Connection refused", "no connection within the time"].contains(reason))
    }

    private static func refusedConnection() async -> APIServerError? {
        do throws(APIServerError) {
            let access = ClusterAccess(host: "127.0.0.1", port: 1, isTLS: false, namespace: "live")
            _ = try await client(access, attempt: .milliseconds(100), call: .milliseconds(200)).get(
                scale, as: KubernetesScale.self)
            return nil
        } catch { return error }
    }

    @Test("A token that was replaced is read again, and one that stays wrong is said without being shown")
    func tokenRotation() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "token-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "token")
        try Data("first\n".utf8).write(to: file)
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            server.cluster.configure { $0.token = "first" }
            var access = server.access
            access.tokenFile = file.path
            let client = Self.client(access)
            _ = try await client.get(Self.scale, as: KubernetesScale.self)
            server.cluster.configure { $0.token = "other" }
            // As the kubelet does it: a new file under the old name.
            try Data("other".utf8).write(to: file, options: .atomic)
            _ = try await client.get(Self.scale, as: KubernetesScale.self)
            #expect(server.cluster.requests.count == 2)
            server.cluster.configure { $0.token = "third" }
            do throws(APIServerError) {
                _ = try await client.get(Self.scale, as: KubernetesScale.self)
                Issue.record("a wrong token was let in")
            } catch {
                #expect(error == .unauthorized("Unauthorized"))
            }
            #expect(server.cluster.requests.count == 4)
        }
    }

    @Test("Back-off doubles its bound, stays below the longest, and waits at least as long as it is asked to")
    func backoff() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var backoff = Backoff(first: .milliseconds(100), longest: .seconds(1))
            for bound in [100, 200, 400, 800, 1000, 1000] as [Int64] {
                #expect(backoff.next(using: &generator) <= .milliseconds(bound))
            }
            #expect(backoff.next(atLeast: .seconds(7), using: &generator) == .seconds(7))
        }
    }

    @Test("Access from inside a pod is read from where a pod finds it, and says what is missing")
    func inCluster() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "account-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var environment: [String: String] = [:]
        func problem() -> String? {
            do throws(ClusterAccess.Missing) {
                _ = try ClusterAccess.inCluster(environment: environment, folder: folder.path)
                return nil
            } catch { return error.description }
        }
        #expect(problem()?.contains("KUBERNETES_SERVICE_HOST") == true)
        environment = ["KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "0"]
        #expect(problem()?.contains("KUBERNETES_SERVICE_PORT, which is '0'") == true)
        environment["KUBERNETES_SERVICE_PORT"] = "443"
        #expect(problem()?.contains("automountServiceAccountToken") == true)
        for (name, text) in [("token", "t"), ("ca.crt", "c"), ("namespace", "live\n")] {
            try Data(text.utf8).write(to: folder.appending(path: name))
        }
        let access = try ClusterAccess.inCluster(environment: environment, folder: folder.path)
        #expect(access.host == "10.96.0.1" && access.port == 443 && access.isTLS && access.namespace == "live")
        #expect(access.tokenFile == folder.path + "/token")
    }
}
