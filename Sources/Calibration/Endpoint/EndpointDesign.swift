import FleetModel
import Randomness
import Units

/// What a calibration from outside asks of a server.
public struct EndpointDesign: Sendable {
    /// What bounds it.
    public struct Limits: Hashable, Sendable {
        /// The longest prompt and answer together.
        public var maxContext: Int
        /// The longest prompt that is sent.
        public var longestPrompt: Int
        /// Requests at a time, at most.
        public var concurrency: Int
        /// Tokens of an answer while steps are measured.
        public var outputTokens: Int
        /// Requests of each load: two that are fitted, one that is held out.
        public var loadRequests: Int
        /// Tokens of KV cache, so that no request of a burst is preempted.
        public var kvTokens: Int

        public init(
            maxContext: Int, longestPrompt: Int, concurrency: Int, outputTokens: Int, loadRequests: Int, kvTokens: Int
        ) {
            self.maxContext = maxContext
            self.longestPrompt = longestPrompt
            self.concurrency = concurrency
            self.outputTokens = outputTokens
            self.loadRequests = loadRequests
            self.kvTokens = kvTokens
        }
    }

    /// Requests that go together, and when after the first.
    public struct Burst: Hashable, Sendable {
        public struct Request: Hashable, Sendable {
            public var offset: TimeSpan
            public var promptTokens: Int
            public var outputTokens: Int

            public init(offset: TimeSpan, promptTokens: Int, outputTokens: Int) {
                self.offset = offset
                self.promptTokens = promptTokens
                self.outputTokens = outputTokens
            }
        }
        public var requests: [Request]

        public init(requests: [Request]) { self.requests = requests }

        /// As arrivals, with tokens that no other request of the calibration has.
        ///
        /// - Parameter serial: Counts the requests sent so far.
        public func arrivals(serial: inout UInt64) -> [Arrival] {
            requests.map { request in
                serial += 1
                return Arrival(
                    time: .epoch + request.offset, promptTokens: Int32(request.promptTokens),
                    outputTokens: Int32(request.outputTokens), tenant: 0, sloClass: 0,
                    content: PromptContent(own: PromptContent.mixed(0xC0FFEE, serial)))
            }
        }
    }

    public let limits: Limits
    private let streams: RandomStreams

    static let shortestPrompt = 8

    /// - Throws: ``EndpointCalibrationError/contextTooShort(tokens:needed:)``.
    public init(limits: Limits, seed: UInt64) throws(EndpointCalibrationError) {
        let needed = 4 * Self.shortestPrompt + limits.outputTokens
        guard limits.maxContext >= needed, limits.longestPrompt >= 4 * Self.shortestPrompt else {
            throw .contextTooShort(tokens: min(limits.maxContext, limits.longestPrompt), needed: needed)
        }
        self.limits = limits
        streams = RandomStreams(seed: seed)
    }

    /// Prompts between the shortest and the longest, each about twice the one before.
    public var promptLengths: [Int] {
        var lengths: [Int] = []
        var length = limits.longestPrompt
        while length >= 2 * Self.shortestPrompt {
            lengths.insert(length, at: 0)
            length /= 2
        }
        return [Self.shortestPrompt] + lengths
    }

    /// One request alone, of each length.
    public var singles: [Burst] {
        promptLengths.map { length in
            Burst(requests: [.init(offset: .zero, promptTokens: length, outputTokens: answer(length))])
        }
    }

    /// Numbers of requests at a time: 2, 4, 8, … and the most.
    public var widths: [Int] {
        var widths: [Int] = []
        var width = 2
        while width < limits.concurrency {
            widths.append(width)
            width *= 2
        }
        return widths + [limits.concurrency]
    }

    /// Several requests at once, of short and of long prompts, as many as the KV cache holds.
    public func bursts(width: Int) -> [Burst] {
        [2 * Self.shortestPrompt, limits.longestPrompt].compactMap { length in
            let room = limits.kvTokens / (length + limits.outputTokens + 16)
            guard min(width, room) >= 2, width <= room || width == widths.last else { return nil }
            return Burst(
                requests: (0..<min(width, room)).map { _ in
                    .init(offset: .zero, promptTokens: length, outputTokens: answer(length))
                })
        }
    }

