import FleetModel
import Scaling
import Simulation
import Studies
import Testing

@testable import Reporting

@Suite struct SizingFileTests {
    @Test func `the answer is the pool's keys with the replicas held, and one policy`() {
        let pool = Fixture.scenario(hours: 1, pools: 1).pools[0]
        let answer = SizingAnswer(
            name: "fixed at 5", scenario: Fixture.scenario,
            policy: PolicyChoice(
                label: "fixed", policy: "static", parameters: ["replicas_by_pool": .map(["chat": .number(5)])]),
            pools: [
                PoolAlternative(
                    configuration: pool,
                    source: [
                        .init(key: "name", value: "chat"), .init(key: "replicas", value: "{min: 1, max: 12}"),
                        .init(key: "router", value: "round-robin"),
                    ])
            ], counts: [5], cost: Estimate(1), probability: Estimate(1), freshProbability: nil)
        #expect(
            SizingFile(answer, of: "two-pools").text.split(separator: "\n").dropFirst(2) == [
                "pools:", "  - name: chat", "    replicas: {min: 1, max: 12, initial: 5}", "    router: round-robin",
                "policies:", "  - {label: sized, policy: static, replicas_by_pool: {chat: 5}}",
            ])
    }
}
