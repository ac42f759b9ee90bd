import Control
import FleetModel
import Units

extension LiveConfigurationBuilder {
    /// Reads the section `controller`.
    func readController(_ map: MapReader) -> ControllerSettings {
        var settings = ControllerSettings()
        settings.listen = map.optional("listen", .address, default: settings.listen)
        settings.lease = map.optional("lease", .positiveDuration, default: settings.lease)
        settings.clusterLease = map.optional("cluster_lease", .text)
        settings.gatewayTokenFile = map.optional("gateway_token_file", .text).map(beside)
        settings.tls = map.map("tls", readTLS)
        if map.node("abuse") != nil { settings.abuse = map.map("abuse", readAbuse) }
        settings.alarms = map.map("alarms", readAlarms) ?? settings.alarms
        return settings
    }

    /// - Returns: `nil` where tenants are not to be watched.
    private func readAbuse(_ map: MapReader) -> TenantWatchRules? {
        var rules = TenantWatchRules()
        rules.window = map.optional("window", .positiveDuration, default: rules.window)
        rules.history = Int(map.optional("history", .count(2...1000), default: Int64(rules.history)))
        // The way back must lie below the way there.
        rules.factor = map.optional("factor", .number(2.5...1000, example: "5"), default: rules.factor)
        rules.deviations = map.optional("deviations", .number(0...1000, example: "10"), default: rules.deviations)
        rules.leastRequests = map.optional("least_requests", .rate, default: rules.leastRequests)
        rules.leastPromptTokens = map.optional(
            "least_prompt_tokens_per_second", .number(0...1e12, example: "500"), default: rules.leastPromptTokens)
        rules.leastOutputTokens = map.optional(
            "least_output_tokens_per_second", .number(0...1e12, example: "250"), default: rules.leastOutputTokens)
        rules.capAfter = map.optional("cap_after", .duration, default: rules.capAfter)
        rules.capFactor = map.optional("cap_factor", .number(1...1000, example: "2"), default: rules.capFactor)
        rules.leastCap = Int(
            map.optional("least_cap_tokens_per_minute", .count(1...1_000_000_000), default: Int64(rules.leastCap)))
        rules.hold = map.optional("hold", .duration, default: rules.hold)
        rules.lasting = map.optional("lasting", .positiveDuration, default: rules.lasting)
        rules.leastHistory = min(rules.leastHistory, rules.history)
        return map.optional("enabled", .flag, default: true) ? rules : nil
    }

    private func readAlarms(_ map: MapReader) -> AlarmLimits {
        var limits = AlarmLimits()
        limits.dailyBudget = map.optional("daily_budget", .dollars)
        limits.coldStartShare = map.optional(
            "cold_start", .percentage(1...10_000), default: limits.coldStartShare)
        limits.growingTicks = Int(map.optional("growing_ticks", .count(2...1000), default: Int64(limits.growingTicks)))
        limits.latencyFactor = map.optional(
            "latency_factor", .number(1...1000, example: "2.5"), default: limits.latencyFactor)
        return limits
    }

    /// Reads the section `pools`: who resizes each. Those left out are worker processes on this machine.
    func readActuators(_ pools: MapReader, known: [String]?) -> [PoolID: ActuatorSettings] {
        var settings: [PoolID: ActuatorSettings] = [:]
        for entry in pools.allEntries where isPool(entry, of: known) {
            settings[PoolID(entry.key)] = file.map(entry.value, what: "pool '\(shown(entry.key))'", readActuator)
        }
        return settings
    }

    private func readActuator(_ map: MapReader) -> ActuatorSettings? {
        enum Kind: String, CaseIterable { case local, command, kubernetes }
        switch map.choice("actuator", Kind.allCases.map { ($0.rawValue, $0) }, default: .local) {
        case .local:
            return .local(
                model: map.optional("model", .text), threads: map.optional("threads", .count(1...1024)).map { Int($0) })
        case .command:
            let words = map.list("apply").compactMap { file.scalar($0, label: "word of apply", .text) }
            let status = map.list("status").compactMap { file.scalar($0, label: "word of status", .text) }
            let deadline = map.optional("deadline", .positiveDuration, default: .seconds(30))
            guard !words.isEmpty else {
                file.error(
                    map.position(of: "apply"), "\(map.what) has no program to run",
                    fix: "write its words as a list, such as 'apply: [/usr/local/bin/resize, chat]'")
                return nil
            }
            return .command(apply: words, status: status.isEmpty ? nil : status, deadline: deadline)
        case .kubernetes:
            let resource = map.optional("resource", .text, default: "deployments")
            let name = map.required("name", .text, example: "chat-workers")
            let port = map.optional("port", .count(1...65_535), default: 8000)
            return name.map { .kubernetes(resource: resource, name: $0, port: Int(port)) }
        }
    }
}
