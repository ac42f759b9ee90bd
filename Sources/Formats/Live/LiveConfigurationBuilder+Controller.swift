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
        return settings
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
