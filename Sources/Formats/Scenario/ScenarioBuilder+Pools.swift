import EngineModel
import FleetModel
import Pricing
import Serving
import Simulation
import Units

/// A profile that was looked for, so that its mistakes are told once; `nil` when it has some.
typealias EngineProfileReading = EngineProfile?

extension ScenarioBuilder {
    func readPools(_ books: PriceBooks?) -> [PoolConfiguration] {
        guard let node = map.requiredNode("pools", example: "[{name: chat, …}]") else { return [] }
        if case .list(let items) = node.content, items.isEmpty {
            file.error(node.position, "pools is empty", fix: "add a pool")
        }
        // Pools often share a profile: one reading, and each of its mistakes told once.
        var profiles: [String: EngineProfile?] = [:]
        return map.list("pools").compactMap { item in
            file.map(item, what: "pool") { readPool($0, books, &profiles) }
        }
    }

    func readPool(
        _ map: MapReader, _ books: PriceBooks?, _ profiles: inout [String: EngineProfile?]
    ) -> PoolConfiguration? {
        let name = map.required("name", .name, example: "chat")
        if let name { map.what = "pool '\(name)'" }
        let pool = map.what
        let profile = readProfile(map, edits: name.map(edits.ofProfile) ?? [], &profiles)
        let placement = map.requiredMap("offering", example: "{provider: aws, instance: p5.48xlarge, zone: us-east-1a}")
        {
            offeringMap -> (offering: Offering, slots: Int)? in
            guard let offering = readOffering(offeringMap) else { return nil }
            guard let books, let price = findPrice(of: offering, offeringMap, pool: pool, in: books) else { return nil }
            guard let profile else { return nil }
            let slots = price.accelerators / profile.acceleratorsPerReplica
            guard slots >= 1 else {
                file.error(
                    offeringMap.position(of: "instance"),
                    "\(offering.instanceType) has \(price.accelerators) accelerators and a replica of \(pool) needs "
                        + "\(profile.acceleratorsPerReplica)",
                    fix: "choose a larger instance or a profile of fewer accelerators")
                return nil
            }
            return (offering, slots)
        }
        let batcher = readEngine(map, profile)
        let coldStart = readColdStart(map, profile)
        let replicas = map.requiredMap("replicas", example: "{min: 1, max: 8, initial: 2}", readReplicas)
        let router = map.choice("router", RouterKind.allCases.map { ($0.rawValue, $0) }, default: .leastOutstanding)
        let waiting = map.optional("max_waiting_per_replica", .count(1...1_000_000_000), default: 1000)
        let deadline = map.optional("drain_deadline", .positiveDuration, default: .minutes(5))
        guard let name, let profile, let placement, let batcher, let coldStart, let replicas else { return nil }
        return PoolConfiguration(
            id: PoolID(name), profile: profile, batcher: batcher, offering: placement.offering,
            replicasPerInstance: placement.slots, coldStart: coldStart, bounds: replicas.bounds,
            initialReplicas: replicas.initial, router: router, maxWaitingPerReplica: Int(waiting),
            drainDeadline: deadline)
    }

    private func readProfile(
        _ map: MapReader, edits: [(path: String, edit: ScenarioEdit)], _ profiles: inout [String: EngineProfile?]
    ) -> EngineProfile? {
        guard let reference = map.required("profile", .text, example: "profiles/llama-2-70b-h100-tp4.json") else {
            return nil
        }
        if edits.isEmpty, let known = profiles[reference] { return known }
        let profile = folder.yaml(reference, "engine profile", at: map.position(of: "profile"), in: file)
            .flatMap { EngineProfileFile.read($0.file.edited($0.root, by: edits), in: $0.file) }
        if edits.isEmpty { profiles[reference] = .some(profile) }
        return profile
    }

    /// The scheduler's limits, under vLLM's names and with its defaults; cache and context are the profile's.
    private func readEngine(_ pool: MapReader, _ profile: EngineProfile?) -> BatcherConfiguration? {
        guard let node = pool.node("engine") else {
            return readEngine(MapReader.empty(in: file, at: pool.position), pool.what, profile)
        }
        return file.map(node, what: "engine of \(pool.what)") { readEngine($0, pool.what, profile) }
    }

