import FleetModel
import Units

/// A rented machine, and what its replicas did since its charge period began.
public struct Machine: Sendable, Codable {
    /// Unique in its pool's life, such as `chat-i3`.
    public let name: String
    /// When the machine is handed over and charging begins.
    public var launched: Instant
    /// Replicas that stand on it.
    public var replicas = 0
    /// The start of the charge period under way.
    public var periodStart: Instant
    public var tally: UsageTally
}

/// Times and tokens of one machine's replicas over one charge period.
public struct UsageTally: Sendable, Codable {
    public var busy = TimeSpan.zero
    public var idle = TimeSpan.zero
    public var starting = TimeSpan.zero
    public var draining = TimeSpan.zero
    /// By tenant index.
    public var promptTokens: [Int64]
    public var outputTokens: [Int64]
    public var requests: [Int64]

    public init(tenants: Int) {
        promptTokens = Array(repeating: 0, count: tenants)
        outputTokens = promptTokens
        requests = promptTokens
    }

    /// Counts a request that ended on the machine. Only the tokens of a whole answer make its tenant pay.
    ///
    /// - Parameter tenant: Its index.
    public mutating func count(tenant: Int, isCompleted: Bool, promptTokens prompt: Int64, outputTokens output: Int64) {
        requests[tenant] += 1
        guard isCompleted else { return }
        promptTokens[tenant] += prompt
        outputTokens[tenant] += output
    }

    /// Charges a span that a replica spent in `phase`, `steps` of it computing.
    public mutating func charge(_ span: TimeSpan, steps: TimeSpan, in phase: ReplicaPhase) {
        switch phase {
        case .starting(.provision, _): break  // The machine is not handed over yet, and not paid for.
        case .starting: starting += span
        case .ready:
            busy += steps
            idle += span - steps
        case .draining:
            busy += steps
            draining += span - steps
        case .terminated: break
        }
    }
}

/// The machines of one pool: which has room for a replica, since when each is paid for, and what it was used for.
///
/// Both worlds keep one: it turns the lives of replicas into usage records, and those into a bill.
public struct MachineBook: Sendable, Codable {
    public let pool: PoolID
    public let offering: Offering
    /// Replicas that fit on a machine. At least 1.
    public let slots: Int
    public let tenantCount: Int
    /// By position, which a machine keeps for life; `nil` where one was given back and none has taken its place.
    public var machines: [Machine?] = []
    private var started = 0

    public init(pool: PoolID, offering: Offering, slots: Int, tenantCount: Int) {
        self.pool = pool
        self.offering = offering
        self.slots = slots
        self.tenantCount = tenantCount
    }

    /// An empty book of machines of another kind, whose names go on after those of this one.
    public func followed(by offering: Offering, slots: Int, tenantCount: Int) -> MachineBook {
        var next = MachineBook(pool: pool, offering: offering, slots: slots, tenantCount: tenantCount)
        next.started = started
        return next
    }

    /// Finds a place for one more replica: on a machine that has room, else on a new one.
    ///
    /// - Parameter handedOver: When a new machine would be handed over.
    /// - Returns: The machine's position.
    public mutating func place(handedOver: Instant) -> Int {
        let index = machines.firstIndex { $0.map { $0.replicas < slots } ?? false } ?? add(handedOver: handedOver)
        machines[index]!.replicas += 1
        return index
    }

    private mutating func add(handedOver: Instant) -> Int {
        let machine = Machine(
            name: "\(pool.name)-i\(started)", launched: handedOver, periodStart: handedOver,
            tally: UsageTally(tenants: tenantCount))
        started += 1
        if let vacant = machines.firstIndex(where: { $0 == nil }) {
            machines[vacant] = machine
            return vacant
        }
        machines.append(machine)
        return machines.count - 1
    }

    /// Takes a replica off its machine; the last one gives the machine back.
    ///
    /// - Parameter isOpen: Whether usage still counts.
    /// - Returns: What the machine did, when it was given back and is charged for.
    public mutating func leave(_ index: Int, at now: Instant, isOpen: Bool = true) -> UsageRecord? {
        machines[index]!.replicas -= 1
        guard machines[index]!.replicas == 0 else { return nil }
        defer { machines[index] = nil }
        return isOpen ? record(index, until: now, isGivenBack: true) : nil
    }

    /// Begins the bill at `now`: machines that are there already count as handed over then.
    public mutating func open(at now: Instant) {
        for index in machines.indices where machines[index] != nil {
            machines[index]!.launched = now
            machines[index]!.periodStart = now
            machines[index]!.tally = UsageTally(tenants: tenantCount)
        }
    }

    /// Closes the charge period of every machine at `now` and opens the next one.
    public mutating func closePeriod(at now: Instant) -> [UsageRecord] {
        machines.indices.compactMap { machines[$0] == nil ? nil : record($0, until: now, isGivenBack: false) }
    }

    /// Writes down what a machine did since its charge period began; nothing when it has not been handed over yet, or when no
    /// time has passed and it is kept.
    private mutating func record(_ index: Int, until now: Instant, isGivenBack: Bool) -> UsageRecord? {
        let machine = machines[index]!
        guard machine.launched < now || (isGivenBack && machine.launched == now) else { return nil }
        // The clock of a live controller can be behind that of the one before it: no period ends before it begins.
        let end = max(now, machine.periodStart)
        guard isGivenBack || machine.periodStart < end else { return nil }
        let tally = machine.tally
        machines[index]!.periodStart = end
        machines[index]!.tally = UsageTally(tenants: tenantCount)
        return UsageRecord(
            instance: machine.name, pool: pool, offering: offering, slots: slots, launched: machine.launched,
            start: machine.periodStart, end: end, terminated: isGivenBack, busy: tally.busy, idle: tally.idle,
            starting: tally.starting, draining: tally.draining, promptTokens: tally.promptTokens,
            outputTokens: tally.outputTokens, requests: tally.requests)
    }
}
