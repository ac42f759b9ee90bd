import Control
import FleetModel
import Foundation
import Logging
import Testing
import Units

@testable import Live

@Suite("A pool that a user's command resizes", .serialized)
struct CommandActuatorTests {
    /// A folder with a program in it, which keeps what it was told.
    final class Hook {
        let folder = FileManager.default.temporaryDirectory.appending(path: "hook-\(UUID().uuidString)").path
        var program: String { folder + "/hook" }

        /// - Parameter body: Of a shell script, which the test names itself.
        init(_ body: String) throws {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let text = "#!/bin/sh\ncd \(folder)\n\(body)\n"
            try Data(text.utf8).write(to: URL(filePath: program))
            chmod(program, 0o755)
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        func text(_ file: String) -> String? { try? String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8) }

        func actuator(deadline: TimeSpan = .seconds(10)) -> CommandActuator {
            var configuration = CommandActuator.Configuration(pool: PoolID("chat"), apply: [program, "a b", "$HOME"])
            configuration.deadline = deadline
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            return CommandActuator(configuration, logger: logger)
        }
    }

    static let order = KubernetesActuatorTests.order(5, generation: 7)

    @Test("The command is told what to do in its environment, and its arguments reach it as they are")
    func environment() async throws {
        let hook = try Hook(#"env | grep ^TIDEGATE_ | sort > told; printf '%s|' "$@" > arguments"#)
        try await hook.actuator().apply(Self.order, epoch: 3, at: .epoch)
        #expect(
            hook.text("told") == """
                TIDEGATE_ACTION=apply
                TIDEGATE_EPOCH=3
                TIDEGATE_GENERATION=7
                TIDEGATE_IDEMPOTENCY_KEY=chat-3-7
                TIDEGATE_POOL=chat
                TIDEGATE_REASON=demand
                TIDEGATE_REPLICAS=5

                """)
        #expect(hook.text("arguments") == "a b|$HOME|")
    }

    @Test("Exit codes become errors, with the end of what the command wrote to its standard error")
    func exitCodes() async throws {
        func error(_ body: String) async throws -> ActuationError? {
            let hook = try Hook(
                #"[ $TIDEGATE_ACTION = status ] && { echo '{"replicas":9,"generation":8,"epoch":6,"instances":[]}'; exit 0; }"#
                    + "\n" + body)
            do throws(ActuationError) {
                try await hook.actuator().apply(Self.order, epoch: 3, at: .epoch)
                return nil
            } catch { return error }
        }
        #expect(try await error("exit 0") == nil)
        #expect(try await error("exit 3") == .conflict(foreignLevel: 9))
        #expect(try await error("exit 4") == .fenced(epoch: 6))
        #expect(try await error("exit 5") == .outdated(generation: 8))
        #expect(try await error("echo busy >&2; exit 75") == .unreachable("exit 75: busy"))
        #expect(try await error("echo one >&2; echo two >&2; exit 1") == .refused("exit 1: one | two"))
        #expect(try await error("kill -9 $$") == .refused("ended by a signal"))
    }

    @Test("A command that does not end is ended, with what it started")
    func deadline() async throws {
        let hook = try Hook("sleep 1000 & echo $! > child; echo waiting >&2; wait")
        let start = MonotonicTime.now
        do throws(ActuationError) {
            try await hook.actuator(deadline: .milliseconds(500)).apply(Self.order, epoch: 0, at: .epoch)
            Issue.record("it ended")
        } catch {
            #expect(error.description == "unreachable: \(hook.program) did not end within 500ms: waiting")
        }
        #expect(MonotonicTime.now - start < .seconds(4))
        let child = try #require(
            hook.text("child").flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) })
        try await until("the child is gone") { kill(child, 0) != 0 }
    }

    @Test("However much a command writes, it does not stand still, and a log holds the end")
    func muchOutput() async throws {
        let hook = try Hook("yes | head -c 3000000; yes 12345 | head -c 3000000 >&2; echo last >&2; exit 1")
        do throws(ActuationError) {
            try await hook.actuator().apply(Self.order, epoch: 0, at: .epoch)
        } catch {
            #expect(error.description.hasSuffix("last") && error.description.count < 8000)
        }
    }

    @Test("A program that is not there is named")
    func missing() async throws {
        var configuration = CommandActuator.Configuration(pool: PoolID("chat"), apply: ["/nowhere/hook"])
        configuration.deadline = .seconds(5)
        let actuator = CommandActuator(configuration, logger: Logger(label: "test"))
        await #expect(throws: ActuationError.missing("the program '/nowhere/hook'")) {
            try await actuator.apply(Self.order, epoch: 0, at: .epoch)
        }
    }

    @Test("The status is read, and instances keep their numbers")
    func status() async throws {
        let hook = try Hook("cat status.json")
        func write(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: hook.folder + "/status.json")) }
        let actuator = hook.actuator()
        try write(
            #"""
            {"replicas": 4, "generation": 7, "epoch": 3, "problems": ["no stock in zone a"], "instances": [
              {"name": "i-b", "url": "http://10.0.0.2:8000", "phase": "ready"},
              {"name": "i-a", "url": "http://10.0.0.1:8000", "phase": "draining"},
              {"name": "i-c", "phase": "starting"}]}
            """#)
        var status = try await actuator.status(at: .epoch)
        #expect(status.pool.target == 4 && status.pool.appliedGeneration == 7 && status.pool.reachedGeneration == 0)
        #expect(status.pool.readyReplicas == [ReplicaID(1)] && status.pool.draining == 1)
        // One is starting, two have not been made yet.
        #expect(status.pool.starting == 3)
        #expect(status.problems == ["no stock in zone a"])
        try write(
            #"""
            {"replicas": 2, "generation": 8, "instances": [
              {"name": "i-d", "url": "http://10.0.0.4:8000", "phase": "ready"},
              {"name": "i-b", "url": "http://10.0.0.2:8000", "phase": "ready"}]}
            """#)
        status = try await actuator.status(at: .epoch)
        #expect(status.endpoints.map(\.id.number) == [1, 4])
        #expect(status.endpoints.map(\.name) == ["i-b", "i-d"])
        #expect(status.pool.reachedGeneration == 8)
    }

    @Test(
        "A status that is none says where and what",
        arguments: [
            ("", "it is no JSON object"), ("[]", "it is no JSON object"), ("{}", "'instances' is missing"),
            (#"{"replicas": "4", "instances": []}"#, "'replicas' has a value that cannot stand there"),
            (#"{"replicas": -1, "instances": []}"#, "negative"),
            (#"{"replicas": 1, "instances": [{"name": "a", "phase": "up"}]}"#, "'instances.[0].phase'"),
            (#"{"replicas": 1, "instances": [{"name": "a", "phase": "ready"}]}"#, "has no url"),
            (#"{"replicas": 1, "instances": [{"name": "a", "url": "10.0.0.1", "phase": "ready"}]}"#, "neither http://"),
            (
                #"{"replicas": 1, "instances": [{"name": "a", "phase": "starting"}, {"name": "a", "phase": "starting"}]}"#,
                "'a' twice"
            ),
        ])
    func badStatus(text: String, problem: String) throws {
        do throws(ActuationError) {
            _ = try HookReport(Array(text.utf8))
            Issue.record("was taken")
        } catch {
            #expect(error.description.contains(problem) || text == "{}", "\(error)")
        }
    }
}
