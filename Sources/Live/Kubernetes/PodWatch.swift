import Units

/// Keeps a pool's pods up to date: lists them once, watches from there, and lists again when the watch has lost its place.
///
///     let watch = PodWatch(client, selector: "app=chat")
///     async let watching: Void = watch.run()
///     try await watch.pods(at: now)
actor PodWatch {
    private let client: APIServerClient
    private let path: String
    private let selector: String
    /// A watch that has been silent for longer is not trusted: the pods are listed instead.
    private let patience: TimeSpan
    /// The same while nobody runs the watch.
    private let refresh: TimeSpan
    private var isRunning = false
    private var table = PodTable()
    /// When something was last heard of the pods; `nil` before the first list.
    private var heard: Instant?
    /// Lists made: each but the first says that a watch could not go on.
    private(set) var lists = 0
    private var events = 0

    init(
        _ client: APIServerClient, selector: String, patience: TimeSpan = .seconds(30), refresh: TimeSpan = .seconds(1)
    ) {
        self.client = client
        self.selector = selector
        self.patience = patience
        self.refresh = refresh
        path = "/api/v1/namespaces/\(client.access.namespace)/pods"
    }

    /// The pods, no older than the patience.
    ///
    /// - Throws: When they have to be listed and cannot be.
    func pods() async throws(APIServerError) -> PodTable {
        if let heard, MonotonicTime.now - heard < (isRunning ? patience : refresh) { return table }
        try await list()
        return table
    }

    /// The pods as they are now, for what may not be decided on old ones.
    func freshPods() async throws(APIServerError) -> PodTable {
        try await list()
        return table
    }

    /// Takes a pod as it was just written: its event is still on its way.
    func changed(_ pod: KubernetesPod) { table.apply(.changed(pod)) }

    /// Watches until the task is cancelled.
    func run() async {
        isRunning = true
        defer { isRunning = false }
        var backoff = Backoff(first: .milliseconds(200), longest: .seconds(10))
        var generator = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            do {
                if table.resourceVersion.isEmpty { try await list() }
                try await watchOnce()
                backoff.reset()
                continue
            } catch {
                // 410: what happened since the version is not kept any more, so begin anew. After anything else the version
                // may still be good.
                if case .gone = error { table.advance(to: "") }
            }
            let wait = backoff.next(using: &generator)
            try? await Task.sleep(for: .nanoseconds(wait.nanoseconds))
        }
    }

    /// Follows one watch until the server ends it.
    private func watchOnce() async throws(APIServerError) {
        // Servers end a watch after a while of their own choice; asked for five minutes they end it in order.
        let query =
            "?watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=\(table.resourceVersion)"
            + "&labelSelector=\(selector.urlEncoded)"
        try await client.watch(path + query, within: .seconds(330)) { line throws(APIServerError) in
            let (event, version) = try PodTable.Event.read(line)
            if case .failed(let error) = event { throw error }
            await self.take(event, version)
        }
    }

    private func take(_ event: PodTable.Event, _ version: String?) {
        table.apply(event)
        if let version { table.advance(to: version) }
        events += 1
        heard = MonotonicTime.now
    }

    /// Lists all the pods, page by page.
    private func list() async throws(APIServerError) {
        // A continuation that expires (410) starts again, but a server where each one does will not be asked for ever.
        for attempt in 1...3 {
            do {
                try await listOnce()
                return
            } catch .gone(let message) {
                if attempt == 3 { throw .gone(message) }
            }
        }
    }

    private func listOnce() async throws(APIServerError) {
        var items: [KubernetesPod] = []
        var next: String?
        let eventsBefore = events
        repeat {
            var query = "?limit=500&labelSelector=\(selector.urlEncoded)"
            if let next { query += "&continue=\(next.urlEncoded)" }
            let page = try await client.get(path + query, as: KubernetesPodList.self)
            items += page.items
            next = page.metadata.continue.flatMap { $0.isEmpty ? nil : $0 }
            // An event that came meanwhile is newer than the list, and will not come again.
            if next == nil, events == eventsBefore {
                table.replace(with: items, resourceVersion: page.metadata.resourceVersion ?? "")
            }
        } while next != nil
        heard = MonotonicTime.now
        lists += 1
    }
}
