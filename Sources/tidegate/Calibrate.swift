import ArgumentParser
import Calibration
import EngineModel
import Formats
import Foundation
import InferenceCore
import Units

/// `tidegate calibrate`: engine profiles from measurements.
struct Calibrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fit an engine profile to measured steps.",
        subcommands: [CalibrateCore.self, CalibrateTables.self])
}

struct CalibrateCore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "core", abstract: "Run the inference core on this machine and fit a profile to its steps.",
        discussion: """
            Times a designed set of steps (prefill chunk × decode batch × context), fits both regimes, and states the
            error on combinations that the fit did not see.

            EXAMPLES
              tidegate calibrate core --output profile.json
              tidegate calibrate core --model ./tiny-llama --output profile.json

            Exits with 69 when the machine is too busy to time anything on it; --allow-noisy measures all the same.
            """)

    @Option(
        help:
            "A folder with config.json and safetensors, a .gguf file, or a preset: \(ModelPreset.all.map(\.name).joined(separator: ", "))."
    )
    var model = ModelPreset.demo15M.name
    @Option(name: .shortAndLong, help: "The profile to write.")
    var output: String
    @Flag(help: "Measure for about 12 s in place of 45 s.")
    var quick = false
    @Flag(help: "Measure although the machine is busy.")
    var allowNoisy = false
    @Option(help: "Seed of the design and of the order of steps.")
    var seed: UInt64 = 1
    @Flag(help: "Print the profile as JSON on standard output too.")
    var json = false

    func run() throws {
        let console = Console(isQuiet: false)
        let source: CoreCalibrator.Model =
            ModelPreset.named(model).map { .preset($0) } ?? .folder(model)
        if case .folder(let folder) = source, !FileManager.default.fileExists(atPath: folder) {
            console.alert(
                """
                \(folder): error: there is no such model
                    give a folder with config.json and safetensors, a .gguf file, or a preset: \
                \(ModelPreset.all.map(\.name).joined(separator: ", "))
                """)
            throw ExitCode.missingInput
        }
        try ProfileOutput.check(output, console: console)
        let calibrator = CoreCalibrator(
            model: source, timeBudget: quick ? 12 : 45, seed: seed, allowNoisy: allowNoisy)
        let calibration: CoreCalibration
        do {
            calibration = try calibrator.run(date: Today.date) { done, total in
                console.progress(
                    "timing steps", share: Double(done) / Double(max(1, total)), detail: "\(done) of \(total)")
            }
        } catch let error as MachineOversubscribed {
            console.finishProgress()
            console.alert("error: \(error)\n    free the machine, or measure all the same with --allow-noisy")
            throw ExitCode.unavailable
        } catch {
            console.finishProgress()
            console.alert("error: \(error)")
            throw ExitCode.badData
        }
        console.finishProgress()
        try ProfileOutput.write(calibration.profile, to: output, prints: json, console: console)
    }
}

struct CalibrateTables: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tables", abstract: "Fit a profile to published measurements.",
        discussion: """
            DIR is a folder of kernel grids (meta.yaml, attention.csv.gz, dense.csv, per_sequence.csv) as
            LLMServingSim publishes them, or a CSV file of batch times as Splitwise publishes them.

            EXAMPLES
              tidegate calibrate tables RTX4090_Llama-3.1-8B_tp1 --kv-tokens 41408 --output profile.json
              tidegate calibrate tables splitwise_perf_model.csv --model llama2-70b --hardware h100-80gb \\
                --tensor-parallel 4 --kv-tokens 440000 --max-context 16384 --output profile.json
            """)

    @Argument(help: ArgumentHelp("A folder of kernel grids, or a CSV file of batch times.", valueName: "DIR"))
    var path: String
    @Option(name: .shortAndLong, help: "The profile to write.")
    var output: String
    @Option(help: "Tokens of KV cache of a replica: what the engine prints when it starts. No table holds it.")
    var kvTokens: Int64
    @Option(help: "The longest context served. The model's own without it.")
    var maxContext: Int64?
    @Option(help: "Layers of the model. From a built-in table of models without it.")
    var layers: Int?
    @Option(help: "Time per step that the engine spends outside its kernels, such as 2ms. Kernel grids do not hold it.")
    var hostOverhead: String?
    @Option(help: "For batch times: the model, such as llama2-70b.")
    var model: String?
    @Option(help: "For batch times: the hardware, such as h100-80gb.")
    var hardware: String?
    @Option(help: "For batch times: GPUs of a replica.")
    var tensorParallel: Int?
    @Flag(help: "Print the profile as JSON on standard output too.")
    var json = false

    func validate() throws {
        guard kvTokens >= 16 else { throw ValidationError("--kv-tokens must be at least 16") }
        guard layers ?? 1 >= 1 else { throw ValidationError("--layers must be at least 1") }
        if let hostOverhead, TimeSpan(hostOverhead) == nil {
            throw ValidationError("--host-overhead '\(hostOverhead)' is no duration: write it with a unit, such as 2ms")
        }
    }

    func run() throws {
        let console = Console(isQuiet: false)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            console.alert("\(path): error: there is no such folder or file")
            throw ExitCode.missingInput
        }
        let profile: EngineProfile
        do {
            profile = isFolder.boolValue ? try fromGrids() : try fromBatchTimes()
        } catch let error as ValidationError {
            throw error
        } catch {
            console.alert("error: \(error)")
            throw ExitCode.badData
        }
        try ProfileOutput.write(profile, to: output, prints: json, console: console)
    }

    private func fromGrids() throws -> EngineProfile {
        try LayerTableCalibration(
            LayerTables.read(folder: path), layers: layers, kvTokens: kvTokens, maxContext: maxContext,
            hostOverhead: hostOverhead.flatMap { TimeSpan($0) } ?? .zero
        ).profile()
    }

    private func fromBatchTimes() throws -> EngineProfile {
        guard let model, let hardware, let tensorParallel else {
            throw ValidationError("a file of batch times needs --model, --hardware and --tensor-parallel")
        }
        return try SplitwiseCalibration(
            SplitwiseRow.read(path: path), model: model, hardware: hardware, tensorParallel: tensorParallel,
            kvTokens: kvTokens, maxContext: maxContext ?? kvTokens
        ).profile()
    }
}

/// Writes a profile and says how good it is.
private enum ProfileOutput {
    /// Finds out before the measurement whether the profile could be written.
    static func check(_ path: String, console: Console) throws {
        let file = URL(filePath: path)
        try console.writing {
            try AtomicOutput.check([file.lastPathComponent], in: file.deletingLastPathComponent().path)
        }
    }

    static func write(_ profile: EngineProfile, to path: String, prints: Bool, console: Console) throws {
        let text = try EngineProfileFile.text(of: profile)
        let file = URL(filePath: path)
        try console.writing {
            try AtomicOutput.write([(file.lastPathComponent, text)], to: file.deletingLastPathComponent().path)
        }
        let fit = profile.fit
        func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }
        console.say(
            """
            \(profile.name): \(fit.fitted) steps fitted, \(fit.heldOut) held out (\(fit.heldOutDescription))
              held-out error: median \(percent(fit.medianAbsoluteError)), p90 \(percent(fit.p90AbsoluteError)), \
            bias \(percent(fit.bias))
              written to \(path)
            """)
        if prints { print(text, terminator: "") }
    }
}

/// The day on which a measurement is taken.
private enum Today {
    static var date: String {
        String(Instant(nanoseconds: Int64(Date().timeIntervalSince1970) * 1_000_000_000).description.prefix(10))
    }
}
