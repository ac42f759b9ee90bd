import ArgumentParser
import Calibration
import Commands
import EngineModel
import Formats
import Foundation
import Live
import NIOPosix
import Units

/// `tidegate calibrate endpoint`; its sisters need no network and belong to the other executable.
struct Calibrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fit an engine profile to measured steps.", subcommands: [CalibrateEndpoint.self])
}

struct CalibrateEndpoint: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoint", abstract: "Fit a profile to any OpenAI-compatible server, from outside.",
        discussion: """
            Sends requests alone, together, and among others, and tells the engine's steps from when tokens came. Steps
            are fitted, then scaled until the simulated latencies of two loads agree with the measured ones; a load
            of another shape judges the profile, which keeps that error. Tokens are counted from 'usage'.

            What the server tells is used: KV capacity and TTFT by vLLM's metrics, slots and prompt times of llama.cpp.
            The rest are options. The server must be otherwise idle.

            EXAMPLES
              tidegate calibrate endpoint --target http://127.0.0.1:8000 --output profile.json
              tidegate calibrate endpoint --target http://127.0.0.1:8012 --model tiny --max-num-seqs 4 \\
                  --max-num-batched-tokens 2048 --kv-tokens 4096 --longest-prompt 256 --output profile.json
              tidegate calibrate endpoint --target http://127.0.0.1:8000 --output profile.json \\
                  --spawn 'tidegate worker --port 8000' --evict model.safetensors

            EXIT CODES
              0 done   64 wrong usage   65 the answers give no profile   69 the server is not there or fails, or the
              machine is too busy to time anything on it (--allow-noisy measures all the same)   73 cannot write
              130 stopped by Ctrl-C; nothing is written
            """)

    @Option(help: ArgumentHelp("The server, such as http://127.0.0.1:8000.", valueName: "URL"))
    var target: String
    @Option(name: .shortAndLong, help: "The profile to write.")
    var output: String
    @OptionGroup(title: "How requests are put") var sending: EndpointSendingArguments
    @OptionGroup(title: "What the server does not tell") var facts: EndpointFactArguments
    @OptionGroup(title: "What is measured") var scope: EndpointScopeArguments
    @OptionGroup(title: "Starting the server") var start: EndpointStartArguments
    @Flag(help: "Fit although the machine is busy.")
    var allowNoisy = false
    @Flag(help: "Print the profile as JSON on standard output too.")
    var json = false
    @Flag(help: "Print no progress.")
    var quiet = false

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let progress = LoadProgress(isQuiet: quiet)
        let server = try asUsage { () throws(LoadError) in try LoadTarget(target) }
        let file = URL(filePath: output)
        let folder = file.deletingLastPathComponent().path
        try progress.telling { try AtomicOutput.check([file.lastPathComponent], in: folder) }
        Interrupt.catchFirst(SIGINT, SIGTERM)
        let calibration = try await progress.tellingAll { try await calibrate(server, progress) }
        progress.finish()
        let text = try EngineProfileFile.text(of: calibration.profile)
        try progress.telling { try AtomicOutput.write([(file.lastPathComponent, text)], to: folder) }
        tell(calibration, progress)
        if json { print(text, terminator: "") }
    }

    private func calibrate(_ server: LoadTarget, _ progress: LoadProgress) async throws -> EndpointCalibration {
        try await withOneThread { group in
            let inquiry = try EndpointInquiry(server, fields: try sending.fields(), on: group)
            let (spawned, coldStart) = try await start.begin(server, inquiry, sending, group, progress)
            let result: Swift.Result<EndpointCalibration, any Error>
            do {
                result = .success(try await calibrate(server, inquiry, coldStart, group, progress))
            } catch {
                result = .failure(error)
            }
            await spawned?.stop()
            return try result.get()
        }
    }

    private func calibrate(
        _ server: LoadTarget, _ inquiry: EndpointInquiry, _ coldStart: ColdStartProfile,
        _ group: MultiThreadedEventLoopGroup, _ progress: LoadProgress
    ) async throws -> EndpointCalibration {
        let watch = MachineWatch.begin()
        if let problem = watch.problem, !allowNoisy { throw MachineIsBusy(problem: problem) }
        let meter = try await sending.meter(server, on: group, progress)
        let known = try await facts.known(inquiry, server, model: meter.style.model, scope, coldStart)
        let design = try EndpointDesign(limits: scope.limits(known.facts), seed: scope.seed)
        var measurement = EndpointMeasurement(
            meter, inquiry: inquiry, design: design, facts: known.facts, findsSequences: known.findsSequences)
        let measured = try await measurement.run { standing in
            progress.show("calibrate", share: standing.share, standing.phase)
            return !Interrupt.isRaised
        }
        var remarks = [measured.story]
        if let problem = watch.end().problem {
            guard allowNoisy else { throw MachineIsBusy(problem: problem) }
            remarks.append("Measured although \(problem): --allow-noisy.")
        }
        if let remark = known.remark { remarks.append(remark) }
        return try EndpointCalibration(
            measured.observation, heldOut: measured.heldOut,
            heldOutStory: design.heldOutLoadStory(rate: measured.heldOutRate), facts: measured.facts,
            date: Self.today, remarks: remarks)
    }

    private static var today: String {
        String(Instant(nanoseconds: Int64(Date().timeIntervalSince1970) * 1_000_000_000).description.prefix(10))
    }

    private func tell(_ calibration: EndpointCalibration, _ progress: LoadProgress) {
        let (profile, error) = (calibration.profile, calibration.validation.error)
        progress.say(
            String(
                format: """
                    %@: %d steps fitted
                      held-out load (%@): TTFT mean %+.1f %%, p99 %+.1f %%; ITL mean %+.1f %%, p99 %+.1f %%
                      written to %@
                    """, profile.name as NSString, profile.fit.fitted,
                (profile.heldOutLoad?.description ?? "") as NSString, error.ttft.mean, error.ttft.p99, error.itl.mean,
                error.itl.p99, output as NSString))
    }
}