    private func readEngine(_ map: MapReader, _ pool: String, _ profile: EngineProfile?) -> BatcherConfiguration? {
        let size = ScalarSchema<Int64>.count(1...1_000_000)
        let tokens = ScalarSchema<Int64>.count(1...1_000_000_000_000)
        let sequences = map.optional("max_num_seqs", size, default: 256)
        let batched = map.optional("max_num_batched_tokens", size, default: 2048)
        let blockSize = map.optional("block_size", .count(1...4096), default: 16)
        let kvTokens = map.optional("kv_tokens", tokens)
        let maxContext = map.optional("max_context", .count(1...1_000_000_000))
        let caching = map.choice("prefix_caching", [("true", true), ("false", false)], default: false)
        guard sequences <= batched else {
            file.error(
                map.position(of: "max_num_seqs"), "max_num_seqs \(sequences) exceeds max_num_batched_tokens \(batched)",
                fix: "a step has a token for each running sequence: write at most \(batched)")
            return nil
        }
        guard let profile else { return nil }
        let blocks = (kvTokens ?? profile.kvTokens) / blockSize
        let context = maxContext ?? profile.maxContext
        guard context <= blocks * blockSize else {
            let key = maxContext != nil || kvTokens == nil ? "max_context" : "kv_tokens"
            file.error(
                map.position(of: key),
                "the KV cache of \(pool) holds \(blocks * blockSize) tokens, less than the longest "
                    + "context, \(context)", fix: "write 'max_context: \(blocks * blockSize)' or less in engine")
            return nil
        }
        return BatcherConfiguration(
            maxBatchedTokens: Int(batched), maxSequences: Int(sequences), blockSize: Int(blockSize),
            totalBlocks: Int(blocks), maxContext: Int(context), prefixCaching: caching)
    }

    /// Each stage as the scenario states it, else as the profile measured it; one that neither knows is an error.
    private func readColdStart(_ pool: MapReader, _ profile: EngineProfile?) -> ColdStart? {
        let position = pool.position(of: "cold_start")
        let reader =
            pool.node("cold_start").map { MapReader($0, what: "cold start of \(pool.what)", in: file) }
            ?? MapReader.empty(in: file, at: position)
        defer { reader.finish() }
        let stages: [(key: String, measured: TimeSpan?)] = [
            ("provision", profile?.coldStart.provision), ("pull", profile?.coldStart.pull),
            ("load", profile?.coldStart.load), ("warm_up", profile?.coldStart.warmUp),
        ]
        let spans = stages.map { reader.optional($0.key, .duration) ?? $0.measured }
        guard let profile else { return nil }
        let missing = zip(stages, spans).filter { stage, span in span == nil && !reader.has(stage.key) }.map(\.0.key)
        if !missing.isEmpty, reader.isUsable {
            file.error(
                position,
                "cold start of \(pool.what) has no \(missing.joined(separator: ", ")), and its profile "
                    + "'\(profile.name)' has not measured it",
                fix: "add 'cold_start: {\(missing.map { "\($0): 60s" }.joined(separator: ", "))}' with your own figures"
            )
        }
        guard let provision = spans[0], let pull = spans[1], let load = spans[2], let warmUp = spans[3] else {
            return nil
        }
        return ColdStart(provision: provision, pull: pull, load: load, warmUp: warmUp)
    }

    private func readReplicas(_ map: MapReader) -> (bounds: ReplicaBounds, initial: Int)? {
        let replicas = ScalarSchema<Int64>.count(0...100_000)
        let minimum = map.required("min", replicas, example: "1")
        let maximum = map.required("max", .count(1...100_000), example: "8")
        let initial = map.has("initial") ? map.optional("initial", replicas) : minimum
        guard let minimum, let maximum, let initial else { return nil }
        guard minimum <= maximum else {
            file.error(
                map.position(of: "min"), "min \(minimum) is above max \(maximum)", fix: "write min <= initial <= max")
            return nil
        }
        guard (minimum...maximum).contains(initial) else {
            file.error(
                map.position(of: "initial"), "initial \(initial) is outside min \(minimum) to max \(maximum)",
                fix: "write min <= initial <= max")
            return nil
        }
        return (ReplicaBounds(minimum: Int(minimum), maximum: Int(maximum)), Int(initial))
    }
}