    /// Prompts that come, one after the other, while other sequences decode.
    ///
    /// - Parameters:
    ///   - step: Seconds of a step with so many sequences.
    ///   - prefill: Seconds of a prompt's first token, by its length.
    public func intrusions(width: Int, step: Double, prefill: (Int) -> Double) -> Burst {
        let decoding = Self.shortestPrompt * 2
        // Twice, so that a few that cannot be told leave enough.
        let intruders = (promptLengths + promptLengths).filter { $0 + width <= limits.maxContext }
        var offset = Double(width) * prefill(decoding) + 2 * step
        var requests: [Burst.Request] = []
        for length in intruders {
            requests.append(
                .init(offset: .estimate(seconds: offset), promptTokens: length, outputTokens: 2))
            offset += prefill(length) + 4 * step
        }
        // The others must outlive the last of them. They have a token in each step, also in those that hold a prompt.
        let room = min(limits.maxContext - decoding, max(2, limits.kvTokens / width - decoding - 16))
        let answer = min(room, 4 + Int(offset / max(step, 1e-6)))
        return Burst(
            requests: (0..<width).map { _ in
                .init(offset: .zero, promptTokens: decoding, outputTokens: answer)
            } + requests)
    }

    /// A load to fit: Poisson arrivals, prompts and answers of all lengths.
    ///
    /// - Parameter name: Loads of different names are different draws.
    public func fittedLoad(_ name: String, rate: Double) -> Burst {
        let generator = streams.generator("endpoint", name)
        var time = 0.0
        return Burst(
            requests: (0..<limits.loadRequests).map { _ in
                time += generator.exponential(mean: 1 / rate)
                return .init(
                    offset: .estimate(seconds: time),
                    promptTokens: uniform(generator, Self.shortestPrompt, limits.longestPrompt * 3 / 4),
                    outputTokens: uniform(generator, 2, 2 * limits.outputTokens))
            })
    }

    /// A load of another shape, never fitted: pairs of requests, longer prompts and shorter answers.
    ///
    /// - Parameter apart: From the first of a pair to the second. Of two that come at the same moment, a free engine
    ///   takes up both or the first alone: llama.cpp's server does now the one, now the other, and no model tells.
    public func heldOutLoad(rate: Double, apart: TimeSpan) -> Burst {
        let generator = streams.generator("endpoint", "held-out-load")
        var time = 0.0
        return Burst(
            requests: (0..<limits.loadRequests).map { index in
                if index % 2 == 0 { time += generator.exponential(mean: 2 / rate) }
                return .init(
                    offset: .estimate(seconds: time) + (index % 2 == 0 ? .zero : apart),
                    promptTokens: uniform(generator, limits.longestPrompt / 3, limits.longestPrompt),
                    outputTokens: uniform(generator, limits.outputTokens / 2, limits.outputTokens))
            }.sorted { $0.offset < $1.offset })
    }

    /// That shape, in words.
    public func heldOutLoadStory(rate: Double) -> String {
        "pairs of requests at \((rate * 100).rounded() / 100) requests/s, prompts of \(limits.longestPrompt / 3) to "
            + "\(limits.longestPrompt) tokens, answers of \(limits.outputTokens / 2) to \(limits.outputTokens)"
    }

    /// The mean lengths of the fitted loads and of the held-out one, for their rates.
    public var fittedLengths: (prompt: Double, output: Double) {
        (Double(Self.shortestPrompt + limits.longestPrompt * 3 / 4) / 2, Double(limits.outputTokens) + 1)
    }
    public var heldOutLengths: (prompt: Double, output: Double) {
        (Double(limits.longestPrompt) * 2 / 3, Double(limits.outputTokens) * 3 / 4)
    }

    private func answer(_ prompt: Int) -> Int { max(2, min(limits.outputTokens, limits.maxContext - prompt)) }

    private func uniform(_ generator: RandomGenerator, _ low: Int, _ high: Int) -> Int {
        let low = max(1, low)
        return low + generator.uniform(below: max(1, high - low + 1))
    }
}
