import FleetModel
import Formats
import Simulation
import Synchronization
import Units

/// `requests.csv`: a row for each request as it ends, in order of the ends within each pool.
///
/// Written as the run goes, so memory does not grow with requests. Times are whole nanoseconds; what is nothing is empty.
///
/// | column | |
/// | --- | --- |
/// | `arrival_ns` | when the client sent it, after the start of the scenario |
/// | `pool`, `tenant`, `class` | by name |
/// | `prompt_tokens` | of its prompt |
/// | `output_tokens` | that it asks for, the longest context permitting; one that failed did not get them all |
/// | `outcome` | `completed`, `rejected-queue-full`, `rejected-too-long`, `timeout`, `replica-lost`, `unfinished` |
/// | `ttft_ns` | arrival to first token |
/// | `e2e_ns` | arrival to last token; of completed requests alone |
/// | `queue_wait_ns` | arrival until it first entered a batch |
/// | `ended_ns` | when it had its outcome, after the start of the scenario |
public final class RequestFile: Sendable {
    static let columns = [
        "arrival_ns", "pool", "tenant", "class", "prompt_tokens", "output_tokens", "outcome", "ttft_ns", "e2e_ns",
        "queue_wait_ns", "ended_ns",
    ]

    private let file: StreamedFile
    private let start: Instant
    /// Names as the rows have them.
    private let pools: [PoolID: [UInt8]]
    private let tenants: [[UInt8]]
    private let classes: [[UInt8]]
    private let rows = Mutex<[UInt8]>([])

    public var failure: OutputError? { file.failure }

    /// Opens it, and writes its header.
    public init(path: String, scenario: Scenario) throws(OutputError) {
        file = try StreamedFile(path: path)
        start = scenario.start
        pools = Dictionary(uniqueKeysWithValues: scenario.pools.map { ($0.id, Self.field($0.id.name)) })
        tenants = scenario.tenants.map { Self.field($0.name) }
        classes = scenario.sloClasses.map { Self.field($0.name) }
        file.append(CSVWriter(columns: Self.columns).text)
    }

    /// Adds requests of one pool.
    public func append(_ requests: [EndedRequest], of pool: PoolID) {
        rows.withLock { rows in
            for request in requests { write(request, of: pools[pool]!, to: &rows) }
            rows.withUnsafeBytes { file.append($0) }
            rows.removeAll(keepingCapacity: true)
        }
    }

    public func close() throws(OutputError) { try file.close() }
    public func discard() { file.discard() }

    private func write(_ request: EndedRequest, of pool: [UInt8], to rows: inout [UInt8]) {
        let arrival = request.arrival
        rows.append(number: (arrival.time - start).nanoseconds)
        for name in [pool, tenants[Int(arrival.tenant)], classes[Int(arrival.sloClass)]] {
            rows.append(comma)
            rows.append(contentsOf: name)
        }
        for count in [arrival.promptTokens, arrival.outputTokens] {
            rows.append(comma)
            rows.append(number: Int64(count))
        }
        rows.append(comma)
        rows.append(contentsOf: request.outcome.name.utf8)
        let last = request.outcome == .completed ? request.ended : nil
        for time in [request.firstToken, last, request.admitted] {
            rows.append(comma)
            if let time { rows.append(number: (time - arrival.time).nanoseconds) }
        }
        rows.append(comma)
        rows.append(number: (request.ended - start).nanoseconds)
        rows.append(UInt8(ascii: "\n"))
    }

    /// A name as CSV has it.
    private static func field(_ name: String) -> [UInt8] {
        Array(CSVWriter(columns: [name], lineEnd: "").text.utf8)
    }
}

private let comma = UInt8(ascii: ",")

extension RequestOutcome {
    /// As files have it.
    fileprivate var name: String {
        switch self {
        case .completed: "completed"
        case .rejectedQueueFull: "rejected-queue-full"
        case .rejectedTooLong: "rejected-too-long"
        case .failedTimeout: "timeout"
        case .failedReplicaLost: "replica-lost"
        case .unfinished: "unfinished"
        }
    }
}
