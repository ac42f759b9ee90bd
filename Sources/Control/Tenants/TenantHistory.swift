import Units

/// One tenant's windows: what it usually brings, what it brings now, and how much of that scaling may know.
struct TenantHistory {
    let tenant: String
    private(set) var abuse: Abuse?
    /// Left out of the signal since the gateway started: requests, prompt tokens, output tokens.
    var withheld: SIMD4<Double> { settled + (counted - admitted) }

    /// By measure, of the last windows with traffic and without abuse.
    private var past: [[Double]] = []
    /// The counters at the last scrape; `nil` before the first.
    private var raw: SIMD4<Double>?
    /// Of the window that runs, and the part of it that the signal has.
    private var counted = SIMD4<Double>.zero
    private var admitted = SIMD4<Double>.zero
    /// Withheld in windows that are over.
    private var settled = SIMD4<Double>.zero
    private var windowStart: Instant
    private var calmWindows = 0

    struct Abuse: Hashable, Sendable, Codable {
        var measure: TenantMeasure
        var usual: Double
        var level: Double
        var since: Instant
    }

    init(_ counters: TenantCounters, at now: Instant) {
        tenant = counters.tenant
        raw = counters.values
        windowStart = now
    }

    /// What another process could not count again.
    struct Memory: Hashable, Sendable, Codable {
        var tenant: String
        var past: [[Double]]
        var abuse: Abuse?
        var calmWindows: Int
    }

    var memory: Memory { Memory(tenant: tenant, past: past, abuse: abuse, calmWindows: calmWindows) }

    /// Goes on where another stopped, in a window that begins at the next scrape; `nil` when it knew other measures.
    init?(_ memory: Memory) {
        guard memory.past.allSatisfy({ $0.count == TenantMeasure.allCases.count }) else { return nil }
        (tenant, past) = (memory.tenant, memory.past)
        (abuse, calmWindows) = (memory.abuse, memory.calmWindows)
        windowStart = .epoch
    }

    /// The gateway has started again: it counts from zero, so nothing is withheld of what it counted.
    mutating func restart(at last: Instant) {
        raw = SIMD4(0, 0, 0, raw?[3] ?? 0)
        (counted, admitted, settled) = (.zero, .zero, .zero)
        windowStart = last
    }

    /// - Parameter counters: `nil` when the gateway knows nothing of it: it has brought nothing since that started.
    mutating func takeIn(_ counters: TenantCounters?, at now: Instant, rules: TenantWatchRules) {
        let values = counters?.values ?? raw ?? .zero
        guard let before = raw else {
            (raw, windowStart) = (values, now)
            return
        }
        var increase = values - before
        // A day's spending starts again at midnight.
        if increase[3] < 0 { increase[3] = values[3] }
        raw = values
        counted += increase
        let elapsed = now - windowStart
        // Over a whole window, even while it runs: what has come already is enough to judge by, and no more is assumed.
        let rates = Self.rates(counted, over: max(elapsed, rules.window))
        judge(rates, at: now, rules: rules)
        admit(over: elapsed, rules: rules)
        if elapsed >= rules.window { close(rates, at: now, rules: rules) }
    }

    /// Tokens a minute, prompt and output together, as it usually has them.
    var usualTokensPerMinute: Double { (median(.promptTokens) + median(.outputTokens)) * 60 }

    // MARK: - Judging

    private static func rates(_ counts: SIMD4<Double>, over span: TimeSpan) -> [Double] {
        let seconds = span.seconds
        return [
            counts[0] / seconds, counts[1] / seconds, counts[2] / seconds, counts[2] / max(counts[1], 1),
            counts[3] / seconds * 3600,
        ]
    }

    private mutating func judge(_ rates: [Double], at now: Instant, rules: TenantWatchRules) {
        guard past.count >= rules.leastHistory else { return }
        if let abuse {
            self.abuse?.level = max(abuse.level, rates[abuse.measure.rawValue])
            guard !abuse.measure.isTraffic else { return }
        }
        for measure in TenantMeasure.allCases {
            if abuse != nil, !measure.isTraffic { continue }
            // A few tokens have any ratio.
            if measure == .ratio, rates[TenantMeasure.outputTokens.rawValue] < rules.leastOutputTokens { continue }
            let level = rates[measure.rawValue]
            guard level > threshold(measure, rules: rules) else { continue }
            abuse = Abuse(measure: measure, usual: median(measure), level: level, since: abuse?.since ?? now)
            calmWindows = 0
            return
        }
    }

    private func threshold(_ measure: TenantMeasure, rules: TenantWatchRules) -> Double {
        let values = past.map { $0[measure.rawValue] }
        let middle = Self.median(values)
        let deviation = 1.4826 * Self.median(values.map { ($0 - middle).magnitude })
        return max(rules.factor * middle, middle + rules.deviations * deviation, Self.least(measure, rules: rules))
    }

    private static func least(_ measure: TenantMeasure, rules: TenantWatchRules) -> Double {
        switch measure {
        case .requests: rules.leastRequests
        case .promptTokens: rules.leastPromptTokens
        case .outputTokens: rules.leastOutputTokens
        case .ratio: 0
        case .spend: rules.leastSpend
        }
    }

    private func median(_ measure: TenantMeasure) -> Double { Self.median(past.map { $0[measure.rawValue] }) }

    private static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    // MARK: - The signal

    /// Lets into the signal what the window so far may have: all of a newcomer, the usual of an abuser, and of others what is
    /// below the threshold, since the rest may turn out to be the beginning of an abuse.
    private mutating func admit(over elapsed: TimeSpan, rules: TenantWatchRules) {
        guard past.count >= rules.leastHistory, abuse?.measure.isTraffic ?? true else {
            admitted = counted
            return
        }
        for (index, measure) in [TenantMeasure.requests, .promptTokens, .outputTokens].enumerated() {
            let rate = abuse == nil ? threshold(measure, rules: rules) : median(measure)
            admitted[index] = max(admitted[index], min(counted[index], rate * elapsed.seconds))
        }
    }

    private mutating func close(_ rates: [Double], at now: Instant, rules: TenantWatchRules) {
        if let abuse {
            settled += counted - admitted
            let isCalm = TenantMeasure.allCases.allSatisfy { measure in
                if measure == .ratio, rates[TenantMeasure.outputTokens.rawValue] < rules.leastOutputTokens {
                    return true
                }
                let least = Self.least(measure, rules: rules) * rules.calmFactor / rules.factor
                return rates[measure.rawValue] <= max(rules.calmFactor * median(measure), least)
            }
            calmWindows = isCalm ? calmWindows + 1 : 0
            if calmWindows >= rules.calmWindows {
                self.abuse = nil
            } else if now - abuse.since >= rules.lasting {
                self.abuse = nil
                past = []
            }
        } else if counted[0] > 0 {
            // Windows of silence say nothing of what is usual when it comes.
            past.append(rates)
            if past.count > rules.history { past.removeFirst() }
        }
        (counted, admitted, windowStart) = (.zero, .zero, now)
    }
}
