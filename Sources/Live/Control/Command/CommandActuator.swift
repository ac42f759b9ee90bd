import Control
import FleetModel
import Foundation
import Logging
import Units

/// Resizes a pool by a program of the user's: Terraform, a cloud's command line, a rack's own tool.
///
/// The program is run with what to do in its environment, and once more, with `status`, for what there is:
///
///     TIDEGATE_ACTION=apply TIDEGATE_POOL=chat TIDEGATE_REPLICAS=5 TIDEGATE_GENERATION=7 TIDEGATE_EPOCH=3
///     TIDEGATE_IDEMPOTENCY_KEY=chat-3-7 TIDEGATE_REASON=…
///
/// It keeps the generation and the epoch with whatever it resizes, and tells them in its status.
public actor CommandActuator: PoolActuator {
    public struct Configuration: Sendable {
        public var pool: PoolID
        /// Program and arguments that bring the pool to a level.
        public var apply: [String]
        /// Program and arguments that print the pool; `nil` for those of `apply` with TIDEGATE_ACTION=status.
        public var status: [String]?
        /// How long either may take.
        public var deadline = TimeSpan.seconds(30)
        public var offerings: [OfferingObservation] = []

        public init(pool: PoolID, apply: [String]) {
            self.pool = pool
            self.apply = apply
        }
    }

    private let configuration: Configuration
    private let logger: Logger
    private var numbers = ReplicaNumbers()
    private var reachedGeneration = 0

    public init(_ configuration: Configuration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    public func apply(_ target: AppliedTarget, epoch: Int, at now: Instant) async throws(ActuationError) {
        precondition(target.pool == configuration.pool, "an order for \(target.pool) given to \(configuration.pool)")
        let outcome = try await run(
            configuration.apply,
            [
                "TIDEGATE_ACTION": "apply", "TIDEGATE_REPLICAS": String(target.replicas),
                "TIDEGATE_GENERATION": String(target.generation), "TIDEGATE_EPOCH": String(epoch),
                "TIDEGATE_IDEMPOTENCY_KEY": "\(target.pool)-\(epoch)-\(target.generation)",
                "TIDEGATE_REASON": target.reason,
            ])
        switch outcome.code {
        case 0: return
        case 3: throw .conflict(foreignLevel: try await report().replicas)
        case 4: throw .fenced(epoch: (try? await report().epoch) ?? epoch + 1)
        case 5: throw .outdated(generation: try await report().generation ?? target.generation)
        case 75: throw .unreachable(said(outcome))
        default: throw .refused(said(outcome))
        }
    }

    public func status(at now: Instant) async throws(ActuationError) -> ActuatorStatus {
        let report = try await report()
        let names = Set(report.instances.map(\.name))
        numbers.keep { names.contains($0) }
        let endpoints = report.instances.map { instance in
            ReplicaEndpoint(
                id: numbers.number(of: instance.name), name: instance.name, url: instance.url, phase: instance.phase)
        }.sorted { $0.id < $1.id }
        let ready = endpoints.filter { $0.phase == .ready }.map(\.id)
        let alive = endpoints.count { $0.phase != .draining }
        let starting = endpoints.count { $0.phase == .starting } + max(0, report.replicas - alive)
        let applied = report.generation ?? 0
        if starting == 0, ready.count == report.replicas { reachedGeneration = applied }
        return ActuatorStatus(
            pool: PoolStatus(
                pool: configuration.pool, time: now, readyReplicas: ready, starting: starting,
                draining: endpoints.count { $0.phase == .draining }, appliedGeneration: applied,
                reachedGeneration: min(reachedGeneration, applied), target: report.replicas,
                offerings: configuration.offerings),
            endpoints: endpoints, problems: report.problems ?? [])
    }

    private func report() async throws(ActuationError) -> HookReport {
        let outcome = try await run(configuration.status ?? configuration.apply, ["TIDEGATE_ACTION": "status"])
        guard outcome.code == 0 else { throw .unreachable(said(outcome)) }
        guard !outcome.isCut else { throw .garbled("the status command printed more than a megabyte") }
        return try HookReport(outcome.output)
    }

    private func run(
        _ words: [String], _ variables: [String: String]
    ) async throws(ActuationError) -> HookCommand.Outcome {
        var variables = variables
        variables["TIDEGATE_POOL"] = configuration.pool.name
        do throws(HookCommand.Failure) {
            let outcome = try await HookCommand(words: words, deadline: configuration.deadline).run(variables)
            if !outcome.errors.isEmpty { logger.info("\(words[0]) for pool \(configuration.pool): \(outcome.errors)") }
            return outcome
        } catch {
            switch error {
            case .notFound(let program): throw .missing("the program '\(program)'")
            case .cannotStart(let reason): throw .refused("the command cannot be started: \(reason)")
            case .tooSlow(let limit, let errors):
                throw .unreachable("\(words[0]) did not end within \(limit)" + (errors.isEmpty ? "" : ": \(errors)"))
            }
        }
    }

    private func said(_ outcome: HookCommand.Outcome) -> String {
        let end = outcome.code.map { "exit \($0)" } ?? "ended by a signal"
        return outcome.errors.isEmpty ? end : "\(end): \(outcome.errors)"
    }
}

/// What the status command prints.
struct HookReport: Hashable, Sendable, Decodable {
    struct Instance: Hashable, Sendable, Decodable {
        var name: String
        /// Base of its API, such as `http://10.0.0.4:8000`.
        var url: String?
        var phase: ReplicaEndpoint.Phase
    }
    /// The level that the pool is brought to.
    var replicas: Int
    /// Of the last order taken.
    var generation: Int?
    var epoch: Int?
    var instances: [Instance]
    var problems: [String]?

    /// - Throws: `.garbled` with what is wrong and what must be there.
    init(_ bytes: [UInt8]) throws(ActuationError) {
        do {
            self = try JSONDecoder().decode(HookReport.self, from: Data(bytes))
        } catch {
            throw .garbled("the status command printed no pool: \(Self.describe(error))")
        }
        guard replicas >= 0, generation ?? 0 >= 0, epoch ?? 0 >= 0 else {
            throw .garbled("the status command printed a negative number of replicas, generation or epoch")
        }
        var names: Set<String> = []
        for instance in instances {
            guard !instance.name.isEmpty, names.insert(instance.name).inserted else {
                throw .garbled("the status command named the instance '\(instance.name)' twice")
            }
            if let url = instance.url, !url.hasPrefix("http://"), !url.hasPrefix("https://") {
                throw .garbled("the url '\(url)' of instance \(instance.name) begins with neither http:// nor https://")
            }
            guard instance.phase != .ready || instance.url != nil else {
                throw .garbled("instance \(instance.name) is ready and has no url")
            }
        }
    }

    private static func describe(_ error: any Error) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        }
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            return "'\(place(context.codingPath + [key]))' is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.dataCorrupted(let context):
            let at = place(context.codingPath)
            return at.isEmpty ? "it is no JSON object" : "'\(at)' has a value that cannot stand there"
        default: return "\(error)"
        }
    }
}
