import Foundation
import Serving
import Units

extension MeasuredRun {
    /// Reads `meta.json`, `requests.jsonl` and the one `workload*.jsonl` or `workload*.jsonl.gz` from `folder`.
    ///
    /// Without a workload the times of `requests.jsonl` are the arrivals and no token is known.
    ///
    /// - Throws: `InvalidInput` with the problems of every file.
    public static func read(folder: String) throws(InvalidInput) -> MeasuredRun {
        let log = DiagnosticLog()
        var assumptions: [String] = []
        let engine = readEngine("\(folder)/meta.json", &assumptions, log)
        let blockSize = engine?.blockSize ?? 16
        let recorded = readLines("\(folder)/requests.jsonl", log, RecordedRequest.init)
        var planned: [PlannedRequest] = []
        let workload = workloadFile(in: folder, log)
        if let workload {
            planned = readLines(workload, log) { fields throws(InputError) in
                try PlannedRequest(&fields, blockSize: blockSize)
            }
        }
        if workload == nil {
            assumptions.append("There is no workload file: arrivals are those of the client, and no token is known.")
        } else if planned.count != recorded.count, !log.hasErrors {
            log.add(
                Diagnostic(
                    file: workload ?? folder, line: planned.count, column: 1,
                    message: "\(planned.count) requests, and requests.jsonl holds \(recorded.count)",
                    fix: "give the workload that this run replayed"))
        }
        guard let engine, !log.hasErrors else { throw InvalidInput(log.diagnostics) }
        let requests = joined(recorded, planned, workload ?? "\(folder)/requests.jsonl", log)
        check(requests, engine, "\(folder)/requests.jsonl", log)
        guard !log.hasErrors else { throw InvalidInput(log.diagnostics) }
        return MeasuredRun(folder: folder, engine: engine, requests: requests, assumptions: assumptions)
    }

    // MARK: - Requests

    private static func joined(
        _ recorded: [RecordedRequest], _ planned: [PlannedRequest], _ name: String, _ log: DiagnosticLog
    ) -> [Request] {
        let start = recorded.map(\.arrival).min() ?? 0
        let clock = recorded.map(\.queued).min() ?? 0
        var requests: [Request] = []
        for (index, times) in recorded.enumerated() {
            let plan = planned.isEmpty ? nil : planned[index]
            if let plan, plan.promptTokens != times.promptTokens || plan.outputTokens != times.outputTokens {
                log.add(
                    Diagnostic(
                        file: name, line: index + 1, column: 1,
                        message: "\(plan.promptTokens) prompt and \(plan.outputTokens) output tokens, where "
                            + "requests.jsonl holds \(times.promptTokens) and \(times.outputTokens)",
                        fix: "give the workload that this run replayed, in its order"))
            }
            requests.append(
                Request(
                    promptTokens: Int(times.promptTokens), outputTokens: Int(times.outputTokens),
                    arrival: Instant(nanoseconds: plan?.arrival ?? times.arrival - start),
                    queued: Instant(nanoseconds: times.queued - clock),
                    firstToken: Instant(nanoseconds: times.firstToken - clock),
                    lastToken: Instant(nanoseconds: times.lastToken - clock), blockNames: plan?.blockNames ?? []))
        }
        // A stable sort: requests of one arrival stay in the file's order.
        return requests.enumerated().sorted { ($0.element.arrival, $0.offset) < ($1.element.arrival, $1.offset) }
            .map(\.element)
    }

    /// What would let no simulation end.
    private static func check(_ requests: [Request], _ engine: Engine, _ name: String, _ log: DiagnosticLog) {
        let room = min(engine.kvBlocks.map { $0 * engine.blockSize } ?? .max, engine.maxContext ?? .max)
        for (index, request) in requests.enumerated() where request.promptTokens + request.outputTokens > room {
            log.add(
                Diagnostic(
                    file: name, line: index + 1, column: 1,
                    message: "\(request.promptTokens) + \(request.outputTokens) tokens do not fit the \(room) that "
                        + "meta.json gives the engine", fix: "the files are not of one run"))
            return
        }
    }

    /// A line of `requests.jsonl`; times in nanoseconds.
    private struct RecordedRequest {
        var promptTokens: Int32 = 0
        var outputTokens: Int32 = 0
        var arrival: Int64 = -1
        var queued: Int64 = -1
        var firstToken: Int64 = -1
        var lastToken: Int64 = -1

