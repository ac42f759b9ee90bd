import ArgumentParser
import Commands
import Formats

/// `tidegate trace`: what a trace file holds.
struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace", abstract: "Look at traces of requests.", subcommands: [TraceSummaryCommand.self])
}

extension TraceFormat: ExpressibleByArgument {}

struct TraceSummaryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "summary", abstract: "Count a trace's requests and tokens, and how its arrivals vary.",
        discussion: """
            EXAMPLES
              tidegate trace summary AzureLLMInferenceTrace_conv.csv
              tidegate trace summary mooncake.jsonl.gz --format mooncake --json
            """)

    @Argument(help: "A trace, plain or gzip.")
    var file: String
    @Option(help: "azure, mooncake or csv; told from the content without it.")
    var format: TraceFormat?
    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let console = Console(isQuiet: false)
        let trace: FileTrace
        let summary: TraceSummary
        do {
            trace = try FileTrace(path: file, format: format)
            summary = try TraceSummary(trace)
        } catch {
            console.alert("\(error)")
            throw ExitCode(ofReading: file)
        }
        if json {
            print(try CanonicalJSON.encode(summary), terminator: "")
            return
        }
        for note in trace.notes { console.say("note: \(note)") }
        func number(_ value: Double?, _ unit: String) -> String { value.map { "\(rounded($0))\(unit)" } ?? "none" }
        print(
            """
            format          \(trace.format.rawValue)
            requests        \(summary.requests) over \(summary.span)
            mean rate       \(number(summary.meanRate, " requests/s"))
            peak to mean    \(number(summary.peakToMean, "")) (busiest minute)
            interarrivals   CV \(number(summary.interarrivalCV, ""))
            prompt tokens   \(tokens(summary.promptTokens))
            output tokens   \(tokens(summary.outputTokens))
            """)
    }

    private func tokens(_ summary: TraceSummary.TokenSummary) -> String {
        "\(summary.total) in all; mean \(rounded(summary.mean)), p50 \(summary.p50), p99 \(summary.p99), "
            + "largest \(summary.largest)"
    }

    private func rounded(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
}
