/// What a tokenizer is made of, as a model's files tell it: plain values, checked when a ``Tokenizer`` is made of them.
public struct TokenizerData: Sendable {
    public enum TokenType: UInt8, Hashable, Sendable {
        case normal, unknown
        /// A special token, such as `<|im_end|>`: matched in a text only where the caller allows it.
        case control
        /// An added token that is none of the special ones: matched before all others.
        case userDefined
        /// A number that stands for nothing.
        case unused
        /// `<0x0A>`: one byte of a text that no other token covers.
        case byte
    }

    /// Two tokens that become one, by their texts.
    public struct Merge: Hashable, Sendable {
        public var left: String
        public var right: String

        public init(_ left: String, _ right: String) {
            self.left = left
            self.right = right
        }
    }

    public enum Algorithm: Hashable, Sendable {
        /// GPT-2's: bytes written in its alphabet of 256 printable characters, words split before merging.
        case byteLevel(PreTokenizer)
        /// SentencePiece's: `▁` for a space, characters, and bytes for characters that have no token.
        case sentencePiece(SpacePrefix)
    }

    /// Where SentencePiece puts a space that was not in the text.
    public enum SpacePrefix: Hashable, Sendable {
        case never
        /// Before the text, and before what follows a special token.
        case always
        /// As ``always``, but not where a space is already.
        case unlessThere
        /// Before the text only, where no space is already.
        case first
    }

    public var algorithm: Algorithm
    /// The texts, by number, as the file writes them.
    public var tokens: [String]
    /// As many as `tokens`.
    public var types: [TokenType]
    /// SentencePiece without merges: a pair with a greater score merges first. Empty, or as many as `tokens`.
    public var scores: [Float] = []
    /// The first merges first.
    public var merges: [Merge] = []
    /// A word that is a token is that token, whatever the merges would make of it.
    public var ignoresMerges = false
    /// The text is brought into Unicode's form C first.
    public var composes = false
    /// Special tokens that are put before and behind a text.
    public var prefix: [Int32] = []
    public var suffix: [Int32] = []
    public var beginning: Int32?
    public var end: Int32?
    public var unknown: Int32?
    /// The Jinja text of the chat template that came with the tokenizer.
    public var chatTemplate: String?

    public init(algorithm: Algorithm, tokens: [String], types: [TokenType]) {
        self.algorithm = algorithm
        self.tokens = tokens
        self.types = types
    }
}
