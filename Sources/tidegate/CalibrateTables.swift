import ArgumentParser
import Calibration
import Commands
import EngineModel
import Formats
import Foundation
import Units

struct CalibrateTables: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tables", abstract: "Fit a profile to published measurements.",
        discussion: """
            DIR is a folder of kernel grids (meta.yaml, attention.csv.gz, dense.csv, per_sequence.csv and, for a mixture
            of experts, moe.csv) as LLMServingSim publishes them, or a CSV file of batch times as Splitwise publishes
            them.

            Kernel grids do not hold what an engine does between kernels. --host-overhead says it;
            --fit-host-overhead-on takes it from a measured run of another card or model than the one that the profile
            is for, with the kernel grids of that card beside DIR or in --overhead-tables.

            EXAMPLES
              tidegate calibrate tables RTX4090_Llama-3.1-8B_tp1 --kv-tokens 41408 --output profile.json
              tidegate calibrate tables RTX4090_Llama-3.1-8B_tp1 --output profile.json \\
                --fit-host-overhead-on measured_vllm_rtxpro6000_llama-3.1-8b
              tidegate calibrate tables splitwise_perf_model.csv --model llama2-70b --hardware h100-80gb \\
                --tensor-parallel 4 --kv-tokens 440000 --max-context 16384 --output profile.json
            """)

    @Argument(help: ArgumentHelp("A folder of kernel grids, or a CSV file of batch times.", valueName: "DIR"))
    var path: String
    @Option(name: .shortAndLong, help: "The profile to write.")
    var output: String
    @Option(help: "Tokens of KV cache of a replica, as the engine prints them. Estimated for grids without it.")
    var kvTokens: Int64?
    @Option(help: "The longest context served. The model's own without it.")
    var maxContext: Int64?
    @Option(help: "Layers of the model. From a built-in table of models without it.")
    var layers: Int?
    @Option(help: "Time per step that the engine spends outside its kernels, such as 2ms. Kernel grids do not hold it.")
    var hostOverhead: String?
    @Option(help: ArgumentHelp("Fit that time to this measured run.", valueName: "DIR"))
    var fitHostOverheadOn: String?
    @Option(
        help: ArgumentHelp("Kernel grids of that run's card and model; found beside DIR without it.", valueName: "DIR"))
    var overheadTables: String?
    @Option(help: "GPUs that a layer is split over. What the tables or their folder's name say without it.")
    var tensorParallel: Int?
    @Option(help: "Engines that share a mixture of experts, each with requests of its own.")
    var dataParallel = 1
    @Option(help: "GPUs that the experts are spread over.")
    var expertParallel = 1
    @Option(help: "Measured all-reduces, as Vidur has them. vidur_allreduce_sample.csv above DIR without it.")
    var allReduce: String?
    @Option(help: "Bytes per second between GPUs, one way. The card's nominal link without it.")
    var linkBandwidth: Double?
    @Option(help: "For batch times: the model, such as llama2-70b.")
    var model: String?
    @Option(help: "For batch times: the hardware, such as h100-80gb.")
    var hardware: String?
    @Flag(help: "Print the profile as JSON on standard output too.")
    var json = false

    func validate() throws {
        if let kvTokens, kvTokens < 16 { throw ArgumentParser.ValidationError("--kv-tokens must be at least 16") }
        guard layers ?? 1 >= 1 else { throw ArgumentParser.ValidationError("--layers must be at least 1") }
        guard (tensorParallel ?? 1) >= 1, dataParallel >= 1, expertParallel >= 1 else {
            throw ArgumentParser.ValidationError("degrees of parallelism are at least 1")
        }
        guard linkBandwidth ?? 1 > 0 else { throw ArgumentParser.ValidationError("--link-bandwidth must be positive") }
        if let hostOverhead, TimeSpan(hostOverhead) == nil {
            throw ArgumentParser.ValidationError(
                "--host-overhead '\(hostOverhead)' is no duration: write it with a unit, such as 2ms")
        }
        if hostOverhead != nil, fitHostOverheadOn != nil {
            throw ArgumentParser.ValidationError("--host-overhead and --fit-host-overhead-on say the same: give one")
        }
    }

    func run() throws {
        let console = Console(isQuiet: false)
        let profile: EngineProfile
        do {
            profile = try isFolder(path, console) ? fromGrids(console) : fromBatchTimes()
        } catch let error as ArgumentParser.ValidationError {
            throw error
        } catch let code as ExitCode {
            throw code
        } catch {
            console.alert("error: \(error)")
            throw ExitCode.badData
        }
        try ProfileOutput.write(profile, to: output, prints: json, console: console)
    }

    private func isFolder(_ path: String, _ console: Console) throws -> Bool {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            console.alert("\(path): error: there is no such folder or file")
            throw ExitCode.missingInput
        }
        return isFolder.boolValue
    }

    // MARK: - Grids

    private func fromGrids(_ console: Console) throws -> EngineProfile {
        var options = LayerTableCalibration.Options()
        options.layers = layers
        options.kvTokens = kvTokens
        options.maxContext = maxContext
        options.tensorParallel = tensorParallel ?? Self.degree(inNameOf: path)
        options.dataParallel = dataParallel
        options.expertParallel = expertParallel
        options.linkBandwidth = linkBandwidth
        if let file = allReduce ?? Self.allReduceFile(above: path) {
            options.allReduce = try AllReduceRow.read(path: file)
        }
        options.hostOverhead = hostOverhead.flatMap { TimeSpan($0) }
        options.hostOverheadSource = hostOverhead.map { "\($0), given by hand" }
        let tables = try LayerTables.read(folder: path)
        if let folder = fitHostOverheadOn {
            _ = try isFolder(folder, console)
            let (overhead, source) = try fittedOverhead(on: folder, options.allReduce, apartFrom: tables, console)
            options.hostOverhead = overhead
            options.hostOverheadSource = source
        }
        return try LayerTableCalibration(tables, options).profile()
    }

    /// The host overhead of another run, from that run and the grids of its card.
    private func fittedOverhead(
        on folder: String, _ allReduce: [AllReduceRow], apartFrom tables: LayerTables, _ console: Console
    ) throws -> (TimeSpan, String) {
        let run = try MeasuredRun.read(folder: folder)
        guard let path = overheadTables ?? Self.tables(of: run, beside: path) else {
            throw ArgumentParser.ValidationError(
                "no kernel grids of the card and model of \(folder) lie beside \(self.path): give them with --overhead-tables"
            )
        }
        let other = try LayerTables.read(folder: path)
        if other.meta.gpu == tables.meta.gpu, other.meta.model == tables.meta.model {
            console.alert(
                "WARNING: \(folder) is a run of this card and model: the profile cannot be judged on it any more")
        }
        var options = LayerTableCalibration.Options()
        options.tensorParallel = run.engine.tensorParallel
        options.dataParallel = run.engine.dataParallel
        options.expertParallel = run.engine.expertParallel ? run.engine.tensorParallel * run.engine.dataParallel : 1
        options.allReduce = allReduce
        let fit = try HostOverheadFit(run, profile: LayerTableCalibration(other, options).profile())
        let left = [("TTFT", fit.ttftError), ("TPOT", fit.tpotError), ("E2E", fit.e2eError)]
            .map { "\($0.0) \(String(format: "%+.1f %%", $0.1))" }.joined(separator: ", ")
        return (
            fit.overhead,
            "fitted to \(run.requests.count) requests of vLLM \(run.engine.vllmVersion) on \(other.meta.gpu) "
                + "(\(URL(filePath: folder).lastPathComponent)); errors of the means left there: \(left)"
        )
    }

    /// A folder beside `path` with grids of the run's model and card, which the run tells or its folder is named after.
    private static func tables(of run: MeasuredRun, beside path: String) -> String? {
        let parent = URL(filePath: path).standardizedFileURL.deletingLastPathComponent()
        let folders = ((try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []).sorted()
        let name = plain(URL(filePath: run.folder).standardizedFileURL.lastPathComponent)
        return folders.map { parent.appending(path: $0).path }.first { folder in
            guard FileManager.default.fileExists(atPath: folder + "/meta.yaml"),
                let meta = try? LayerTables.read(folder: folder).meta,
                meta.model == run.engine.model, (degree(inNameOf: folder) ?? 1) == run.engine.tensorParallel
            else { return false }
            return run.engine.device.map { $0 == meta.gpu } ?? name.contains(plain(meta.hardware))
        }
    }

    /// Letters and digits alone, in lower case.
    private static func plain(_ name: String) -> String { name.lowercased().filter { $0.isLetter || $0.isNumber } }

    /// The degree that a folder's name ends with, such as 2 of `RTXPRO6000_Qwen3-32B_tp2`.
    private static func degree(inNameOf path: String) -> Int? {
        let name = URL(filePath: path).standardizedFileURL.lastPathComponent
        return name.split(separator: "_").last.flatMap { $0.hasPrefix("tp") ? Int($0.dropFirst(2)) : nil }
    }

    private static func allReduceFile(above path: String) -> String? {
        let folder = URL(filePath: path).standardizedFileURL.deletingLastPathComponent()
        return [folder, folder.deletingLastPathComponent()].map {
            $0.appending(path: "vidur_allreduce_sample.csv").path
        }
        .first { FileManager.default.fileExists(atPath: $0) }
    }

    // MARK: - Batch times

    private func fromBatchTimes() throws -> EngineProfile {
        guard let model, let hardware, let tensorParallel, let kvTokens else {
            throw ArgumentParser.ValidationError(
                "a file of batch times needs --model, --hardware, --tensor-parallel and --kv-tokens")
        }
        return try SplitwiseCalibration(
            SplitwiseRow.read(path: path), model: model, hardware: hardware, tensorParallel: tensorParallel,
            kvTokens: kvTokens, maxContext: maxContext ?? kvTokens
        ).profile()
    }
}
