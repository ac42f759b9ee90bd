import FleetModel
import Formats
import Units

/// `requests.csv` of a load: a row for each request as it ends.
///
/// Times are whole nanoseconds after the start of the load; what is nothing is empty.
///
/// | column | |
/// | --- | --- |
/// | `request` | its number, in order of the times they were due |
/// | `tenant`, `class` | by name |
/// | `scheduled_ns`, `sent_ns` | when it was due, and when the system had taken its bytes |
/// | `first_token_ns`, `last_token_ns` | when the first and the last text of the answer came |
/// | `ended_ns` | when it had its outcome |
/// | `prompt_tokens_asked`, `output_tokens_asked` | by the scenario |
/// | `prompt_tokens`, `output_tokens` | by the server's `usage` |
/// | `status` | of HTTP |
/// | `error` | empty where it completed |
struct LoadRequestFile {
    static let columns = [
        "request", "tenant", "class", "scheduled_ns", "sent_ns", "first_token_ns", "last_token_ns", "ended_ns",
        "prompt_tokens_asked", "output_tokens_asked", "prompt_tokens", "output_tokens", "status", "error",
    ]

    private let file: StreamedFile
    private let tenants: [[UInt8]]
    private let classes: [[UInt8]]
    private var rows: [UInt8] = []

    init(path: String, tenants: [Tenant], classes: [SLOClass]) throws(OutputError) {
        file = try StreamedFile(path: path)
        self.tenants = tenants.map { Self.field($0.name) }
        self.classes = classes.map { Self.field($0.name) }
        file.append(CSVWriter(columns: Self.columns).text)
    }

    var failure: OutputError? { file.failure }

    mutating func append(_ records: [LoadRecord], start: Instant) {
        for record in records { append(record, start: start) }
        rows.withUnsafeBytes { file.append($0) }
        rows.removeAll(keepingCapacity: true)
    }

    func close() throws(OutputError) { try file.close() }

    private mutating func append(_ record: LoadRecord, start: Instant) {
        rows.append(number: Int64(record.number))
        append(text: tenants[Int(record.arrival.tenant)])
        append(text: classes[Int(record.arrival.sloClass)])
        for time in [record.scheduled, record.sent, record.firstToken, record.lastToken, record.ended] {
            append(number: time.map { ($0 - start).nanoseconds })
        }
        append(number: Int64(record.arrival.promptTokens))
        append(number: Int64(record.arrival.outputTokens))
        append(number: record.promptTokens.map(Int64.init))
        append(number: record.outputTokens.map(Int64.init))
        append(number: record.status == 0 ? nil : Int64(record.status))
        append(text: Array((record.outcome.error(status: record.status) ?? "").utf8))
        rows.append(UInt8(ascii: "\n"))
    }

    private mutating func append(text: [UInt8]) {
        rows.append(UInt8(ascii: ","))
        rows.append(contentsOf: text)
    }

    private mutating func append(number: Int64?) {
        rows.append(UInt8(ascii: ","))
        if let number { rows.append(number: number) }
    }

    /// A name as CSV has it.
    private static func field(_ name: String) -> [UInt8] {
        Array(CSVWriter(columns: [name], lineEnd: "").text.utf8)
    }
}
