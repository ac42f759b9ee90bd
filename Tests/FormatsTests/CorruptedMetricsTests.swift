import Control
import FleetModel
import Foundation
import Randomness
import Scaling
import Testing
import Units

@testable import Formats

/// Whatever happens to metrics pages, a fleet that cannot be seen is not made smaller.
///
/// Six replicas are busy and then idle, so that every policy here removes some. In each of the runs some pages are damaged
/// from before the load falls until the end. A hundred and fifty runs here; `TIDEGATE_CORRUPTIONS=10000` makes more.
@Suite("Corrupted metrics")
struct CorruptedMetricsTests {
    static let runs = ProcessInfo.processInfo.environment["TIDEGATE_CORRUPTIONS"].flatMap { Int($0) } ?? 150

    @Test("Damaged pages never lead to scale-in, and the same runs undamaged do")
    func corruptions() throws {
        let random = RandomStreams(seed: 6).generator("corruptions")
        var seen: [Corruption: Int] = [:]
        for run in 0..<Self.runs {
            let corruption = Corruption.allCases[random.uniform(below: Corruption.allCases.count)]
            let replicas = Set((0...random.uniform(below: 6)).map { _ in random.uniform(below: 6) })
            let policy = Self.policies[run % Self.policies.count]
            let levels = try play(policy) { page, replica, scrape in
                replicas.contains(replica) ? corruption.damage(page, scrape: scrape, random) : page
            }
            let falls = zip(levels, levels.dropFirst()).contains { $0 > $1 }
            #expect(!falls, "run \(run): \(corruption) of \(replicas.sorted()) with \(policy.label): \(levels)")
            seen[corruption, default: 0] += 1
        }
        #expect(seen.count == Corruption.allCases.count)
        for policy in Self.policies {
            let levels = try play(policy) { page, _, _ in page }
            #expect(levels.max() == 6 && levels.min()! < 6, "\(policy.label) is to scale in: \(levels)")
        }
    }

    private static let policies = [
        (
            label: "hpa",
            parameters: ["target_per_replica": ParameterValue.number(20), "scale_down_stabilization": .text("0s")]
        ),
        (label: "queue-depth", parameters: ["target_waiting": .number(5), "scale_in_delay": .text("30s")]),
    ]

    /// The levels asked for, tick by tick.
    ///
    /// - Parameter damage: What becomes of a page: of which replica, at which scrape. `nil` is a scrape without an answer.
    private func play(
        _ policy: (label: String, parameters: [String: ParameterValue]),
        damage: (_ page: String, _ replica: Int, _ scrape: Int) -> String?
    ) throws -> [Int] {
        let pool = PoolID("chat")
        let bounds = ReplicaBounds(minimum: 1, maximum: 20)
        var loop = ControlLoop(
            observer: Observer(
                pools: [ObservedPool(id: pool, bounds: bounds)], window: .seconds(60), staleness: .seconds(45)),
            policy: try PolicyCatalog.policy(named: policy.label, parameters: policy.parameters), limits: GuardLimits())
        var level = 6
        var generation = 0
        return try (0..<24).map { scrape in
            let now = Instant.epoch + .seconds(15) * Int64(scrape)
            for replica in 0..<6 {
                let page = EnginePage(scrape: scrape, isBusy: scrape < 10).text
                let shown = scrape < 8 ? page : damage(page, replica, scrape)
                let sample = shown.flatMap { text in
                    try? ReplicaSample(
                        MetricsPage(Array(text.utf8)), pool: pool, replica: ReplicaID(replica), time: now)
                }
                if let sample {
                    loop.ingest(sample)
                } else {
                    loop.ingest(ScrapeFailure(pool: pool, replica: ReplicaID(replica), time: now))
                }
            }
            loop.ingest(
                GatewaySample(
                    pool: pool, time: now, arrivedRequests: Double(scrape * 40), arrivedPromptTokens: 1000,
                    streamedTokens: 1000, rejectedRequests: 0, heldRequests: 0))
            loop.ingest(
                PoolStatus(
                    pool: pool, time: now, readyReplicas: (0..<6).map { ReplicaID($0) }, starting: 0, draining: 0,
                    appliedGeneration: generation, reachedGeneration: generation, target: level,
                    offerings: []))
            for target in loop.tick(at: now).targets {
                level = target.replicas
                generation = target.generation
            }
            return level
        }
    }
}

/// A page under vLLM's names, as a replica shows it at its nth scrape.
private struct EnginePage {
    var scrape: Int
    var isBusy: Bool

    var text: String {
        let work = Double(min(scrape, 10) * 100 + max(0, scrape - 10) * 3)
        var lines = [
            "vllm:num_requests_running{engine=\"0\"} \(isBusy ? 15.0 : 1.0)",
            "vllm:num_requests_waiting{engine=\"0\"} \(isBusy ? 4.0 : 0.0)",
            "vllm:kv_cache_usage_perc{engine=\"0\"} \(isBusy ? 0.8 : 0.1)",
            "vllm:prompt_tokens_total{engine=\"0\"} \(work * 500)",
            "vllm:generation_tokens_total{engine=\"0\"} \(work * 120)",
            "vllm:num_preemptions_total{engine=\"0\"} 0.0",
            "vllm:request_success_total{engine=\"0\",finished_reason=\"stop\"} \(work)",
        ]
        for (name, bounds) in [
            ("vllm:time_to_first_token_seconds", [0.1, 1]), ("vllm:inter_token_latency_seconds", [0.025, 0.05]),
        ] {
            for (index, bound) in bounds.enumerated() {
                lines.append("\(name)_bucket{le=\"\(bound)\"} \((work * Double(index + 1) / 3).rounded())")
            }
            lines.append("\(name)_bucket{le=\"+Inf\"} \(work)")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

private enum Corruption: CaseIterable {
    case silent, frozen, notANumber, negative, infinite, astronomic, restarting, renamed, gone, cut, overwritten, empty

    /// What becomes of a page; `nil` where there is no answer.
    func damage(_ page: String, scrape: Int, _ random: RandomGenerator) -> String? {
        var lines = page.split(separator: "\n").map(String.init)
        let line = random.uniform(below: lines.count)
        let value = lines[line].lastIndex(of: " ")!
        switch self {
        case .silent: return nil
        case .frozen: return EnginePage(scrape: 7, isBusy: true).text
        case .notANumber: lines[line].replaceSubrange(value..., with: " NaN")
        case .negative: lines[line].replaceSubrange(value..., with: " -\(1 + random.uniform(below: 100))")
        case .infinite: lines[line].replaceSubrange(value..., with: " +Inf")
        case .astronomic: lines[line].replaceSubrange(value..., with: " 1e300")
        case .restarting: return EnginePage(scrape: scrape % 3, isBusy: false).text
        case .renamed: lines[line] = "x" + lines[line]
        case .gone: lines.remove(at: line)
        case .cut: return String(page.prefix(random.uniform(below: page.count - 1)))
        case .overwritten:
            let noise = (0..<8).map { _ in UInt8(truncatingIfNeeded: random.uniform(below: 256)) }
            lines[line] = String(decoding: noise, as: UTF8.self) + lines[line].dropFirst(8)
        case .empty: return ""
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
