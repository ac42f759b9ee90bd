import ArgumentParser
import Live

/// Where spans are sent, by an option.
enum TraceArguments {
    /// - Throws: A `ValidationError` where the text is no URL of a collector.
    static func collector(_ text: String) throws -> LoadTarget {
        do throws(LoadError) {
            return try LoadTarget(text)
        } catch {
            let isTLS = text.hasPrefix("https://")
            throw ValidationError(
                """
                --traces '\(text)' is no collector's address\(isTLS ? ": spans are sent without TLS" : "")
                    give one such as http://127.0.0.1:4318\(isTLS ? ", of a collector beside this process that sends them on" : "")
                """)
        }
    }
}
