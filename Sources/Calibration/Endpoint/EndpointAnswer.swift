import Units

/// A whole answer of a server as its client timed it. Tokens are the server's own count, never that of the pieces in
/// which it came.
public struct EndpointAnswer: Hashable, Sendable {
    public var sent: Instant
    /// When each text of it came: a token, or several where the server holds back what is no whole character yet.
    public var times: [Instant]
    public var promptTokens: Int
    public var outputTokens: Int
    /// How long the server says that it computed the prompt, in seconds; `nil` where it does not.
    public var serverPrefill: Double?

    public init(
        sent: Instant, times: [Instant], promptTokens: Int, outputTokens: Int, serverPrefill: Double? = nil
    ) {
        self.sent = sent
        self.times = times
        self.promptTokens = promptTokens
        self.outputTokens = outputTokens
        self.serverPrefill = serverPrefill
    }

    /// Seconds from the sending to the first text.
    public var ttft: Double { times.first.map { ($0 - sent).seconds } ?? 0 }

    /// Mean seconds between tokens; `nil` for fewer than two.
    public var tpot: Double? {
        guard outputTokens > 1, let first = times.first, let last = times.last, last > first else { return nil }
        return (last - first).seconds / Double(outputTokens - 1)
    }

    /// Whether each token came by itself.
    public var isTokenByToken: Bool { times.count == outputTokens }
}

/// Why a server cannot be calibrated from outside, apart from a connection that fails or a busy machine.
public enum EndpointCalibrationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// So few answers came token by token that no step can be told.
    case heldBack(answers: Int, ofWhich: Int)
    /// The context is too short for a design of steps.
    case contextTooShort(tokens: Int, needed: Int)
    case fit(StepTimeFitError)
    case replay(ValidationError)

    public var description: String {
        switch self {
        case .heldBack(let answers, let whole):
            """
            of \(answers) answers only \(whole) came token by token: steps cannot be told from pieces of several tokens
                let the server send each token as it is made, or calibrate on its own step times
            """
        case .contextTooShort(let tokens, let needed):
            """
            a context of \(tokens) tokens is too short to calibrate: at least \(needed) are needed
                give the server a longer one, or say the true one with --max-context
            """
        case .fit(let error): "the answers do not determine a profile: \(error)"
        case .replay(let error): "the measured requests cannot be simulated: \(error)"
        }
    }
}
