import InferenceCore
import Serving
import Units

/// The inference core as the loop drives it: its tokens become text here, where a stop string can still end a request
/// before its next step.
struct CoreEngine: Engine {
    private var worker: CoreWorker
    private let vocabulary: TokenTexts
    private var texts: [Ticket: AnswerText] = [:]

    /// - Parameter vocabulary: What the model's tokens stand for.
    init(decoder: TransformerDecoder, limits: BatcherConfiguration, vocabulary: TokenTexts) {
        worker = CoreWorker(decoder: decoder, configuration: limits)
        self.vocabulary = vocabulary
    }

    var limits: BatcherConfiguration { worker.batcher.configuration }

    var gauges: EngineGauges {
        EngineGauges(
            running: worker.runningCount, waiting: worker.waitingCount, kvUtilization: worker.kvUtilization,
            prefixCache: worker.prefixCache)
    }

    mutating func submit(_ request: GenerationRequest) throws -> Ticket {
        guard case .tokens(let tokens) = request.prompt else {
            preconditionFailure("the core reads tokens, and a prompt came as a length")
        }
        var sampling = request.sampling
        sampling.maxTokens = request.maxTokens ?? max(1, limits.maxContext - tokens.count)
        if let end = vocabulary.end { sampling.stopTokens.insert(end) }
        let ticket = try worker.submit(
            CoreRequest(
                tokens: tokens, sampling: sampling, priority: request.priority,
                cacheSalt: CacheSalt.number(of: request.cacheSalt), pooling: request.pooling))
        if request.pooling == nil { texts[ticket] = AnswerText(vocabulary, sampling) }
        return ticket
    }

    mutating func cancel(_ ticket: Ticket) {
        worker.cancel(ticket)
        texts[ticket] = nil
    }

    mutating func step(_ outcome: inout StepOutcome) -> Bool {
        outcome.removeAll()
        guard let report = worker.step() else { return false }
        for admitted in report.admitted {
            let cached = limits.prefixCaching ? admitted.cachedTokens : nil
            outcome.admitted.append(.init(ticket: admitted.request, cachedTokens: cached))
        }
        outcome.preemptions = report.preempted.count
        outcome.prefillTokens = Int(report.features.prefillTokens)
        outcome.decodeTokens = Int(report.features.decodeSequences)
        for produced in report.produced { add(produced.token, of: produced.request, to: &outcome) }
        for finished in report.finished {
            switch finished.end {
            // Told with their last token.
            case .stop, .length: continue
            case .failed:
                texts[finished.request] = nil
                outcome.outputs.append(.init(ticket: finished.request, text: "", finish: .error, hasToken: false))
            case .embedded(let vector):
                outcome.outputs.append(
                    .init(ticket: finished.request, text: "", finish: .stop, embedding: vector, hasToken: false))
            }
        }
        return true
    }

    private mutating func add(_ token: Int32, of ticket: Ticket, to outcome: inout StepOutcome) {
        guard var answer = texts.removeValue(forKey: ticket) else { return }
        let text = answer.add(token)
        outcome.outputs.append(.init(ticket: ticket, text: text, finish: answer.finish))
        if answer.finish == nil {
            texts[ticket] = answer
        } else {
            // Ended by a stop string, which the core does not see. Harmless where its own count ended it.
            worker.finish(ticket)
        }
    }
}

/// What a model's tokens stand for.
enum TokenTexts: Sendable {
    case tokenizer(Tokenizer)
    /// Random weights have tokens and no language: a token's text is its number.
    case numbers

    var end: Int32? { if case .tokenizer(let tokenizer) = self { tokenizer.data.end } else { nil } }
}

/// The text of one answer as its tokens come, and its end.
private enum AnswerText {
    case words(OutputText)
    case numbers(StopMatcher, left: Int, stopped: Bool)

    init(_ vocabulary: TokenTexts, _ sampling: SamplingParameters) {
        switch vocabulary {
        case .tokenizer(let tokenizer): self = .words(OutputText(tokenizer, sampling))
        case .numbers:
            self = .numbers(StopMatcher(sampling.stopStrings), left: sampling.maxTokens, stopped: false)
        }
    }

    /// The text that is certain with this token.
    mutating func add(_ token: Int32) -> String {
        switch self {
        case .words(var output):
            defer { self = .words(output) }
            return output.add(token)
        case .numbers(var matcher, let left, _):
            var text = matcher.add(" \(token)")
            if left == 1, !matcher.isStopped { text += matcher.finish() }
            self = .numbers(matcher, left: left - 1, stopped: matcher.isStopped)
            return text
        }
    }

    var finish: FinishReason? {
        switch self {
        case .words(let output): output.finish.map { $0 == .stop ? .stop : .length }
        case .numbers(_, let left, let stopped): stopped ? .stop : left == 0 ? .length : nil
        }
    }
}
