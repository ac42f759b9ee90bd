import FleetModel
import Units

/// A metrics page that is none of an engine's: what cannot be understood is not observed, and nothing is scaled in on it.
public enum MetricContractError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No engine's gauges are there; the names that are, a few of them.
    case unknownEngine(names: [String])
    /// The page is an engine's, and a gauge that no decision can be made without is gone.
    case missing(engine: String, metric: String)

    public var description: String {
        switch self {
        case .unknownEngine(let names):
            let wanted = MetricNames.all.map { "\($0.running[0]) (\($0.engine))" }.joined(separator: ", ")
            let found = names.isEmpty ? "it is empty" : "it has \(names.joined(separator: ", "))"
            return "the metrics page is of no known engine: none of \(wanted) is on it; \(found)"
        case .missing(let engine, let metric):
            return "the metrics page of \(engine) has no '\(metric)': its version is not known here"
        }
    }
}

extension ReplicaSample {
    /// Reads a replica's page under the names of vLLM, SGLang, llama.cpp or TGI, whichever it has.
    ///
    /// Counters and gauges of several series (engines of one server, reasons of an end) are added up, shares averaged.
    /// What the page does not have is `nil`. Values are as they stand; `Observer` refuses impossible ones.
    ///
    /// - Parameter time: When the page was asked for: what it shows is no younger.
    public init(
        _ page: MetricsPage, pool: PoolID, replica: ReplicaID, time: Instant
    ) throws(MetricContractError) {
        let names = try MetricNames.of(page)
        func sum(_ aliases: [String]) -> Double? { names.find(aliases, in: page) { $0.reduce(0) { $0 + $1.value } } }
        let hits = sum(names.prefixCacheHits)
        let computed = sum(names.promptTokens)
        let prompts = names.isPromptWithoutHits ? computed.map { $0 + (hits ?? 0) } : computed
        self.init(
            pool: pool, replica: replica, time: time, runningSequences: sum(names.running),
            waitingRequests: sum(names.waiting),
            kvUtilization: names.find(names.kvUtilization, in: page) {
                $0.reduce(0) { $0 + $1.value } / Double($0.count)
            },
            promptTokens: prompts, generationTokens: sum(names.generationTokens),
            completedRequests: sum(names.completedRequests), preemptions: sum(names.preemptions),
            ttft: names.ttft.lazy.compactMap(page.histogram).first,
            itl: names.itl.lazy.compactMap(page.histogram).first,
            prefixCacheQueries: names.isPromptWithoutHits ? prompts : sum(names.prefixCacheQueries),
            prefixCacheHits: hits)
    }
}

extension MetricNames {
    /// The names of the engine whose page it is.
    fileprivate static func of(_ page: MetricsPage) throws(MetricContractError) -> MetricNames {
        for names in all {
            let isRunning = names.running.contains { !page[$0].isEmpty }
            let isWaiting = names.waiting.contains { !page[$0].isEmpty }
            if isRunning && isWaiting { return names }
            if isRunning || isWaiting {
                throw .missing(engine: names.engine, metric: (isRunning ? names.waiting : names.running)[0])
            }
        }
        throw .unknownEngine(names: Array(page.names.prefix(5)))
    }

    /// A value made of the series under the first alias that the page has; of ranks only the first.
    fileprivate func find(
        _ aliases: [String], in page: MetricsPage, _ value: ([MetricsPage.Series]) -> Double
    ) -> Double? {
        for alias in aliases {
            let series = page[alias].filter { series in
                ranks.allSatisfy { (series.labels[$0] ?? "0") == "0" }
            }
            if !series.isEmpty { return value(series) }
        }
        return nil
    }
}
