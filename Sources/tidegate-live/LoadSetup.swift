import ArgumentParser
import Commands
import Foundation
import Live
import NIOPosix
import Simulation

/// A scenario's traffic as a command sends it to a server: selected, addressed and limited by the user's options.
struct LoadSetup {
    let traffic: LoadTraffic
    let server: LoadTarget
    private let limits: LoadLimits
    private let sending: SendingArguments

    /// - Throws: A `ValidationError` for an option that does not fit the scenario or this machine.
    init(
        _ scenario: Scenario, target: String, _ selection: SelectionArguments, _ sending: SendingArguments
    ) throws {
        traffic = try asUsage { () throws(LoadError) in try selection.traffic(of: scenario) }
        server = try asUsage { () throws(LoadError) in try LoadTarget(target) }
        let traffic = traffic
        limits = try asUsage { () throws(LoadError) in try sending.limits(traffic) }
        self.sending = sending
    }

    /// Asks the server what it takes, and sends it all; Ctrl-C stops the load.
    ///
    /// - Parameter change: Says what else is wanted of the run.
    func play(
        _ progress: LoadProgress, _ change: (inout LoadRun) -> Void
    ) async throws -> (run: LoadRun, result: LoadResult) {
        try await withOneThread { group in
            let style = try await progress.tellingAll {
                try await TargetProbe(server, on: group).style(
                    try sending.style(), prompts: sending.prompts,
                    priority: traffic.classes.map(\.priority).max { abs($0) < abs($1) } ?? 0, remark: progress.say)
            }
            var run = LoadRun(traffic: traffic, target: server, style: style, limits: limits)
            run.isUrgent = !sending.ordinaryPriority
            change(&run)
            Interrupt.catchFirst(SIGINT, SIGTERM)
            let result = try await progress.tellingAll {
                try await run.play(on: group) { standing in
                    progress.show(standing, of: traffic.duration)
                    return !Interrupt.isRaised
                }
            }
            progress.finish()
            return (run, result)
        }
    }
}

/// What is wrong with an argument, as the command line tells it.
func asUsage<Value>(_ work: () throws(LoadError) -> Value) throws -> Value {
    do { return try work() } catch { throw ValidationError(error.description) }
}

/// Does work with one thread that sends and receives.
func withOneThread<Value>(_ work: (MultiThreadedEventLoopGroup) async throws -> Value) async throws -> Value {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let value: Value
    do {
        value = try await work(group)
    } catch {
        try? await group.shutdownGracefully()
        throw error
    }
    try await group.shutdownGracefully()
    return value
}

extension HeaderField {
    /// Reads the values of `--header`.
    ///
    /// - Throws: A `ValidationError` for the first that is none.
    static func fields(_ texts: [String]) throws -> [HeaderField] {
        try texts.map { text in
            guard let field = HeaderField(text) else {
                throw ValidationError("--header '\(text)' is not written as 'Name: value'")
            }
            return field
        }
    }
}
