import FleetModel
import Simulation
import Units
import Workload

/// The traffic of a scenario, and what its traces say about the duration.
struct Traffic {
    var sources: [TrafficSource] = []
    var traces: [TraceTraffic] = []
    /// Whether any traffic points at a trace, readable or not.
    var namesTraces = false

    /// The last arrival of all traces at their speeds, since the start.
    var lastTraceArrival: TimeSpan? {
        traces.map { trace in
            TimeSpan.estimate(seconds: trace.source.last.seconds / trace.speed)
        }.max()
    }
}

extension ScenarioBuilder {
    /// - Parameter given: The scenario's duration, `nil` when its traces give it.
    func readTraffic(
        pools: [String], classes: [String], tenants: [String], given: TimeSpan?, start: Instant?
    ) -> Traffic {
        var traffic = Traffic()
        guard let node = map.requiredNode("traffic", example: "[{name: chat, …}]") else { return traffic }
        let items = file.list(node, label: "traffic")
        if case .list(let all) = node.content, all.isEmpty {
            file.error(
                node.position, "traffic is empty", fix: "add traffic: a scenario without requests answers nothing")
        }
        _ = names(of: items, key: "name", what: "traffic")
        var served: [String] = []
        for item in items {
            let _: Void? = file.map(item, what: "traffic") { map in
                let name = map.required("name", .name, example: "chat")
                if let name { map.what = "traffic '\(name)'" }
                let pool = reference("pool", map, among: pools, example: pools.first ?? "chat")
                if let pool { served.append(pools[pool]) }
                let sloClass = reference("class", map, among: classes, example: classes.first ?? "interactive")
                let shares = readShares(map, among: tenants)
                let isTrace = map.has("trace")
                traffic.namesTraces = traffic.namesTraces || isTrace
                // A name that is wrong is told; the rest is still read, for its own mistakes.
                let parts = TrafficParts(
                    name: name ?? "traffic", pool: PoolID(pool.map { pools[$0] } ?? ""), sloClass: sloClass ?? 0,
                    shares: shares ?? [])
                if isTrace {
                    if let trace = readTrace(map, parts, given: given) { traffic.traces.append(trace) }
                } else if let source = readSource(map, parts) {
                    traffic.sources.append(source)
                }
                return ()
            }
        }
        for pool in pools where !served.contains(pool) && served.count == items.count {
            file.warning(
                map.position(of: "pools"), "no traffic goes to pool '\(shown(pool))', which is paid for all the same")
        }
        return traffic
    }

    /// The index of the thing that a key names.
    private func reference(_ key: String, _ map: MapReader, among names: [String], example: String) -> Int? {
        guard let name = map.required(key, .text, example: example) else { return nil }
        if let index = names.firstIndex(of: name) { return index }
        let list = key == "class" ? "slo classes" : "\(key)s"
        file.error(
            map.position(of: key), "\(key == "class" ? "slo class" : key) '\(shown(name))' does not exist",
            fix: NearestName.fix(list, name, among: names))
        return nil
    }

    /// Who sends the traffic: `{acme: 60%, globex: 40%}`, in total 100 %.
    private func readShares(_ map: MapReader, among tenants: [String]) -> [TenantShare]? {
        guard let node = map.requiredNode("tenants", example: "{\(tenants.first ?? "acme"): 100%}") else { return nil }
        let reader = MapReader(node, what: "tenants of \(map.what)", in: file)
        guard reader.isUsable else { return nil }
        var shares: [TenantShare] = []
        var isSound = true
        for entry in reader.allEntries {
            let share = file.scalar(entry.value, label: "share of '\(shown(entry.key))'", .percentage())
            if let index = tenants.firstIndex(of: entry.key), let share {
                if share > 0 { shares.append(TenantShare(tenant: index, share: share)) }
            } else {
                isSound = false
                if !tenants.contains(entry.key) {
                    file.error(
                        entry.position, "tenant '\(shown(entry.key))' does not exist",
                        fix: NearestName.fix("tenants", entry.key, among: tenants))
                }
            }
        }
        guard isSound else { return nil }
        let total = shares.reduce(0) { $0 + $1.share }
        guard abs(total - 1) < 1e-6 else {
            file.error(
                node.position, "the shares of \(map.what) sum to \(shortest((total * 1e6).rounded() / 1e4))%",
                fix: "make them sum to 100%")
            return nil
        }
        return shares
    }

