import EngineModel
import InferenceCore
import Units

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension CoreCalibrator {
    /// The profile of what was measured, with everything a reader must know to judge it.
    func profile(
        fit: StepTimeFit, heldOut: PredictionErrors, series: CoreSeries, decoder: TransformerDecoder, date: String,
        load: Double, warmUp: Double, machine: CoreMachineCheck
    ) -> EngineProfile {
        let parameters = decoder.weights.configuration.parameters
        let processor = Self.processorName()
        var notes = [
            "A CPU profile is not the shape of a GPU: a CPU computes each sequence of a batch after the other, so a "
                + "decode step grows with its sequences from the first one, where a GPU's stays flat for dozens.",
            "The core runs on one thread with 32-bit weights.",
            series.byProcessor
                ? "Step times are medians of \(series.passes) runs in random order by the thread's processor time, because "
                    + "the machine was oversubscribed and measuring was asked for all the same."
                : "Step times are medians of \(series.passes) runs in random order by wall clock; \(series.dropped) of "
                    + "\(series.measured) runs were left out because the thread had lost its processor.",
            "A busy thread had a processor \(Self.percent(machine.processorShare)) of the time, and one step's 95th "
                + "percentile was \(Self.rounded(machine.spread)) times its median.",
        ]
        if !fit.undetermined.isEmpty {
            notes.append(
                "These coefficients are 0 because no step tells them: \(fit.undetermined.joined(separator: ", ")).")
        }
        return EngineProfile(
            name: "\(modelName) on \(processor)", model: "\(modelName), \(parameters) parameters",
            hardware: "\(processor), 1 thread", acceleratorsPerReplica: 1, engine: "tidegate core", date: date,
            source: "Measured on this machine by 'tidegate calibrate core'.", stepTime: fit.coefficients,
            noise: fit.noise(of: series.singles),
            kvTokens: Int64(decoder.kvBlocks * TransformerDecoder.blockSize), maxContext: Int64(decoder.maxContext),
            coldStart: ColdStartProfile(
                load: .estimate(seconds: load), warmUp: .estimate(seconds: warmUp),
                source:
                    "Measured once on this machine: load is \(loadStory) and allocating the KV cache; warm-up is the "
                    + "first prompt of 64 tokens and two more tokens. Nothing was provisioned or pulled."),
            validRange: fit.validRange,
            fit: FitQuality(
                fitted: fit.fittedCount, heldOut: heldOut.count, medianAbsoluteError: heldOut.median,
                p90AbsoluteError: heldOut.p90, bias: heldOut.bias,
                heldOutDescription:
                    "Whole combinations of chunk, batch and context between the fitted ones, and random "
                    + "mixed batches of unequal contexts; never a repeat of a fitted step.",
                standardErrors: fit.standardErrors, covariance: fit.covariance),
            notes: notes + fit.remarks)
    }

    private var modelName: String {
        switch model {
        case .preset(let preset): preset.name
        case .folder(let folder): folder.split(separator: "/").last.map(String.init) ?? folder
        }
    }

    private var loadStory: String {
        switch model {
        case .preset: "making the weights from their seed"
        case .folder: "reading the weights, from the file cache where they were there,"
        }
    }

    private static func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }
    private static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }

    /// The processor as Linux names it; its architecture elsewhere.
    public static func processorName() -> String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        for line in text.split(separator: "\n") where line.hasPrefix("model name") {
            if let name = line.split(separator: ":", maxSplits: 1).dropFirst().first {
                return name.split(separator: " ").joined(separator: " ")
            }
        }
        #if arch(x86_64)
            return "x86-64 CPU"
        #elseif arch(arm64)
            return "arm64 CPU"
        #else
            return "CPU"
        #endif
    }
}
