import FleetModel
import Formats
import Foundation
import Units

/// What a gateway must not forget when it ends: the replicas that it was told of, by whom, and the caps of tenants.
struct Registry: Codable, Hashable, Sendable {
    struct Replica: Codable, Hashable, Sendable {
        var id: Int
        var url: String
        /// One of an earlier version has none.
        var socket: String?
        var draining: Bool
    }

    struct Cap: Codable, Hashable, Sendable {
        var tokensPerMinute: Int
        var reason: String
    }

    /// The highest that a controller has shown.
    var epoch = 0
    var pools: [String: [Replica]] = [:]
    var caps: [String: Cap] = [:]
}

/// The registry in `registry.json`, sealed: one that is damaged is seen to be.
struct RegistryFile: Sendable {
    static let format = "tidegate gateway registry 1"
    static let name = "registry.json"

    let folder: String

    /// The registry; an empty one when there is no file.
    func read() throws(SealedFileError) -> Registry {
        let path = "\(folder)/\(Self.name)"
        guard FileManager.default.fileExists(atPath: path) else { return Registry() }
        return try SealedFile<Registry>(path: path, format: Self.format).content
    }

    /// Replaces the file; when it returns, the new one is on the disk.
    func write(_ registry: Registry) throws {
        let file = try SealedFile(registry, format: Self.format)
        try AtomicOutput.write([(Self.name, file.text)], to: folder)
    }
}
