/// The time of one all-reduce among the GPUs of a machine, by its size.
///
/// - Source: microsoft/vidur, `data/profiling/network` (MIT): NCCL on DGX A100 and DGX H100.
public struct AllReduceRow: Hashable, Sendable {
    /// Such as `h100_dgx`.
    public var device: String
    public var workers: Int
    public var bytes: Int
    public var milliseconds: Double

    /// - Throws: `InputError` with the line and column of the first field that is not what its column holds.
    public static func read(path: String) throws(InputError) -> [AllReduceRow] {
        let table = try CSVTable(
            path: path, name: path, required: ["device", "num_workers", "size", "all_reduce_median_ms"])
        var rows: [AllReduceRow] = []
        try table.forEachRow { row throws(InputError) in
            rows.append(
                AllReduceRow(
                    device: row.text("device"), workers: try row.count("num_workers"), bytes: try row.count("size"),
                    milliseconds: try row.number("all_reduce_median_ms")))
        }
        guard !rows.isEmpty else { throw InputError(file: path, problem: .empty) }
        return rows
    }
}
