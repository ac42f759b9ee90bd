import Scaling

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Reads `policy.json`.
public enum PolicyFileReader {
    /// - Throws: `InputError` when it cannot be read, is no policy, or its digest is not that of its contents.
    public static func read(path: String) throws(InputError) -> PolicyFile {
        let bytes = try InputFile.contents(path: path, name: path, limit: 16 << 20)
        guard let file = try? JSONDecoder().decode(PolicyFile.self, from: Data(bytes)) else {
            throw InputError(
                file: path,
                problem: .unknownFormat(known: ["policy.json, as 'replay' and 'compare' write it"]))
        }
        guard file.isIntact else {
            throw InputError(
                file: path,
                problem: .badField(
                    name: "digest", expected: "that of its name and parameters", found: shown(file.digest)))
        }
        return file
    }
}
