import Scaling
import Simulation
import Units

extension ScenarioBuilder {
    /// The policies to compare, each with a label of its own.
    func readPolicies(pools: [String], bounds: [PoolConfiguration], seed: UInt64?) -> [PolicyChoice] {
        guard let node = map.requiredNode("policies", example: "[{policy: hpa}]") else { return [] }
        let items = file.list(node, label: "policies")
        if case .list(let all) = node.content, all.isEmpty {
            file.error(node.position, "policies is empty", fix: "add a policy")
        }
        _ = names(of: items, key: "label", what: "policy label")
        var labels: [String] = []
        return items.compactMap { item in
            guard
                let choice = file.map(
                    item, what: "policy", { readPolicy($0, pools: pools, bounds: bounds, seed: seed) })
            else {
                return nil
            }
            // A label left out is the policy's name; two of those clash without either being written.
            if labels.contains(choice.label), !hasLabel(item) {
                file.error(
                    item.position, "policy label '\(choice.label)' is there twice", fix: "add a 'label' of its own")
            }
            labels.append(choice.label)
            return choice
        }
    }

    private func hasLabel(_ item: YAMLNode) -> Bool {
        guard case .map(let entries) = item.content else { return false }
        return entries.contains { $0.key == "label" }
    }

    private func readPolicy(
        _ map: MapReader, pools: [String], bounds: [PoolConfiguration], seed: UInt64?
    ) -> PolicyChoice? {
        let label = map.optional("label", .name)
        let name = map.required("policy", .name, example: "hpa")
        let tune = map.node("tune")
        // Every other key is a parameter of the policy, which knows them and their ranges.
        let entries = map.allEntries.filter { !["label", "policy", "tune"].contains($0.key) }
        guard let name else { return nil }
        map.what = "policy '\(label ?? name)'"
        var parameters: [String: ParameterValue] = [:]
        let description = PolicyCatalog.descriptions.first { $0.name == name }
        for entry in entries {
            var value = parameterValue(entry.value)
            let kind = description?.parameters.first { $0.name == entry.key }?.kind
            if case .count? = kind, let scaled = entry.value.scaled, case .scalar(let product) = entry.value.content {
                let label = "\(map.what), \(entry.key)"
                let position = entry.value.position
                value =
                    file.wholeMultiple(scaled, product: product, at: position, label: label)
                    .flatMap(Double.init).map { .number($0) } ?? value
            }
            parameters[entry.key] = value
        }
        var isSound = true
        for problem in PolicyCatalog.problems(named: name, parameters: parameters) {
            isSound = false
            tell(problem, map, entries)
        }
        for entry in entries {
            let kind = description?.parameters.first { $0.name == entry.key }?.kind
            guard kind == .countByPool || kind == .stepsByPool, case .map(let byPool) = entry.value.content
            else { continue }
            for pool in byPool where !pools.contains(pool.key) {
                file.error(
                    pool.position, "pool '\(shown(pool.key))' does not exist",
                    fix: NearestName.fix("pools", pool.key, among: pools))
            }
        }
        let tuning = tune.flatMap { node in
            file.map(node, what: "tune of \(map.what)") {
                readTuning($0, of: name, with: parameters, description, seed)
            }
        }
        guard isSound else { return nil }
        if name == StaticPolicy.name { tellOfBounds(parameters, map, entries, bounds) }
        return PolicyChoice(label: label ?? name, policy: name, parameters: parameters, tuning: tuning)
    }

