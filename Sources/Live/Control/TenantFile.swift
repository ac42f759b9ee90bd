import Control
import FleetModel
import Formats
import Foundation
import Units

/// What a controller knows of tenants, in `tenants.json` beside its journal.
///
/// Without it one that starts again would take what an abuser brings for its usual, scale for it, and lift its cap.
struct TenantFile: Sendable {
    /// Between two writes while nobody becomes an abuser and nobody is one no more: histories change slowly.
    static let interval = TimeSpan.minutes(5)
    private static let name = "tenants.json"

    private struct Abuser: Hashable {
        var tenant: String
        var pool: PoolID
        var since: Instant
    }

    private let folder: String
    /// As it was last written.
    private var written: (abusers: [Abuser], at: Instant)?

    init(folder: String) { self.folder = folder }

    var path: String { "\(folder)/\(Self.name)" }

    /// What an earlier controller knew, by pool; nothing when there was none.
    ///
    /// - Throws: A `FleetError` for a file that is something else.
    func read() throws(FleetError) -> [TenantWatch.Memory] {
        guard let data = FileManager.default.contents(atPath: path) else { return [] }
        do { return try JSONDecoder().decode([TenantWatch.Memory].self, from: data) } catch {
            throw FleetError("\(path): this is no memory of tenants")
        }
    }

    /// Writes down what is known, when it is time to.
    mutating func keep(_ watch: FleetWatch, at now: Instant) throws {
        let abusers = watch.abuses.map { Abuser(tenant: $0.tenant, pool: $0.pool, since: $0.since) }
        if let written, written.abusers == abusers, now - written.at < Self.interval { return }
        let text = String(decoding: try JSONEncoder().encode(watch.memory), as: UTF8.self)
        try AtomicOutput.write([(Self.name, text)], to: folder)
        written = (abusers, now)
    }
}