/// The machine does other work, so that what was measured says more about that.
struct MachineIsBusy: Error, CustomStringConvertible {
    var problem: String
    var description: String {
        "error: this machine is oversubscribed: \(problem)\n    free it, or fit all the same with --allow-noisy"
    }
}

/// How a calibration's requests are put to the server.
struct EndpointSendingArguments: ParsableArguments {
    @Option(help: "The model's name at the server. The only one it has without it.")
    var model: String?
    @Option(help: "token-ids, small-token-ids or text. What the server takes, in this order, without it.")
    var prompts: RequestStyle.Prompts?
    @Option(help: ArgumentHelp("One more field of each request's head. May be repeated.", valueName: "NAME: VALUE"))
    var header: [String] = []
    @Option(help: "How long an answer, or the start of the server, may take.")
    var timeout = "120s"
    @Flag(help: "Let the sending thread take its turn. By default it runs before others, where the system allows that.")
    var ordinaryPriority = false

    func validate() throws {
        guard let span = TimeSpan(timeout), span > .zero else {
            throw ValidationError("--timeout '\(timeout)' is no duration: write it with a unit, such as 120s")
        }
        _ = try fields()
    }

    var limit: TimeSpan { TimeSpan(timeout)! }

    func fields() throws -> [HeaderField] { try HeaderField.fields(header) }

    func meter(
        _ server: LoadTarget, on group: MultiThreadedEventLoopGroup, _ progress: LoadProgress
    ) async throws -> EndpointMeter {
        var wanted = RequestStyle(model: model ?? "")
        wanted.fields = try fields()
        let style = try await TargetProbe(server, on: group).style(
            wanted, prompts: prompts, priority: 0, remark: progress.say)
        var meter = EndpointMeter(server, style: style, on: group)
        meter.timeout = limit
        meter.isUrgent = !ordinaryPriority
        return meter
    }
}

/// What a profile must know and few servers tell.
struct EndpointFactArguments: ParsableArguments {
    @Option(help: "Sequences that run at a time. As the server tells, or as found, without it.")
    var maxNumSeqs: Int?
    @Option(help: "Tokens computed in a step (vLLM's name; llama.cpp's -b). 2048 without it.")
    var maxNumBatchedTokens: Int?
    @Option(help: "Tokens of KV cache. As the server's metrics tell without it.")
    var kvTokens: Int?
    @Option(help: "The longest context, prompt and answer together. As the server tells without it.")
    var maxContext: Int?
    @Flag(help: "The engine plans a step while the one before runs, as vLLM does since 0.14.")
    var asyncScheduling = false
    @Option(help: "What the server runs on, for the profile. This machine's processor where the server is on it.")
    var hardware: String?
    @Option(help: "GPUs of the server.")
    var accelerators = 1
    @Option(help: "The engine and its version, for the profile.")
    var engine: String?

