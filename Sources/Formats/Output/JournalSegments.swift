#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The files of a controller's journal: `journal.1.jsonl`, `journal.2.jsonl` … that were put aside, then `journal.jsonl`,
/// which goes on.
///
/// A new one begins each day, and with another policy or other limits. Old ones may be taken away.
public enum JournalSegments {
    /// The files in order, as far as they are there.
    ///
    /// - Parameter path: Of the one that goes on.
    public static func files(endingWith path: String) -> [String] {
        putAside(before: path).map(\.path) + (exists(path) ? [path] : [])
    }

    /// The journal in a folder of state, or in that of a controller or of a rehearsal within it; empty without any.
    public static func files(in folder: String) -> [String] {
        let places = ["", "/controller", "/state", "/state/controller"].lazy
        return places.map { files(endingWith: "\(folder)\($0)/journal.jsonl") }.first { !$0.isEmpty } ?? []
    }

    /// A name for the next one that is put aside.
    static func nextName(before path: String) -> String {
        "\(stem(of: path)).\((putAside(before: path).last?.number ?? 0) + 1).jsonl"
    }

    /// The last that was put aside; `nil` without any.
    static func last(before path: String) -> String? { putAside(before: path).last?.path }

    private static func putAside(before path: String) -> [(number: Int, path: String)] {
        let folder = folderPart(of: path)
        let stem = stem(of: path)
        let name = stem[(stem.lastIndex(of: "/").map(stem.index(after:)) ?? stem.startIndex)...] + "."
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
        let numbers = entries.compactMap { entry -> Int? in
            guard entry.hasPrefix(name), entry.hasSuffix(".jsonl") else { return nil }
            return Int(entry.dropFirst(name.count).dropLast(".jsonl".count))
        }
        return numbers.sorted().map { (number: $0, path: "\(stem).\($0).jsonl") }
    }

    private static func stem(of path: String) -> Substring {
        path.hasSuffix(".jsonl") ? path.dropLast(".jsonl".count) : path[...]
    }
}
