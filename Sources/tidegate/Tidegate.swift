import ArgumentParser
import Formats

@main
struct Tidegate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tidegate",
        abstract: "The cheapest GPU fleet, and the cheapest way to resize it, that still meets latency targets.",
        discussion: """
            EXAMPLES
              tidegate check Scenarios/chat-day
              tidegate replay Scenarios/chat-day --output out
              tidegate compare Scenarios/chat-day --output out --replications 5
              tidegate size Scenarios/chat-day --risk 5%
              tidegate verify out/journal.jsonl
              tidegate report tidegate-state/laptop-burst --scenario laptop-burst --output out
              tidegate calibrate core --output profile.json
              tidegate calibrate endpoint --target http://127.0.0.1:8000 --output profile.json
              tidegate validate profile.json --measured measured_vllm_rtx4090_llama-3.1-8b

            EXIT CODES
              0 done   2 nothing meets the SLO (size)   64 wrong usage   65 bad scenario, trace, profile or journal
              66 missing input   69 not available   73 cannot write   75 precision not reached
              130 stopped by Ctrl-C; what was simulated until then is written, marked as partial
            """,
        version: Version.current,
        subcommands: [
            Check.self, Replay.self, Compare.self, Size.self, Verify.self, Report.self, Sweep.self, Calibrate.self,
            Validate.self, TraceCommand.self, UpCommand.self, RehearseCommand.self, WorkerCommand.self,
            GatewayCommand.self,
            ControlCommand.self,
            LoadCommand.self, InitCACommand.self,
            Theory.self, Trust.self, StudySize.self, StudyProfiles.self,
        ])

    /// What names a server to send to goes to the executable of the live plane as it stands.
    static func main() async {
        let words = Array(CommandLine.arguments.dropFirst())
        if words.first == "validate", words.contains(where: { $0 == "--target" || $0.hasPrefix("--target=") }) {
            do { try LivePlane.hand(over: words) } catch { exit(withError: error) }
        }
        await main(nil)
    }
}
