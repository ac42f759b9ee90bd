import ArgumentParser
import Live

/// Where spans are sent, by an option.
enum TraceArguments {
    /// - Throws: A `ValidationError` where the text is no URL of a collector.
    static func collector(_ text: String) throws -> LoadTarget {
        do throws(LoadError) {
            return try LoadTarget(text)
        } catch {
            throw ValidationError("--traces \(error)")
        }
    }
}
