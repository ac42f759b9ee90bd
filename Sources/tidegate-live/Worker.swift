import ArgumentParser
import Commands
import EngineModel
import Formats
import Foundation
import InferenceCore
import Live
import Serving
import Units

/// `tidegate worker`: one replica, serving.
struct Worker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a model over an OpenAI-compatible API, computed or emulated.",
        discussion: """
            Answers /v1/completions, /v1/chat/completions, /v1/embeddings and /v1/models, with /health, /version and
            /metrics under vLLM's names. With the executor 'core' the inference core computes; with 'emulated' each step lasts what an
            engine profile says and the text is filler, so that a laptop can rehearse a fleet of GPUs.

            SIGTERM or Ctrl-C drains: new requests get 503, those that run finish, then the worker exits. A second one
            ends it at once.

            EXAMPLES
              tidegate worker --model demo-15m --port 8000
              tidegate worker --executor emulated --profile Scenarios/profiles/llama-3.1-8b-h100-tp1.json
              tidegate worker --executor emulated --profile profile.json --port 0 --json
              tidegate worker --model demo-15m --port 8000 --socket /run/tidegate/demo.sock
              tidegate worker --model demo-15m --tls-certificate tls/worker.pem --tls-key tls/worker.key --tls-ca tls/ca.pem

            EXIT CODES
              0 drained   64 wrong usage   65 bad model or profile   66 missing input   69 an address is taken
              75 the drain's deadline cut answers   130, 143 ended by a second signal
            """)

    enum Executor: String, ExpressibleByArgument, CaseIterable { case core, emulated }

    @OptionGroup(title: "What to serve") var model: ModelArguments
    @OptionGroup(title: "Scheduler") var scheduler: SchedulerArguments
    @OptionGroup(title: "Server") var server: ServerArguments
    @OptionGroup(title: "Mutual TLS") var tls: TLSArguments
    @Flag(help: "Print what happens as JSON, one object a line, on standard output.")
    var json = false

    func run() async throws {
        // A client that goes away is seen when it is written to, not by a signal.
        signal(SIGPIPE, SIG_IGN)
        let output = EventOutput(isJSON: json)
        // A socket is its owner's alone from its first moment.
        if server.socket != nil { umask(0o077) }
        let (loop, served) = try model.load(scheduler: scheduler, output: output)
        var configuration = try server.configuration()
        configuration.tls = try tls.material(as: .worker, output: output)
        if server.endWithInput { WorkerProcess.drainWithInput() }
        let process = try WorkerProcess(
            loop: loop, model: served, configuration: configuration, drainDeadline: server.deadline(),
            output: output)
        throw try await process.run()
    }
}

