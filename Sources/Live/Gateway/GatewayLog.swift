import Foundation
import Synchronization
import Units

/// The gateway's log: one JSON object a line. What a request said, and keys, are never given to it.
///
/// Loops leave lines here and go on; a thread hands them to the sink ten times a second.
public final class GatewayLog: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var dropped = 0
        var isClosing = false
    }

    /// Bytes that may wait: a sink that does not keep up loses lines and is told how many.
    private static let limit = 8 << 20

    private let isOn: Bool
    private let sink: @Sendable ([UInt8]) -> Void
    private let state = Mutex(State())
    private let hasEnded = DispatchSemaphore(value: 0)

    init(isOn: Bool, sink: @escaping @Sendable ([UInt8]) -> Void) {
        self.isOn = isOn
        self.sink = sink
    }

    public static let toStandardError: @Sendable ([UInt8]) -> Void = { bytes in
        try? FileHandle.standardError.write(contentsOf: Data(bytes))
    }

    func start() {
        let thread = Thread { [self] in
            while !state.withLock(\.isClosing) {
                flush()
                Thread.sleep(forTimeInterval: 0.1)
            }
            flush()
            hasEnded.signal()
        }
        thread.name = "log"
        thread.start()
    }

    func close() {
        state.withLock { $0.isClosing = true }
        hasEnded.wait()
    }

    private func flush() {
        let (bytes, dropped) = state.withLock { state in
            let taken = (state.bytes, state.dropped)
            state.bytes = []
            state.dropped = 0
            return taken
        }
        if !bytes.isEmpty { sink(bytes) }
        if dropped > 0 {
            sink(Array("{\"level\":\"warning\",\"event\":\"lines dropped\",\"count\":\(dropped)}\n".utf8))
        }
    }

    /// A request has ended.
    func request(_ body: (inout JSONText) -> Void) {
        guard isOn else { return }
        write("info", "request", body)
    }

    /// Something else happened.
    func event(_ name: String, _ fields: [(String, String?)]) {
        write("warning", name) { text in for (key, value) in fields { text.member(key, value) } }
    }

    func event(_ name: String, _ fields: KeyValuePairs<String, String?>) {
        event(name, fields.map { ($0.key, $0.value) })
    }

    private func write(_ level: String, _ event: String, _ body: (inout JSONText) -> Void) {
        var text = JSONText()
        text.object { text in
            text.member("time", "\(WallTime.now)")
            text.member("level", level)
            text.member("event", event)
            body(&text)
        }
        state.withLock { state in
            guard state.bytes.count < Self.limit else {
                state.dropped += 1
                return
            }
            state.bytes.append(contentsOf: text.bytes)
            state.bytes.append(UInt8(ascii: "\n"))
        }
    }
}
