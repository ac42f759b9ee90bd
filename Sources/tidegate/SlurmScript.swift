import Foundation

/// The job array of a sweep, as a script to be read and changed.
struct SlurmScript {
    let text: String

    /// - Parameters:
    ///   - executable: As the nodes see it.
    ///   - unfinished: Shards that have points without a result, in order.
    ///   - directives: Further options of sbatch, as they are written on its command line.
    init(
        sweep: OpenSweep, executable: String, shards: Int, unfinished: [Int], atOnce: Int, cpus: Int,
        directives: [String]
    ) {
        let folder = sweep.absoluteFolder
        let plan = "\(folder)/\(URL(filePath: sweep.path).lastPathComponent)"
        let results = URL(filePath: sweep.results.path).standardizedFileURL.path
        let further = directives.map { "#SBATCH \($0)\n" }.joined()
        // The number of shards is written out: Slurm's own count is that of the tasks submitted, which may be fewer.
        text = """
            #!/bin/bash
            # Sweep of \(sweep.plan.scenario.name): \(sweep.plan.points.count) points in \(shards) shards.
            # A shard may be lost, repeated or submitted again: a point that has its result is not played twice.
            #SBATCH --job-name=sweep-\(sweep.plan.scenario.name)
            #SBATCH --array=\(Self.spelled(unfinished))%\(atOnce)
            #SBATCH --ntasks=1
            #SBATCH --cpus-per-task=\(cpus)
            #SBATCH --requeue
            #SBATCH --open-mode=append
            #SBATCH --output="\(folder)/logs/shard-%a.log"
            \(further)exec \(quoted(executable)) sweep run \(quoted(plan)) --results \(quoted(results)) \\
                --shard "$SLURM_ARRAY_TASK_ID/\(shards)" --workers "${SLURM_CPUS_PER_TASK:-1}"

            """
    }

    /// Numbers as Slurm takes them: `0-3,7`.
    static func spelled(_ numbers: [Int]) -> String {
        var runs: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = runs.last, number == last.upperBound + 1 {
                runs[runs.count - 1] = last.lowerBound...number
            } else {
                runs.append(number...number)
            }
        }
        return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }
}

/// `text` as one word of a shell.
func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }
