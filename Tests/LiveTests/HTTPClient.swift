import Dispatch
import Foundation

/// A client that sends bytes as they are told, so that it can be as wrong as a real one.
///
/// Its calls block on threads of their own: those of tasks belong to the server under test.
final class HTTP: @unchecked Sendable {
    // Only `descriptor` and `buffer` change, on the queue alone.
    private var descriptor: Int32
    private var buffer: [UInt8] = []
    private let queue = DispatchQueue(label: "client")

    struct Reply: Sendable {
        var status: Int
        var headers: [String: String]
        var text: String

        var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]) ?? [:]
        }
        var error: [String: Any] { json["error"] as? [String: Any] ?? [:] }
        /// The payloads of server-sent events.
        var events: [String] {
            text.components(separatedBy: "\n\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
        }
    }

    struct Failure: Error { var text: String }

    /// - Parameter receiveBuffer: Bytes that the system takes in before they are read; its own number without it.
    init(port: Int, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, 4) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        try reach(address)
    }

    /// Connects to a Unix socket.
    init(socket path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try reach(address)
    }

    private func reach<Address>(_ address: Address) throws {
        let result = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
            }
        }
        guard result == 0 else { throw Failure(text: "cannot connect: \(String(cString: strerror(errno)))") }
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    /// Goes away without a word.
    func leave() async {
        await onThread {
            Glibc.close(self.descriptor)
            self.descriptor = -1
        }
    }

    func send(_ text: String) async { await onThread { self.write(Array(text.utf8)) } }

    func post(_ path: String, _ body: String, headers: String = "") async {
        await send("POST \(path) HTTP/1.1\r\nHost: x\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// The next whole reply; chunks are put together.
    func reply() async throws -> Reply {
        try await onThread { Result { try self.readReply() } }.get()
    }

    /// Reads until `text` has come.
    func wait(for text: String) async throws {
        try await onThread {
            Result {
                while !String(decoding: self.buffer, as: UTF8.self).contains(text) { try self.fill() }
            }
        }.get()
    }

    /// The end of a chunked answer that is read at leisure.
    func lastBytes(pausing seconds: Double) async throws -> String {
        try await onThread {
            Result {
                var tail = ""
                while !tail.hasSuffix("\r\n0\r\n\r\n") {
                    self.buffer.removeAll(keepingCapacity: true)
                    try self.fill()
                    tail = String(decoding: (Array(tail.utf8) + self.buffer).suffix(64), as: UTF8.self)
                    Thread.sleep(forTimeInterval: seconds)
                }
                return tail
            }
        }.get()
    }

    /// Whether the server closes the connection before it sends anything more.
    func isClosed() async -> Bool {
        await onThread {
            var byte: UInt8 = 0
            return recv(self.descriptor, &byte, 1, 0) <= 0 && errno != EAGAIN
        }
    }

    static func get(_ port: Int, _ path: String) async throws -> Reply {
        let client = try HTTP(port: port)
        await client.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
        return try await client.reply()
    }

    static func post(_ port: Int, _ path: String, _ body: String, headers: String = "") async throws -> Reply {
        let client = try HTTP(port: port)
        await client.post(path, body, headers: headers)
        return try await client.reply()
    }

    // MARK: - On the client's thread

    private func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in queue.async { continuation.resume(returning: body()) } }
    }

    private func write(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    private func fill() throws {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        errno = 0
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else {
            throw Failure(text: count == 0 ? "closed by the server" : String(cString: strerror(errno)))
        }
        buffer += chunk[..<count]
    }

    private func readLine() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeFirst(end + 1)
                return line.hasSuffix("\r") ? String(line.dropLast()) : line
            }
            try fill()
        }
    }

    private func readBytes(_ count: Int) throws -> [UInt8] {
        while buffer.count < count { try fill() }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    private func readReply() throws -> Reply {
        let status = Int(try readLine().split(separator: " ")[1])!
        var headers: [String: String] = [:]
        while case let line = try readLine(), !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1] : ""
        }
        var body: [UInt8] = []
        if headers["transfer-encoding"] == "chunked" {
            while case let size = Int(try readLine(), radix: 16)!, size > 0 {
                body += try readBytes(size)
                _ = try readLine()
            }
            _ = try readLine()
        } else if let length = headers["content-length"].flatMap({ Int($0) }) {
            body = try readBytes(length)
        }
        return Reply(status: status, headers: headers, text: String(decoding: body, as: UTF8.self))
    }
}
