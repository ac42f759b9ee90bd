extension APIError {
    /// What a worker's body says, when it has the shape of the public API.
    init?(workerBody: [UInt8], status: Int) {
        guard (400..<600).contains(status), let tree = try? JSONTree(workerBody),
            let fields = try? RequestFields(tree, at: ""), let error = try? fields.object("error"),
            let message = try? error.string("message")
        else { return nil }
        self.init(
            status: .init(code: status), message: String(message.prefix(2000)),
            type: (try? error.string("type")) ?? "server_error")
        param = (try? error.string("param")) ?? nil
        code = (try? error.string("code")) ?? nil
        if status == 429 || status == 503 { retryAfter = 1 }
    }
}
