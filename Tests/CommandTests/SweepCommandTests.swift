import Foundation
import Testing

@Suite(.serialized) struct SweepCommandTests {
    @Test func `merged bytes do not depend on how the points were cut into shards`() throws {
        let place = try Workplace()
        try place.plan("whole", "shards", "ranges")
        #expect(try place.sweep("run", "whole", "--workers", "2").code == 0)
        for shard in ["3/4", "0/4", "2/4", "1/4"] {
            #expect(try place.sweep("run", "shards", "--shard", shard, "--workers", "1").code == 0)
        }
        for range in ["4..5", "0", "1..3"] { #expect(try place.sweep("run", "ranges", "--points", range).code == 0) }
        for folder in ["whole", "shards", "ranges"] { #expect(try place.sweep("merge", folder).code == 0) }
        let whole = try place.files("whole")
        #expect(whole.count == 6 + 1 + 3)
        #expect(try place.files("shards") == whole)
        #expect(try place.files("ranges") == whole)
    }

    @Test func `a shard killed in the middle and resumed gives the bytes of an undisturbed sweep`() throws {
        let place = try Workplace(minutes: 3)
        try place.plan("calm")
        // A fast machine may have done before the signal comes: then once more.
        var killed = ""
        var finished: [String] = []
        for attempt in 0..<5 where !(1..<6).contains(finished.count) {
            killed = "killed-\(attempt)"
            try place.plan(killed)
            finished = try killHalfWay(place, killed)
        }
        try #require((1..<6).contains(finished.count), "killed with \(finished.count) points done")
        #expect(try place.sweep("merge", killed).code == 66)

        let before = try finished.map { try place.fileNumber("\(place.path)/\(killed)/points/\($0)") }
        let resumed = try place.sweep("run", killed)
        #expect(resumed.code == 0)
        #expect(resumed.text.contains("6 points: \(6 - finished.count) played, \(finished.count) were there"))
        #expect(try finished.map { try place.fileNumber("\(place.path)/\(killed)/points/\($0)") } == before)
        #expect(try place.sweep("run", "calm").code == 0)
        for folder in ["calm", killed] { #expect(try place.sweep("merge", folder).code == 0) }
        #expect(try place.files(killed) == place.files("calm"))
    }

    @Test func `two who play the same points at the same time do not disturb each other`() throws {
        let place = try Workplace()
        try place.plan("alone", "together")
        #expect(try place.sweep("run", "alone").code == 0)
        let both = try (0..<2).map { _ in
            try Program.start(
                ["sweep", "run", place.path + "/together", "--quiet", "--workers", "1"],
                output: FileHandle.nullDevice)
        }
        for process in both {
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }
        #expect(try place.files("together") == place.files("alone"))
    }

    /// Starts the sweep of a folder and kills it when two points are done; the results it leaves.
    private func killHalfWay(_ place: Workplace, _ folder: String) throws -> [String] {
        let process = try Program.start(
            ["sweep", "run", "\(place.path)/\(folder)", "--workers", "1", "--quiet"],
            output: FileHandle.nullDevice)
        func done() -> [String] {
            let names = try? FileManager.default.contentsOfDirectory(atPath: "\(place.path)/\(folder)/points")
            return (names ?? []).filter { $0.hasPrefix("point-") }.sorted()
        }
        let deadline = Date() + 60
        while done().count < 2, process.isRunning, Date() < deadline { usleep(1_000) }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        return done()
    }

    @Test func `a repeated shard changes nothing, a damaged or foreign result is told and played again`() throws {
        let place = try Workplace()
        try place.plan("sweep")
        #expect(try place.sweep("run", "sweep").code == 0)
        let before = try place.files("sweep")
        let kept = try place.fileNumber(place.point(0, "sweep"))
        let again = try place.sweep("run", "sweep", "--shard", "0/2")
        #expect(again.code == 0 && again.text.contains("3 points: 0 played, 3 were there"))
        #expect(try place.fileNumber(place.point(0, "sweep")) == kept)

        try Data(before["points/point-000001.json"]!.prefix(500)).write(to: URL(filePath: place.point(1, "sweep")))
        try before["points/point-000000.json"]!.write(to: URL(filePath: place.point(2, "sweep")))
        let refused = try place.sweep("merge", "sweep")
        #expect(refused.code == 66 && refused.text.contains("2 of 6 points have no result: 1..2"))
        #expect(!FileManager.default.fileExists(atPath: place.path + "/sweep/sweep.csv"))
        let mended = try place.sweep("run", "sweep")
        #expect(mended.code == 0 && mended.text.contains("6 points: 2 played, 4 were there"))
        #expect(mended.text.contains("point-000001.json: the file is damaged"))
        #expect(mended.text.contains("point-000002.json: this is the result of point 0"))
        #expect(try place.files("sweep") == before)
    }

    @Test func `merging without a point fails and says which, and goes on when asked to`() throws {
        let place = try Workplace()
        try place.plan("sweep")
        #expect(try place.sweep("run", "sweep", "--points", "0..3").code == 0)
        let refused = try place.sweep("merge", "sweep")
        #expect(refused.code == 66 && refused.text.contains("2 of 6 points have no result: 4..5"))
        let partial = try place.sweep("merge", "sweep", "--partial")
        #expect(partial.code == 0 && partial.text.contains("Without 2 of 6 points"))
        let csv = try String(contentsOfFile: place.path + "/sweep/sweep.csv", encoding: .utf8)
        #expect(csv.split(separator: "\n").count == 5)
    }

    @Test func `a changed scenario and a changed plan are errors that say so`() throws {
        let place = try Workplace()
        try place.plan("sweep")
        let text = try String(contentsOfFile: place.scenario, encoding: .utf8)
        try (text + "# a word\n").write(toFile: place.scenario, atomically: true, encoding: .utf8)
        let refused = try place.sweep("run", "sweep")
        #expect(refused.code == 65 && refused.text.contains("scenario.yaml has changed"))
        #expect(!FileManager.default.fileExists(atPath: place.path + "/sweep/points"))
        try text.write(toFile: place.scenario, atomically: true, encoding: .utf8)
        #expect(try place.sweep("run", "sweep", "--points", "0").code == 0)

        let plan = place.path + "/sweep/plan.json"
        let written = try String(contentsOfFile: plan, encoding: .utf8)
        try written.replacing("x1.5", with: "x1.6").write(toFile: plan, atomically: true, encoding: .utf8)
        for verb in ["run", "merge"] {
            let refused = try place.sweep(verb, "sweep")
            #expect(refused.code == 65 && refused.text.contains("the file is damaged"))
        }
    }

    @Test func `a point that cannot be played is told when the sweep is planned`() throws {
        let place = try Workplace()
        let (text, code) = try Program.run(
            "sweep", "plan", place.path + "/tiny", "--output", place.path + "/bad", "--vary",
            "pools.laptop.replicas.max=8,0")
        #expect(code == 65)
        #expect(text.contains("max '0' is out of range") && text.contains("point 1 (pools.laptop.replicas.max = 0)"))
        #expect(!FileManager.default.fileExists(atPath: place.path + "/bad"))
    }

    @Test func `the Slurm script names the shards that lack a point, and quotes what a path may hold`() throws {
        let place = try Workplace()
        let folder = "it's here"
        try place.plan(folder)
        #expect(try place.sweep("run", folder, "--points", "1").code == 0)
        let (script, code) = try place.sweep(
            "submit", folder, "--on", "slurm", "--shards", "6", "--cpus", "2", "--at-once", "3", "--dry-run",
            "--directive=--partition=cpu")
        #expect(code == 0)
        #expect(script.hasPrefix("#!/bin/bash\n"))
        #expect(script.contains("#SBATCH --array=0,2-5%3\n"))
        #expect(script.contains("#SBATCH --partition=cpu\n"))
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/\(folder)/sweep.slurm"))

        // The script is what a node runs: it plays its shard and no other.
        let file = place.path + "/task.sh"
        try script.write(toFile: file, atomically: true, encoding: .utf8)
        let task = Process()
        task.executableURL = URL(filePath: "/bin/bash")
        task.arguments = [file]
        task.environment = ["SLURM_ARRAY_TASK_ID": "4", "SLURM_CPUS_PER_TASK": "2"]
        try task.run()
        task.waitUntilExit()
        #expect(task.terminationStatus == 0)
        let results = try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/\(folder)/points").sorted()
        #expect(results == ["point-000001.json", "point-000004.json"])
    }

    @Test func `the Kubernetes job plays the shard of its completion index`() throws {
        let place = try Workplace()
        try place.plan("sweep")
        let (manifest, code) = try place.sweep(
            "submit", "sweep", "--on", "kubernetes", "--shards", "4", "--image", "here/tidegate:1", "--claim", "sweeps",
            "--dry-run")
        #expect(code == 0)
        for line in [
            "kind: Job", "completionMode: Indexed", "completions: 4", "--shard \\\"$JOB_COMPLETION_INDEX/4\\\"",
            "claimName: \"sweeps\"",
            "status: \"True\"", "image: \"here/tidegate:1\"", "/sweep/plan.json'", "/tiny, with the files",
        ] {
            #expect(manifest.contains(line), "\(line)")
        }
        #expect(try place.sweep("submit", "sweep", "--on", "kubernetes", "--dry-run").code == 64)
    }
}
