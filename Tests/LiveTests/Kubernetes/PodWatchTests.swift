import FleetModel
import Foundation
import Synchronization
import Testing
import Units

@testable import Live

@Suite("The watch of a pool's pods", .serialized)
struct PodWatchTests {
    static let selector = "app=chat,track in (a,b)"

    /// Runs a watch beside `body`.
    static func watching(
        _ server: FakeAPIServer, patience: TimeSpan = .seconds(30), _ body: (PodWatch) async throws -> Void
    ) async throws {
        let watch = PodWatch(APIServerClientTests.client(server.access), selector: selector, patience: patience)
        let task = Task { await watch.run() }
        defer { task.cancel() }
        try await until("it watches") { server.cluster.watchCount == 1 }
        try await body(watch)
        task.cancel()
        server.cluster.endWatches()
        await task.value
    }

    @Test("Pods that come, change and go are known without another list, and keep their numbers")
    func follows() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            try await Self.watching(server) { watch in
                server.cluster.setReplicas(3)
                try await until("the third is known") { try await watch.pods().pods.count == 3 }
                server.cluster.remove("chat-x-1")
                server.cluster.setReplicas(3)
                try await until("the fourth is known") { try await watch.pods().pods["u-4"] != nil }
                let numbered = try await watch.pods().numbered
                #expect(numbered.map(\.id.number) == [2, 3, 4])
                #expect(numbered.map(\.pod.metadata.name) == ["chat-x-2", "chat-x-3", "chat-x-4"])
                #expect(await watch.lists == 1)
            }
        }
    }

    @Test("A watch that the server ends goes on from the last version, bookmarks included")
    func resumes() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 1)) { server in
            try await Self.watching(server) { watch in
                server.cluster.bookmark()
                server.cluster.endWatches()
                try await until("it watches again") { server.cluster.watchCount == 1 }
                server.cluster.setReplicas(2)
                try await until("the second is known") { try await watch.pods().pods.count == 2 }
                #expect(await watch.lists == 1)
                let versions = server.cluster.requests.compactMap {
                    $0.query["watch"] == nil ? nil : $0.query["resourceVersion"]
                }
                #expect(versions.count == 2 && versions[0] != versions[1])
            }
        }
    }

    @Test(
        "A version that has expired makes it list anew, whether the server says so at once or inside the watch",
        arguments: [true, false])
    func expires(isInside: Bool) async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            try await Self.watching(server) { watch in
                if isInside {
                    server.cluster.remove("chat-x-2")
                    server.cluster.expireWatches()
                } else {
                    server.cluster.configure { $0.oldestVersion = 1_000_000 }
                    server.cluster.endWatches()
                    try await until("it was refused") { server.cluster.requests.count >= 3 }
                    server.cluster.remove("chat-x-2")
                    server.cluster.configure { $0.oldestVersion = 0 }
                }
                try await until("it watches again") {
                    server.cluster.watchCount >= 1 && server.cluster.requests.count >= 4
                }
                try await until("the pod is known to be gone") { try await watch.pods().pods.count == 1 }
                #expect(await watch.lists >= 2)
            }
        }
    }

    @Test("Errors end no watch for good", arguments: [500, 403])
    func errors(status: Int) async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            try await Self.watching(server) { watch in
                server.cluster.configure { $0.fault = { _ in FakeCluster.status(status, "x", "no") } }
                server.cluster.endWatches()
                try await until("it was refused") { server.cluster.requests.count >= 3 }
                server.cluster.configure { $0.fault = nil }
                server.cluster.setReplicas(4)
                try await until("all are known") { try await watch.pods().pods.count == 4 }
            }
        }
    }

    @Test("A watch that has long been silent is not believed: the pods are listed")
    func silence() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 2)) { server in
            try await Self.watching(server, patience: .milliseconds(1)) { watch in
                try await Task.sleep(for: .milliseconds(5))
                _ = try await watch.pods()
                #expect(await watch.lists == 2)
            }
        }
    }

    @Test("A long list comes in pages, and begins anew when its continuation expires")
    func pages() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 7)) { server in
            server.cluster.configure {
                $0.pageSize = 3
                $0.fault = { $0.number == 2 ? FakeCluster.status(410, "Expired", "continue too old") : nil }
            }
            let watch = PodWatch(APIServerClientTests.client(server.access), selector: Self.selector)
            let found = try await watch.pods().pods.count
            #expect(found == 7)
            #expect(server.cluster.requests.count == 6)
        }
    }

    @Test("A list that expires again and again is given up, and said")
    func pagesForEver() async throws {
        try await FakeAPIServer.with(FakeCluster(replicas: 7)) { server in
            server.cluster.configure { $0.fault = { _ in FakeCluster.status(410, "Expired", "continue too old") } }
            let watch = PodWatch(APIServerClientTests.client(server.access), selector: Self.selector)
            await #expect(throws: APIServerError.gone("continue too old")) { try await watch.pods() }
        }
    }

    @Test("Lines that are no events are refused")
    func lines() throws {
        for line in ["", "{", "[]", "{\"type\":\"ADDED\"}", "{\"type\":\"ADDED\",\"object\":{}}"] {
            #expect(throws: APIServerError.self) { try PodTable.Event.read(line.utf8) }
        }
    }
}
