import Foundation
import Subprocess
import SystemPackage
import Units

/// A program that carries orders out for us, with its arguments. No shell reads them, unless the user names one.
struct HookCommand: Hashable, Sendable {
    /// The path or name of the program, then its arguments.
    var words: [String]
    var deadline: TimeSpan

    /// What came of running it.
    struct Outcome: Hashable, Sendable {
        /// `nil` when a signal ended it.
        var code: Int?
        /// The start of its standard output, up to the limit.
        var output: [UInt8]
        /// The end of its standard error, for the log.
        var errors: String
        var isCut: Bool
    }

    enum Failure: Error, Hashable {
        /// No such program.
        case notFound(String)
        case cannotStart(String)
        case tooSlow(TimeSpan, errors: String)
    }

    private static let outputLimit = 1 << 20
    private static let errorLimit = 4 << 10

    /// Runs it to its end; past the deadline it gets SIGTERM, two seconds later SIGKILL, with all that it started.
    func run(_ variables: [String: String]) async throws(Failure) -> Outcome {
        guard let program = words.first, !program.isEmpty else { throw .notFound("") }
        let tail = OutputTail(limit: Self.errorLimit)
        do {
            return try await withThrowingTaskGroup(of: Outcome?.self) { group in
                group.addTask { try await launch(program, variables, tail) }
                group.addTask {
                    try await Task.sleep(for: .nanoseconds(deadline.nanoseconds))
                    return nil
                }
                defer { group.cancelAll() }
                guard let first = try await group.next(), let outcome = first else {
                    throw Failure.tooSlow(deadline, errors: tail.text)
                }
                return outcome
            }
        } catch let failure as Failure {
            throw failure
        } catch let error as SubprocessError where error.code == .executableNotFound {
            throw .notFound(program)
        } catch {
            throw .cannotStart("\(program): \(error)")
        }
    }

    private func launch(_ program: String, _ variables: [String: String], _ tail: OutputTail) async throws -> Outcome {
        var options = PlatformOptions()
        // A session of its own, so that what the program starts can be ended with it.
        options.createSession = true
        options.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(2))]
        let result = try await Subprocess.run(
            program.contains("/") ? .path(FilePath(program)) : .name(program),
            arguments: Arguments(Array(words.dropFirst())),
            environment: .inherit.updating(
                Dictionary(uniqueKeysWithValues: variables.map { (Environment.Key(stringLiteral: $0), $1) })),
            platformOptions: options, input: .none, output: .sequence, error: .sequence
        ) { execution -> (bytes: [UInt8], isCut: Bool) in
            async let errors: Void = tail.follow(execution.standardError)
            var bytes: [UInt8] = []
            var isCut = false
            // Read to the end whatever comes: a program whose pipe is full would stand still.
            for try await piece in execution.standardOutput {
                let room = Self.outputLimit - bytes.count
                piece.withUnsafeBytes { bytes += $0.prefix(room) }
                if piece.count > room { isCut = true }
            }
            try await errors
            return (bytes, isCut)
        }
        var code: Int?
        if case .exited(let status) = result.terminationStatus { code = Int(status) }
        return Outcome(
            code: code, output: result.closureResult.bytes, errors: tail.text, isCut: result.closureResult.isCut)
    }
}