        init(_ fields: inout LineFields) throws(InputError) {
            let second: Int64 = 1_000_000_000
            var (prompt, output): (Int32?, Int32?)
            var (arrival, queued, first, last): (Int64?, Int64?, Int64?, Int64?)
            try fields.forEachKey { key, fields throws(InputError) in
                switch key {
                case "input_toks": prompt = try fields.count("input_toks")
                case "output_toks": output = try fields.count("output_toks")
                case "arrival_time": arrival = try fields.time("arrival_time", unit: second)
                case "queued_ts": queued = try fields.time("queued_ts", unit: second)
                case "first_token_ts": first = try fields.time("first_token_ts", unit: second)
                case "last_token_ts": last = try fields.time("last_token_ts", unit: second)
                default: try fields.skipJSONValue()
                }
            }
            guard let prompt, let output, let arrival, let queued, let first, let last else {
                throw fields.badField(
                    "request",
                    expected: "an object with input_toks, output_toks, arrival_time, queued_ts, first_token_ts and "
                        + "last_token_ts", from: 0)
            }
            guard queued <= first, first <= last else {
                throw fields.badField("request", expected: "queued, answered and ended in this order", from: 0)
            }
            (promptTokens, outputTokens) = (prompt, output)
            (self.arrival, self.queued, firstToken, lastToken) = (arrival, queued, first, last)
        }
    }

    /// A line of the workload.
    private struct PlannedRequest {
        var promptTokens: Int32
        var outputTokens: Int32
        var arrival: Int64
        var blockNames: [BlockName] = []

        init(_ fields: inout LineFields, blockSize: Int) throws(InputError) {
            var (prompt, output, arrival): (Int32?, Int32?, Int64?)
            var tokens: [Int32] = []
            try fields.forEachKey { key, fields throws(InputError) in
                switch key {
                case "input_toks": prompt = try fields.count("input_toks")
                case "output_toks": output = try fields.count("output_toks")
                case "arrival_time_ns": arrival = try fields.time("arrival_time_ns", unit: 1)
                case "input_tok_ids": tokens = try fields.tokens("input_tok_ids")
                default: try fields.skipJSONValue()
                }
            }
            guard let prompt, let output, let arrival else {
                throw fields.badField(
                    "request", expected: "an object with input_toks, output_toks and arrival_time_ns", from: 0)
            }
            guard tokens.isEmpty || tokens.count == Int(prompt) else {
                throw fields.badField(
                    "input_tok_ids", expected: "a list of the \(prompt) tokens that input_toks says", from: 0)
            }
            (promptTokens, outputTokens, self.arrival) = (prompt, output, arrival)
            blockNames = BlockName.chain(of: tokens, blockSize: blockSize)
        }
    }

    // MARK: - Files

    private static func readLines<Line>(
        _ path: String, _ log: DiagnosticLog, _ parse: (inout LineFields) throws(InputError) -> Line
    ) -> [Line] {
        var parsed: [Line] = []
        do throws(InputError) {
            let lines = try LineScanner(path: path, name: path)
            var fields = LineFields(file: path)
            while let line = try lines.next() {
                guard !line.isEmpty else { continue }
                fields.begin(line, line: lines.line)
                parsed.append(try parse(&fields))
            }
            if parsed.isEmpty { throw InputError(file: path, problem: .empty) }
        } catch {
            log.add(error.diagnostic)
        }
        return parsed
    }

    /// `nil` when there is none, or, with an error, several.
    private static func workloadFile(in folder: String, _ log: DiagnosticLog) -> String? {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        let found = names.filter {
            $0.hasPrefix("workload") && ($0.hasSuffix(".jsonl") || $0.hasSuffix(".jsonl.gz"))
        }
        if found.count > 1 {
            log.add(
                Diagnostic(
                    file: folder, line: 0, column: 1, message: "several workloads: \(found.joined(separator: ", "))",
                    fix: "keep the one that this run replayed"))
        }
        return found.first.map { "\(folder)/\($0)" }
    }

    // MARK: - Engine

