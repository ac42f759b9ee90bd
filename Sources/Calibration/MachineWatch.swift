#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What this machine did beside a measurement: whether times that were taken on it say anything.
///
///     let watch = MachineWatch.begin()
///     …
///     if let problem = watch.end().problem { … }
public struct MachineWatch: Sendable {
    private let spinBefore: Double
    private let stolen: Ticks?
    private let began: Double
    private let switches: Int

    /// Spins for a tenth of a second.
    public static func begin() -> MachineWatch {
        MachineWatch(
            spinBefore: spin(), stolen: Ticks.read(), began: seconds(), switches: involuntarySwitches())
    }

    /// Why nothing should be begun: the machine is busy already; `nil` on a calm one.
    public var problem: String? {
        MachineReading(shareBefore: spinBefore, shareAfter: 1, stolen: nil, switchesPerSecond: 0).problem
    }

    /// Spins again, and compares.
    public func end() -> MachineReading {
        let now = Ticks.read()
        let span = max(MachineWatch.seconds() - began, 1e-6)
        var steal: Double?
        if let stolen, let now, now.total > stolen.total {
            steal = Double(now.steal - stolen.steal) / Double(now.total - stolen.total)
        }
        return MachineReading(
            shareBefore: spinBefore, shareAfter: MachineWatch.spin(), stolen: steal,
            switchesPerSecond: Double(MachineWatch.involuntarySwitches() - switches) / span)
    }

    /// The share of a tenth of a second of work for which this thread had a processor.
    private static func spin() -> Double {
        var state: UInt64 = 1
        var spun = 0.0
        let timing = CoreTiming.measure {
            while spun < 0.1 {
                spun +=
                    CoreTiming.measure {
                        for _ in 0..<100_000 { state = state &* 6_364_136_223_846_793_005 &+ 1 }
                    }.wall
            }
        }
        // The state is used, so that the loop is not optimised away.
        return state == 0 ? 0 : timing.share
    }

    private static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// How often this process lost its processor to another one.
    private static func involuntarySwitches() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Int(usage.ru_nivcsw)
    }

    /// The processors' time since the machine's start, in ticks.
    private struct Ticks {
        var steal: Int
        var total: Int

        /// `nil` where the system does not tell.
        static func read() -> Ticks? {
            guard let file = fopen("/proc/stat", "r") else { return nil }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 512)
            guard fgets(&line, Int32(line.count), file) != nil else { return nil }
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            // user nice system idle iowait irq softirq steal
            let fields = text.split(whereSeparator: { $0 == " " || $0 == "\n" }).dropFirst().prefix(8).compactMap {
                Int($0)
            }
            return fields.count == 8 ? Ticks(steal: fields[7], total: fields.reduce(0, +)) : nil
        }
    }
}

/// What a watch came to.
public struct MachineReading: Hashable, Sendable {
    /// The share of its time that a busy thread had a processor, before and after. Near 1 with a processor to spare.
    public var shareBefore: Double
    public var shareAfter: Double
    /// The share of the processors' time that the hypervisor gave to others; `nil` where the system does not tell.
    public var stolen: Double?
    /// How often a second another process took this one's processor.
    public var switchesPerSecond: Double

    public static let leastShare = 0.9
    public static let mostStolen = 0.05
    /// A client waits nearly all of its time; taken from its processor this often, its clock reads late.
    public static let mostSwitches = 200.0

    public init(shareBefore: Double, shareAfter: Double, stolen: Double?, switchesPerSecond: Double) {
        self.shareBefore = shareBefore
        self.shareAfter = shareAfter
        self.stolen = stolen
        self.switchesPerSecond = switchesPerSecond
    }

    /// Why nothing should be fitted to what was measured meanwhile; `nil` on a calm machine.
    public var problem: String? {
        func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }
        let share = min(shareBefore, shareAfter)
        if share < Self.leastShare {
            return "a busy thread had a processor \(percent(share)) of the time "
                + "\(shareBefore < shareAfter ? "before" : "after") the measurement (at least "
                + "\(percent(Self.leastShare)) is needed)"
        }
        if let stolen, stolen > Self.mostStolen {
            return "the hypervisor gave \(percent(stolen)) of the processors' time to others (at most "
                + "\(percent(Self.mostStolen)) is fit to measure in)"
        }
        if switchesPerSecond > Self.mostSwitches {
            return "other processes took this one's processor \(Int(switchesPerSecond)) times a second (at most "
                + "\(Int(Self.mostSwitches)) is fit to measure in)"
        }
        return nil
    }
}