    /// Levels that the pools' bounds do not allow: what is played is the nearest one that they do.
    private func tellOfBounds(
        _ parameters: [String: ParameterValue], _ map: MapReader, _ entries: [YAMLEntry], _ pools: [PoolConfiguration]
    ) {
        var byPool: [String: ParameterValue] = [:]
        if case .map(let levels)? = parameters["replicas_by_pool"] { byPool = levels }
        for pool in pools {
            let key = byPool[pool.id.name] == nil ? "replicas" : "replicas_by_pool"
            guard case .number(let level)? = byPool[pool.id.name] ?? parameters[key] else { continue }
            let allowed = pool.bounds.clamp(Int(level))
            guard allowed != Int(level), let entry = entries.first(where: { $0.key == key }) else { continue }
            var position = entry.value.position
            if case .map(let levels) = entry.value.content {
                position = levels.first { $0.key == pool.id.name }?.value.position ?? position
            }
            file.warning(
                position,
                "\(map.what) wants \(Int(level)) replicas of pool '\(pool.id)', whose bounds are "
                    + "\(pool.bounds.minimum) to \(pool.bounds.maximum): it gets \(allowed)",
                fix: "write a level within the bounds, or widen them in the pool's 'replicas'")
        }
    }

    private func tell(_ problem: PolicyProblem, _ map: MapReader, _ entries: [YAMLEntry]) {
        let entry = entries.first { $0.key == problem.parameter }
        switch problem {
        case .unknownPolicy(let name, let known):
            file.error(
                map.position(of: "policy"), problem.description, fix: NearestName.fix("policies", name, among: known))
        case .unknownParameter(let name, _, let valid):
            file.error(
                entry?.position ?? map.position, problem.description,
                fix: NearestName.fix("parameters", name, among: valid))
        case .invalidParameter, .missingEngines, .unreadable, .digestMismatch:
            file.error(entry?.value.position ?? map.position, problem.description, fix: problem.advice)
        }
    }

    private func readTuning(
        _ map: MapReader, of policy: String, with parameters: [String: ParameterValue],
        _ description: PolicyDescription?, _ scenarioSeed: UInt64?
    ) -> PolicyTuning? {
        let parameter = map.required("parameter", .text, example: "target_per_replica")
        let seed = map.required("seed", .seed, example: "7")
        let nodes =
            map.requiredNode("candidates", example: "[8, 16, 24]").map { file.list($0, label: "candidates") } ?? []
        let candidates = nodes.map(parameterValue)
        if map.has("candidates"), nodes.count < 2 {
            file.error(
                map.position(of: "candidates"), "candidates has no two values to choose from",
                fix: "write a list of values")
        }
        if let seed, seed == scenarioSeed {
            file.error(
                map.position(of: "seed"), "tuning uses the scenario's own seed \(seed)",
                fix: "choose another, or the policy is fitted to the very traffic it is compared on")
        }
        guard let parameter, let seed, let description else { return nil }
        let known = description.parameters.filter(\.isSettable).map(\.name)
        guard known.contains(parameter) else {
            file.error(
                map.position(of: "parameter"), "policy '\(policy)' has no parameter '\(shown(parameter))'",
                fix: NearestName.fix("parameters", parameter, among: known))
            return nil
        }
        guard parameters[parameter] == nil else {
            file.error(
                map.position(of: "parameter"), "'\(parameter)' is both given and tuned", fix: "keep one of the two")
            return nil
        }
        for (node, candidate) in zip(nodes, candidates) {
            for problem in PolicyCatalog.problems(named: policy, parameters: [parameter: candidate]) {
                file.error(node.position, problem.description, fix: problem.advice)
            }
        }
        return PolicyTuning(parameter: parameter, candidates: candidates, seed: seed)
    }

    /// A value as it was written: `true`, a number (with `k` or `M`), a percentage as a fraction, or text.
    func parameterValue(_ node: YAMLNode) -> ParameterValue {
        switch node.content {
        case .refused: return .null
        case .list(let items): return .list(items.map(parameterValue))
        case .map(let entries):
            return .map(Dictionary(entries.map { ($0.key, parameterValue($0.value)) }) { first, _ in first })
        case .scalar(let text):
            switch text {
            case "", "~", "null": return .null
            case "true": return .bool(true)
            case "false": return .bool(false)
            default: break
            }
            if let number = scaledNumber(text) { return .number(number) }
            if text.hasSuffix("%"), case .success(let share) = ScalarSchema.percentage(0...1_000_000).read(text) {
                return .number(share)
            }
            return .text(text)
        }
    }
}
