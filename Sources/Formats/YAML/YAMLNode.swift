/// A value of a YAML document with its place: raw text, lists and maps, nothing else.
///
/// Scalars stay the text that was written. YAML's own types would read `no` as false and `010` as eight; here the
/// reader of a key decides what its text means.
struct YAMLNode {
    indirect enum Content {
        case scalar(String)
        case list([YAMLNode])
        case map([YAMLEntry])
        /// Something that was refused and told already: readers pass over it in silence.
        case refused
    }

    var content: Content
    var position: Position

    /// The kind as a message names it.
    var kind: String {
        switch content {
        case .scalar: "a single value"
        case .list: "a list"
        case .map: "a map"
        case .refused: "nothing"
        }
    }
}

/// One key of a map with its value.
struct YAMLEntry {
    var key: String
    var position: Position
    var value: YAMLNode
}
