import Statistics

/// Whether this machine is calm enough to measure on.
public struct CoreMachineCheck: Hashable, Sendable {
    /// The share of its time that a busy thread got a processor. Near 1 on a machine with a core to spare.
    public var processorShare: Double
    /// 95th percentile over median of the wall time of one step, repeated.
    public var spread: Double

    public static let leastShare = 0.8
    public static let largestSpread = 3.0

    public init(processorShare: Double, spread: Double) {
        self.processorShare = processorShare
        self.spread = spread
    }

    public var isCalm: Bool {
        processorShare >= CoreMachineCheck.leastShare && spread <= CoreMachineCheck.largestSpread
    }

    /// Spins for a quarter of a second, then repeats `step` forty times.
    static func run(step: () -> CoreTiming) -> CoreMachineCheck {
        var state: UInt64 = 1
        var spun = 0.0
        let spin = CoreTiming.measure {
            while spun < 0.25 {
                spun +=
                    CoreTiming.measure {
                        for _ in 0..<100_000 { state = state &* 6_364_136_223_846_793_005 &+ 1 }
                    }.wall
            }
        }
        let walls = (0..<40).map { _ in step().wall }.sorted()
        // The state is used, so that the loop is not optimised away.
        let share = state == 0 ? 0 : spin.share
        return CoreMachineCheck(
            processorShare: share, spread: (quantile(of: walls, 0.95) ?? 0) / (quantile(of: walls, 0.5) ?? 1))
    }
}

/// The machine is doing other work, so that step times would say more about that work than about the core.
public struct MachineOversubscribed: Error, Hashable, Sendable, CustomStringConvertible {
    public var check: CoreMachineCheck

    public init(check: CoreMachineCheck) { self.check = check }

    public var description: String {
        func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }
        let spread = (check.spread * 10).rounded() / 10
        return "this machine is oversubscribed: a busy thread ran \(percent(check.processorShare)) of the time "
            + "(at least \(percent(CoreMachineCheck.leastShare)) is needed), and one step's 95th percentile is "
            + "\(spread) times its median (at most \(CoreMachineCheck.largestSpread))"
    }
}
