/// One measured point of an engine under a constant number of requests of constant lengths.
///
/// - Source: ai-dynamo/aiconfigurator, `silicon_sample.csv` (Apache-2.0): InferenceMAX and InferenceX runs, and NVIDIA's.
public struct OperatingPoint: Hashable, Sendable {
    public var id: String
    public var model: String
    /// Such as `h100_sxm`.
    public var system: String
    /// `vllm`, `sglang` or `trtllm`.
    public var backend: String
    public var backendVersion: String
    /// Of the weights; empty where the source does not say.
    public var precision: String
    public var tensorParallel: Int
    public var promptTokens: Int
    public var outputTokens: Int
    /// Requests under way at a time.
    public var concurrency: Int
    /// Milliseconds, means over requests.
    public var ttft: Double
    public var tpot: Double

    /// Reads the points of engines that prefill and decode on the same GPUs; others are passed over.
    ///
    /// - Throws: `InputError` with the line and column of the first field that is not what its column holds.
    public static func read(path: String) throws(InputError) -> [OperatingPoint] {
        let table = try CSVTable(
            path: path, name: path,
            required: [
                "id", "model_path", "system", "backend", "backend_version", "precision", "mode", "isl", "osl",
                "batch_size", "tp_size", "pp_size", "attention_dp_size", "silicon_ttft_ms", "silicon_tpot_ms",
            ])
        var points: [OperatingPoint] = []
        try table.forEachRow { row throws(InputError) in
            guard row.text("mode") == "agg", !row.text("silicon_ttft_ms").isEmpty, !row.text("silicon_tpot_ms").isEmpty,
                row.isOne("pp_size"), row.isOne("attention_dp_size")
            else { return }
            points.append(
                OperatingPoint(
                    id: row.text("id"), model: row.text("model_path"), system: row.text("system"),
                    backend: row.text("backend"), backendVersion: row.text("backend_version"),
                    precision: row.text("precision"), tensorParallel: Int(try row.number("tp_size")),
                    promptTokens: try row.count("isl"), outputTokens: try row.count("osl"),
                    concurrency: Int(try row.number("batch_size")), ttft: try row.number("silicon_ttft_ms"),
                    tpot: try row.number("silicon_tpot_ms")))
        }
        guard !points.isEmpty else { throw InputError(file: path, problem: .empty) }
        return points
    }
}

extension CSVRow {
    /// Whether a degree of parallelism is 1 or not told.
    fileprivate func isOne(_ column: String) -> Bool { ["", "1", "1.0"].contains(text(column)) }
}
