import EngineModel
import Units

/// The steps of an engine, told from outside: whose tokens came together was computed together, and each decoding
/// sequence has one token a step, so two tokens of one answer lie one step apart.
///
///     StepReconstruction(answers, maxSequences: 32, maxBatchedTokens: 2048).samples
///
/// A step counts where everything in it is known: its decoding sequences and their contexts, and its prompts where they
/// were computed whole in it. A step during which a prompt may have been computed in part is left out, and so is one beside an
/// answer whose texts are fewer than its tokens: nobody knows which of its tokens it held.
///
/// A client that reads late makes one step long and the next one short. So decode steps of the same sequences that follow
/// each other are averaged, up to eight of them, and what is left far below its like is no step.
struct StepReconstruction {
    /// Single mixed steps, and averages of decode steps.
    private(set) var samples: [StepSample] = []
    /// Every step that is known.
    private(set) var singles: [StepSample] = []

    /// Decode steps that are averaged, at most.
    private static let window = 8
    /// A share of the median of what is alike; below it a time is none of a step.
    private static let leastShare = 0.6

    /// Tokens that came together.
    private struct Burst {
        var time: Instant
        /// Which answer, and which of its tokens.
        var tokens: [(answer: Int, token: Int)]
    }

    private let answers: [EndpointAnswer]
    /// When answers were under way that did not come token by token.
    private let unknown: [Range<Instant>]
    private let maxSequences: Int
    private let maxBatchedTokens: Int

    /// - Parameter answers: Of one load.
    init(_ answers: [EndpointAnswer], maxSequences: Int, maxBatchedTokens: Int) {
        self.answers = answers
        self.maxSequences = maxSequences
        self.maxBatchedTokens = maxBatchedTokens
        unknown = answers.filter { !$0.isTokenByToken }.map(Self.span)
        let bursts = self.bursts()
        var run: [StepSample] = []
        for index in bursts.indices.dropFirst() {
            let sample = sample(at: index, of: bursts)
            if let sample { singles.append(sample) }
            let continues = sample.map { step in
                step.features.isDecodeOnly && run.last?.features.decodeSequences == step.features.decodeSequences
            }
            if continues != true || run.count == Self.window { endRun(&run) }
            guard let sample else { continue }
            if sample.features.isDecodeOnly { run.append(sample) } else { samples.append(sample) }
        }
        endRun(&run)
        samples = Self.plausible(samples)
    }

    /// From the sending of an answer to its last token, which may have brought no text.
    private static func span(of answer: EndpointAnswer) -> Range<Instant> {
        guard let first = answer.times.first, let last = answer.times.last else { return answer.sent..<Instant.never }
        let gap = (last - first).nanoseconds / Int64(max(1, answer.times.count - 1))
        let unseen = Int64(max(0, answer.outputTokens - answer.times.count))
        return answer.sent..<max(answer.sent, last + TimeSpan(nanoseconds: gap * unseen))
    }

    /// Averages decode steps that follow each other.
    private mutating func endRun(_ run: inout [StepSample]) {
        defer { run.removeAll(keepingCapacity: true) }
        guard let first = run.first else { return }
        let context = run.reduce(0) { $0 + $1.features.decodeContext } / Int64(run.count)
        samples.append(
            StepSample(
                features: StepFeatures(decodeSequences: first.features.decodeSequences, decodeContext: context),
                seconds: run.reduce(0) { $0 + $1.seconds } / Double(run.count)))
    }

    /// Without times that are far below those of decode steps of as many sequences or fewer: no prompt makes a step shorter.
    static func plausible(_ samples: [StepSample]) -> [StepSample] {
        let decodes = samples.filter(\.features.isDecodeOnly)
        let widths = Dictionary(grouping: decodes, by: \.features.decodeSequences)
            .map {
                (width: $0.key, median: $0.value.map(\.seconds).sorted()[$0.value.count / 2], count: $0.value.count)
            }
            .sorted { $0.width < $1.width }
        return samples.filter { sample in
            // The widest one that is not wider and was seen often enough.
            let like = widths.last { $0.width <= sample.features.decodeSequences && $0.count >= 5 }
            return like.map { sample.seconds >= leastShare * $0.median } ?? true
        }
    }

