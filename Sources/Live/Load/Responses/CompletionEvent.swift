/// What one event of a streamed completion or chat says, as far as a measurement needs it.
struct CompletionEvent: Hashable, Sendable {
    /// The end of the stream, `[DONE]`.
    var isDone = false
    /// Whether it brings text: some of the answer was generated.
    var hasContent = false
    /// Whether it brings an empty text: a token that is no whole character yet, or none.
    var hasEmptyText = false
    /// Whether it says who speaks, which some servers do before the first token.
    private var hasRole = false
    /// Whether it says why the answer ended, which some servers do after the last token.
    private var hasFinish = false
    /// Whether it stands for a token: it brings text, or an empty one in the middle of an answer. Before the first text some
    /// servers send an empty one that is no token, and after the last.
    func isToken(afterText: Bool) -> Bool { hasContent || (afterText && hasEmptyText && !hasRole && !hasFinish) }
    /// Whether it is about an answer, and not about the counts alone.
    var hasChoice = false
    /// Whether it tells of an error in place of an answer.
    var isError = false
    /// From `usage`, which is the server's own count; chunks are not tokens.
    var promptTokens: Int?
    var completionTokens: Int?
    /// Of the prompt, by the server's own count: what it still had from an earlier one.
    var cachedTokens: Int?
    /// From llama.cpp's `timings`, in seconds.
    var serverPrefill: Double?
    var serverDecode: Double?

    init() {}

    /// Reads the data of an event; `nil` when it is neither JSON nor the end.
    ///
    /// One pass over the bytes that keeps nothing: a server of a thousand streams sends tens of thousands a second.
    init?(_ data: UnsafeRawBufferPointer) {
        if data.elementsEqual("[DONE]".utf8) {
            isDone = true
            return
        }
        var scanner = JSONScanner(data)
        let isWhole = scanner.object { key, scanner in
            switch key {
            case "choices":
                scanner.array {
                    self.hasChoice = true
                    return $0.object { self.readChoice($0, &$1) }
                }
            case "usage": scanner.isNull() || scanner.object { self.readUsage($0, &$1) }
            case "timings": scanner.isNull() || scanner.object { self.readTimings($0, &$1) }
            case "error": scanner.isNull() || scanner.skip(noting: &self.isError)
            default: scanner.skip()
            }
        }
        guard isWhole, scanner.isAtEnd else { return nil }
    }

    private mutating func readChoice(_ key: JSONScanner.Key, _ scanner: inout JSONScanner) -> Bool {
        switch key {
        case "text": readText(&scanner)
        case "delta": scanner.isNull() || scanner.object { self.readDelta($0, &$1) }
        case "finish_reason": scanner.isNull() || scanner.skip(noting: &self.hasFinish)
        default: scanner.skip()
        }
    }

    private mutating func readDelta(_ key: JSONScanner.Key, _ scanner: inout JSONScanner) -> Bool {
        switch key {
        case "role": scanner.isNull() || scanner.skip(noting: &self.hasRole)
        case "content", "reasoning", "reasoning_content", "refusal", "tool_calls": readText(&scanner)
        default: scanner.skip()
        }
    }

    /// Text that is not empty is content, and so is a list that is not empty.
    private mutating func readText(_ scanner: inout JSONScanner) -> Bool {
        if scanner.isNull() { return true }
        let start = scanner.position
        guard scanner.skip() else { return false }
        // Quotes or brackets are two bytes.
        if scanner.position - start > 2 { hasContent = true } else { hasEmptyText = true }
        return true
    }

    private mutating func readTimings(_ key: JSONScanner.Key, _ scanner: inout JSONScanner) -> Bool {
        switch key {
        case "prompt_ms": scanner.milliseconds(&serverPrefill)
        case "predicted_ms": scanner.milliseconds(&serverDecode)
        case "cache_n": scanner.count(&cachedTokens)
        default: scanner.skip()
        }
    }

    private mutating func readUsage(_ key: JSONScanner.Key, _ scanner: inout JSONScanner) -> Bool {
        switch key {
        case "prompt_tokens": scanner.count(&promptTokens)
        case "completion_tokens": scanner.count(&completionTokens)
        case "prompt_tokens_details": scanner.isNull() || scanner.object { self.readDetails($0, &$1) }
        default: scanner.skip()
        }
    }

    private mutating func readDetails(_ key: JSONScanner.Key, _ scanner: inout JSONScanner) -> Bool {
        switch key {
        case "cached_tokens": scanner.isNull() || scanner.count(&cachedTokens)
        default: scanner.skip()
        }
    }
}
