import FleetModel
import Formats
import Foundation
import Testing

@testable import Control
@testable import Live
@testable import Units

@Suite("A pool of processes")
struct LocalPoolTests {
    private func order(_ replicas: Int, generation: Int) -> AppliedTarget {
        AppliedTarget(pool: PoolID("chat"), replicas: replicas, generation: generation, reason: "")
    }

    /// As a controller does: on the pool itself the protocol's default would be called.
    private static func close(_ pool: any PoolActuator, at now: Instant) async { await pool.closePeriod(at: now) }

    @Test("A controller that has lost the pool without knowing does nothing more to it", .timeLimit(.minutes(1)))
    func fenced() async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        let (old, new) = (pool.controller(), pool.controller())
        try await old.begin(epoch: 1)
        #expect(pool.running == ["r0", "r1"])
        try await new.begin(epoch: 2)
        let tending = Task { await old.run() }
        defer { tending.cancel() }
        await #expect(throws: ActuationError.fenced(epoch: 2)) {
            try await old.apply(order(4, generation: 7), epoch: 1, at: .epoch)
        }
        // Neither does it replace a worker that ends, nor tell of the pool as if it were its own.
        pool.signal("r1", SIGKILL)
        try await until("it is gone") { pool.running == ["r0"] }
        try await Task.sleep(for: .milliseconds(100))
        #expect(pool.running == ["r0"])
        await #expect(throws: ActuationError.fenced(epoch: 2)) { try await old.status(at: .epoch) }
        // Its earlier self cannot take it back.
        await #expect(throws: ActuationError.fenced(epoch: 2)) { try await old.begin(epoch: 1) }

        let tendingNew = Task { await new.run() }
        defer { tendingNew.cancel() }
        try await until("the new one replaces it") { pool.running == ["r0", "r2"] }
    }

    @Test("A fleet ends the workers of a pool that it had lost, and not those of another", .timeLimit(.minutes(1)))
    func endsLost() async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        let (first, second, never) = (pool.controller(), pool.controller(), pool.controller())
        try await first.begin(epoch: 1)
        await never.stopAll(within: .seconds(1))
        #expect(pool.running == ["r0", "r1"])
        try await second.begin(epoch: 2)
        await first.standDown()
        await first.stopAll(within: .seconds(1))
        #expect(pool.running == ["r0", "r1"])
        // As when its lease ran out and nobody else came.
        await second.standDown()
        await second.stopAll(within: .seconds(5))
        #expect(pool.running.isEmpty)
    }

    @Test("Workers whose fleet was killed are billed until it was last heard of", .timeLimit(.minutes(1)))
    func killedFleet() async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        let first = pool.controller(lifeline: try Lifeline())
        try await first.begin(epoch: 1)
        try await first.apply(order(3, generation: 4), epoch: 1, at: .epoch)
        #expect(pool.running == ["r0", "r1", "r2"])
        let seen = LiveClock().now
        // A fleet that has lost the lease and has it again keeps its workers.
        await first.standDown()
        try await first.begin(epoch: 2)
        #expect(pool.running == ["r0", "r1", "r2"])

        try await Task.sleep(for: .milliseconds(500))
        let second = pool.controller(lifeline: try Lifeline())
        try await second.begin(epoch: 3)
        try await until("only new ones run") { pool.running == ["r3", "r4", "r5"] }
        let status = try await second.status(at: .epoch).pool
        #expect(status.target == 3 && status.appliedGeneration == 4)
        let records = try MachineUsageFile.read(path: "\(pool.folder)/usage.jsonl").map(\.record)
        #expect(records.count == 3)
        for record in records {
            #expect(record.terminated && record.end < seen + .milliseconds(300), "\(record.end), \(seen)")
        }
        await second.stopAll(within: .seconds(5))
        // The first is behind the times: it ends nobody.
        let third = pool.controller(lifeline: try Lifeline())
        try await third.begin(epoch: 4)
        await first.stopAll(within: .seconds(1))
        await second.stopAll(within: .seconds(1))
        #expect(pool.running == ["r0", "r1"] && FileManager.default.fileExists(atPath: "\(pool.folder)/workers.json"))
    }

    @Test("A fleet says that it is there also while nothing happens", .timeLimit(.minutes(1)))
    func sightings() async throws {
        var pool = WaitingPool()
        pool.sightings = .milliseconds(50)
        defer { pool.end() }
        try await pool.tended(by: pool.controller(lifeline: try Lifeline())) {
            let quiet = LiveClock().now + .milliseconds(100)
            try await until("it says so") { try #require(LocalPoolState.read(pool.folder)?.seen) > quiet }
        }
    }

    @Test("What a controller ordered and did not live to do, the next one does", .timeLimit(.minutes(1)))
    func halfDone() async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        try await pool.controller().begin(epoch: 1)
        // The order is written down; its controller died before it chose whom to end, and left a file half-written.
        let path = "\(pool.folder)/workers.json"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains("\"target\":2"))
        try text.replacingOccurrences(of: "\"target\":2", with: "\"target\":1")
            .write(toFile: path, atomically: true, encoding: .utf8)
        let unfinished = "\(pool.folder)/.workers.json.abc.partial"
        try "{".write(toFile: unfinished, atomically: false, encoding: .utf8)

        let next = pool.controller()
        try await next.begin(epoch: 2)
        let tending = Task { await next.run() }
        defer { tending.cancel() }
        try await until("one drains") {
            try await next.status(at: .epoch).pool.draining == 1 || pool.running.count == 1
        }
        try await until("one is left") {
            await next.hear(RoutingReport(outstanding: [:], stopped: [ReplicaID(0), ReplicaID(1)]))
            return pool.running.count == 1
        }
        #expect(!FileManager.default.fileExists(atPath: unfinished))
    }

    @Test("Workers are served over sockets, also by the next controller, and leave none", .timeLimit(.minutes(1)))
    func sockets() async throws {
        let pool = WaitingPool.serving
        defer { pool.end() }
        let (first, second, third) = (pool.controller(), pool.controller(), pool.controller())
        try await pool.tended(by: first)
        let endpoints = try await first.status(at: .epoch).endpoints
        #expect(endpoints.map(\.socket) == ["r0", "r1"].map { "\(pool.folder)/\($0).sock" })
        for endpoint in endpoints {
            let client = try HTTP(socket: try #require(endpoint.socket))
            await client.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await client.reply().status == 200)
        }

        // One ends while nobody looks, so that its socket stays.
        try await second.begin(epoch: 2)
        #expect(try await second.status(at: .epoch).endpoints == endpoints)
        pool.signal("r0", SIGKILL)
        try await until("it is gone") { pool.running == ["r1"] }
        #expect(pool.sockets == ["r0.sock", "r1.sock"])
        let tendingNext = Task { await second.run() }
        try await until("another has its place") { pool.sockets == ["r1.sock", "r2.sock"] }
        try await until("it is ready") { try await second.status(at: .epoch).pool.readyReplicas.count == 2 }
        tendingNext.cancel()
        await tendingNext.value

        // A state as earlier versions wrote it.
        let path = URL(filePath: "\(pool.folder)/workers.json")
        var state = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: path)) as? [String: Any])
        let workers = try #require(state["workers"] as? [[String: Any]])
        #expect(workers.allSatisfy { $0["socket"] != nil })
        state["workers"] = workers.map { worker in worker.filter { $0.key != "socket" } }
        try JSONSerialization.data(withJSONObject: state).write(to: path)
        try await third.begin(epoch: 3)
        let known = try await third.status(at: .epoch).endpoints
        #expect(known.map(\.id.number) == [1, 2])
        #expect(known.allSatisfy { $0.socket == nil && $0.url != nil && $0.phase == .ready })
        await third.stopAll(within: .seconds(5))
        #expect(pool.running.isEmpty)
        #expect(pool.sockets.isEmpty)
    }

    @Test("Workers that are ended by force leave no sockets", .timeLimit(.minutes(1)))
    func forced() async throws {
        let pool = WaitingPool.serving
        defer { pool.end() }
        let controller = pool.controller()
        try await controller.begin(epoch: 1)
        try await until("they listen") { pool.sockets == ["r0.sock", "r1.sock"] }
        await controller.stopAll(within: .zero)
        try await until("they are gone") { pool.running.isEmpty }
        #expect(pool.sockets.isEmpty)
    }

    @Test("A worker that is up before its machine serves from when that comes", .timeLimit(.minutes(1)))
    func machineToCome() async throws {
        var pool = WaitingPool.serving
        pool.provision = .seconds(2)
        defer { pool.end() }
        let controller = pool.controller()
        try await pool.tended(by: controller) {
            let start = MonotonicTime.now
            try await controller.apply(order(3, generation: 1), epoch: 1, at: .epoch)
            try await until("it is ready") { try await controller.status(at: .epoch).pool.readyReplicas.count == 3 }
            #expect(MonotonicTime.now - start >= .seconds(2))
        }
    }

    @Test("A worker that does not end by its deadline is ended, and leaves no socket", .timeLimit(.minutes(1)))
    func overdue() async throws {
        var pool = WaitingPool.serving
        pool.drainDeadline = .milliseconds(100)
        defer { pool.end() }
        let controller = pool.controller()
        try await pool.tended(by: controller) {
            for replica in ["r0", "r1"] { pool.signal(replica, SIGSTOP) }
            try await controller.apply(order(1, generation: 1), epoch: 1, at: .epoch)
            try await until("one is gone") {
                pool.running.count == 1 && pool.sockets == pool.running.map { "\($0).sock" }
            }
            #expect(try await controller.status(at: .epoch).pool.readyReplicas.count == 1)
        }
    }

    @Test("Where a path is too long for sockets, workers have none", .timeLimit(.minutes(1)), arguments: [0, 50])
    func longPath(more: Int) async throws {
        var pool = WaitingPool()
        pool.name += String(repeating: "x", count: more)
        defer { pool.end() }
        let controller = pool.controller()
        try await controller.begin(epoch: 1)
        var said = ""
        try await until("it has said all") {
            said = (try? String(contentsOfFile: "\(pool.folder)/r0.log", encoding: .utf8)) ?? ""
            return said.split(separator: "\n").count == 3
        }
        #expect(said.contains("--socket") == (more == 0))
    }

    @Test(
        "A charge period holds no more time than it has, though its tick resized the pool later than it began",
        .timeLimit(.minutes(1)))
    func closesPeriods() async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        let (local, clock) = (pool.controller(), LiveClock())
        try await pool.tended(by: local) {
            try await Task.sleep(for: .milliseconds(20))
            let tick = clock.now
            try await Task.sleep(for: .milliseconds(20))
            try await local.apply(order(1, generation: 1), epoch: 1, at: tick)
            for _ in 0..<2 { await Self.close(local, at: tick) }
            try await Task.sleep(for: .milliseconds(20))
        }
        await local.stopAll(within: .seconds(5))

        let records = try MachineUsageFile.read(path: "\(pool.folder)/usage.jsonl").map(\.record)
        #expect(records.count == 4)
        for record in records {
            let used = record.busy + record.idle + record.starting + record.draining
            #expect(record.start < record.end && used <= record.end - record.start, "\(record)")
        }
        for lives in Dictionary(grouping: records, by: \.instance).values {
            #expect(zip(lives, lives.dropFirst()).allSatisfy { $0.end == $1.start })
            #expect(lives.map(\.terminated) == [false, true])
        }
    }

    @Test("What a worker of an earlier fleet has printed is not its namesake's", .timeLimit(.minutes(1)))
    func earlierLogs() async throws {
        var pool = WaitingPool()
        // Slow enough that the earlier words are read before there are others.
        pool.command[2] = "sleep 0.2; \(pool.command[2])"
        defer { pool.end() }
        try FileManager.default.createDirectory(atPath: pool.folder, withIntermediateDirectories: true)
        let words = #"{"event":"listening","url":"http://127.0.0.1:9"}"# + "\n" + #"{"event":"ready"}"# + "\n"
        try words.write(toFile: "\(pool.folder)/r0.log", atomically: true, encoding: .utf8)
        let local = pool.controller()
        try await pool.tended(by: local)
        let urls = try await local.status(at: .epoch).endpoints.map(\.url)
        #expect(urls == ["http://127.0.0.1:1", "http://127.0.0.1:1"])
    }

    @Test("Machines of a kind that the scenario no longer has are given back", .timeLimit(.minutes(1)))
    func otherMachines() async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        try await pool.controller().begin(epoch: 1)
        try await Task.sleep(for: .milliseconds(20))
        let next = pool.controller(instance: "another-machine")
        try await next.begin(epoch: 2)
        #expect(pool.running == ["r0", "r1"])
        try await Task.sleep(for: .milliseconds(20))
        await next.stopAll(within: .seconds(5))
        let usage = try MachineUsageFile.read(path: "\(pool.folder)/usage.jsonl")
        let kinds = Dictionary(grouping: usage) { $0.record.offering.instanceType }.mapValues { machines in
            machines.map(\.record.instance).sorted()
        }
        #expect(kinds == ["this-machine": ["chat-i0", "chat-i1"], "another-machine": ["chat-i2", "chat-i3"]])
        #expect(usage.allSatisfy { $0.record.terminated && $0.replicas?.count == 1 })
        let ends = usage.filter { $0.record.offering.instanceType == "this-machine" }.map(\.record.end)
        let starts = usage.filter { $0.record.offering.instanceType != "this-machine" }.map(\.record.launched)
        #expect(Set(ends + starts).count == 1)
    }

    @Test("Who is there has a machine of the new kind before those whose machine is still to come", arguments: [1, 2])
    func machinesToCome(slots: Int) {
        let pool = WaitingPool()
        var state = LocalPoolState(pool.configuration())
        let (now, later) = (Instant.epoch + .hours(1), Instant.epoch + .hours(1) + .seconds(60))
        let coldStart = ColdStart(provision: .seconds(90), pull: .zero, load: .zero, warmUp: .zero)
        let lives = [ReplicaLifecycle(coldStart: coldStart, at: now - .seconds(30)), ReplicaLifecycle(readyAt: now)]
        var replicas = lives.enumerated().map { number, life in
            let machine = state.machines.place(handedOver: number == 0 ? later : now - .seconds(30))
            return LocalReplica(
                id: ReplicaID(number), machine: machine, lifecycle: life, log: "", at: now - .seconds(30))
        }
        let next = pool.configuration(instance: "another-machine", slots: slots)
        let records = state.exchangeMachines(of: &replicas, for: next, at: now)
        // The one that was never handed over is on no bill.
        #expect(records.map(\.instance) == ["chat-i1"] && records[0].end == now && records[0].idle == .seconds(30))
        let launched = replicas.map { state.machines.machines[$0.machine]!.launched }
        #expect(launched == (slots == 1 ? [later, now] : [now, now]))
    }

    @Test("Time that is charged already is not charged again by what was due before")
    func chargedOnce() {
        let start = Instant.epoch + .hours(1)
        var state = LocalPoolState(WaitingPool().configuration())
        let machine = state.machines.place(handedOver: start)
        var replica = LocalReplica(
            id: ReplicaID(0), machine: machine, lifecycle: ReplicaLifecycle(readyAt: start), log: "", at: start)
        for second in [20, 10, 30] as [Int64] { state.meter(&replica, at: start + .seconds(second)) }
        #expect(state.machines.machines[machine]!.tally.idle == .seconds(30))
    }

    @Test("Usage that could not be written is written with the next", .timeLimit(.minutes(1)))
    func usageLater() async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        let (local, clock) = (pool.controller(), LiveClock())
        try await local.begin(epoch: 1)
        let usage = "\(pool.folder)/usage.jsonl"
        try FileManager.default.createDirectory(atPath: usage, withIntermediateDirectories: false)
        try await Task.sleep(for: .milliseconds(5))
        await Self.close(local, at: clock.now)
        #expect(try await local.status(at: clock.now).problems.first?.contains("usage.jsonl") == true)
        try FileManager.default.removeItem(atPath: usage)
        // The next controller knows of it too.
        await local.standDown()
        let next = pool.controller()
        try await next.begin(epoch: 2)
        #expect(try MachineUsageFile.read(path: usage).count == 2)
        try await Task.sleep(for: .milliseconds(5))
        await Self.close(next, at: clock.now)
        await next.stopAll(within: .seconds(5))
        let records = try MachineUsageFile.read(path: usage)
        #expect(records.map(\.record.terminated) == [false, false, false, false, true, true])
        #expect(records.allSatisfy { $0.replicas?.count == 1 })
    }

    @Test("Usage that could not be written as its fleet ended is written by the next one", .timeLimit(.minutes(1)))
    func usageOfEnd() async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        let (first, second) = (pool.controller(lifeline: try Lifeline()), pool.controller(lifeline: try Lifeline()))
        try await first.begin(epoch: 1)
        let usage = "\(pool.folder)/usage.jsonl"
        try FileManager.default.createDirectory(atPath: usage, withIntermediateDirectories: false)
        await first.stopAll(within: .seconds(5))
        #expect(pool.running.isEmpty)
        let end = LiveClock().now
        try FileManager.default.removeItem(atPath: usage)
        try await second.begin(epoch: 2)
        #expect(pool.running == ["r2", "r3"])
        let records = try MachineUsageFile.read(path: usage)
        #expect(records.map(\.replicas) == [[ReplicaID(1)], [ReplicaID(0)]])
        #expect(records.allSatisfy { $0.record.terminated && $0.record.end < end })
    }

    @Test("Usage that was written before its state was is not charged twice", .timeLimit(.minutes(1)))
    func usageOnce() async throws {
        let pool = WaitingPool()
        defer { pool.end() }
        let (first, usage) = (pool.controller(), "\(pool.folder)/usage.jsonl")
        var state = Data()
        try await pool.tended(by: first) {
            state = try Data(contentsOf: URL(filePath: "\(pool.folder)/workers.json"))
            try await Task.sleep(for: .milliseconds(20))
            try await first.apply(order(1, generation: 1), epoch: 1, at: .epoch)
            await first.hear(RoutingReport(outstanding: [:], stopped: [ReplicaID(0), ReplicaID(1)]))
            try await until("its usage is written") { FileManager.default.fileExists(atPath: usage) }
        }
        // As if its controller had died before it saved the state.
        try state.write(to: URL(filePath: "\(pool.folder)/workers.json"))
        let next = pool.controller()
        try await next.begin(epoch: 2)
        let tendingNext = Task { await next.run() }
        defer { tendingNext.cancel() }
        try await until("it is found gone") {
            try await next.status(at: .epoch).pool.readyReplicas == [ReplicaID(0)]
        }
        let lines = try String(contentsOfFile: usage, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 1)
    }
}
