@testable import Formats

/// A folder of scenarios with a profile, a price book and a trace, for tests that change one thing.
struct ScenarioFixture {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("profiles/llama.json", try EngineProfileFile.text(of: EngineProfileFileTests.profile))
        try folder.write("prices/on-demand.yaml", Self.prices)
        try folder.write("chat/mine.csv", "offset_s,prompt_tokens,output_tokens\n0,10,5\n90.5,20,6\n")
    }

    /// Reads `text` as the scenario of the folder `chat`.
    func check(_ text: String) throws -> ScenarioReader.Reading {
        try folder.write("chat/scenario.yaml", text)
        return ScenarioReader.check(path: folder.url.path + "/chat")
    }

    /// Diagnostics as `file:line:column: severity: message`, and the fix below it where `fixes` asks for it.
    func told(_ text: String, fixes: Bool = false) throws -> [String] {
        try check(text).diagnostics.map { diagnostic in
            var text = diagnostic.description.replacing(folder.url.path + "/", with: "")
            if !fixes { text = String(text.prefix { $0 != "\n" }) }
            return text
        }
    }

    static let prices = """
        prices:
          - {provider: aws, instance: p5.48xlarge, zone: us-east-1a, capacity: on-demand, usd_per_hour: 98.32,
             accelerators: 8, billing: per-second, minimum: 60s, source: a price page, date: 2026-03-02}
          - {provider: aws, instance: p5.48xlarge, zone: us-east-1a, capacity: spot, usd_per_hour: 39.5,
             accelerators: 8, billing: per-hour, source: a price page, date: 2026-03-02}
          - {provider: gcp, instance: a3-highgpu-1g, zone: us-central1-a, usd_per_hour: 11.06,
             accelerators: 1, source: a price page, date: 2026-03-02}

        """

    static let scenario = """
        scenario: chat-day
        question: What does a day of chat cost?
        seed: 42
        start: 2026-03-02T00:00:00Z
        duration: 24h
        slo_classes:
          interactive: {ttft: 2s, tpot: 100ms, attainment: 99%, timeout: 120s, priority: 0}
          batch: {e2e: 1h, attainment: 90%, priority: 5}
        tenants: [acme, globex, initech]
        traffic:
          - name: chat
            pool: chat
            class: interactive
            tenants: {acme: 60%, globex: 30%, initech: 10%}
            arrivals: {gamma: {cv: 1.1}}
            rate: {steps: {every: 10m, values: [2.5, 4, 3]}, scale: 2}
            prompt_tokens: {quantiles: {0%: 1, 50%: 928, 99%: 4142, 100%: 14050}}
            output_tokens: {lognormal: {p50: 129, p99: 601}, maximum: 1k}
          - name: real
            pool: chat
            class: batch
            tenants: {acme: 100%}
            trace: {file: mine.csv, format: csv, speed: 2}
        pools:
          - name: chat
            profile: profiles/llama.json
            offering: {provider: aws, instance: p5.48xlarge, zone: us-east-1a, capacity: on-demand}
            engine: {max_num_seqs: 128, max_num_batched_tokens: 4096}
            cold_start: {provision: 90s, pull: 60s, warm_up: 20s}
            replicas: {min: 2, max: 16, initial: 4}
            router: round-robin
            max_waiting_per_replica: 200
            drain_deadline: 5m
        prices: [prices/on-demand.yaml]
        allocation: {prompt_token: 1, output_token: 4}
        control: {tick: 15s, scrape: 15s, window: 60s, staleness: 45s, max_step_up: 4, spending_ceiling: 500 USD/h}
        policies:
          - {label: static, policy: static, replicas: 10}
          - {label: hpa, policy: hpa}
          - {label: hpa-tuned, policy: hpa, tune: {parameter: target_per_replica, candidates: [8, 16, 24], seed: 7}}
          - {policy: lookahead, scale_in_margin: 20%}

        """
}