/// Which model, and what plays it.
struct ModelArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "With core: a folder with config.json and safetensors, a .gguf file, or a preset "
                + "(\(ModelPreset.all.map(\.name).joined(separator: ", "))). With emulated: only the name to serve under.",
            valueName: "PATH|PRESET"))
    var model: String?
    @Option(help: "Who makes the tokens: \(Worker.Executor.allCases.map(\.rawValue).joined(separator: ", ")).")
    var executor = Worker.Executor.core
    @Option(help: ArgumentHelp("The engine profile that an emulated engine plays.", valueName: "FILE"))
    var profile: String?
    @Option(help: "The model's name in the API. The model's own without it.")
    var servedModelName: String?
    @Option(help: "Core: threads that compute a step together. The machine's cores without it.")
    var threads: Int?
    @Flag(help: "Emulated: be ready at once, without the profile's cold start.")
    var noColdStart = false
    @Option(
        help: ArgumentHelp(
            "Emulated: the cold start ends at this time of the machine's monotonic clock, whatever the profile says.",
            valueName: "NANOSECONDS"))
    var readyAt: Int64?
    @Option(help: "Emulated: mean tokens of an answer whose request gives no maximum; geometric.")
    var meanOutputTokens = 128.0
    @Option(help: "Emulated: seed of step-time noise and of those lengths.")
    var seed: UInt64 = 1

    func validate() throws {
        switch executor {
        case .emulated where profile == nil: throw ValidationError("--executor emulated needs --profile FILE")
        case .core where profile != nil: throw ValidationError("--profile is for --executor emulated")
        default: break
        }
        if noColdStart, readyAt != nil { throw ValidationError("give --no-cold-start or --ready-at, not both") }
        guard (1...1024).contains(threads ?? 1) else { throw ValidationError("--threads must be 1 to 1024") }
        guard meanOutputTokens >= 1, meanOutputTokens <= 1e9 else {
            throw ValidationError("--mean-output-tokens must be at least 1")
        }
    }

    private var coldStart: EmulatedColdStart {
        noColdStart ? .none : readyAt.map { .until(Instant(nanoseconds: $0)) } ?? .profile
    }

    func load(scheduler: SchedulerArguments, output: EventOutput) throws -> (EngineLoop, ServedModel) {
        switch executor {
        case .emulated: try loadEmulated(scheduler, output)
        case .core: try loadCore(scheduler, output)
        }
    }

    private func loadCore(
        _ scheduler: SchedulerArguments, _ output: EventOutput
    ) throws -> (EngineLoop, ServedModel) {
        let name = model ?? ModelPreset.demo15M.name
        let model: CoreModel
        if let preset = ModelPreset.named(name) {
            model = CoreModel(preset: preset)
        } else {
            guard FileManager.default.fileExists(atPath: name) else {
                output.alert(
                    """
                    \(name): error: there is no such model
                        give a folder with config.json and safetensors, a .gguf file, or a preset: \
                    \(ModelPreset.all.map(\.name).joined(separator: ", "))
                    """)
                throw ExitCode.missingInput
            }
            do {
                model = try CoreModel(path: name)
            } catch {
                output.alert("error: \(error)")
                throw ExitCode.badData
            }
        }
        let sequences = 64
        // More than every sequence at its longest needs would never be used.
        let most = (scheduler.maxNumSeqs ?? sequences) * model.configuration.maxContext
        let limits = try scheduler.limits(
            kvTokens: min(most, max(1, (1 << 30) / model.bytesPerBlock) * 16),
            maxContext: model.configuration.maxContext, maxSequences: sequences, maxBatchedTokens: 512,
            prefixCaching: !scheduler.noPrefixCaching)
        let loop = model.loop(
            limits: limits, maxQueue: scheduler.maxQueue,
            threads: threads ?? ProcessInfo.processInfo.activeProcessorCount)
        return (loop, model.served(as: servedModelName, maxContext: limits.maxContext))
    }

    private func loadEmulated(
        _ scheduler: SchedulerArguments, _ output: EventOutput
    ) throws -> (EngineLoop, ServedModel) {
        let path = profile!
        let profile: EngineProfile
        do {
            profile = try EngineProfileFile.read(path: path)
        } catch {
            output.alert("\(error)")
            throw ExitCode(ofReading: path)
        }
        let limits = try scheduler.limits(
            kvTokens: Int(profile.kvTokens), maxContext: Int(profile.maxContext), maxSequences: 256,
            maxBatchedTokens: 2048, prefixCaching: scheduler.enablePrefixCaching)
        let loop = EngineLoop.emulated(
            profile, limits: limits, maxQueue: scheduler.maxQueue, coldStart: coldStart,
            meanOutputTokens: meanOutputTokens, seed: seed)
        let served = ServedModel(
            name: servedModelName ?? model ?? profile.model, maxContext: limits.maxContext, prompts: .counted,
            created: Int(Date().timeIntervalSince1970), root: profile.name)
        return (loop, served)
    }
}

/// The limits of the scheduler, under vLLM's names.
struct SchedulerArguments: ParsableArguments {
    @Option(help: "Sequences that run at a time. Without it 256 when emulated, 64 on the core.")
    var maxNumSeqs: Int?
    @Option(help: "Tokens computed in a step. Without it 2048 when emulated, 512 on the core.")
    var maxNumBatchedTokens: Int?
    @Option(help: "KV blocks of 16 tokens. The profile's without it; on the core what 1 GiB holds.")
    var kvBlocks: Int?
    @Option(help: "The same in tokens.")
    var kvTokens: Int?
    @Option(help: "The longest context, prompt and output together. The model's without it.")
    var maxModelLen: Int?
    @Flag(help: "Compute every prompt anew, without the cached blocks of earlier ones: the default when emulated.")
    var noPrefixCaching = false
    @Flag(help: "Emulated: skip what is cached of a prompt. The core does so anyway.")
    var enablePrefixCaching = false
    @Option(help: "Prompts that may wait beside those that run; more get 429.")
    var maxQueue = 1024

    func validate() throws {
        let least = [
            ("--max-num-seqs", maxNumSeqs, 1), ("--max-num-batched-tokens", maxNumBatchedTokens, 1),
            ("--kv-blocks", kvBlocks, 1), ("--kv-tokens", kvTokens, 16), ("--max-model-len", maxModelLen, 2),
            ("--max-queue", maxQueue, 0),
        ]
        for case (let name, let value?, let least) in least where value < least || value > 1 << 40 {
            throw ValidationError("\(name) is \(value), not \(least) to 2^40")
        }
        if enablePrefixCaching, noPrefixCaching {
            throw ValidationError("give --enable-prefix-caching or --no-prefix-caching, not both")
        }
        if kvBlocks != nil, kvTokens != nil { throw ValidationError("give --kv-blocks or --kv-tokens, not both") }
    }

