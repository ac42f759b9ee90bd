import FleetModel
import Simulation
import Units

/// Reads the map of one live configuration.
struct LiveConfigurationBuilder {
    let map: MapReader
    /// Where the file lies; empty for here.
    let folder: String
    var file: ReadFile { map.file }

    init(_ map: MapReader, folder: String) {
        self.map = map
        self.folder = folder
    }

    func build() -> LiveConfiguration? {
        let scenarioPath = map.required("scenario", .text, example: "../Scenarios/laptop-burst").map(beside)
        let state = map.optional("state", .text, default: "state")
        let scenario = scenarioPath.flatMap(readScenario)
        let pools = scenario?.pools.map(\.id.name)
        let gateway = map.map("gateway") { readGateway($0, pools: pools) } ?? GatewaySettings()
        let terms = map.map("tenants") { readTenants($0, known: scenario?.tenants.map(\.name)) } ?? []
        let prices = map.map("token_prices", what: "token prices") { readPrices($0, pools: pools) } ?? [:]
        let controller = map.map("controller", readController) ?? ControllerSettings()
        let actuators = map.map("pools") { readActuators($0, known: pools) } ?? [:]
        let traces = map.map("traces", readTraces)
        let tokens = readAdminTokens()
        checkAccess(gateway, terms, tokens)
        guard let scenario, let scenarioPath else { return nil }
        checkBudgets(terms, prices, scenario.pools.map(\.id))
        let named = Set(terms.map(\.name))
        let others = scenario.tenants.filter { !named.contains($0.name) }.map { TenantTerms(name: $0.name) }
        return LiveConfiguration(
            scenario: scenario, scenarioPath: scenarioPath, stateFolder: beside(state), gateway: gateway,
            tenants: terms + others, tokenPrices: prices, adminTokens: tokens, controller: controller,
            actuators: actuators, traces: traces)
    }

    func beside(_ path: String) -> String {
        path.hasPrefix("/") || folder.isEmpty ? path : "\(folder)/\(path)"
    }

    private func readScenario(_ path: String) -> Scenario? {
        guard exists(path) else {
            file.error(
                map.position(of: "scenario"), "scenario '\(shown(path, limit: 300))' does not exist",
                fix: "write the path of a folder with a scenario.yaml, seen from this file")
            return nil
        }
        let reading = ScenarioReader.check(path: path)
        for diagnostic in reading.diagnostics { file.log.add(diagnostic) }
        return reading.scenario
    }

    // MARK: - Tenants and prices

    private func readTenants(_ tenants: MapReader, known: [String]?) -> [TenantTerms] {
        var digests: Set<String> = []
        return tenants.allEntries.compactMap { entry in
            if let known, !known.contains(entry.key) {
                file.error(
                    entry.position, "tenant '\(shown(entry.key))' is none of the scenario",
                    fix: NearestName.fix("tenants", entry.key, among: known))
            }
            return file.map(entry.value, what: "tenant '\(shown(entry.key))'") { map in
                let terms = readTerms(map, name: entry.key)
                for digest in terms.keyDigests where !digests.insert(digest).inserted {
                    file.error(
                        map.position(of: "key_sha256"), "two tenants have the same key",
                        fix: "give each tenant a key of its own")
                }
                return terms
            }
        }
    }

    private func readTerms(_ map: MapReader, name: String) -> TenantTerms {
        let many = ScalarSchema<Int64>.count(1...1_000_000_000_000)
        var terms = TenantTerms(name: name)
        if case .list(let items)? = map.node("key_sha256")?.content {
            // While a key is replaced there are two.
            terms.keyDigests = items.compactMap { file.scalar($0, label: "key sha256", .sha256) }
        } else {
            terms.keyDigests = [map.optional("key_sha256", .sha256)].compactMap { $0 }
        }
        terms.tokensPerMinute = map.optional("tokens_per_minute", many).map { Int($0) }
        terms.requestsPerMinute = map.optional("requests_per_minute", many).map { Int($0) }
        terms.dailyBudget = map.optional("daily_budget", .dollars)
        terms.maxOutputTokens = map.optional("max_output_tokens", .count(1...1_000_000_000)).map { Int($0) }
        terms.maxContext = map.optional("max_context", .count(2...1_000_000_000)).map { Int($0) }
        return terms
    }

    private func readPrices(_ prices: MapReader, pools: [String]?) -> [PoolID: TokenPrice] {
        var read: [PoolID: TokenPrice] = [:]
        for entry in prices.allEntries {
            guard isPool(entry, of: pools) else { continue }
            read[PoolID(entry.key)] = file.map(entry.value, what: "price of pool '\(shown(entry.key))'") { map in
                let prompt = map.required("prompt", .dollars, example: "0.15")
                let output = map.required("output", .dollars, example: "0.60")
                guard let prompt, let output else { return nil }
                return TokenPrice(perMillionPrompt: prompt, perMillionOutput: output)
            }
        }
        return read
    }

    func isPool(_ entry: YAMLEntry, of pools: [String]?) -> Bool {
        guard let pools, !pools.contains(entry.key) else { return true }
        file.error(
            entry.position, "pool '\(shown(entry.key))' is none of the scenario",
            fix: NearestName.fix("pools", entry.key, among: pools))
        return false
    }

    private func readTraces(_ map: MapReader) -> TraceSettings? {
        let share = map.optional("share", .percentage(), default: 0.01)
        return map.required("collector", .httpURL, example: "http://127.0.0.1:4318").map {
            TraceSettings(collector: $0, share: share)
        }
    }

    private func readAdminTokens() -> [AdminToken] {
        map.list("admin_tokens").compactMap { item in
            file.map(item, what: "admin token") { map in
                let digest = map.required("sha256", .sha256, example: "9f86d081…")
                _ = map.requiredNode("role", example: "scaler")
                let role = map.choice("role", AdminRole.allCases.map { ($0.rawValue, $0) })
                guard let digest, let role else { return nil }
                return AdminToken(digest: digest, role: role)
            }
        }
    }

    // MARK: - What must fit together

    private func checkAccess(_ gateway: GatewaySettings, _ tenants: [TenantTerms], _ tokens: [AdminToken]) {
        let place = map.position(of: "gateway")
        if gateway.authentication == .keys, tenants.allSatisfy(\.keyDigests.isEmpty) {
            file.error(
                map.position(of: "tenants"), "no tenant has a key, so nobody could be served",
                fix: "add 'key_sha256' to a tenant, or write 'authentication: none' in gateway")
        }
        if gateway.authentication == .none, !Self.isLoopback(gateway.listen.host) {
            file.warning(place, "whoever reaches \(gateway.listen) is served without a key")
        }
        if tokens.isEmpty, !Self.isLoopback(gateway.admin.host) {
            file.error(
                place, "whoever reaches \(gateway.admin) could change replicas: there are no admin tokens",
                fix: "add 'admin_tokens', or let admin listen on 127.0.0.1")
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    /// A budget of tokens that cost nothing would never end.
    private func checkBudgets(_ tenants: [TenantTerms], _ prices: [PoolID: TokenPrice], _ pools: [PoolID]) {
        guard let tenant = tenants.first(where: { $0.dailyBudget != nil }) else { return }
        let free = pools.filter { prices[$0] == nil }
        guard !free.isEmpty else { return }
        file.error(
            map.position(of: "token_prices"),
            "tenant '\(tenant.name)' has a budget, and tokens of \(free.map { "'\($0)'" }.joined(separator: ", ")) have no price",
            fix: "add for example 'token_prices: {\(free[0]): {prompt: 0.15, output: 0.60}}'; 0 is a price")
    }
}
