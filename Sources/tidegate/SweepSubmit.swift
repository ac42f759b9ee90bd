import ArgumentParser
import Commands
import Formats
import Foundation
import Reporting
import Studies

/// `tidegate sweep submit`: the shards of a sweep on a cluster.
struct SweepSubmit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Put the shards of a sweep on Slurm, or write a Kubernetes job for them.",
        discussion: """
            Slurm: writes sweep.slurm beside the plan and submits it as a job array with a task for each shard that has
            points without a result. The folder must be one that every node sees.

            Kubernetes: writes sweep-job.yaml, an indexed Job, and leaves applying it to kubectl.

            EXAMPLES
              tidegate sweep submit sweep --on slurm --shards 100 --dry-run
              tidegate sweep submit sweep --on slurm --shards 100 --directive=--partition=cpu --directive=--time=2:00:00
              tidegate sweep submit sweep --on kubernetes --image registry/tidegate:0.1.0 --claim sweeps
            """)

    enum Engine: String, ExpressibleByArgument, CaseIterable { case slurm, kubernetes }

    @OptionGroup var sweep: SweepArguments
    @Option(help: "The engine: slurm or kubernetes.")
    var on: Engine
    @Option(help: "Parts to cut the points into. Without it as many as there are points, at most 100.")
    var shards: Int?
    @Option(help: "Shards that run at a time.")
    var atOnce = 64
    @Option(help: "Processors of a shard, which plays as many points at a time.")
    var cpus = 1
    @Option(help: "The executable, as the nodes or the image see it.")
    var executable: String?
    @Option(
        help: ArgumentHelp("Slurm: another option of sbatch, such as --directive=--partition=cpu. May be repeated."))
    var directive: [String] = []
    @Option(help: "Kubernetes: the image, which holds tidegate.")
    var image: String?
    @Option(help: "Kubernetes: the persistent volume claim that holds the sweep and its scenario.")
    var claim: String?
    @Option(help: "Kubernetes: memory of a shard.")
    var memory = "1Gi"
    @Flag(help: "Print what would be submitted, and do nothing else.")
    var dryRun = false

    func validate() throws {
        guard shards ?? 1 >= 1, atOnce >= 1, cpus >= 1 else {
            throw ValidationError("--shards, --at-once and --cpus must be at least 1")
        }
        if on == .kubernetes, image == nil || claim == nil {
            throw ValidationError("--on kubernetes needs the --image to run and the --claim with the sweep")
        }
        if on == .kubernetes, sweep.results != nil {
            throw ValidationError("--on kubernetes keeps results beside the plan: leave --results out")
        }
    }

    func run() throws {
        let console = Console(isQuiet: false)
        let sweep = try sweep.open(console: console)
        let count = min(shards ?? 100, sweep.plan.points.count)
        let (pending, _) = sweep.pending(of: Array(sweep.plan.points.indices))
        if pending.isEmpty {
            print("every point has its result: tidegate sweep merge \(self.sweep.plan)")
            return
        }
        let unfinished = Set(pending.map { $0 % count }).sorted()
        switch on {
        case .slurm: try submit(sweep, shards: count, unfinished: unfinished, console: console)
        case .kubernetes: try writeJob(sweep, shards: count, console: console)
        }
    }

    private func submit(_ sweep: OpenSweep, shards: Int, unfinished: [Int], console: Console) throws {
        let script = SlurmScript(
            sweep: sweep, executable: executable ?? Self.ownPath, shards: shards, unfinished: unfinished,
            atOnce: atOnce, cpus: cpus, directives: directive
        ).text
        if dryRun {
            print(script, terminator: "")
            return
        }
        guard let sbatch = Self.find("sbatch") else {
            console.alert(
                """
                error: there is no sbatch on the PATH
                    run this where Slurm's commands are, or print the script with --dry-run
                """)
            throw ExitCode.unavailable
        }
        // Slurm does not make the folder of its logs, and a task without one fails in silence.
        let folder = sweep.absoluteFolder
        try write([("sweep.slurm", script)], to: folder, console: console)
        try? FileManager.default.createDirectory(atPath: "\(folder)/logs", withIntermediateDirectories: true)
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: sbatch)
        process.arguments = ["--parsable", "\(folder)/sweep.slurm"]
        process.standardOutput = output
        try process.run()
        let answer = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0, let job = answer.split(whereSeparator: { ";\n".contains($0) }).first
        else {
            console.alert(
                "\(folder)/sweep.slurm: error: sbatch did not take the script; it ended with \(process.terminationStatus)"
            )
            throw ExitCode.unavailable
        }
        print(
            """
            job \(job): \(unfinished.count) of \(shards) shards
              squeue --jobs \(job)                 what still runs; logs are in \(folder)/logs
              tidegate sweep merge \(self.sweep.plan)
            """)
    }

    private func writeJob(_ sweep: OpenSweep, shards: Int, console: Console) throws {
        let manifest = KubernetesJob(
            sweep: sweep, executable: executable ?? "tidegate", shards: shards, atOnce: atOnce, cpus: cpus,
            memory: memory, image: image!, claim: claim!
        ).text
        if dryRun {
            print(manifest, terminator: "")
            return
        }
        try write([("sweep-job.yaml", manifest)], to: sweep.folder, console: console)
        print("\(sweep.folder)/sweep-job.yaml: \(shards) shards\n  kubectl apply -f \(sweep.folder)/sweep-job.yaml")
    }

    private func write(_ files: [(name: String, text: String)], to folder: String, console: Console) throws {
        do {
            try AtomicOutput.write(files, to: folder)
        } catch {
            console.alert("\(error)")
            throw ExitCode.cannotWrite
        }
    }

    /// Where this executable lies.
    private static var ownPath: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? URL(filePath: CommandLine.arguments[0]).standardizedFileURL.path
    }

    private static func find(_ command: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(command)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

extension OpenSweep {
    var absoluteFolder: String { URL(filePath: folder).standardizedFileURL.path }
}
