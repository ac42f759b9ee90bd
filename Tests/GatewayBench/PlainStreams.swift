import CBench
import Glibc

/// Many open streams without TLS: their clients, and a worker that computes nothing and writes pieces at an even rate, on one
/// thread and by the system's calls alone. What they spend, the gateway lacks: with event loops of their own (``Upstream`` and
/// ``Client``) clients and worker took as much of the processors as the gateway.
///
///     let streams = PlainStreams(gap: 40_000_000, socket: path)
///     streams.connect(2000, to: port, request)
///     streams.run(until: end)
final class PlainStreams {
    let tally = Tally()
    /// Of the worker's loopback TCP.
    let port: Int
    private let epoll = epoll_create1(0)
    private let listeners: Set<Int32>
    /// Clients' readers, by descriptor.
    private var readers: [Int32: StreamReader] = [:]
    /// Requests that are not yet whole at the worker, by descriptor.
    private var requests: [Int32: [UInt8]] = [:]
    /// The worker's streams in slots of a millisecond: each has its piece when its slot comes round.
    private var slots: [[Int32]]
    private var slot = 0
    private var due: Int64 = 0
    private var piece = Upstream.piece
    private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: 256)

    /// - Parameters:
    ///   - gap: Nanoseconds between two pieces of a stream.
    ///   - socket: The path of the worker's Unix socket.
    init(gap: Int64, socket path: String) {
        slots = Array(repeating: [], count: Int(gap / 1_000_000))
        let near = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        check(withAddress(&name) { bind(near, $0, $1) }, "bind")
        let far = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(port: 0)
        check(withAddress(&address) { bind(far, $0, $1) }, "bind")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        check(
            withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(far, $0, &size) }
            }, "getsockname")
        port = Int(UInt16(bigEndian: address.sin_port))
        listeners = [near, far]
        for listener in listeners {
            check(listen(listener, 4096), "listen")
            watch(listener)
        }
    }

    /// Opens connections, each of which asks for a stream at once.
    func connect(_ count: Int, to port: Int, _ request: [UInt8]) {
        for _ in 0..<count {
            let client = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = Self.loopback(port: port)
            check(withAddress(&address) { Glibc.connect(client, $0, $1) }, "connect")
            set(TCP_NODELAY, 1, of: client)
            // Acknowledge a little later, not each piece by a packet of its own.
            set(TCP_QUICKACK, 0, of: client)
            readers[client] = StreamReader(sent: nanoseconds())
            check(Int32(request.withUnsafeBytes { write(client, $0.baseAddress, $0.count) }), "write")
            watch(client)
        }
    }

    /// Writes and reads until a moment.
    func run(until end: Int64) {
        due = max(due, nanoseconds())
        while true {
            let now = nanoseconds()
            guard now < end else { return }
            if now >= due {
                play()
                due += 1_000_000
            } else {
                var wait = timespec(tv_sec: 0, tv_nsec: Int(due - now))
                serve(epoll_pwait2(epoll, events.baseAddress, Int32(events.count), &wait, nil))
            }
        }
    }

    // MARK: - Events

    private func serve(_ count: Int32) {
        for index in 0..<Int(max(0, count)) {
            let descriptor = events[index].data.fd
            if listeners.contains(descriptor) {
                accept(from: descriptor)
            } else if readers[descriptor] != nil {
                readAnswer(descriptor)
            } else {
                readRequest(descriptor)
            }
        }
    }

    private func accept(from listener: Int32) {
        let connection = Glibc.accept(listener, nil, nil)
        check(connection, "accept")
        set(TCP_NODELAY, 1, of: connection)
        watch(connection)
    }

    private func readAnswer(_ client: Int32) {
        let count = recv(client, bytes.baseAddress, bytes.count, 0)
        let now = nanoseconds()
        // Streams have no end here.
        guard count > 0, !readers[client]!.read(UnsafeRawBufferPointer(rebasing: bytes[..<count]), now, tally) else {
            tally.failed += 1
            return forget(client)
        }
    }

    private func readRequest(_ connection: Int32) {
        let count = recv(connection, bytes.baseAddress, bytes.count, 0)
        guard count > 0 else { return forget(connection) }
        requests[connection, default: []] += bytes[..<count]
        // Requests of this benchmark end with their object.
        guard requests[connection]?.last == UInt8(ascii: "}") else { return }
        requests[connection] = nil
        send(Array(Upstream.head.utf8), to: connection)
        // Spread evenly, whenever streams begin.
        let emptiest = slots.indices.min { slots[$0].count < slots[$1].count }!
        slots[emptiest].append(connection)
    }

    private func play() {
        for connection in slots[slot] {
            Upstream.set(nanoseconds(), in: &piece)
            send(piece, to: connection)
        }
        slot = (slot + 1) % slots.count
    }

    private func send(_ text: [UInt8], to connection: Int32) {
        let sent = text.withUnsafeBytes {
            Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
        // The gateway is so far behind that the system holds no more, or it has closed: the stream has lost a piece.
        if sent != text.count { tally.failed += 1 }
    }

    // MARK: - Descriptors

    private func watch(_ descriptor: Int32) {
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(fd: descriptor))
        check(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl")
    }

    private func forget(_ descriptor: Int32) {
        readers[descriptor] = nil
        requests[descriptor] = nil
        close(descriptor)
    }

    /// At a Unix socket it does nothing.
    private func set(_ option: Int32, _ value: Int32, of descriptor: Int32) {
        var value = value
        setsockopt(descriptor, Int32(IPPROTO_TCP), option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

private func withAddress<Address, Result>(
    _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
    withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Address>.size)) }
    }
}

/// A benchmark goes no further where the system refuses something.
private func check(_ result: Int32, _ call: String) {
    if result < 0 { fatalError("\(call): \(String(cString: strerror(errno)))") }
}
