import Units

/// What the engine's thread knows of each request in the engine, and what it has counted since it last published.
struct EngineDriver {
    private struct Entry {
        var generation: Generation
        var prompt: Int
        var promptTokens: Int
        var arrival: Instant
        var admitted: Generation.Admission?
        var firstToken: Instant?
        var lastToken = Instant.epoch
        var tokens = 0
    }

    /// Something that happened to a request, to be counted: the differences are made here, on the thread.
    fileprivate enum Observation {
        case queueTime(Double)
        case firstToken(ttft: Double, promptTokens: Int)
        /// A prompt of which an embedding was made.
        case embedded(promptTokens: Int)
        case gap(Double)
        case end(FinishReason, e2e: Double, tpot: Double?, promptTokens: Int, tokens: Int)
    }

    private var engine: any Engine
    private var entries: [Engine.Ticket: Entry] = [:]
    /// Tickets of each request, so that it can be cancelled as a whole.
    private var tickets: [ObjectIdentifier: [Engine.Ticket]] = [:]
    private var outcome = StepOutcome()
    private var observations: [Observation] = []
    private var deliveries: [(Generation, Generation.Event)] = []
    private var ended = 0
    private var stepTime = TimeSpan.zero
    private(set) var isIdle = true

    init(engine: any Engine) { self.engine = engine }

    /// Takes in what came between two steps. What was cancelled before it was taken in is not taken in at all.
    mutating func accept(_ arrived: [EngineLoop.Submission], cancelled: [Generation]) {
        var gone: Set<ObjectIdentifier> = []
        for generation in cancelled {
            gone.insert(ObjectIdentifier(generation))
            for ticket in tickets[ObjectIdentifier(generation)] ?? [] {
                engine.cancel(ticket)
                end(ticket, .abort, at: MonotonicTime.now)
            }
        }
        for submission in arrived {
            guard !gone.contains(ObjectIdentifier(submission.generation)) else {
                ended += 1
                observations.append(
                    .end(.abort, e2e: 0, tpot: nil, promptTokens: submission.request.prompt.count, tokens: 0))
                continue
            }
            submit(submission)
        }
    }

    private mutating func submit(_ submission: EngineLoop.Submission) {
        let tokens = submission.request.prompt.count
        guard let ticket = try? engine.submit(submission.request) else {
            ended += 1
            observations.append(.end(.error, e2e: 0, tpot: nil, promptTokens: tokens, tokens: 0))
            let event = Generation.Event(prompt: submission.prompt, text: "", tokens: 0, finish: .error)
            deliveries.append((submission.generation, event))
            return
        }
        entries[ticket] = Entry(
            generation: submission.generation, prompt: submission.prompt, promptTokens: tokens,
            arrival: submission.arrival)
        tickets[ObjectIdentifier(submission.generation), default: []].append(ticket)
    }

    mutating func step() {
        let start = MonotonicTime.now
        isIdle = !engine.step(&outcome)
        let now = MonotonicTime.now
        stepTime = now - start
        for admission in outcome.admitted {
            // Again after a preemption it finds what it has computed itself.
            guard let entry = entries[admission.ticket], entry.admitted == nil else { continue }
            entries[admission.ticket]!.admitted = Generation.Admission(
                time: start, cachedTokens: admission.cachedTokens)
            observations.append(.queueTime((start - entry.arrival).seconds))
        }
        for output in outcome.outputs { note(output, at: now) }
    }

    private mutating func note(_ output: StepOutcome.Output, at now: Instant) {
        guard var entry = entries[output.ticket] else { return }
        var admitted: Generation.Admission?
        if output.hasToken {
            if entry.firstToken == nil {
                entry.firstToken = now
                admitted = entry.admitted
                observations.append(
                    .firstToken(ttft: (now - entry.arrival).seconds, promptTokens: entry.promptTokens))
            } else {
                observations.append(.gap((now - entry.lastToken).seconds))
            }
            entry.lastToken = now
            entry.tokens += 1
            entries[output.ticket] = entry
        }
        if output.embedding != nil {
            admitted = entry.admitted
            observations.append(.embedded(promptTokens: entry.promptTokens))
        }
        let event = Generation.Event(
            prompt: entry.prompt, text: output.text, tokens: output.hasToken ? 1 : 0, admitted: admitted,
            embedding: output.embedding, finish: output.finish)
        deliveries.append((entry.generation, event))
        if let finish = output.finish { end(output.ticket, finish, at: now) }
    }

    private mutating func end(_ ticket: Engine.Ticket, _ reason: FinishReason, at now: Instant) {
        guard let entry = entries[ticket] else { return }
        entries[ticket] = nil
        ended += 1
        let key = ObjectIdentifier(entry.generation)
        tickets[key]?.removeAll { $0 == ticket }
        if tickets[key]?.isEmpty == true { tickets[key] = nil }
        let gaps = entry.tokens - 1
        let tpot = entry.firstToken.flatMap { gaps > 0 ? (entry.lastToken - $0).seconds / Double(gaps) : nil }
        observations.append(
            .end(
                reason, e2e: (now - entry.arrival).seconds, tpot: tpot, promptTokens: entry.promptTokens,
                tokens: entry.tokens))
    }

    /// Everything in the engine ends without having finished.
    mutating func abandon() {
        for (ticket, entry) in entries {
            engine.cancel(ticket)
            deliveries.append((entry.generation, .init(prompt: entry.prompt, text: "", tokens: 0, finish: .abort)))
            end(ticket, .abort, at: MonotonicTime.now)
        }
    }

    /// Moves what was counted into the state that a scrape reads.
    mutating func publish(into state: inout EngineLoop.State) {
        state.gauges = engine.gauges
        state.outstanding -= ended
        ended = 0
        for observation in observations { state.metrics.count(observation) }
        observations.removeAll(keepingCapacity: true)
        guard !isIdle else { return }
        state.metrics.stepTime += stepTime
        state.metrics.preemptions += UInt64(outcome.preemptions)
        state.metrics.generationTokens += UInt64(outcome.outputs.lazy.filter(\.hasToken).count)
        state.metrics.stepTokens.observe(Double(outcome.prefillTokens + outcome.decodeTokens))
        if let lateness = outcome.lateness { state.metrics.stepLateness.observe(max(0, lateness.seconds)) }
    }

    /// Sends the tokens on. Last, so that a client that has its answer finds it counted.
    mutating func deliver() {
        for (generation, event) in deliveries { generation.deliver(event) }
        deliveries.removeAll(keepingCapacity: true)
    }
}

extension WorkerMetrics {
    fileprivate mutating func count(_ observation: EngineDriver.Observation) {
        switch observation {
        case .queueTime(let seconds): queueTime.observe(seconds)
        case .firstToken(let seconds, let tokens):
            ttft.observe(seconds)
            promptTokens += UInt64(tokens)
        case .embedded(let tokens): promptTokens += UInt64(tokens)
        case .gap(let seconds): itl.observe(seconds)
        case .end(let reason, let latency, let perToken, let prompt, let tokens):
            countFinish(reason)
            // As vLLM has it, an aborted request counts as one and in no histogram.
            guard reason != .abort else { return }
            e2e.observe(latency)
            if let perToken { tpot.observe(perToken) }
            requestPromptTokens.observe(Double(prompt))
            requestGenerationTokens.observe(Double(tokens))
        }
    }
}
