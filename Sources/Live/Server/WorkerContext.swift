import Hummingbird
import NIOCore

/// A request's connection.
struct WorkerContext: InitializableFromSource {
    typealias Source = ApplicationRequestContextSource

    let channel: any Channel

    init(source: ApplicationRequestContextSource) { channel = source.channel }

    /// The client at its other end.
    func presence() async throws -> ClientPresence {
        try await channel.eventLoop.submit { [channel] in
            try channel.pipeline.syncOperations.handler(type: ClientWatch.self).presence
        }.get()
    }
}
