/// One sequence's part of a step: which of its tokens to feed, and where its keys and values live.
public struct StepEntry: Hashable, Sendable {
    /// For which of the fed tokens the step computes logits.
    public enum LogitRows: Hashable, Sendable {
        case none
        case last
        case all
    }

    /// KV blocks in order of the sequence's tokens, enough for `start + tokens.count` of them.
    public var blocks: [Int]
    /// Tokens of the sequence that are cached already.
    public var start: Int
    /// The tokens that follow them, at least one: a chunk of the prompt, or the newest token alone.
    public var tokens: ArraySlice<Int32>
    public var logits: LogitRows
    /// Whether the hidden states of the fed tokens are kept, ``TransformerDecoder/hiddenStates(ofEntry:)``.
    public var keepsStates = false

    public init(blocks: [Int], start: Int, tokens: ArraySlice<Int32>, logits: LogitRows = .last) {
        self.blocks = blocks
        self.start = start
        self.tokens = tokens
        self.logits = logits
    }

    /// Rows of logits that the step gives for this entry.
    var logitRowCount: Int {
        switch logits {
        case .none: 0
        case .last: 1
        case .all: tokens.count
        }
    }
}
