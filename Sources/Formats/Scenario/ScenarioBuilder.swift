import FleetModel
import Pricing
import Simulation
import Units

/// Reads the map of one scenario. What is named is collected first, so that a reference to a thing with a mistake of
/// its own is no second mistake.
struct ScenarioBuilder {
    let map: MapReader
    let folder: ScenarioFolder
    let edits: ScenarioEdits
    var file: ReadFile { map.file }

    init(_ map: MapReader, folder: ScenarioFolder, edits: ScenarioEdits) {
        self.map = map
        self.folder = folder
        self.edits = edits
    }

    /// The scenario, or as much of it as keeps later checks meaningful; the log says whether it may be used.
    func build() -> Scenario? {
        let name = map.required("scenario", .name, example: "chat-day")
        let question = map.required("question", .text, example: "What does a day of chat cost under each policy?")
        let seed = map.required("seed", .seed, example: "42")
        let start = map.required("start", .instant, example: "2026-03-02T00:00:00Z")
        let given = map.optional("duration", .positiveDuration)
        let (classNames, classes) = readSLOClasses()
        let tenants = readNames("tenants", what: "tenant", example: "[acme, globex]")
        let books = readPriceBooks()
        let poolNames = names(of: map.list("pools"), key: "name", what: "pool")
        let pools = readPools(books)
        let traffic = readTraffic(
            pools: poolNames, classes: classNames, tenants: tenants.map(\.name), given: given, start: start)
        let duration = given ?? traceDuration(traffic)
        if let duration { tellOfFloods(traffic, over: duration) }
        let allocation = map.map("allocation", readAllocation) ?? AllocationWeights()
        let control = map.map("control", readControl) ?? ControlConfiguration()
        let policies = readPolicies(pools: poolNames, bounds: pools, seed: seed)
        let sizing = readSizing(pools: pools, policies: policies, books: books)
        guard let name, let question, let seed, let start, let duration, let books else { return nil }
        return Scenario(
            name: name, question: question, seed: seed, start: start, duration: duration,
            tenants: tenants.map { Tenant(name: $0.name) }, sloClasses: classes, sources: traffic.sources,
            traces: traffic.traces, pools: pools, control: control, policies: policies, priceBook: books.book,
            allocation: allocation, files: folder.files, sizing: sizing)
    }

    /// Requests that a run may have: at a million a second on one core, some three hours.
    private static let mostRequests = 1e10

    /// A rate with a digit too many would be found out by waiting.
    private func tellOfFloods(_ traffic: Traffic, over duration: TimeSpan) {
        let expected = traffic.sources.filter { $0.rate.problem == nil }.map {
            ($0.name, $0.rate.expectedRequests(until: duration))
        }
        let total = expected.reduce(0) { $0 + $1.1 }
        guard total > Self.mostRequests, let largest = expected.max(by: { $0.1 < $1.1 }) else { return }
        func billions(_ requests: Double) -> String { "\(Int((requests / 1e9).rounded())) billion" }
        file.error(
            map.position(of: "traffic"),
            "the traffic comes to about \(billions(total)) requests in \(duration), \(billions(largest.1)) of them from "
                + "'\(largest.0)'; a run takes at most \(billions(Self.mostRequests))",
            fix: "write a lower rate, such as '12/s', or a shorter duration")
    }

    /// Without a stated duration the traces give it: up to the whole second after the last arrival.
    private func traceDuration(_ traffic: Traffic) -> TimeSpan? {
        guard let last = traffic.lastTraceArrival else {
            // A trace that could not be read would have given it, and is told already.
            if !traffic.namesTraces {
                file.error(
                    map.position, "scenario has no 'duration' and no trace to take it from", fix: "add 'duration: 24h'")
            }
            return nil
        }
        return .seconds(last.nanoseconds / 1_000_000_000 + 1)
    }

    /// A list of plain names, each once, at least one.
    private func readNames(_ key: String, what: String, example: String) -> [(name: String, position: Position)] {
        guard let node = map.requiredNode(key, example: example) else { return [] }
        let items = file.list(node, label: key)
        if case .list(let all) = node.content, all.isEmpty {
            file.error(node.position, "\(key) is empty", fix: "write for example '\(key): \(example)'")
        }
        var found: [(name: String, position: Position)] = []
        for item in items {
            guard let name = file.scalar(item, label: what, .name) else { continue }
            if let first = found.first(where: { $0.name == name }) {
                file.error(item.position, "\(what) '\(name)' is there twice; first on line \(first.position.line)")
            } else {
                found.append((name, item.position))
            }
        }
        return found
    }

