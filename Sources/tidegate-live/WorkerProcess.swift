import ArgumentParser
import Commands
import Foundation
import Live
import Units

/// A worker as a process: it serves until a signal drains it, and ends with an exit code.
struct WorkerProcess {
    let loop: EngineLoop
    let server: WorkerServer
    let drainDeadline: TimeSpan
    let output: EventOutput
    /// Everywhere that it listens.
    let address: String

    init(
        loop: EngineLoop, model: ServedModel, configuration: WorkerServer.Configuration, drainDeadline: TimeSpan,
        output: EventOutput
    ) {
        self.loop = loop
        self.drainDeadline = drainDeadline
        self.output = output
        let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        let socket = configuration.socket?.path
        address = "\(configuration.host):\(configuration.port)" + (socket.map { " or \($0)" } ?? "")
        let scheme = configuration.tls == nil ? "http" : "https"
        var configuration = configuration
        configuration.onRefusedPeer = { refusal, peer in
            output.tell(
                "refused_peer", ["peer": peer, "reason": refusal.description],
                text: "refused a connection of \(peer): \(refusal)")
        }
        server = WorkerServer(loop: loop, model: model, configuration: configuration) { port in
            let url = "\(scheme)://\(host):\(port)"
            var fields: [String: any Sendable & Encodable] = ["url": url, "port": port, "model": model.name]
            if let socket { fields["socket"] = socket }
            output.tell(
                "listening", fields,
                text: "listening on \(url)\(socket.map { " and at \($0)" } ?? ""), model \(model.name)")
        }
    }

    /// Serves until it is told to stop.
    ///
    /// - Returns: What the shell is told.
    func run() async throws -> ExitCode {
        loop.start()
        let (codes, ended) = AsyncStream<ExitCode>.makeStream()
        let helpers = [
            Task { await output.drainOnSignal(within: drainDeadline, ended) { await drain() } },
            Task { await reportEngine() },
        ]
        defer { for task in helpers { task.cancel() } }
        do {
            try await server.run()
        } catch let error as LoadError {
            output.alert("\(error)")
            return .unavailable
        } catch {
            output.alert("\(address): error: cannot listen there: \(error)\n    choose another --port, or 0 for any")
            return .unavailable
        }
        // Only a drain ends the server.
        return await codes.first { _ in true } ?? .success
    }

    /// Has the process told to drain, as by SIGTERM, when its standard input ends.
    static func drainWithInput() {
        let thread = Thread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                guard count > 0 || (count < 0 && errno == EINTR) else { break }
            }
            kill(getpid(), SIGTERM)
        }
        thread.name = "input"
        thread.start()
    }

    private func drain() async -> ExitCode {
        switch await server.drain(within: drainDeadline) {
        case .finished:
            output.tell("drained", ["cut": 0], text: "drained")
            return .success
        case .cut(let count):
            output.tell("drained", ["cut": count], text: "the deadline came: \(count) answers were cut")
            return .notReached
        }
    }

    /// Tells when the engine is ready, and ends the process when it cannot be.
    private func reportEngine() async {
        let start = ContinuousClock.now
        while !Task.isCancelled {
            switch loop.phase {
            case .starting: try? await Task.sleep(for: .milliseconds(5))
            case .ready:
                let span = ContinuousClock.now - start
                let seconds = Double(span.components.seconds) + Double(span.components.attoseconds) / 1e18
                output.tell(
                    "ready", ["seconds": (seconds * 1000).rounded() / 1000],
                    text: String(format: "ready after %.2f s", seconds))
                return
            case .failed(let problem):
                output.alert("error: \(problem)")
                Foundation.exit(ExitCode.badData.rawValue)
            case .stopped: return
            }
        }
    }
}
