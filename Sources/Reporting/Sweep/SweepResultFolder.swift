import Formats
import Studies

/// Where the results of a sweep lie: a file for each point, written whole or not at all.
///
/// A point's file does not depend on who played it, so shards may be cut anew, repeated and mixed.
public struct SweepResultFolder: Sendable {
    public static let format = "tidegate sweep result 1"

    public let path: String
    private let plan: SweepPlan
    private let planDigest: String

    /// - Parameter planDigest: Of the plan's content, which every result names.
    public init(path: String, plan: SweepPlan, planDigest: String) {
        self.path = path
        self.plan = plan
        self.planDigest = planDigest
    }

    /// What lies there for a point.
    public enum State: Sendable {
        case missing
        case done(SweepResult)
        /// A file that is not this point's result, and why.
        case unusable(String)
    }

    /// Looks for the result of a point and verifies its digest.
    public func state(of point: Int) -> State {
        let file = "\(path)/\(Self.name(of: point))"
        do throws(SealedFileError) {
            let result = try SealedFile<SweepResult>(path: file, format: Self.format).content
            guard result.plan == planDigest else {
                return .unusable("\(file): this is a result of another plan, \(result.plan.prefix(12))")
            }
            guard result.point == point, result.values == plan.points[point] else {
                return .unusable("\(file): this is the result of point \(result.point)")
            }
            guard result.policies.map(\.policy) == plan.policies,
                result.policies.allSatisfy({ $0.fingerprints.count == plan.replications })
            else { return .unusable("\(file): the result is not of the plan's policies and replications") }
            return .done(result)
        } catch {
            if error.problem == .missing { return .missing }
            return .unusable(error.description.replacing(": error: ", with: ": "))
        }
    }

    /// Writes the result of a point, in place of what lies there.
    public func write(_ outcomes: [SweepOutcome], of point: Int) throws(OutputError) {
        let result = SweepResult(plan: planDigest, point: point, values: plan.points[point], policies: outcomes)
        let file: SealedFile<SweepResult>
        do {
            file = try SealedFile(result, format: Self.format)
        } catch {
            preconditionFailure("a result that cannot be written: \(error)")
        }
        try AtomicOutput.write([(Self.name(of: point), file.text)], to: path)
    }

    /// `point-000017.json`: files sort as points do.
    static func name(of point: Int) -> String {
        let digits = String(point)
        return "point-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".json"
    }
}