    func validate() throws {
        let counts = [
            ("--max-num-seqs", maxNumSeqs), ("--max-num-batched-tokens", maxNumBatchedTokens),
            ("--kv-tokens", kvTokens), ("--max-context", maxContext), ("--accelerators", accelerators),
        ]
        for case (let name, let count?) in counts where count < 1 || count > 1 << 40 {
            throw ValidationError("\(name) is \(count), not 1 to 2^40")
        }
    }

    struct Known {
        var facts: EndpointFacts
        var findsSequences: Bool
        var remark: String?
    }

    /// Joins what the server tells and what is said here.
    func known(
        _ inquiry: EndpointInquiry, _ server: LoadTarget, model: String, _ scope: EndpointScopeArguments,
        _ coldStart: ColdStartProfile
    ) async throws -> Known {
        let page = await inquiry.metrics()
        let slots = await inquiry.slots()
        let told =
            page?.kvTokens.map { ($0, "as the server's metrics tell") }
            ?? slots.map { ($0.count * $0.context, "its slots times their context, as the server tells") }
        guard let (kv, kvSource) = kvTokens.map({ ($0, "given by --kv-tokens") }) ?? told else {
            throw LoadError(
                "\(server): error: the server does not tell its KV capacity: give it with --kv-tokens")
        }
        let served = await inquiry.maxContext(of: model)
        let context = min(maxContext ?? served ?? slots?.context ?? kv, kv)
        let sequences = maxNumSeqs ?? slots?.count
        let tokens = maxNumBatchedTokens ?? max(2048, sequences ?? 0)
        guard (sequences ?? 1) <= tokens else {
            throw ValidationError("--max-num-seqs \(sequences!) exceeds --max-num-batched-tokens \(tokens)")
        }
        let place =
            ["127.0.0.1", "localhost", "::1"].contains(server.host) ? CoreCalibrator.processorName() : "not told"
        let origin = maxNumSeqs != nil ? "given" : slots != nil ? "told by the server" : "found"
        let scheduler = MeasuredScheduler(
            maxNumSeqs: Int64(sequences ?? min(256, tokens)), maxNumBatchedTokens: Int64(tokens),
            asyncScheduling: asyncScheduling ? true : nil,
            source: "Sequences \(origin)"
                + (maxNumBatchedTokens != nil ? ", tokens a step given." : ", 2048 tokens a step assumed."))
        let facts = EndpointFacts(
            target: "\(server)", model: model, engine: engine ?? page?.engine, hardware: hardware ?? place,
            accelerators: accelerators, maxContext: context, kvTokens: kv, kvSource: kvSource, scheduler: scheduler,
            coldStart: coldStart)
        let remark =
            maxContext == nil && served == nil && slots == nil
            ? "The server does not tell its longest context: it is taken to be the KV cache." : nil
        return Known(facts: facts, findsSequences: sequences == nil, remark: remark)
    }
}

/// How far and how long is measured.
struct EndpointScopeArguments: ParsableArguments {
    @Option(help: "The longest prompt that is sent.")
    var longestPrompt = 512
    @Option(help: "The most requests at a time: the batch up to which the profile holds.")
    var concurrency = 32
    @Option(help: "Tokens of an answer while steps are measured.")
    var outputTokens = 24
    @Option(help: "Requests of each of the three loads: two are fitted, one is held out.")
    var loadRequests = 200
    @Option(help: "Seed of the loads.")
    var seed: UInt64 = 1

    func validate() throws {
        guard longestPrompt >= 32, concurrency >= 2, concurrency <= 4096, outputTokens >= 8, loadRequests >= 20 else {
            throw ValidationError(
                "at least --longest-prompt 32, --concurrency 2, --output-tokens 8 and --load-requests 20 are needed")
        }
    }

    func limits(_ facts: EndpointFacts) -> EndpointDesign.Limits {
        let width = min(concurrency, Int(facts.scheduler.maxNumSeqs))
        // A prompt with all others decoding must fit one step, or its step cannot be told.
        let longest = min(
            longestPrompt, facts.maxContext - 2 * outputTokens, Int(facts.scheduler.maxNumBatchedTokens) - width)
        return EndpointDesign.Limits(
            maxContext: facts.maxContext, longestPrompt: longest, concurrency: max(2, width),
            outputTokens: outputTokens, loadRequests: loadRequests, kvTokens: facts.kvTokens)
    }
}

