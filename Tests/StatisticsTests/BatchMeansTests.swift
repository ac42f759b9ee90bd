import Testing

@testable import Statistics

@Suite("Batch means")
struct BatchMeansTests {
    private func batches(_ values: [Double], of size: Int) -> [Double] {
        stride(from: 0, to: values.count, by: size).map { values[$0..<$0 + size].reduce(0, +) / Double(size) }
    }

    @Test("On AR(1) the 95 % interval covers the mean in 95 of 100", arguments: [0.0, 0.5, 0.8])
    func coverage(phi: Double) {
        var draws = Draws(seed: 11)
        var (given, covered) = (0, 0)
        for _ in 0..<400 {
            let series = batches(draws.autoregressive(phi, count: 32 * 16), of: 16)
            guard let means = try? BatchMeans(series) else { continue }
            given += 1
            covered += means.interval(level: 0.95).contains(0) ? 1 : 0
        }
        #expect(given > 340)
        #expect(agrees(covered, of: given, with: 0.95), "\(covered) of \(given)")
    }

    /// Single values as batches: Student's interval as if they were independent misses in about 40 of 100.
    @Test("Where batches are correlated, an interval is refused or wide: few are given and wrong")
    func correlated() {
        var draws = Draws(seed: 12)
        var (wrong, wrongOfStudent, refused) = (0, 0, 0)
        for _ in 0..<400 {
            let series = draws.autoregressive(0.8, count: 32)
            wrongOfStudent += ConfidenceInterval.student(series, level: 0.95)!.contains(0) ? 0 : 1
            do throws(BatchMeans.Refusal) {
                wrong += try BatchMeans(series).interval(level: 0.95).contains(0) ? 0 : 1
            } catch {
                guard case .correlated(let lag1) = error else { continue }
                refused += 1
                #expect(lag1 > 0.2)
            }
        }
        #expect(wrongOfStudent > 140)
        #expect(wrong < 40)
        #expect(refused > 250)
    }

    @Test("Neighbours are joined until they look independent, and no further than 16")
    func joining() throws {
        var draws = Draws(seed: 13)
        let smooth = draws.autoregressive(0.9, count: 1024)
        let joined = try BatchMeans(smooth)
        #expect(joined.batches < 256 && joined.batches >= 16)
        #expect(abs(joined.mean - smooth.reduce(0, +) / 1024) < 1e-12)
        #expect(throws: BatchMeans.Refusal.self) { try BatchMeans((0..<64).map(Double.init)) }
    }

    @Test("Too few batches, and batches that never vary, have no interval")
    func refusals() {
        #expect(throws: BatchMeans.Refusal.tooFew(15)) { try BatchMeans(Array(repeating: 1, count: 15)) }
        #expect(throws: BatchMeans.Refusal.constant) { try BatchMeans(Array(repeating: 0.1, count: 32)) }
    }

    @Test("A quotient's spread counts large batches for more, as drawing them anew does")
    func ratio() throws {
        var draws = Draws(seed: 14)
        func sample() -> BatchRatio {
            let sizes = (0..<32).map { _ in 20 + (80 * draws.uniform()).rounded() }
            let hits = sizes.map { size in Double((0..<Int(size)).count { _ in draws.uniform() < 0.9 }) }
            return BatchRatio(hits, over: sizes)!
        }
        var (given, covered) = (0, 0)
        for _ in 0..<120 {
            let ratio = sample()
            #expect(abs(ratio.influences.reduce(0, +)) < 1e-9)
            guard let means = try? ratio.batchMeans() else { continue }
            given += 1
            covered += means.interval(level: 0.95).contains(0.9) ? 1 : 0
            // A binomial share of about 1,900: the batches must not invent or lose spread.
            #expect((0.5...2).contains(means.standardError / (0.9 * 0.1 / 1_920).squareRoot()))
        }
        #expect(agrees(covered, of: given, with: 0.95), "\(covered) of \(given)")
        #expect(BatchRatio([0, 0], over: [0, 0]) == nil)
    }
}

@Suite("Warm-up")
struct WarmUpTests {
    /// A start `height` deviations too high that halves every two values.
    private func series(seed: UInt64, height: Double, count: Int = 32) -> [Double] {
        var draws = Draws(seed: seed)
        var excess = height
        return (0..<count).map { _ in
            defer { excess *= 0.5.squareRoot() }
            return excess + draws.normal()
        }
    }

    @Test("A known transient is found: until it is about as small as the noise")
    func transient() {
        let found = (1...100).compactMap { warmUpByMSER(series(seed: $0, height: 40)) }
        #expect(found.count >= 98)
        // 40 / √2^d is one deviation at d = 10.6, and far above it at 6.
        #expect(found.count { (6...14).contains($0) } >= 90)
    }

    @Test("A series that starts settled loses little, and one that never settles is told apart")
    func without() {
        let found = (1...200).map { warmUpByMSER(series(seed: $0, height: 0)) }
        #expect(found.count { $0 == 0 } >= 110)
        #expect(found.reduce(0) { $0 + Double($1 ?? 16) } / 200 / 32 < 0.07)
        #expect(warmUpByMSER((0..<32).map(Double.init)) == nil)
        #expect(warmUpByMSER([1, 2, 3]) == nil)
        #expect(warmUpByMSER(Array(repeating: 3, count: 32)) == 0)
    }

    @Test("The rule is its formula", arguments: [1, 2, 3] as [UInt64])
    func formula(seed: UInt64) {
        let values = series(seed: seed, height: 5, count: 41)
        let scores = (0...20).map { dropped -> Double in
            let kept = values[dropped...]
            let mean = kept.reduce(0, +) / Double(kept.count)
            return kept.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(kept.count * kept.count)
        }
        #expect(warmUpByMSER(values) == scores.firstIndex(of: scores.min()!))
    }
}