    /// The names that the maps of a list give themselves, wherever they can be read; a name given twice is told.
    func names(of items: [YAMLNode], key: String, what: String) -> [String] {
        var found: [(name: String, position: Position)] = []
        for case .map(let entries) in items.map(\.content) {
            guard let entry = entries.first(where: { $0.key == key }), case .scalar(let name) = entry.value.content
            else {
                continue
            }
            if let first = found.first(where: { $0.name == name }) {
                file.error(
                    entry.value.position,
                    "\(what) '\(shown(name))' is there twice; first on line \(first.position.line)",
                    fix: "give each \(what) a name of its own")
            } else {
                found.append((name, entry.value.position))
            }
        }
        return found.map(\.name)
    }

    private func readSLOClasses() -> (names: [String], classes: [SLOClass]) {
        guard let node = map.requiredNode("slo_classes", example: "{interactive: {ttft: 2s, tpot: 100ms}}") else {
            return ([], [])
        }
        let classes = MapReader(node, what: "slo classes", in: file)
        let entries = classes.allEntries
        if entries.isEmpty, classes.isUsable {
            file.error(
                node.position, "slo classes is empty", fix: "add for example 'interactive: {ttft: 2s, tpot: 100ms}'")
        }
        return (
            entries.map(\.key),
            entries.compactMap { entry in
                file.map(entry.value, what: "slo class '\(shown(entry.key))'") { readSLOClass(entry, $0) }
            }
        )
    }

    private func readSLOClass(_ entry: YAMLEntry, _ map: MapReader) -> SLOClass? {
        let name = file.scalar(
            YAMLNode(content: .scalar(entry.key), position: entry.position), label: "slo class", .name)
        let sloClass = SLOClass(
            name: name ?? entry.key, ttft: map.optional("ttft", .positiveDuration),
            tpot: map.optional("tpot", .positiveDuration), e2e: map.optional("e2e", .positiveDuration),
            attainment: map.optional("attainment", .percentage(), default: 0.99),
            timeout: map.optional("timeout", .positiveDuration),
            priority: Int(map.optional("priority", .count(-1000...1000), default: 0)))
        if !map.has("ttft"), !map.has("tpot"), !map.has("e2e") {
            file.warning(map.position, "\(map.what) promises nothing: every completed request meets it")
        }
        return sloClass
    }

    private func readAllocation(_ map: MapReader) -> AllocationWeights? {
        let weight = ScalarSchema<Int64>.count(0...1_000_000)
        let prompt = map.optional("prompt_token", weight, default: 1)
        let output = map.optional("output_token", weight, default: 4)
        guard prompt + output > 0 else {
            file.error(
                map.position, "both weights are zero", fix: "write for example '{prompt_token: 1, output_token: 4}'")
            return nil
        }
        return AllocationWeights(promptToken: prompt, outputToken: output)
    }

    private func readControl(_ map: MapReader) -> ControlConfiguration? {
        let standard = ControlConfiguration()
        let replicas = ScalarSchema<Int64>.count(1...1_000_000)
        let control = ControlConfiguration(
            tick: map.optional("tick", .positiveDuration, default: standard.tick),
            scrape: map.optional("scrape", .positiveDuration, default: standard.scrape),
            window: map.optional("window", .positiveDuration, default: standard.window),
            staleness: map.optional("staleness", .positiveDuration, default: standard.staleness),
            restartWindow: map.optional("restart_window", .positiveDuration, default: standard.restartWindow),
            maxStepUp: map.optional("max_step_up", replicas).map { Int($0) },
            maxStepDown: map.optional("max_step_down", replicas).map { Int($0) },
            spendingCeiling: map.optional("spending_ceiling", .spending))
        for (key, span) in [("window", control.window), ("staleness", control.staleness)] where span < control.scrape {
            file.error(
                map.position(of: key), "\(key) \(span) is shorter than the scrape interval \(control.scrape)",
                fix: "write at least '\(key): \(control.scrape)'")
        }
        return control
    }
}