/// A server that is started for the calibration, and timed while it starts.
struct EndpointStartArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Start the server by this command of the shell, time its start, and end it.", valueName: "COMMAND"))
    var spawn: String?
    @Option(
        help: ArgumentHelp(
            "A file that a first start must read from the disk: its weights. May be repeated.", valueName: "FILE"))
    var evict: [String] = []

    func validate() throws {
        if spawn == nil, !evict.isEmpty { throw ValidationError("--evict is for --spawn COMMAND") }
    }

    /// Starts the server, twice where files are evicted, and leaves the last one running.
    func begin(
        _ server: LoadTarget, _ inquiry: EndpointInquiry, _ sending: EndpointSendingArguments,
        _ group: MultiThreadedEventLoopGroup, _ progress: LoadProgress
    ) async throws -> (SpawnedServer?, ColdStartProfile) {
        guard let spawn else {
            return (
                nil,
                ColdStartProfile(
                    source: "Not measured: the server was running. Let it be started with --spawn to measure its start."
                )
            )
        }
        guard await inquiry.isReady() == nil else {
            throw LoadError("\(server): error: something answers there already: end it, or leave --spawn out")
        }
        var uncached: ColdStart?
        if !evict.isEmpty {
            try SpawnedServer.evict(evict)
            let (first, start) = try await started(spawn, server, inquiry, sending, group, progress)
            await first.stop()
            uncached = start
        }
        let (child, cached) = try await started(spawn, server, inquiry, sending, group, progress)
        return (child, ColdStart.profile(uncached: uncached, cached: cached))
    }

    private func started(
        _ command: String, _ server: LoadTarget, _ inquiry: EndpointInquiry, _ sending: EndpointSendingArguments,
        _ group: MultiThreadedEventLoopGroup, _ progress: LoadProgress
    ) async throws -> (SpawnedServer, ColdStart) {
        progress.show("calibrate", share: 0, "starting the server")
        let child = try SpawnedServer(command)
        do {
            let stages = try await child.stages(inquiry, within: sending.limit) { !Interrupt.isRaised }
            let meter = try await ColdStart.firstTokens(sending, server, group, progress)
            return (child, ColdStart(stages: stages, first: meter.first, second: meter.second))
        } catch {
            await child.stop()
            throw error
        }
    }
}

/// How long a start took, stage by stage.
private struct ColdStart {
    var stages: SpawnedServer.Stages
    /// TTFT of the first two requests.
    var first: TimeSpan
    var second: TimeSpan

    var warmUp: TimeSpan { max(.zero, first - second) }

    static func firstTokens(
        _ sending: EndpointSendingArguments, _ server: LoadTarget, _ group: MultiThreadedEventLoopGroup,
        _ progress: LoadProgress
    ) async throws -> (first: TimeSpan, second: TimeSpan) {
        // The probe's own request would be the first: so the style is what was asked for, untried.
        var style = RequestStyle(model: sending.model ?? "")
        style.fields = try sending.fields()
        style.prompts = sending.prompts ?? .text
        if style.model.isEmpty {
            style = try await TargetProbe(server, on: group).named(style)
        }
        let meter = EndpointMeter(server, style: style, on: group)
        let request = EndpointDesign.Burst(requests: [.init(offset: .zero, promptTokens: 16, outputTokens: 4)])
        var serial: UInt64 = 1 << 40
        var times: [TimeSpan] = []
        for _ in 0..<2 {
            let answers = try await meter.answers(to: request.arrivals(serial: &serial)) { _ in !Interrupt.isRaised }
            times.append(.estimate(seconds: answers[0].ttft))
        }
        return (times[0], times[1])
    }

    /// Loading as it is without the page cache where that was measured; the words hold both.
    static func profile(uncached: ColdStart?, cached: ColdStart) -> ColdStartProfile {
        func story(_ name: String, _ start: ColdStart) -> String {
            "\(name): spawn \(start.stages.spawn), load \(start.stages.load), warm-up \(start.warmUp), first token "
                + "\(start.first)"
        }
        let cold = uncached ?? cached
        return ColdStartProfile(
            load: cold.stages.spawn + cold.stages.load, warmUp: cold.warmUp,
            source: "Measured once each. "
                + (uncached.map { story("Files read from the disk", $0) + ". " } ?? "")
                + story("Files in the page cache" + (uncached == nil ? " where they were there" : ""), cached)
                + ". Load holds the spawn; warm-up is what the first request took longer than the second. Nothing was "
                + "provisioned or pulled.")
    }
}