    /// Tokens in order of time, divided where an answer comes a second time or where a pause is longer than a fraction of
    /// the shortest step.
    private func bursts() -> [Burst] {
        let gaps = answers.flatMap { answer in
            zip(answer.times, answer.times.dropFirst()).map { ($1 - $0).nanoseconds }
        }.sorted()
        // Not the very shortest: a client that was late sees two tokens at once.
        let pause = (gaps.isEmpty ? 0 : gaps[gaps.count / 20]) * 2 / 5
        let tokens = answers.indices.flatMap { answer in
            answers[answer].times.enumerated().map { (time: $1, answer: answer, token: $0) }
        }.sorted { ($0.time, $0.answer, $0.token) < ($1.time, $1.answer, $1.token) }
        var bursts: [Burst] = []
        var seen: Set<Int> = []
        for entry in tokens {
            if bursts.isEmpty || seen.contains(entry.answer)
                || (entry.time - bursts[bursts.count - 1].time).nanoseconds > pause
            {
                bursts.append(Burst(time: entry.time, tokens: []))
                seen.removeAll(keepingCapacity: true)
            }
            seen.insert(entry.answer)
            bursts[bursts.count - 1].tokens.append((entry.answer, entry.token))
        }
        return bursts
    }

    /// The step that ended with a burst; `nil` where it is not known what was in it.
    private func sample(at index: Int, of bursts: [Burst]) -> StepSample? {
        let (before, burst) = (bursts[index - 1], bursts[index])
        guard !unknown.contains(where: { $0.lowerBound < burst.time && $0.upperBound > before.time }) else {
            return nil
        }
        var last: [Int: Int] = [:]
        for entry in before.tokens { last[entry.answer] = entry.token }
        var features = StepFeatures()
        var spans: [Double] = []
        var prompts: [Int] = []
        for (answer, token) in burst.tokens {
            guard token > 0 else {
                prompts.append(answer)
                continue
            }
            // Every sequence that decodes now had a token in the step before.
            guard last[answer] == token - 1 else { return nil }
            features.decodeSequences += 1
            features.decodeContext += Int64(answers[answer].promptTokens + token - 1)
            spans.append((answers[answer].times[token] - answers[answer].times[token - 1]).seconds)
        }
        guard !spans.isEmpty else { return nil }
        for answer in prompts {
            features.addChunk(tokens: Int64(answers[answer].promptTokens), context: 0)
        }
        guard features.prefillTokens + features.decodeSequences <= Int64(maxBatchedTokens),
            isWhole(index, of: bursts, prompts: prompts)
        else { return nil }
        let seconds = spans.reduce(0, +) / Double(spans.count)
        return seconds > 0 ? StepSample(features: features, seconds: seconds) : nil
    }

    /// Whether all prompts that were in a step were in it whole, and none besides.
    private func isWhole(_ index: Int, of bursts: [Burst], prompts: [Int]) -> Bool {
        let end = bursts[index].time
        // What was there when the step before began may have been begun in it, unless no place was free.
        let start = bursts[index - 1].time
        let earlier = index >= 2 ? bursts[index - 2].time : Instant.epoch
        // A request on its way when a step begins is not in it: a fraction of the step tells the two apart.
        let margin = TimeSpan(nanoseconds: (end - start).nanoseconds / 10)
        let wasFull = bursts[index - 1].tokens.count >= maxSequences
        guard prompts.allSatisfy({ wasFull || index < 2 || answers[$0].sent + margin > earlier }) else { return false }
        guard bursts[index].tokens.count < maxSequences else { return true }
        return !answers.contains { answer in
            guard let first = answer.times.first else { return true }
            return answer.sent + margin < start && first > end + margin
        }
    }
}
