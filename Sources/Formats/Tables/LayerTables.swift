/// Measured times of a model's layers on one GPU, as LLMServingSim's profiler writes them: one folder, four tables.
///
/// - Source: casys-kaist/LLMServingSim, `profiler/perf` (MIT).
public struct LayerTables: Hashable, Sendable {
    /// What was profiled, from `meta.yaml`.
    public struct Meta: Hashable, Sendable {
        public var gpu: String
        public var model: String
        public var variant: String
        public var vllmVersion: String
        /// ISO 8601, as the profiler wrote it.
        public var profiledAt: String
        public var tensorParallel: Int
        /// Degrees of tensor parallelism that were profiled; the tables of one folder are of one of them.
        public var degrees: [Int]
        /// The short name of the card, such as `RTX4090`.
        public var hardware: String
        /// By what share of the way from the mean context to the longest a batch's attention time moves, as the profiler
        /// fitted it to batches of unequal contexts; `nil` where it did not.
        public var skew: Double?
        /// Tokens of a KV block.
        public var blockSize: Int
        public var maxBatchedTokens: Int
        public var maxSequences: Int
        /// Without CUDA graphs, which an engine in production has.
        public var isEager: Bool
        /// Layers of the profiled model, often one, which the real model repeats; `nil` when it was profiled whole.
        public var profiledLayers: Int?
    }

    /// A layer whose time depends on the step's tokens: a matrix product, a norm, an activation.
    public struct DenseRow: Hashable, Sendable {
        public var layer: String
        public var tokens: Int
        public var microseconds: Double
    }

    /// A layer that runs once a sequence: the output head, the sampler.
    public struct PerSequenceRow: Hashable, Sendable {
        public var layer: String
        public var sequences: Int
        public var microseconds: Double
    }

    /// Attention of one step: a prefill chunk behind its cached tokens, and decoding sequences with their context.
    public struct AttentionRow: Hashable, Sendable {
        public var prefillChunk: Int
        /// KV tokens behind the chunk.
        public var prefillContext: Int
        public var decodeSequences: Int
        /// KV tokens of each decoding sequence.
        public var decodeContext: Int
        public var microseconds: Double
    }

    /// Expert layers of a mixture of experts.
    public struct ExpertRow: Hashable, Sendable {
        public var tokens: Int
        public var activatedExperts: Int
        public var microseconds: Double
    }

    public var meta: Meta
    public var dense: [DenseRow]
    public var perSequence: [PerSequenceRow]
    public var attention: [AttentionRow]
    /// Empty for a dense model.
    public var experts: [ExpertRow]

    /// Reads `meta.yaml`, `dense.csv`, `per_sequence.csv`, `attention.csv.gz` (or `attention.csv`) and, where it is,
    /// `moe.csv` from `folder`.
    ///
    /// - Throws: `InvalidInput` with the problems of every file.
    public static func read(folder: String) throws(InvalidInput) -> LayerTables {
        let log = DiagnosticLog()
        let meta = readMeta("\(folder)/meta.yaml", log)
        let dense = readRows("\(folder)/dense.csv", ["layer", "tokens", "time_us"], log) { row throws(InputError) in
            DenseRow(
                layer: row.text("layer"), tokens: try row.count("tokens"), microseconds: try row.number("time_us"))
        }
        let perSequence = readRows("\(folder)/per_sequence.csv", ["layer", "sequences", "time_us"], log) {
            row throws(InputError) in
            PerSequenceRow(
                layer: row.text("layer"), sequences: try row.count("sequences"),
                microseconds: try row.number("time_us"))
        }
        let plain = "\(folder)/attention.csv"
        let attention = readRows(
            exists(plain) ? plain : plain + ".gz",
            ["prefill_chunk", "kv_prefill", "n_decode", "kv_decode", "time_us"], log
        ) { row throws(InputError) in
            AttentionRow(
                prefillChunk: try row.count("prefill_chunk"), prefillContext: try row.count("kv_prefill"),
                decodeSequences: try row.count("n_decode"), decodeContext: try row.count("kv_decode"),
                microseconds: try row.number("time_us"))
        }
        var experts: [ExpertRow] = []
        if exists("\(folder)/moe.csv") {
            experts = readRows("\(folder)/moe.csv", ["tokens", "activated_experts", "time_us"], log) {
                row throws(InputError) in
                ExpertRow(
                    tokens: try row.count("tokens"), activatedExperts: try row.count("activated_experts"),
                    microseconds: try row.number("time_us"))
            }
        }
        guard let meta, !log.hasErrors else { throw InvalidInput(log.diagnostics) }
        return LayerTables(meta: meta, dense: dense, perSequence: perSequence, attention: attention, experts: experts)
    }

