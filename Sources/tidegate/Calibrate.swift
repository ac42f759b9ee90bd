import ArgumentParser
import Calibration
import Commands
import EngineModel
import Formats
import Foundation
import InferenceCore
import Units

/// `tidegate calibrate`: engine profiles from measurements.
struct Calibrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fit an engine profile to measured steps.",
        subcommands: [CalibrateCore.self, CalibrateEndpointCommand.self, CalibrateTables.self])
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

/// Writes a profile and says how good it is.
enum ProfileOutput {
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
