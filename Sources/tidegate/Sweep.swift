import ArgumentParser
import Commands
import Formats
import Foundation
import Reporting
import Simulation
import Studies

/// `tidegate sweep`: a scenario at many points, on as many machines as there are.
struct Sweep: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Play a scenario at many values of its fields, on this machine or on a cluster.",
        discussion: """
            'plan' writes down every point; 'run' plays those without a result, or a shard of them; 'merge' makes one
            table of the results; 'submit' puts the shards on Slurm or writes a Kubernetes job. A shard that is lost,
            repeated or cut anew changes nothing: see Docs/sweeps.md.

            EXAMPLES
              tidegate sweep plan chat-day --output sweep --vary 'traffic.chat.rate=x0.5..x2' \\
                  --vary policies.hpa.target_per_replica=8,16,32 --policies hpa
              tidegate sweep run sweep
              tidegate sweep merge sweep

            EXIT CODES
              0 done   65 the scenario is wrong or has changed, the plan is damaged   66 points have no result
              69 no Slurm here   73 cannot write
            """,
        subcommands: [SweepPlanning.self, SweepRun.self, SweepMerge.self, SweepSubmit.self])
}

/// Which plan, and where its results are.
struct SweepArguments: ParsableArguments {
    @Argument(help: "The folder with the plan.json, or the plan's file.")
    var plan: String
    @Option(help: "The folder of the results. The folder 'points' beside the plan without it.")
    var results: String?

    /// The plan, verified.
    func open(console: Console) throws -> OpenSweep {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: plan, isDirectory: &isFolder)
        let given = plan.count > 1 && plan.hasSuffix("/") ? String(plan.dropLast()) : plan
        let path = exists && isFolder.boolValue ? "\(given)/plan.json" : given
        do throws(SealedFileError) {
            let file = try SealedFile<SweepPlan>(path: path, format: SweepPlan.format)
            // As it was typed, so that messages read so.
            let slash = path.lastIndex(of: "/")
            let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
            return OpenSweep(
                plan: file.content, path: path, folder: folder,
                results: SweepResultFolder(
                    path: results ?? "\(folder)/points", plan: file.content, planDigest: file.digest.hexadecimal),
                digest: file.digest.hexadecimal)
        } catch {
            console.alert("\(error)")
            if error.problem == .missing {
                console.alert("    'tidegate sweep plan' writes one")
                throw ExitCode.missingInput
            }
            throw ExitCode.badData
        }
    }
}

/// A plan that was read, and what belongs to it.
struct OpenSweep: Sendable {
    let plan: SweepPlan
    let path: String
    let folder: String
    let results: SweepResultFolder
    let digest: String

    /// Points without a usable result, with why a file that lies there is none.
    func pending(of points: [Int]) -> (points: [Int], remarks: [String]) {
        var (pending, remarks): ([Int], [String]) = ([], [])
        for point in points {
            switch results.state(of: point) {
            case .done: continue
            case .missing: pending.append(point)
            case .unusable(let reason):
                pending.append(point)
                remarks.append(reason)
            }
        }
        return (pending, remarks)
    }
}

extension SweepPlan {
    /// The scenario at a point, as read from `path`.
    func reading(of point: Int, path: String) -> ScenarioReader.Reading {
        ScenarioReader.check(
            path: path, applying: zip(fields, points[point]).map { ScenarioEdit(path: $0.path, value: $1) })
    }

    /// `point 3 (a = 1, b = 2)`.
    func name(of point: Int) -> String {
        let values = zip(fields, points[point]).map { "\($0.path) = \($1)" }
        return "point \(point) (\(values.joined(separator: ", ")))"
    }
}
