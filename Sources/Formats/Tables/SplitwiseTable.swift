/// One measured run of the Splitwise performance model.
///
/// - Source: Mutinifni/splitwise-sim, `data/perf_model.csv` (MIT): Patel et al., "Splitwise: Efficient Generative LLM
///   Inference Using Phase Splitting", ISCA 2024.
public struct SplitwiseRow: Hashable, Sendable {
    /// Such as `llama2-70b`.
    public var model: String
    /// Such as `h100-80gb`.
    public var hardware: String
    public var tensorParallel: Int
    /// Tokens of each prompt.
    public var promptSize: Int
    /// Prompts run together.
    public var batchSize: Int
    /// Tokens generated for each prompt.
    public var tokenSize: Int
    /// Milliseconds of the whole prompt phase.
    public var promptTime: Double
    /// Mean milliseconds of one token step after it.
    public var tokenTime: Double
    /// Milliseconds of the whole run.
    public var e2eTime: Double

    /// Reads the table, plain or gzip, in its order.
    ///
    /// - Throws: `InputError` with the line and column of the first field that is not what its column holds.
    public static func read(path: String) throws(InputError) -> [SplitwiseRow] {
        let table = try CSVTable(
            path: path, name: path,
            required: [
                "model", "hardware", "prompt_size", "batch_size", "token_size", "prompt_time", "token_time", "e2e_time",
                "tensor_parallel",
            ])
        var rows: [SplitwiseRow] = []
        try table.forEachRow { row throws(InputError) in
            rows.append(
                SplitwiseRow(
                    model: row.text("model"), hardware: row.text("hardware"),
                    tensorParallel: try row.count("tensor_parallel"), promptSize: try row.count("prompt_size"),
                    batchSize: try row.count("batch_size"), tokenSize: try row.count("token_size"),
                    promptTime: try row.number("prompt_time"), tokenTime: try row.number("token_time"),
                    e2eTime: try row.number("e2e_time")))
        }
        guard !rows.isEmpty else { throw InputError(file: path, problem: .empty) }
        return rows
    }
}
