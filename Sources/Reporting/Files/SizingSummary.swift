import Scaling
import Studies

/// `size.json`: the answer of `size` and every candidate, for programs.
public struct SizingSummary: Encodable, Sendable {
    private let scenario: String
    private let seed: UInt64
    private let risk: Double
    private let draws: Int
    private let varied: String
    private let runs: Int
    private let exhaustiveRuns: Int
    private let unfilled: Int
    private let unlisted: Int
    private let candidates: [Candidate]
    private let answer: Answer?
    private let nearest: Nearest?

    /// - Parameter classes: Names of the SLO classes in the scenario's order.
    public init(_ result: SizingResult, classes: [String]) {
        scenario = result.scenario
        seed = result.seed
        risk = result.rule.risk
        draws = result.rule.draws
        varied = result.varied
        runs = result.runs
        exhaustiveRuns = result.exhaustiveRuns
        unfilled = result.unfilled
        unlisted = result.unlisted
        candidates = result.rows.map { row in
            Candidate(
                name: row.name, verdict: row.verdict, draws: row.draws, missedDraws: row.misses, costUSD: row.cost,
                attainment: Dictionary(uniqueKeysWithValues: zip(classes, row.attainments)), reason: row.reason)
        }
        answer = result.answer.map { answer in
            Answer(
                name: answer.name, policy: answer.policy.policy, parameters: answer.policy.parameters,
                pools: zip(answer.scenario.pools, answer.pools).map { pool, way in
                    Pool(
                        name: pool.id.name, alternative: way.name, offering: pool.offering.description,
                        initialReplicas: pool.initialReplicas)
                },
                costUSD: answer.cost, freshCostUSD: answer.freshCost, probability: answer.probability,
                freshProbability: answer.freshProbability)
        }
        nearest = result.nearest.map {
            Nearest(name: $0.name, draws: $0.draws, missedDraws: $0.misses, costUSD: $0.cost, limits: $0.limits)
        }
    }

    enum CodingKeys: String, CodingKey {
        case scenario, seed, risk, draws, varied, runs, candidates, answer, nearest
        case exhaustiveRuns = "exhaustive_runs"
        case unfilled = "candidates_with_empty_slots"
        case unlisted = "candidates_not_listed"
    }

    private struct Candidate: Encodable {
        var name: String
        var verdict: SizingRow.Verdict
        var draws: Int
        var missedDraws: Int
        var costUSD: Estimate?
        var attainment: [String: Double]
        var reason: String

        enum CodingKeys: String, CodingKey {
            case name, verdict, draws, attainment, reason
            case missedDraws = "missed_draws"
            case costUSD = "cost_usd"
        }
    }

    private struct Answer: Encodable {
        var name: String
        var policy: String
        var parameters: [String: ParameterValue]
        var pools: [Pool]
        var costUSD: Estimate
        var freshCostUSD: Estimate?
        var probability: Estimate
        var freshProbability: Estimate?

        enum CodingKeys: String, CodingKey {
            case name, policy, parameters, pools, probability
            case costUSD = "cost_usd"
            case freshCostUSD = "fresh_cost_usd"
            case freshProbability = "fresh_probability"
        }
    }

    private struct Pool: Encodable {
        var name: String
        var alternative: String?
        var offering: String
        var initialReplicas: Int

        enum CodingKeys: String, CodingKey {
            case name, alternative, offering
            case initialReplicas = "initial_replicas"
        }
    }

    private struct Nearest: Encodable {
        var name: String
        var draws: Int
        var missedDraws: Int
        var costUSD: Estimate
        var limits: [String]

        enum CodingKeys: String, CodingKey {
            case name, draws, limits
            case missedDraws = "missed_draws"
            case costUSD = "cost_usd"
        }
    }
}