    private func readSource(_ map: MapReader, _ parts: TrafficParts) -> TrafficSource? {
        let arrivals = map.node("arrivals").map(readArrivals) ?? .poisson
        let rate = map.requiredNode("rate", example: "{constant: 12/s}").flatMap(readRate)
        let prompt = map.requiredNode("prompt_tokens", example: "{lognormal: {p50: 1k, p99: 4k}}")
            .flatMap { readLengths($0, "prompt tokens") }
        let output = map.requiredNode("output_tokens", example: "{lognormal: {p50: 130, p99: 600}}")
            .flatMap { readLengths($0, "output tokens") }
        let evidence = readEvidence(map)
        let prefix = readSharedPrefix(map)
        let sessions = readSessions(map)
        guard let arrivals, let rate, let prompt, let output else { return nil }
        if let prefix, let maximum = prompt.maximum, maximum <= prefix.tokens {
            file.error(
                map.position(of: "shared_prefix"),
                "prompts of \(map.what) have at most \(maximum) tokens and start with a shared prefix of \(prefix.tokens)",
                fix: "raise the 'maximum' of prompt_tokens above \(prefix.tokens) or shorten the prefix")
            return nil
        }
        let source = TrafficSource(
            name: parts.name, pool: parts.pool, tenants: parts.shares, sloClass: parts.sloClass, arrivals: arrivals,
            rate: rate, promptTokens: prompt, outputTokens: output, evidence: evidence, sharedPrefix: prefix,
            sessions: sessions)
        // What single keys cannot show, such as intervals that span centuries together; shares have been told.
        if !parts.shares.isEmpty, let problem = source.problem { file.error(map.position, "\(map.what): \(problem)") }
        if rate.isZero { file.warning(map.position(of: "rate"), "\(map.what) never sends a request: its rate is zero") }
        return source
    }

    /// What rate and lengths were estimated from, and the errors that are stated instead; `nil` without either.
    private func readEvidence(_ map: MapReader) -> DemandEvidence? {
        var evidence = DemandEvidence(requests: map.optional("estimated_from", .requests))
        let error = ScalarSchema<Double>.percentage(0...100)
        let stated: Void? = map.map("standard_errors") { errors in
            evidence.rate = errors.optional("rate", error)
            evidence.promptTokens = errors.optional("prompt_tokens", error)
            evidence.outputTokens = errors.optional("output_tokens", error)
        }
        return evidence.requests == nil && stated == nil ? nil : evidence
    }

    private func readTrace(_ map: MapReader, _ parts: TrafficParts, given: TimeSpan?) -> TraceTraffic? {
        for key in [
            "arrivals", "rate", "prompt_tokens", "output_tokens", "estimated_from", "standard_errors", "shared_prefix",
            "sessions",
        ] where map.has(key) {
            file.error(
                map.position(of: key), "\(map.what) has both a trace and '\(key)'",
                fix: "the trace says when requests come and how long they are: leave '\(key)' out")
        }
        return map.map("trace", what: "trace of \(map.what)") { traceMap in
            let reference = traceMap.required("file", .text, example: "traces/mine.csv")
            let formats = TraceFormat.allCases.map { ($0.rawValue, $0) }
            let format = traceMap.choice("format", formats)
            let speed = traceMap.optional("speed", .number(1e-6...1e6, example: "1"), default: 1)
            guard let reference, format != nil || !traceMap.has("format"),
                let path = folder.path(of: reference, "trace file", at: traceMap.position(of: "file"), in: file)
            else { return nil }
            let trace: FileTrace
            do throws(InputError) {
                trace = try FileTrace(path: path, format: format, digesting: true)
            } catch {
                file.log.add(error.diagnostic)
                return nil
            }
            guard let digest = trace.digest else { preconditionFailure("no digest of '\(path)'") }
            folder.note(SourceFile(name: ScenarioFolder.portable(reference), digest: digest.hexadecimal))
            for note in trace.notes { file.warning(traceMap.position(of: "file"), "\(map.what): \(note)") }
            let traffic = TraceTraffic(
                name: parts.name, pool: parts.pool, tenants: parts.shares, sloClass: parts.sloClass,
                source: trace, speed: speed)
            tellCut(trace, speed: speed, map, given)
            return traffic
        }
    }

    /// Requests of a trace beyond the scenario's end never arrive: a user should not find that out from a total.
    private func tellCut(_ trace: FileTrace, speed: Double, _ map: MapReader, _ given: TimeSpan?) {
        guard let given else { return }
        // The same comparison as the run makes, from shortly before where it turns.
        let end = min(given.seconds * speed, trace.last.seconds)
        let near = TimeSpan.estimate(seconds: max(0, end * (1 - 1e-9) - 1))
        let cut: Int
        do throws(TraceFailure) {
            cut = try trace.count(from: near) { $0.offset.seconds / speed >= given.seconds }
        } catch {
            file.error(map.position(of: "trace"), "\(map.what) cannot be read again: \(error)")
            return
        }
        guard cut > 0 else { return }
        file.warning(
            self.map.position(of: "duration"),
            "\(cut) of \(trace.count) requests of \(map.what) come after "
                + "the scenario's end", fix: "leave 'duration' out to play the trace whole")
    }
}

/// What synthetic and recorded traffic have in common.
private struct TrafficParts {
    var name: String
    var pool: PoolID
    var sloClass: Int
    var shares: [TenantShare]
}
