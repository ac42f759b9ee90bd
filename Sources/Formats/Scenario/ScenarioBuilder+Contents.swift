import FleetModel
import Units
import Workload

extension ScenarioBuilder {
    /// `{tokens: 1200, variants: 8, zipf: 1}`.
    func readSharedPrefix(_ map: MapReader) -> SharedPrefix? {
        map.map("shared_prefix", what: "shared prefix of \(map.what)") { prefix in
            let tokens = prefix.required("tokens", .count(1...Int64(PromptContent.maximumShared)), example: "1200")
            let variants = prefix.optional("variants", .count(1...1_000_000), default: 1)
            let zipf = prefix.optional("zipf", .number(0...10, example: "1"), default: 0)
            return tokens.map { SharedPrefix(tokens: Int($0), variants: Int(variants), zipf: zipf) }
        }
    }

    /// `{turns: 5, think_time: 40s}`.
    func readSessions(_ map: MapReader) -> Sessions? {
        map.map("sessions", what: "sessions of \(map.what)") { sessions in
            let turns = sessions.required("turns", .number(1...10_000, example: "5"), example: "5")
            let thinkTime = sessions.required("think_time", .positiveDuration, example: "40s")
            guard let turns, let thinkTime else { return nil }
            return Sessions(turns: turns, thinkTime: thinkTime)
        }
    }
}
