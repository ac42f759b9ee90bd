import ArgumentParser
import Formats
import Reporting
import Simulation
import Studies

/// The questions `replay` answers beside the run: what moves the figures, and how sure they are.
struct WhatIfArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Play the scenario with a field lower and higher, such as traffic.chat.rate=±10%, "
                + "traffic.chat.rate=x0.5..x2 or pools.chat.replicas.max=8..16. May be repeated; 'check --fields' lists paths.",
            valueName: "PATH=±SHARE|LOW..HIGH|xLOW..xHIGH"))
    var vary: [String] = []
    @Option(
        help: ArgumentHelp(
            "Split the uncertainty into sampling, calibration and demand, from N pairs of draws (5 runs each; from 8 on).",
            valueName: "N"))
    var uncertainty: Int?

    func validate() throws {
        _ = try vary.map(FieldVariation.init)
        if let uncertainty, uncertainty < 8 {
            throw ValidationError("--uncertainty \(uncertainty) is too few draws to split a variance: give at least 8")
        }
    }

    /// What to type to ask the same again.
    var options: [String] {
        vary.flatMap { ["--vary", "'\($0)'"] } + (uncertainty.map { ["--uncertainty", String($0)] } ?? [])
    }

    /// Plays what is asked for.
    ///
    /// - Parameter policy: Without anything left to tune.
    func play(
        _ scenario: Scenario, from input: ScenarioArguments, policy: PolicyChoice, study: StudyArguments,
        replications: Int, console: Console
    ) async throws -> (sensitivity: Sensitivity?, uncertainty: Uncertainty?) {
        var sensitivity: Sensitivity?
        if !vary.isEmpty {
            let fields = try vary.map(FieldVariation.init)
            let variations = try fields.map { field in
                Sensitivity.Variation(
                    path: field.path,
                    low: (field.low.label, try input.read(console: console, applying: [field.low.edit])),
                    high: (field.high.label, try input.read(console: console, applying: [field.high.edit])))
            }
            let total = (2 * fields.count + 1) * replications
            sensitivity = try await Sensitivity.run(
                scenario, policy: policy, variations: variations, replications: replications, seed: study.seed,
                workers: study.workers
            ) { console.progress("varying", share: Double($0) / Double(total), detail: "\($0) of \(total) runs") }
            console.finishProgress()
        }
        var split: Uncertainty?
        if let uncertainty {
            split = try await Uncertainty.run(
                scenario, policy: policy, draws: uncertainty, seed: study.seed, workers: study.workers
            ) { console.progress("drawing", share: Double($0) / Double($1), detail: "\($0) of \($1) runs") }
            console.finishProgress()
        }
        return (sensitivity, split)
    }
}

/// `PATH=±10%`, `PATH=+-10%`, `PATH=LOW..HIGH` or `PATH=x0.5..x2`.
struct FieldVariation {
    var path: String
    var low: (label: String, edit: ScenarioEdit)
    var high: (label: String, edit: ScenarioEdit)

    /// - Throws: `ValidationError` that says how to write it.
    init(_ text: String) throws {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let example =
            "write for example traffic.chat.rate=±10%, traffic.chat.rate=x0.5..x2 or pools.chat.replicas.max=8..16"
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw ValidationError("--vary '\(text)' has no PATH=CHANGE: \(example)")
        }
        path = parts[0]
        for sign in ["±", "+-", "+/-"] where parts[1].hasPrefix(sign) {
            let share = parts[1].dropFirst(sign.count)
            guard share.hasSuffix("%"), let percent = Double(share.dropLast()), percent > 0, percent < 100 else {
                throw ValidationError("--vary '\(text)': a share lies between 0 and 100 %: \(example)")
            }
            low = ("−\(share)", .scale(path, by: 1 - percent / 100))
            high = ("+\(share)", .scale(path, by: 1 + percent / 100))
            return
        }
        guard let dots = parts[1].firstRange(of: "..") else {
            throw ValidationError(
                "--vary '\(text)' is one value and takes two, a lower and a higher one: \(example)")
        }
        let (first, last) = (String(parts[1][..<dots.lowerBound]), String(parts[1][dots.upperBound...]))
        guard !first.isEmpty, !last.isEmpty else { throw ValidationError("--vary '\(text)' lacks a value: \(example)") }
        low = (first, ScenarioEdit(path: path, value: first))
        high = (last, ScenarioEdit(path: path, value: last))
    }
}

extension ResultText {
    /// The table of a sensitivity.
    static func sensitivity(_ sensitivity: Sensitivity) -> String {
        var lines = ["sensitivity (\(sensitivity.replications) replications, same random numbers on all sides)"]
        for entry in sensitivity.entries {
            lines.append("  \(entry.path)")
            for side in [entry.low, entry.high] {
                let changes = HeadlineFigure.allCases.map { figure -> String in
                    let change = side.changes[figure.index]
                    let bounds = change.ci95.map {
                        " (\(figure.changeText($0.lower)) to \(figure.changeText($0.upper)))"
                    }
                    return "\(figure.title) \(figure.changeText(change.value))\(bounds ?? "")"
                }
                lines.append("    \(side.label): " + changes.joined(separator: ", "))
            }
        }
        return lines.joined(separator: "\n")
    }

    /// The ranges and shares of an uncertainty.
    static func uncertainty(_ uncertainty: Uncertainty) -> String {
        var lines = ["uncertainty of one run (\(uncertainty.draws) pairs of draws, \(uncertainty.runs) runs)"]
        for figure in uncertainty.figures {
            let text = figure.figure.text
            let shares = zip(Uncertainty.Source.allCases, figure.shares).map { source, share in
                "\(source.rawValue) \(Int((100 * share.value).rounded())) %"
            }
            lines.append(
                "  \(figure.figure.title): mean \(text(figure.mean)), middle 95 % \(text(figure.range.lower)) to "
                    + "\(text(figure.range.upper)); \(shares.joined(separator: ", "))")
        }
        for note in uncertainty.notes { lines.append("  note: \(note)") }
        return lines.joined(separator: "\n")
    }
}
