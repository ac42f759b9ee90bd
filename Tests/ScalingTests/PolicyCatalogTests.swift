import FleetModel
import Scaling
import Testing
import Units

@Suite("Policy catalog")
struct PolicyCatalogTests {
    static let engines = ["chat": ToyPool.engine(servers: 8)]

    @Test("Every policy can be made from its defaults, and its descriptions name every parameter")
    func defaults() throws {
        for description in PolicyCatalog.descriptions {
            let policy = try PolicyCatalog.policy(named: description.name, parameters: [:], engines: Self.engines)
            #expect(type(of: policy).name == description.name)
            let file = try PolicyFile(policy)
            guard case .map(let written) = file.parameters else {
                Issue.record("\(description.name) writes no map")
                continue
            }
            let named = Set(description.parameters.map(\.name))
            #expect(Set(written.keys).isSubset(of: named), "\(description.name)")
            let withDefault = description.parameters.filter { $0.defaultValue != .null }
            for parameter in withDefault {
                #expect(written[parameter.name].map(Self.normalised) == Self.normalised(parameter.defaultValue))
            }
        }
    }

    /// Durations have several spellings of one value.
    static func normalised(_ value: ParameterValue) -> ParameterValue {
        guard case .text(let text) = value, let span = TimeSpan(text) else { return value }
        return .text(span.description)
    }

    @Test("Defaults of the catalog are those of the initialisers")
    func sameDefaults() throws {
        let hpa = try PolicyCatalog.policy(named: "hpa", parameters: [:])
        #expect((hpa as? HorizontalPodAutoscaler)?.parameters == .init())
        let queue = try PolicyCatalog.policy(named: "queue-depth", parameters: [:])
        #expect((queue as? QueueDepthPolicy)?.parameters == .init())
        let lookahead = try PolicyCatalog.policy(named: "lookahead", parameters: [:], engines: Self.engines)
        #expect((lookahead as? LookaheadPolicy)?.parameters == .init(engines: Self.engines))
        let fixed = try PolicyCatalog.policy(named: "static", parameters: [:])
        #expect((fixed as? StaticPolicy)?.parameters == .init())
    }

    @Test("Parameters are typed")
    func parameters() throws {
        let hpa = try PolicyCatalog.policy(
            named: "hpa", parameters: ["target_per_replica": .number(24.5), "scale_down_stabilization": .text("1m30s")])
        let parameters = try #require((hpa as? HorizontalPodAutoscaler)?.parameters)
        #expect(parameters.targetPerReplica == 24.5 && parameters.scaleDownStabilization == .seconds(90))
        var fixed = try PolicyCatalog.policy(
            named: "static", parameters: ["replicas_by_pool": .map(["chat": .number(3)])])
        var pool = ToyPool(coldStart: .zero, bounds: ReplicaBounds(minimum: 1, maximum: 9), service: 1, ready: 1)
        #expect(fixed.decide(pool.advance(rate: 1)).level == 3)
    }

    @Test("Every mistake is reported at once, names its parameter and lists the valid ones")
    func problems() {
        let problems = PolicyCatalog.problems(
            named: "hpa",
            parameters: [
                "tolerance": .number(2), "target": .number(5), "scale_up_pods": .number(1.5),
                "scale_down_period": .number(15), "scale_up_period": .text("0s"), "scale_up_percent": .number(50),
            ])
        #expect(
            problems.map(\.parameter)
                == ["scale_down_period", "scale_up_period", "scale_up_pods", "target", "tolerance"])
        #expect(problems[3].advice.contains("target_per_replica"))
        #expect(problems[0].description.contains("a duration with its unit"))
        #expect(throws: PolicyErrors(problems: problems)) {
            _ = try PolicyCatalog.policy(
                named: "hpa",
                parameters: [
                    "tolerance": .number(2), "target": .number(5), "scale_up_pods": .number(1.5),
                    "scale_down_period": .number(15), "scale_up_period": .text("0s"), "scale_up_percent": .number(50),
                ])
        }
        #expect(
            PolicyCatalog.problems(named: "hpaa", parameters: [:])
                == [.unknownPolicy("hpaa", known: ["static", "schedule", "hpa", "queue-depth", "lookahead"])])
        // Engines are the scenario's to give.
        #expect(PolicyCatalog.problems(named: "lookahead", parameters: ["engines": .map([:])]).count == 1)
        #expect(throws: PolicyErrors(problems: [.missingEngines(policy: "lookahead")])) {
            _ = try PolicyCatalog.policy(named: "lookahead", parameters: [:])
        }
    }

    @Test("A policy file runs the same policy, and a changed one is refused")
    func policyFile() throws {
        for description in PolicyCatalog.descriptions {
            var original = try PolicyCatalog.policy(named: description.name, parameters: [:], engines: Self.engines)
            var file = try ParameterValue(encoding: try PolicyFile(original)).decoded(as: PolicyFile.self)
            var restored = try PolicyCatalog.policy(from: file)
            #expect(try PolicyFile(restored) == file)
            var pool = ToyPool(coldStart: .zero, bounds: ReplicaBounds(minimum: 1, maximum: 9), service: 1, ready: 2)
            for _ in 0..<100 {
                let observation = pool.advance(rate: 5)
                let decision = original.decide(observation)
                #expect(restored.decide(observation) == decision)
                pool.apply(decision)
            }
            let memory = try ParameterValue(encoding: original.memory)
            let resumed = try PolicyCatalog.policy(from: file, memory: memory)
            #expect(try ParameterValue(encoding: resumed.memory) == memory)
            guard case .map(var parameters) = file.parameters else { continue }
            parameters["extra"] = .number(1)
            file.parameters = .map(parameters)
            #expect(throws: PolicyErrors(problems: [.digestMismatch(policy: description.name)])) {
                _ = try PolicyCatalog.policy(from: file)
            }
        }
    }
}
