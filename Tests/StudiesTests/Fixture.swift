import FleetModel
import Simulation
import Units

@testable import Studies

enum Fixture {
    /// A pool of short steps under 0.8 sequences' worth of requests; policies hold fixed levels.
    static func scenario(requests: Int = 600, attainment: Double = 0.9) -> Scenario {
        let queue = QueueingCase(name: "toy", service: .exponential, servers: 1, load: 0.8)
        var scenario = queue.scenario(seed: 3, requests: requests)
        scenario.sloClasses = [SLOClass(name: "all", ttft: .milliseconds(400), attainment: attainment)]
        scenario.pools[0].bounds = ReplicaBounds(minimum: 1, maximum: 6)
        scenario.pools[0].router = .leastOutstanding
        scenario.control.tick = .seconds(5)
        scenario.control.scrape = .seconds(5)
        return scenario
    }

    static func level(_ replicas: Int, label: String? = nil) -> PolicyChoice {
        PolicyChoice(
            label: label ?? "\(replicas)", policy: "static", parameters: ["replicas": .number(Double(replicas))])
    }
}
