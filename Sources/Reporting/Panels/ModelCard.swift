import EngineModel
import Simulation
import Units

/// What the engine's step times come from, how far they can be believed, and how each pool is set up.
struct ModelCard {
    private let content: ReportContent

    init(_ content: ReportContent) { self.content = content }

    var panel: Panel {
        let pools = content.scenario.pools
        return Panel(
            id: "model", title: "Model card",
            lead: content.result.record == nil
                ? "May these step times be believed? Where they come from, and how well they fit."
                : "What the scenario expects of each pool, and a policy that plans plans with. Nothing above comes from it.",
            body: HTML(
                pools.map { pool -> HTML in
                    let heading: HTML = pools.count > 1 ? "<h3>\(pool.id.name)</h3>" : ""
                    let facts = Facts(Self.engine(pool.profile) + Self.setup(pool))
                    return "\(heading)\(facts.html)\(Self.notes(pool.profile))"
                }))
    }

    private static func engine(_ profile: EngineProfile) -> [(String, String)] {
        let fit = profile.fit
        let error =
            fit.heldOut > 0
            ? "median \(percent(fit.medianAbsoluteError)), p90 \(percent(fit.p90AbsoluteError)), bias "
                + "\(percent(fit.bias)) over \(grouped(Int64(fit.heldOut))) held-out steps: \(fit.heldOutDescription)"
            : "not held out: \(fit.heldOutDescription)"
        let range = profile.validRange
        return [
            ("Profile", profile.name), ("Model", profile.model),
            (
                "Hardware of a replica",
                profile.hardware
                    + (profile.acceleratorsPerReplica == 1 ? "" : ", \(profile.acceleratorsPerReplica) accelerators")
            ),
            ("Engine", profile.engine), ("Measured", profile.date), ("Source", profile.source),
            ("Error of step time", error), ("Fitted on", "\(grouped(Int64(fit.fitted))) steps"),
            (
                "Valid up to",
                "\(grouped(range.decodeSequences)) decode sequences reading \(grouped(range.decodeContext)) KV tokens; "
                    + "\(grouped(range.prefillTokens)) prefill tokens behind \(grouped(range.prefillContext))"
            ),
            (
                "Residual noise",
                profile.noise > 0
                    ? "\(percent(profile.noise)) of step time (standard deviation)" : "none: no repeats measured"
            ),
            ("KV cache", "\(grouped(profile.kvTokens)) tokens, contexts up to \(grouped(profile.maxContext))"),
            ("Cold start from", profile.coldStart.source),
        ]
    }

    private static func setup(_ pool: PoolConfiguration) -> [(String, String)] {
        [
            (
                "Scheduler",
                "at most \(grouped(Int64(pool.batcher.maxBatchedTokens))) tokens and "
                    + "\(pool.batcher.maxSequences) sequences in a step; \(grouped(Int64(pool.batcher.totalBlocks))) KV blocks of "
                    + "\(pool.batcher.blockSize) tokens"
            ),
            (
                "Router",
                "\(pool.router.rawValue), at most \(grouped(Int64(pool.maxWaitingPerReplica))) waiting per replica"
            ),
            (
                "Machines",
                "\(pool.offering), \(pool.replicasPerInstance) "
                    + (pool.replicasPerInstance == 1 ? "replica" : "replicas") + " each"
            ),
            (
                "Replicas",
                "\(pool.bounds.minimum) to \(pool.bounds.maximum), \(pool.initialReplicas) at the start; "
                    + "drains for at most \(spelled(pool.drainDeadline))"
            ),
        ]
    }

    private static func notes(_ profile: EngineProfile) -> HTML {
        guard !profile.notes.isEmpty else { return "" }
        let items = profile.notes.map { note -> HTML in "<li>\(note)</li>" }
        return "<h3>Notes on the profile</h3><ul class=\"prose\">\(items)</ul>"
    }
}

/// Names and values, a line each.
struct Facts {
    var lines: [(name: String, value: HTML)]

    init(_ lines: [(String, String)]) { self.lines = lines.map { ($0.0, HTML(escaping: $0.1)) } }
    init(html lines: [(String, HTML)]) { self.lines = lines.map { ($0.0, $0.1) } }

    var html: HTML {
        "<dl class=\"facts\">\(lines.map { line -> HTML in "<dt>\(line.name)</dt><dd>\(line.value)</dd>" })</dl>"
    }
}