    private static func readEngine(_ path: String, _ assumptions: inout [String], _ log: DiagnosticLog) -> Engine? {
        guard let (root, file) = TextFile.yaml(path: path, name: path, log: log) else { return nil }
        let top = MapReader(root, what: "meta", in: file)
        guard let node = top.requiredNode("engine_kwargs", example: "{max_num_seqs: 256}") else { return nil }
        let arguments = MapReader(node, what: "engine_kwargs", in: file)
        let resolved = top.node("resolved_config").map { MapReader($0, what: "resolved_config", in: file) }
        let scheduler = resolved?.node("scheduler_config").map { MapReader($0, what: "scheduler_config", in: file) }
        let cache = top.node("kv_cache").map { MapReader($0, what: "kv_cache", in: file) }
        let hardware = top.node("hardware").map { MapReader($0, what: "hardware", in: file) }
        let positive = ScalarSchema<Int64>.count(1...1_000_000_000)
        guard let model = top.required("model", .text, example: "meta-llama/Llama-3.1-8B"),
            let version = top.required("vllm_version", .text, example: "0.19.0"),
            let sequences = arguments.required("max_num_seqs", positive, example: "256"),
            let tokens = arguments.required("max_num_batched_tokens", positive, example: "2048"),
            sequences <= tokens
        else { return nil }
        let blocks = cache?.given("num_gpu_blocks", positive)
        let isAsync = scheduler?.given("async_scheduling", .flag)
        let caches = cache?.given("enable_prefix_caching", .flag)
        if isAsync == nil {
            assumptions.append("Asynchronous scheduling is not told: on, as vLLM has it since 0.14.")
        }
        if caches == nil { assumptions.append("Prefix caching is not told: on, as vLLM V1 has it.") }
        if blocks == nil { assumptions.append("The KV blocks are not told: the profile's capacity is used.") }
        return Engine(
            model: model, vllmVersion: version, device: hardware?.given("device_name", .text),
            maxSequences: Int(sequences), maxBatchedTokens: Int(tokens),
            maxContext: arguments.given("max_model_len", positive).map { Int($0) },
            blockSize: Int(cache?.given("block_size", positive) ?? 16), kvBlocks: blocks.map { Int($0) },
            prefixCaching: caches ?? true, asyncScheduling: isAsync ?? true,
            tensorParallel: Int(arguments.given("tensor_parallel_size", positive) ?? 1),
            dataParallel: Int(arguments.given("data_parallel_size", positive) ?? 1),
            expertParallel: arguments.given("enable_expert_parallel", .flag) ?? false)
    }
}

extension MapReader {
    /// The value of a key that may be left out or be `null`.
    fileprivate func given<Value>(_ key: String, _ schema: ScalarSchema<Value>) -> Value? {
        guard let node = node(key) else { return nil }
        if case .scalar("null") = node.content { return nil }
        return optional(key, schema)
    }
}

extension LineFields {
    /// Calls `body` at the value of each key of the object that the line is; `body` steps over the value.
    fileprivate mutating func forEachKey(
        _ body: (String, inout LineFields) throws(InputError) -> Void
    ) throws(InputError) {
        skipSpaces()
        guard take(UInt8(ascii: "{")) else { throw notJSON() }
        skipSpaces()
        if !take(UInt8(ascii: "}")) {
            while true {
                let key = String(decoding: try jsonString(), as: UTF8.self)
                skipSpaces()
                guard take(UInt8(ascii: ":")) else { throw notJSON() }
                skipSpaces()
                try body(key, &self)
                skipSpaces()
                if take(UInt8(ascii: "}")) { break }
                guard take(UInt8(ascii: ",")) else { throw notJSON() }
                skipSpaces()
            }
        }
        skipSpaces()
        guard isAtEnd else { throw notJSON() }
    }

    /// A list of token numbers.
    fileprivate mutating func tokens(_ name: StaticString) throws(InputError) -> [Int32] {
        let first = cursor
        var tokens: [Int32] = []
        guard take(UInt8(ascii: "[")) else { throw badField("\(name)", expected: "a list of tokens", from: first) }
        skipSpaces()
        if take(UInt8(ascii: "]")) { return tokens }
        while true {
            guard let token = digits(), token <= Int64(Int32.max) else {
                throw badField("\(name)", expected: "a list of tokens", from: cursor)
            }
            tokens.append(Int32(token))
            skipSpaces()
            if take(UInt8(ascii: "]")) { return tokens }
            guard take(UInt8(ascii: ",")) else { throw notJSON() }
            skipSpaces()
        }
    }
}
