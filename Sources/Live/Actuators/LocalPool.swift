import Control
import FleetModel
import Formats
import Foundation
import Glibc
import Units

/// A pool of worker processes on this machine.
///
/// Workers run in sessions of their own and outlive the controller: what there is stands in `workers.json`, synced before
/// and after every change, and the next controller takes it over; a `PoolFence` keeps an earlier one from touching it
/// then. A replica that is to go is first taken from the gateway's routes, then told to drain, and only then is it gone.
/// One that dies by itself is replaced, after a pause that doubles when it dies again and again.
public actor LocalPool: PoolActuator {
    private let configuration: Configuration
    private let clock: LiveClock
    private let fence: PoolFence
    /// Names this fleet to those that come after it.
    private let fleet = String(UInt64.random(in: 0 ... .max), radix: 36)
    private var state: LocalPoolState
    /// Whether this controller has taken the pool over and has not lost it since.
    private var isHeld = false
    /// Of the last time that it took the pool over.
    private var heldEpoch: Int?
    /// Of the later leader that was met.
    private var laterEpoch: Int?
    private var replicas: [LocalReplica] = []
    /// Processes whose replica is gone and that have not ended yet.
    private var leaving: [(process: ChildProcess, socket: String, killAt: Instant)] = []
    private var outstanding: [ReplicaID: Int] = [:]
    /// What machines were used for, as their charge periods ended; `nil` where nobody will ask: `usage.jsonl` has it.
    private var usage: [UsageRecord]?
    private var areBooksOpen = true
    private var restart = RestartBackoff()
    private var problem: String?
    /// What replicas did, for who rehearses.
    public private(set) var log: [PhaseChange] = []

    public init(_ configuration: Configuration, clock: LiveClock) {
        self.configuration = configuration
        self.clock = clock
        state = LocalPoolState(configuration)
        fence = PoolFence(path: "\(configuration.folder)/leader.json")
    }

    public var id: PoolID { configuration.pool.id }

    // MARK: - Beginning and ending

    /// Takes over the workers that an earlier controller left, or starts the pool's first ones.
    ///
    /// - Throws: `OutputError` when the state cannot be kept, `LocalPoolStateError` when it cannot be understood,
    ///   `ActuationError.fenced` when a later leader has been here.
    public func begin(epoch: Int) async throws {
        try AtomicOutput.write([], to: configuration.folder)
        try fence.hold(epoch) {
            heldEpoch = epoch
            try takeOver(in: epoch)
        }
        (isHeld, laterEpoch) = (true, nil)
    }

    private func takeOver(in epoch: Int) throws {
        AtomicOutput.removeUnfinished(in: configuration.folder)
        let found = try LocalPoolState.read(configuration.folder)
        if let found {
            guard found.epoch <= epoch else { throw ActuationError.fenced(epoch: found.epoch) }
            takeIn(found)
        } else {
            state.target = configuration.pool.initialReplicas
        }
        if configuration.isRetired { state.target = 0 }
        state.drainDeadline = configuration.pool.drainDeadline
        // Of a fleet that was killed the workers have ended; one that lost the lease and has it again still has its own.
        let goesOn = found.map { $0.fleet == nil || $0.fleet == fleet } ?? false
        if !goesOn { endEarlierLives(at: found?.seen) }
        keep(state.exchangeMachines(of: &replicas, for: configuration, at: clock.now))
        (state.epoch, state.fleet) = (epoch, configuration.lifeline == nil ? nil : fleet)
        state.usageBytes = MachineUsageFile.length(of: usagePath)
        try save()
        endUnknownWorkers()
        guard !goesOn else { return }
        let now = clock.now
        for _ in 0..<state.target { try startReplica(at: now, isWarm: configuration.startsWarm) }
    }

    private func takeIn(_ found: LocalPoolState) {
        state = found
        let now = clock.now
        replicas = found.workers.map { LocalReplica($0, coldStart: configuration.pool.coldStart, at: now) }
        for replica in replicas { state.stand(replica.id, on: replica.machine) }
        // What was written of the usage after the state was saved is charged again by what is there.
        if let bytes = state.usageBytes { MachineUsageFile.cut(usagePath, to: bytes) }
    }

    /// Ends the lives of workers whose fleet was killed: they ended with it, and not now.
    ///
    /// - Parameter seen: When it was last heard of.
    private func endEarlierLives(at seen: Instant?) {
        for replica in replicas { finish(replica.id, .lost, at: seen ?? replica.meteredAt) }
    }

    public func standDown() async { forget() }

    /// Another looks after the pool.
    private func forget() {
        isHeld = false
        replicas.removeAll()
        leaving.removeAll()
        outstanding.removeAll()
        state = LocalPoolState(configuration)
    }

    /// Does what only the pool's leader may, while nobody can take the pool over.
    private func lead<Value>(_ act: () throws -> Value) throws(ActuationError) -> Value {
        try requireHeld()
        do {
            return try fence.hold(state.epoch, act)
        } catch let error as ActuationError {
            if case .fenced(let epoch) = error {
                forget()
                laterEpoch = epoch
            }
            throw error
        } catch {
            throw .refused("\(error)")
        }
    }

    private func requireHeld() throws(ActuationError) {
        guard !isHeld else { return }
        if let laterEpoch { throw .fenced(epoch: laterEpoch) }
        throw .refused("this controller does not lead the pool")
    }

    /// Looks after the processes until the task is cancelled.
    public func run() async {
        while !Task.isCancelled {
            poll()
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Ends every worker: first by asking, then by force. A pool that another leads is left as it is.
    public func stopAll(within limit: TimeSpan) async {
        guard let heldEpoch else { return }
        // One that was lost, and that nobody has taken since, still has its workers.
        if !isHeld, replicas.isEmpty, (try? await begin(epoch: heldEpoch)) == nil { return }
        let deadline = clock.now + limit
        let processes = Set(replicas.compactMap(\.process) + leaving.map(\.process))
        guard asOurs({ for process in processes { process.signal(SIGTERM) } }) else { return }
        while clock.now < deadline, processes.contains(where: { $0.condition() == .running }) {
            try? await Task.sleep(for: .milliseconds(10))
        }
        for process in processes { process.signal(SIGKILL) }
        let sockets = replicas.map { socketPath(of: $0.id) } + leaving.map(\.socket)
        _ = asOurs {
            let now = clock.now
            for replica in replicas.reversed() { finish(replica.id, .stop, at: now) }
            for socket in sockets { unlink(socket) }
            if state.unwritten == nil {
                // The next one begins anew.
                unlink(LocalPoolState.path(configuration.folder))
                unlink(fence.path)
            } else {
                // The next one writes what could not be written.
                try? save()
            }
        }
    }

    /// Does what ends the pool, unless another has taken it meanwhile.
    ///
    /// - Returns: Whether it was done.
    private func asOurs(_ act: () -> Void) -> Bool {
        do throws(ActuationError) {
            try lead(act)
        } catch {
            if case .fenced = error { return false }
            // Its folder may be gone, or its first workers could not all be started: they are ours all the same.
            act()
        }
        return true
    }

    /// Whether nobody is left in it.
    var isEmpty: Bool { isHeld && replicas.isEmpty && leaving.isEmpty }

    /// Forgets a pool that has ended: one of its name begins anew.
    ///
    /// - Throws: `.refused` while what its machines were used for cannot be written: forgotten, it would be on no bill.
    func discard() throws(ActuationError) {
        try lead {
            if state.unwritten != nil { try state.write([], to: usagePath) }
            unlink(LocalPoolState.path(configuration.folder))
        }
        forget()
    }

    // MARK: - Orders

    public func apply(_ target: AppliedTarget, epoch: Int, at now: Instant) async throws(ActuationError) {
        guard epoch >= state.epoch else { throw .fenced(epoch: state.epoch) }
        guard target.generation >= state.appliedGeneration else { throw .outdated(generation: state.appliedGeneration) }
        try lead {
            let before = state
            (state.target, state.appliedGeneration) = (target.replicas, target.generation)
            do {
                try save()
            } catch {
                state = before
                throw error
            }
            resize(at: clock.now)
        }
    }

    public func hear(_ routing: RoutingReport) async {
        outstanding = routing.outstanding
        func isToBeTold(_ replica: LocalReplica) -> Bool {
            replica.isDraining && !replica.isToldToStop && routing.stopped.contains(replica.id)
        }
        guard replicas.contains(where: isToBeTold) else { return }
        try? lead {
            for index in replicas.indices where isToBeTold(replicas[index]) {
                guard replicas[index].mayBeTold(at: clock.now) else {
                    replicas[index].isToldToStop = replicas[index].saysDraining
                    continue
                }
                replicas[index].isToldToStop = true
                replicas[index].process?.signal(SIGTERM)
            }
        }
    }

    /// Takes in how long a replica's engine has computed, of its own count.
    public func hear(busy: TimeSpan, of replica: ReplicaID) {
        guard let index = replicas.firstIndex(where: { $0.id == replica }) else { return }
        replicas[index].busy = max(replicas[index].busy, busy)
    }

    public func status(at now: Instant) async throws(ActuationError) -> ActuatorStatus {
        // Of a pool that is not looked after nothing is known: told as empty, it would be taken from the routes.
        try requireHeld()
        let starting = replicas.count { $0.isStarting }
        let ready = replicas.filter(\.isReady)
        if starting == 0, ready.count == state.target { state.reachedGeneration = state.appliedGeneration }
        let pool = configuration.pool
        let offering = OfferingObservation(
            offering: pool.offering, price: configuration.price, replicasPerInstance: pool.replicasPerInstance,
            available: true, expectedColdStart: pool.coldStart.total)
        return ActuatorStatus(
            pool: PoolStatus(
                pool: pool.id, time: now, readyReplicas: ready.map(\.id), starting: starting,
                draining: replicas.count { $0.isDraining }, appliedGeneration: state.appliedGeneration,
                reachedGeneration: state.reachedGeneration, target: state.target, offerings: [offering]),
            endpoints: replicas.map(\.endpoint), problems: problem.map { [$0] } ?? [])
    }

    // MARK: - Money

    /// Closes the charge period of every machine and opens the next one.
    ///
    /// A little later than `now` where more is charged already: a tick closes the hour in which it began, and what it resized
    /// was charged up to then. A period that held more time than it has would be in no bill.
    public func closePeriod(at now: Instant) {
        guard areBooksOpen else { return }
        try? lead {
            let end = replicas.reduce(now) { max($0, $1.meteredAt) }
            for index in replicas.indices { meter(index, at: end) }
            keep(state.machines.closePeriod(at: end))
            // The next period begins with those that are there.
            state.stood = nil
            for replica in replicas { state.stand(replica.id, on: replica.machine) }
            try save()
        }
    }

    /// Begins the bill at `now`: what was started before counts as handed over then.
    public func openBooks(at now: Instant) {
        for index in replicas.indices { replicas[index].beginMetering(at: now) }
        state.machines.open(at: now)
        usage = []
    }

    /// The end of the bill; the pool goes on for what is still in flight.
    public func closeBooks(at now: Instant) -> [UsageRecord] {
        closePeriod(at: now)
        areBooksOpen = false
        return usage ?? []
    }

    private func keep(_ records: [UsageRecord]) {
        guard !records.isEmpty || state.unwritten != nil else { return }
        usage? += records
        do { try state.write(records, to: usagePath) } catch { problem = "\(error)" }
    }

    private var usagePath: String { "\(configuration.folder)/usage.jsonl" }

    /// Charges a replica's time up to now to its machine.
    private func meter(_ index: Int, at now: Instant) {
        guard areBooksOpen else { return }
        state.meter(&replicas[index], at: now)
    }

    // MARK: - Replicas

    private var level: Int { replicas.count { !$0.isDraining } }

    private func resize(at now: Instant) {
        while level < state.target {
            do { try startReplica(at: now) } catch {
                problem = "\(error)"
                restart.fail(at: now)
                return
            }
        }
        while level > state.target {
            let candidates = replicas.filter { !$0.isDraining }.map { replica in
                VictimCandidate(
                    replica: replica.id, isStarting: replica.isStarting, outstanding: outstanding[replica.id] ?? 0,
                    neighbours: state.machines.machines[replica.machine]!.replicas - 1)
            }
            guard let victim = chooseVictim(among: candidates) else { return }
            drain(victim, at: now)
        }
        try? save()
    }

    private func startReplica(at now: Instant, isWarm: Bool = false) throws {
        let pool = configuration.pool
        let machine = state.machines.place(handedOver: isWarm ? now : now + pool.coldStart.provision)
        var coldStart = pool.coldStart
        coldStart.provision = max(.zero, state.machines.machines[machine]!.launched - now)
        if isWarm { coldStart = ColdStart(provision: .zero, pull: .zero, load: .zero, warmUp: .zero) }
        let id = ReplicaID(state.started)
        state.started += 1
        var replica = LocalReplica(
            id: id, machine: machine, lifecycle: ReplicaLifecycle(coldStart: coldStart, at: now),
            log: "\(configuration.folder)/\(id).log", at: now)
        state.stand(id, on: machine)
        // An earlier fleet in this folder had one of this number: what that said is not true of this one.
        for log in [replica.log, replica.log + ".err"] { unlink(log) }
        // Written down before it exists, so that no worker is ever unknown.
        replicas.append(replica)
        try save()
        let readyAt = isWarm ? nil : clock.monotonic(now + coldStart.total)
        do {
            let lifeline = configuration.lifeline
            replica.process = try ChildProcess.spawn(
                configuration.command(id, readyAt) + socketOption(of: id) + (lifeline == nil ? [] : [Lifeline.option]),
                log: replica.log, mark: mark(of: id), input: lifeline?.end)
        } catch {
            finish(id, .lost, at: now)
            throw error
        }
        replicas[replicas.count - 1] = replica
        log.append(PhaseChange(time: now, replica: id, change: .started))
        try save()
    }

    /// Looks at every process: what it has said, and whether it is still there.
    private func poll() {
        let now = clock.now
        let conditions = replicas.map { (id: $0.id, condition: $0.process?.condition() ?? .ended(status: nil)) }
        let isQuiet =
            conditions.allSatisfy { $0.condition == .running } && leaving.isEmpty && level == state.target
            && !replicas.contains { $0.isStarting || $0.isOverdue(at: now) } && !isUnseen(at: now)
        guard isHeld, !isQuiet else { return }
        try? lead { tend(conditions, at: now) }
    }

    private func tend(_ conditions: [(id: ReplicaID, condition: ChildProcess.Condition)], at now: Instant) {
        var hasChanged = false
        for (id, condition) in conditions {
            guard let index = replicas.firstIndex(where: { $0.id == id }) else { continue }
            if replicas[index].isStarting { hasChanged = listen(to: index, at: now) || hasChanged }
            switch condition {
            case .running:
                if replicas[index].isOverdue(at: now) {
                    finish(id, .timer, at: now)
                    hasChanged = true
                }
            case .ended(let status):
                hasChanged = true
                if replicas[index].isDraining {
                    finish(id, .emptied, at: now)
                } else {
                    problem = "\(id) ended by itself, \(Self.words(for: status)); its log is \(replicas[index].log).err"
                    finish(id, .lost, at: now)
                    restart.fail(at: now)
                }
            }
        }
        for (process, _, killAt) in leaving where killAt <= now { process.signal(SIGKILL) }
        leaving.removeAll { leaver in
            guard leaver.process.condition() != .running else { return false }
            unlink(leaver.socket)
            return true
        }
        // More than the target: its controller died between an order and carrying it out.
        if level > state.target || (level < state.target && restart.isOver(at: now)) {
            resize(at: now)
        } else if hasChanged || isUnseen(at: now) {
            try? save()
        }
    }

    /// Whether it is time to say that this fleet is there: what is killed with it is billed until it last did.
    private func isUnseen(at now: Instant) -> Bool {
        configuration.lifeline != nil && state.seen.map { now - $0 >= configuration.sightings } ?? true
    }

    /// Reads what a starting worker has printed.
    ///
    /// - Returns: Whether something has changed.
    private func listen(to index: Int, at now: Instant) -> Bool {
        // The last stage ends when the worker says so, and no earlier.
        while let due = replicas[index].lifecycle.nextTimer, due <= now, !replicas[index].isInLastStage {
            meter(index, at: due)
            _ = replicas[index].lifecycle.handle(.timer, at: due)
        }
        // A worker whose own start is shorter waits for its machine, as it would elsewhere: nothing is billed before that.
        guard replicas[index].handedOver == nil, replicas[index].readLog(), replicas[index].isUp else { return false }
        meter(index, at: now)
        guard replicas[index].lifecycle.handle(.healthy, at: now) == .serve else { return false }
        restart.succeed()
        problem = nil
        log.append(PhaseChange(time: now, replica: replicas[index].id, change: .ready))
        return true
    }

    public func drain(_ replica: ReplicaID, epoch: Int, at now: Instant) async throws(ActuationError) {
        guard epoch >= state.epoch else { throw .fenced(epoch: state.epoch) }
        try lead {
            guard replicas.contains(where: { $0.id == replica && !$0.isDraining }) else {
                throw ActuationError.missing("pool '\(id)' has no replica \(replica) that is not draining already")
            }
            drain(replica, at: clock.now)
            // Whoever takes its place starts at once.
            resize(at: clock.now)
        }
    }

    private func drain(_ victim: ReplicaID, at now: Instant) {
        guard let index = replicas.firstIndex(where: { $0.id == victim }) else { return }
        meter(index, at: now)
        let deadline = now + configuration.pool.drainDeadline
        switch replicas[index].lifecycle.handle(.drain(deadline: deadline), at: now) {
        case .release(let reason): remove(index, reason, at: now)
        case .stopRouting: log.append(PhaseChange(time: now, replica: victim, change: .draining))
        default: break
        }
    }

    /// Tells a replica's life how its process ended, or must.
    private func finish(_ id: ReplicaID, _ event: ReplicaEvent, at now: Instant) {
        guard let index = replicas.firstIndex(where: { $0.id == id }) else { return }
        meter(index, at: now)
        guard case .release(let reason)? = replicas[index].lifecycle.handle(event, at: now) else { return }
        remove(index, reason, at: now)
    }

    private func remove(_ index: Int, _ reason: TerminationReason, at now: Instant) {
        let replica = replicas.remove(at: index)
        if let process = replica.process, process.condition() == .running {
            process.signal(SIGTERM)
            leaving.append((process, socketPath(of: replica.id), now + .seconds(reason == .drainDeadline ? 0 : 5)))
        } else {
            // A worker that is killed leaves it.
            unlink(socketPath(of: replica.id))
        }
        if let record = state.machines.leave(replica.machine, at: now, isOpen: areBooksOpen) { keep([record]) }
        log.append(PhaseChange(time: now, replica: replica.id, change: .gone(reason)))
    }

    /// Where the gateway on this machine reaches a worker.
    private func socketPath(of replica: ReplicaID) -> String { "\(wholePath)/\(replica).sock" }

    /// In a folder whose path is too long for it, workers have no socket.
    private func socketOption(of replica: ReplicaID) -> [String] {
        guard let socket = try? SocketFile(socketPath(of: replica)) else { return [] }
        return ["--socket", socket.path]
    }

    // MARK: - What outlives the controller

    private func save() throws(OutputError) {
        state.seen = clock.now
        state.workers = replicas.map(LocalPoolState.Worker.init)
        // Integers and texts alone, which cannot fail.
        guard let text = try? JSONEncoder().encode(state) else { return }
        try AtomicOutput.write([(LocalPoolState.name, String(decoding: text, as: UTF8.self))], to: configuration.folder)
    }

    /// Names a worker among the machine's processes.
    private func mark(of replica: ReplicaID) -> String { "\(wholePath)#\(replica)" }

    /// The folder's whole path: another fleet's may have the same relative one.
    private var wholePath: String {
        guard let path = realpath(configuration.folder, nil) else { return configuration.folder }
        defer { free(path) }
        return String(cString: path)
    }

    /// A worker whose start its controller did not live to write down is found by its mark, and taken or ended.
    private func endUnknownWorkers() {
        for (mark, process) in ChildProcess.marked(under: wholePath) {
            if let index = replicas.firstIndex(where: { self.mark(of: $0.id) == mark }) {
                replicas[index].process = replicas[index].process ?? process
            } else {
                process.signal(SIGTERM)
                let name = mark.dropFirst(wholePath.count + 1)
                leaving.append((process, "\(wholePath)/\(name).sock", clock.now + .seconds(5)))
            }
        }
    }

    private static func words(for status: Int32?) -> String {
        guard let status else { return "how is not known" }
        let signal = status & 0x7F
        return signal == 0 ? "with status \(status >> 8 & 0xFF)" : "by signal \(signal)"
    }
}
