/// Finds what a user most likely meant by a name that does not exist.
enum NearestName {
    /// The candidate within a third of the name's length (at least two edits), if one is; the first of equals.
    static func of(_ name: String, among candidates: [String]) -> String? {
        let limit = max(2, name.count / 3)
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = editDistance(name.lowercased(), candidate.lowercased())
            if distance <= limit, distance < (best?.distance ?? .max) { best = (candidate, distance) }
        }
        return best?.name
    }

    /// `what: a, b, c; nearest name: 'b'`, with at most twelve names.
    static func fix(_ what: String, _ name: String, among candidates: [String]) -> String {
        guard !candidates.isEmpty else { return "\(what): none" }
        let shown = candidates.prefix(12).joined(separator: ", ") + (candidates.count > 12 ? ", …" : "")
        let nearest = of(name, among: candidates).map { "; nearest name: '\($0)'" } ?? ""
        return "\(what): \(shown)\(nearest)"
    }

    /// Insertions, deletions, substitutions and swaps of neighbours that turn one text into the other.
    ///
    /// - Complexity: O(m·n) time, O(n) space; texts are cut to 64 characters, enough for any name.
    /// - Source: Damerau, "A technique for computer detection and correction of spelling errors", CACM 7(3), 1964, in
    ///   its restricted form (optimal string alignment).
    static func editDistance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.prefix(64)), Array(b.prefix(64)))
        guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
        var (before, previous) = ([Int](), Array(0...b.count))
        for i in 1...a.count {
            var current = [i]
            for j in 1...b.count {
                let substituted = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                var cost = min(previous[j] + 1, current[j - 1] + 1, substituted)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { cost = min(cost, before[j - 2] + 1) }
                current.append(cost)
            }
            (before, previous) = (previous, current)
        }
        return previous[b.count]
    }
}
