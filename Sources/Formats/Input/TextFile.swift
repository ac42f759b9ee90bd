import Units

/// Reads small text files whole.
enum TextFile {
    /// The root of a YAML or JSON file (JSON is YAML), and the file to tell problems of its values under; `nil`, with
    /// the reason in the log, when it cannot be read.
    static func yaml(path: String, name: String, log: DiagnosticLog) -> (root: YAMLNode, file: ReadFile)? {
        guard let bytes = bytes(path: path, name: name, log: log) else { return nil }
        return yaml(bytes, name: name, log: log)
    }

    static func yaml(_ bytes: [UInt8], name: String, log: DiagnosticLog) -> (root: YAMLNode, file: ReadFile)? {
        YAMLComposer.compose(bytes, file: name, log: log).map { ($0, ReadFile(name: name, log: log)) }
    }

    /// The bytes of a file of at most `YAMLComposer.largestFile`; `nil`, with the reason in the log, otherwise.
    static func bytes(path: String, name: String, log: DiagnosticLog) -> [UInt8]? {
        do throws(InputError) {
            return try InputFile.contents(path: path, name: name, limit: YAMLComposer.largestFile)
        } catch {
            log.add(error.diagnostic)
            return nil
        }
    }
}
