import Simulation
import Statistics
import Units

#if canImport(Glibc)
    import Glibc
#endif

/// What to do with the time a run takes to settle.
public enum WarmUpChoice: String, CaseIterable, Hashable, Sendable {
    /// Cut it from long-run estimates where the traffic's rate is constant; elsewhere the whole run is what was asked for.
    case auto
    case keep
    case cut
}

/// How long a run took to settle, and whether that time was left out of its long-run estimates.
///
/// The bill and the run's own figures always hold the whole run.
public struct WarmUp: Hashable, Sendable {
    /// From the start; `nil` when the run does not settle in its first half, or had too little to judge.
    public var detected: TimeSpan?
    public var isCut: Bool
    /// Whether every rate is constant over the run and nothing is a trace.
    public var isTrafficStationary: Bool
    public var choice: WarmUpChoice
    /// Batches with too few requests to look.
    public var isTooShort: Bool
    /// Batches left out.
    var batchesCut: Int

    /// How it is found: by MSER-5 on the logarithms of the batches' mean TTFT, where the start then lies apart at 1 %.
    public static let method = "MSER-5"

    init(_ result: RunResult, choice: WarmUpChoice, isTrafficStationary: Bool) {
        let means = result.batches.meanTTFT
        let measured = means.indices.filter { means[$0] != nil }
        // Logarithms, because waits are skewed: one crowded batch would pass for a warm-up.
        let logs = measured.map { log(max(means[$0]!, 1)) }
        let batches = warmUpByMSER(logs).map { isStartApart(logs, first: $0) ? measured[$0] : 0 }
        self.choice = choice
        self.isTrafficStationary = isTrafficStationary
        isTooShort = measured.count < 4
        detected = batches.map { result.batches.span * Int64($0 * RunBatches.slicesPerBatch) }
        let isWanted = choice == .cut || (choice == .auto && isTrafficStationary)
        batchesCut = isWanted ? batches ?? 0 : 0
        isCut = batchesCut > 0
    }
}

extension RunBatches {
    /// By batch; `nil` where no request that arrived in it completed.
    var meanTTFT: [Double?] {
        zip(sums { Double($0.ttftNanoseconds) }, sums { Double($0.completed) }).map { $1 > 0 ? $0 / $1 : nil }
    }

    /// A sum over the slices of each batch.
    func sums(_ value: (Slice) -> Double) -> [Double] {
        (0..<Self.batches).map { batch in
            slices[batch * Self.slicesPerBatch..<(batch + 1) * Self.slicesPerBatch].reduce(0) { $0 + value($1) }
        }
    }
}

extension Scenario {
    /// Whether the rate of all traffic is constant over the run, so that a start unlike the rest is a warm-up.
    public var isTrafficStationary: Bool {
        traces.isEmpty
            && sources.allSatisfy { source in
                switch source.rate {
                case .constant: true
                case .steps(_, let values), .linear(_, let values): values.allSatisfy { $0 == values[0] }
                }
            }
    }
}
