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
    /// What an edit has put a multiple of in this place.
    var scaled: Scaled?

    struct Scaled {
        /// The text that stood here.
        var from: String
        /// Whether the edit was for this value alone, rather than for all numbers of a map or list.
        var isAlone: Bool
    }

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
