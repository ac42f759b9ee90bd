import FleetModel
import Units

extension LiveConfigurationBuilder {
    /// Reads the section `gateway`.
    func readGateway(_ map: MapReader, pools: [String]?) -> GatewaySettings {
        var settings = GatewaySettings()
        settings.listen = map.optional("listen", .address, default: settings.listen)
        settings.admin = map.optional("admin", .address, default: settings.admin)
        settings.authentication = map.choice(
            "authentication", GatewaySettings.Authentication.allCases.map { ($0.rawValue, $0) },
            default: settings.authentication)
        settings.threads = Int(map.optional("threads", .count(1...64), default: Int64(settings.threads)))
        settings.retries = Int(map.optional("retries", .count(0...10), default: Int64(settings.retries)))
        settings.log = map.choice(
            "log", GatewaySettings.Log.allCases.map { ($0.rawValue, $0) }, default: settings.log)
        settings.limits = map.map("limits", readLimits) ?? settings.limits
        settings.hedging = map.map("hedging") { map in
            map.required("after", .positiveDuration, example: "2s").map { after in
                HedgingRules(after: after, share: map.optional("share", .percentage(), default: 0.05))
            }
        }
        settings.ejection = map.map("ejection", readEjection) ?? settings.ejection
        settings.tls = map.map("tls", readTLS)
        settings.servesClientsByTLS = map.choice("clients", [("plain", false), ("tls", true)], default: false)
        if settings.servesClientsByTLS, map.node("tls") == nil {
            file.error(
                map.position(of: "clients"), "clients are to be served by TLS, and there is no section 'tls'",
                fix: "write 'tls: {certificate: …, key: …, ca: …}' too; tidegate init-ca makes the files")
        }
        settings.models = map.map("models") { readModels($0, pools: pools) } ?? [:]
        return settings
    }

    /// Reads the files of a part's certificate.
    func readTLS(_ map: MapReader) -> TLSFileNames? {
        let certificate = map.required("certificate", .text, example: "tls/gateway.pem")
        let key = map.required("key", .text, example: "tls/gateway.key")
        let authority = map.required("ca", .text, example: "tls/ca.pem")
        guard let certificate, let key, let authority else { return nil }
        return TLSFileNames(certificate: beside(certificate), key: beside(key), authority: beside(authority))
    }

    private func readLimits(_ map: MapReader) -> GatewayLimits {
        var limits = GatewayLimits()
        func count(_ key: String, _ range: ClosedRange<Int64>, _ value: inout Int) {
            value = Int(map.optional(key, .count(range), default: Int64(value)))
        }
        count("body_bytes", 1024...1 << 30, &limits.bodyBytes)
        count("header_bytes", 1024...1 << 20, &limits.headerBytes)
        count("header_fields", 10...10_000, &limits.headerFields)
        count("connections", 1...1_000_000, &limits.connections)
        count("answer_bytes", 1024...1 << 32, &limits.answerBytes)
        limits.idle = map.optional("idle", .positiveDuration, default: limits.idle)
        limits.receive = map.optional("receive", .positiveDuration, default: limits.receive)
        limits.send = map.optional("send", .positiveDuration, default: limits.send)
        return limits
    }

    private func readEjection(_ map: MapReader) -> EjectionRules {
        var rules = EjectionRules()
        rules.stall = map.optional("stall", .positiveDuration, default: rules.stall)
        rules.connect = map.optional("connect", .positiveDuration, default: rules.connect)
        rules.backOff = map.optional("back_off", .positiveDuration, default: rules.backOff)
        rules.longestBackOff = map.optional("longest_back_off", .positiveDuration, default: rules.longestBackOff)
        if rules.longestBackOff < rules.backOff {
            file.error(
                map.position(of: "longest_back_off"), "longest_back_off \(rules.longestBackOff) is below back_off",
                fix: "write at least '\(rules.backOff)'")
        }
        return rules
    }

    /// Names of models: each leads to one pool.
    private func readModels(_ models: MapReader, pools: [String]?) -> [PoolID: ModelNames] {
        var taken = Set(pools ?? [])
        var read: [PoolID: ModelNames] = [:]
        for entry in models.allEntries {
            if let pools, !pools.contains(entry.key) {
                file.error(
                    entry.position, "pool '\(shown(entry.key))' is none of the scenario",
                    fix: NearestName.fix("pools", entry.key, among: pools))
                continue
            }
            read[PoolID(entry.key)] = file.map(entry.value, what: "model of pool '\(shown(entry.key))'") { map in
                var names = ModelNames(upstream: map.optional("upstream", .text))
                for item in map.list("aliases") {
                    guard let name = file.scalar(item, label: "alias", .text) else { continue }
                    if !taken.insert(name).inserted {
                        file.error(item.position, "alias '\(shown(name))' already leads to a pool")
                    }
                    names.aliases.append(name)
                }
                return names
            }
        }
        return read
    }
}
