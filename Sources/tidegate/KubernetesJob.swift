import Foundation

/// The shards of a sweep as an indexed Job: each pod plays the shard of its completion index.
///
/// The claim holds what lies below the nearest folder that the plan and the scenario have in common, in the same order.
struct KubernetesJob {
    let text: String

    /// - Parameters:
    ///   - executable: As the image has it.
    ///   - memory: As Kubernetes writes it, such as `1Gi`.
    init(
        sweep: OpenSweep, executable: String, shards: Int, atOnce: Int, cpus: Int, memory: String, image: String,
        claim: String
    ) {
        let plan = URL(filePath: "\(sweep.folder)/\(URL(filePath: sweep.path).lastPathComponent)").standardizedFileURL
        let steps = sweep.plan.scenario.path.split(separator: "/").map(String.init)
        // From as many folders above the plan as the way to the scenario begins with, and one more: a scenario's
        // profiles and prices may lie in the folder above it.
        let above = steps.prefix { $0 == ".." }.count
        let places = plan.pathComponents.filter { $0 != "/" }.suffix(above + 2)
        let inside = places.joined(separator: "/")
        let scenario = (places.dropLast(1 + above) + steps.drop { $0 == ".." }).joined(separator: "/")
        let name = Self.label("sweep-\(sweep.plan.scenario.name)-\(sweep.digest.prefix(8))")
        let command =
            "exec \(quoted(executable)) sweep run \(quoted("/sweep/\(inside)"))"
            + " --shard \"$JOB_COMPLETION_INDEX/\(shards)\" --workers \(cpus)"
        text = """
            # Sweep of \(sweep.plan.scenario.name): \(sweep.plan.points.count) points in \(shards) shards.
            # The claim \(claim) must hold the plan as \(inside)
            # and the scenario as \(scenario), with the files it names.
            # A pod may be lost or repeated: a point that has its result is not played twice.
            apiVersion: batch/v1
            kind: Job
            metadata:
              name: \(name)
            spec:
              completionMode: Indexed
              completions: \(shards)
              parallelism: \(min(atOnce, shards))
              backoffLimitPerIndex: 3
              podFailurePolicy:
                rules:
                  # The scenario or the plan is wrong: trying again gives the same answer.
                  - action: FailJob
                    onExitCodes: {operator: In, values: [64, 65, 66]}
                  # A drained or reclaimed node is no failure of the shard.
                  - action: Ignore
                    onPodConditions: [{type: DisruptionTarget, status: "True"}]
              template:
                spec:
                  restartPolicy: Never
                  containers:
                    - name: shard
                      image: \(Self.quotedYAML(image))
                      command: [/bin/sh, -c, \(Self.quotedYAML(command))]
                      resources:
                        requests: {cpu: "\(cpus)", memory: \(Self.quotedYAML(memory))}
                        limits: {memory: \(Self.quotedYAML(memory))}
                      volumeMounts:
                        - {name: sweep, mountPath: /sweep}
                  volumes:
                    - name: sweep
                      persistentVolumeClaim: {claimName: \(Self.quotedYAML(claim))}

            """
    }

    /// A name that Kubernetes takes: lower-case letters, digits and dashes, at most 52, so that pods' names fit in 63.
    private static func label(_ text: String) -> String {
        let letters = text.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        let kept = letters.count <= 52 ? letters : letters.prefix(43) + letters.suffix(9)
        return String(kept)
    }

    private static func quotedYAML(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
