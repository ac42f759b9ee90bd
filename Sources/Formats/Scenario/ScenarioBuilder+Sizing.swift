import Pricing
import Scaling
import Simulation

extension ScenarioBuilder {
    /// What `tidegate size` may choose from: the pools as written, and what the `size` block adds.
    func readSizing(pools: [PoolConfiguration], policies: [PolicyChoice], books: PriceBooks?) -> SizingSpace {
        var ways = pools.map { pool in
            [PoolAlternative(configuration: pool, source: poolItem(pool.id.name).map(source) ?? [])]
        }
        var grids: [PolicyGrid] = []
        _ = map.map("size") { size in
            if let node = size.node("pools") { readAlternatives(node, of: pools, books, into: &ways) }
            if let node = size.node("policies") { grids = readGrids(node, policies) }
            return true
        }
        return SizingSpace(pools: ways, grids: grids)
    }

    // MARK: - Pools

    /// `chat: [{name: h200, offering: {…}, engine: {…}}]`: each a pool that differs from the one as written in its keys.
    private func readAlternatives(
        _ node: YAMLNode, of pools: [PoolConfiguration], _ books: PriceBooks?, into ways: inout [[PoolAlternative]]
    ) {
        let byPool = MapReader(node, what: "size pools", in: file)
        let names = names(of: map.list("pools"), key: "name", what: "pool")
        for entry in byPool.allEntries {
            guard let index = pools.firstIndex(where: { $0.id.name == entry.key }), let base = poolItem(entry.key)
            else {
                // A pool with a mistake of its own is told already.
                if !names.contains(entry.key) {
                    file.error(
                        entry.position, "pool '\(shown(entry.key))' does not exist",
                        fix: NearestName.fix("pools", entry.key, among: names))
                }
                continue
            }
            let items = file.list(entry.value, label: "alternatives of pool '\(entry.key)'")
            _ = self.names(of: items, key: "name", what: "alternative")
            ways[index] += items.compactMap { readAlternative($0, of: base, books) }
        }
    }

    private func readAlternative(_ item: YAMLNode, of base: [YAMLEntry], _ books: PriceBooks?) -> PoolAlternative? {
        let reader = MapReader(item, what: "alternative", in: file)
        guard reader.isUsable, let name = reader.required("name", .name, example: "h200") else { return nil }
        let own = reader.allEntries.filter { $0.key != "name" }
        if own.isEmpty {
            file.error(item.position, "alternative '\(name)' changes nothing", fix: "add for example 'offering: {…}'")
        }
        let kept = base.map { entry in own.first { $0.key == entry.key } ?? entry }
        let added = own.filter { entry in !base.contains { $0.key == entry.key } }
        let whole = YAMLNode(content: .map(kept + added), position: item.position)
        var profiles: [String: EngineProfileReading] = [:]
        return file.map(whole, what: "alternative '\(name)'") { readPool($0, books, &profiles) }.map {
            PoolAlternative(name: name, configuration: $0, source: source(kept + added))
        }
    }

    /// The values of a key in a list of maps, without a word on those that are there twice.
    private func names(of items: [YAMLNode], key: String) -> [String] {
        items.compactMap { item in
            guard case .map(let entries) = item.content,
                case .scalar(let name)? = entries.first(where: { $0.key == key })?.value.content
            else { return nil }
            return name
        }
    }

    private func poolItem(_ name: String) -> [YAMLEntry]? {
        for case .map(let entries) in map.list("pools").map(\.content) {
            if case .scalar(name)? = entries.first(where: { $0.key == "name" })?.value.content { return entries }
        }
        return nil
    }

    private func source(_ entries: [YAMLEntry]) -> [PoolAlternative.SourceKey] {
        entries.map { PoolAlternative.SourceKey(key: $0.key, value: $0.value.flowText) }
    }

    // MARK: - Policies

    /// `hpa: {target_per_replica: [8, 16, 24]}`: values to try of the policy with that label.
    private func readGrids(_ node: YAMLNode, _ policies: [PolicyChoice]) -> [PolicyGrid] {
        MapReader(node, what: "size policies", in: file).allEntries.compactMap { entry in
            guard let choice = policies.first(where: { $0.label == entry.key }) else {
                // A policy with a mistake of its own is told already.
                let written = ["label", "policy"].flatMap { key in
                    names(of: map.list("policies").filter { $0.has("label") == (key == "label") }, key: key)
                }
                guard !written.contains(entry.key) else { return nil }
                file.error(
                    entry.position, "policy '\(shown(entry.key))' does not exist",
                    fix: NearestName.fix("labels", entry.key, among: policies.map(\.label)))
                return nil
            }
            let axes = MapReader(entry.value, what: "size of policy '\(entry.key)'", in: file).allEntries
            return PolicyGrid(label: choice.label, axes: axes.compactMap { readAxis($0, of: choice) })
        }
    }

    private func readAxis(_ entry: YAMLEntry, of choice: PolicyChoice) -> PolicyGrid.Axis? {
        let values = file.list(entry.value, label: entry.key)
        if values.isEmpty {
            file.error(entry.position, "\(entry.key) has no value to try", fix: "write a list of values")
        }
        if choice.parameters[entry.key] != nil {
            file.error(
                entry.position, "'\(entry.key)' of policy '\(choice.label)' is both given and to be chosen",
                fix: "keep one of the two")
        }
        for node in values {
            for problem in PolicyCatalog.problems(
                named: choice.policy, parameters: [entry.key: parameterValue(node)])
            {
                file.error(node.position, problem.description, fix: problem.advice)
            }
        }
        return PolicyGrid.Axis(entry.key, values.map(parameterValue))
    }
}

extension YAMLNode {
    fileprivate func has(_ key: String) -> Bool {
        guard case .map(let entries) = content else { return false }
        return entries.contains { $0.key == key }
    }
}