    /// The few keys that a fit needs; a profiler's file holds many more, which are passed over.
    private static func readMeta(_ path: String, _ log: DiagnosticLog) -> Meta? {
        guard let (root, file) = TextFile.yaml(path: path, name: path, log: log) else { return nil }
        let top = MapReader(root, what: "meta", in: file)
        guard let node = top.requiredNode("engine_effective", example: "{block_size: 16}") else { return nil }
        let engine = MapReader(node, what: "engine_effective", in: file)
        let positive = ScalarSchema<Int64>.count(1...1_000_000)
        let degrees = top.list("tp_degrees").compactMap { file.scalar($0, label: "degree", positive) }.map { Int($0) }
        let overrides = engine.node("hf_overrides").map { MapReader($0, what: "hf_overrides", in: file) }
        guard let gpu = top.required("gpu", .text, example: "NVIDIA H100"),
            let model = top.required("model", .text, example: "meta-llama/Llama-3.1-8B"),
            let variant = top.required("variant", .text, example: "bf16"),
            let version = top.required("vllm_version", .text, example: "0.19.0"),
            let date = top.required("profiled_at", .text, example: "2026-04-24"),
            let parallel = engine.required("tensor_parallel_size", positive, example: "1"),
            let block = engine.required("block_size", positive, example: "16"),
            let tokens = engine.required("max_num_batched_tokens", positive, example: "2048"),
            let sequences = engine.required("max_num_seqs", positive, example: "256"),
            let eager = engine.required("enforce_eager", .flag, example: "true")
        else { return nil }
        return Meta(
            gpu: gpu, model: model, variant: variant, vllmVersion: version, profiledAt: date,
            tensorParallel: Int(parallel), degrees: degrees.isEmpty ? [Int(parallel)] : degrees,
            hardware: top.optional("hardware", .text) ?? gpu, skew: readSkew(top, in: file), blockSize: Int(block),
            maxBatchedTokens: Int(tokens),
            maxSequences: Int(sequences), isEager: eager,
            profiledLayers: overrides?.optional("num_hidden_layers", positive).map { Int($0) })
    }

    private static func readSkew(_ top: MapReader, in file: ReadFile) -> Double? {
        guard let node = top.node("skew_fit") else { return nil }
        let fit = MapReader(node, what: "skew_fit", in: file)
        guard let degrees = fit.node("per_tp"), case .map(let entries) = degrees.content else { return nil }
        let shares = entries.compactMap { entry in
            MapReader(entry.value, what: "skew_fit", in: file)
                .optional("alpha_default", .number(0...1, example: "0.05"))
        }
        // Of several degrees the first: they differ by a hundredth.
        return shares.first
    }

    private static func readRows<Row>(
        _ path: String, _ columns: [String], _ log: DiagnosticLog, _ parse: (CSVRow) throws(InputError) -> Row
    ) -> [Row] {
        var rows: [Row] = []
        do throws(InputError) {
            let table = try CSVTable(path: path, name: path, required: columns)
            try table.forEachRow { row throws(InputError) in rows.append(try parse(row)) }
            if rows.isEmpty { throw InputError(file: path, problem: .empty) }
        } catch {
            log.add(error.diagnostic)
        }
        return rows
    }
}