    /// - Throws: A `ValidationError` when the limits contradict each other.
    func limits(
        kvTokens defaultTokens: Int, maxContext: Int, maxSequences: Int, maxBatchedTokens: Int,
        prefixCaching: Bool = false
    ) throws -> BatcherConfiguration {
        let blockSize = 16
        let blocks = kvBlocks ?? (kvTokens ?? defaultTokens) / blockSize
        let sequences = maxNumSeqs ?? min(maxSequences, maxNumBatchedTokens ?? maxSequences)
        let tokens = maxNumBatchedTokens ?? max(maxBatchedTokens, sequences)
        guard blocks >= 1 else { throw ValidationError("\(defaultTokens) KV tokens make no block of 16") }
        guard sequences <= tokens else {
            throw ValidationError(
                "--max-num-seqs \(sequences) exceeds --max-num-batched-tokens \(tokens): a sequence would wait for budget"
            )
        }
        // A sequence alone must be able to finish.
        let context = min(maxModelLen ?? maxContext, maxContext, blocks * blockSize)
        guard context >= 2 else { throw ValidationError("a context of \(context) tokens holds no prompt and answer") }
        return BatcherConfiguration(
            maxBatchedTokens: tokens, maxSequences: sequences, blockSize: blockSize, totalBlocks: blocks,
            maxContext: context, prefixCaching: prefixCaching)
    }
}

/// Where to listen, and what is taken from the network.
struct ServerArguments: ParsableArguments {
    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"
    @Option(help: "The port; 0 for any free one, which is printed.")
    var port = 8000
    @Option(
        help: ArgumentHelp(
            "Listen at a Unix socket too, for a gateway on this machine: nearer than TCP, and closed to other users. At most "
                + "\(SocketFile.longestPath) bytes.", valueName: "PATH"))
    var socket: String?
    @Option(help: "Largest body of a request, in bytes; larger ones get 413.")
    var maxBody = 4 << 20
    @Option(help: "Open connections, at each address; more wait to be accepted.")
    var maxConnections = 4096
    @Option(help: "How long a connection may be silent between requests, such as 60s.")
    var idleTimeout = "60s"
    @Option(help: "How long a client may take nothing of its answer before it is given up, such as 30s.")
    var writeTimeout = "30s"
    @Option(help: "How long a drain may take, such as 30s; what still runs then is cut.")
    var drainDeadline = "30s"
    @Option(
        help: ArgumentHelp(
            "An OpenTelemetry collector to send the spans of sampled requests to, such as http://127.0.0.1:4318.",
            valueName: "URL"))
    var traces: String?
    @Flag(help: "Drain when standard input ends, too: whoever started the worker, and holds its other end, is gone.")
    var endWithInput = false

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is \(port), not 0 to 65535") }
        _ = try socketFile()
        guard (1...1 << 30).contains(maxBody) else { throw ValidationError("--max-body is \(maxBody), not 1 to 2^30") }
        guard maxConnections >= 1 else { throw ValidationError("--max-connections must be at least 1") }
        _ = try duration("--idle-timeout", idleTimeout)
        _ = try duration("--write-timeout", writeTimeout)
        _ = try deadline()
        _ = try traces.map(TraceArguments.collector)
    }

    func deadline() throws -> TimeSpan { try duration("--drain-deadline", drainDeadline) }

    private func socketFile() throws -> SocketFile? {
        do throws(LoadError) {
            guard let socket else { return nil }
            return try SocketFile(socket)
        } catch {
            throw ValidationError("--socket \(error)")
        }
    }

    private func duration(_ name: String, _ text: String) throws -> TimeSpan {
        guard let span = TimeSpan(text), span > .zero || name == "--drain-deadline" else {
            throw ValidationError("\(name) '\(text)' is no duration: write it with a unit, such as 30s")
        }
        return span
    }

    func configuration() throws -> WorkerServer.Configuration {
        var configuration = WorkerServer.Configuration()
        configuration.host = host
        configuration.port = port
        configuration.socket = try socketFile()
        configuration.limits.bodyBytes = maxBody
        configuration.limits.connections = maxConnections
        configuration.limits.idle = try duration("--idle-timeout", idleTimeout)
        configuration.limits.write = try duration("--write-timeout", writeTimeout)
        configuration.version = Version.current
        configuration.spans = try traces.map {
            SpanExporter(to: try TraceArguments.collector($0), service: "tidegate-worker", version: Version.current)
        }
        return configuration
    }
}
