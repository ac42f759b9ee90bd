import Testing

@testable import Statistics

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Intervals for means that may be skewed")
struct MeanIntervalTests {
    @Test("Without skewness the interval is Student's, and a longer tail draws its end outwards")
    func shape() throws {
        let even = (1...10).map(Double.init)
        let student = try #require(ConfidenceInterval.student(even, level: 0.9))
        let same = try #require(ConfidenceInterval.ofMean(even, level: 0.9))
        #expect(abs(same.lower - student.lower) < 1e-9 && abs(same.upper - student.upper) < 1e-9)
        let tail: [Double] = [1, 1.1, 1.2, 0.9, 1, 1.1, 0.8, 1, 1.2, 6]
        let bent = try #require(ConfidenceInterval.ofMean(tail, level: 0.9))
        let straight = try #require(ConfidenceInterval.student(tail, level: 0.9))
        #expect(bent.upper > straight.upper && bent.lower > straight.lower)
        // Outliers on both sides make it wider, and bend nothing.
        let heavy: [Double] = [-9, 1, -1, 1, -1, 1, -1, 1, -1, 9]
        let wide = try #require(ConfidenceInterval.ofMean(heavy, level: 0.9))
        #expect(wide.upper > 1.02 * (try #require(ConfidenceInterval.student(heavy, level: 0.9))).upper)
        #expect(abs(wide.lower + wide.upper) < 1e-9)
        // Mirrored values give the mirrored interval.
        let mirrored = try #require(ConfidenceInterval.ofMean(tail.map(-), level: 0.9))
        #expect(abs(mirrored.lower + bent.upper) < 1e-9 && abs(mirrored.upper + bent.lower) < 1e-9)
        #expect(ConfidenceInterval.ofMean([3], level: 0.9) == nil)
        #expect(try #require(ConfidenceInterval.ofMean([3, 3, 3], level: 0.9)).halfWidth == 0)
    }

    /// Hall's transformation worked by hand: T(x) = x + γx²/3 + γ²x³/27 + γ/6n at both ends is ±t/√n.
    @Test("Both ends transform to the quantile")
    func inverse() throws {
        let values: [Double] = [1, 2, 2, 3, 9, 4, 2, 1]
        let n = 8.0
        let mean = values.reduce(0, +) / n
        let second = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
        let third = values.reduce(0) { $0 + pow($1 - mean, 3) } / n
        // A sample of eight shows less of the skewness than there is.
        let skewness = (1 + 9 / n) * third / pow(second, 1.5)
        let deviation = (second * n / (n - 1)).squareRoot()
        let interval = try #require(ConfidenceInterval.ofMean(values, level: 0.95))
        func transformed(_ end: Double) -> Double {
            let x = (mean - end) / deviation
            return x + skewness * x * x / 3 + skewness * skewness * x * x * x / 27 + skewness / (6 * n)
        }
        // Their excess kurtosis is 1.625: 7 / (1 + 1.625 · 7/16) = 4.0913 degrees of freedom. SciPy: t.ppf(0.975, 4.0913).
        let reach = 2.752174 / n.squareRoot()
        #expect(abs(transformed(interval.lower) - reach) < 1e-6)
        #expect(abs(transformed(interval.upper) + reach) < 1e-6)
    }

    @Test("Over 3,000 skewed samples of twelve it covers nearer to its level than Student's")
    func coverage() throws {
        var state: UInt64 = 99
        func uniform() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (Double(state >> 11) + 0.5) / 0x1p53
        }
        var (bent, straight) = (0, 0)
        for _ in 0..<3000 {
            // Exponential to the power 1.5: mean Γ(2.5) = 1.3293, skewness about 4.
            let sample = (0..<12).map { _ in pow(-log(uniform()), 1.5) }
            if try #require(ConfidenceInterval.ofMean(sample, level: 0.9)).contains(tgamma(2.5)) { bent += 1 }
            if try #require(ConfidenceInterval.student(sample, level: 0.9)).contains(tgamma(2.5)) { straight += 1 }
        }
        #expect(bent > straight + 60, "\(bent) and \(straight) of 3000")
        // It claims 90 of 100; 60,000 samples gave 91.3. Within three standard deviations of that.
        #expect((2690...2790).contains(bent), "\(bent) of 3000")
    }

    @Test("A share stays between 0 and 1, and runs that all kept their promises are not certain")
    func shares() throws {
        let near = try #require(ConfidenceInterval.ofShare([1, 1, 0.9, 1], trials: 400, level: 0.95))
        #expect(near.upper == 1 && near.lower < 0.975)
        let perfect = try #require(ConfidenceInterval.ofShare([1, 1, 1], trials: 300, level: 0.9))
        // 0.05^(1/300): no miss in 300 requests.
        #expect(abs(perfect.lower - pow(0.05, 1.0 / 300)) < 1e-9 && perfect.upper == 1 && perfect.estimate == 1)
    }

    @Test("Errors drawn by a factor have the covariance, singular ones too")
    func factor() throws {
        let covariance = [[4.0, 3, 3], [3, 9, 9], [3, 9, 9]]
        let vector = try #require(NormalVector(covariance: covariance))
        let columns = (0..<3).map { unit in vector.errors((0..<3).map { $0 == unit ? 1 : 0 }) }
        for row in 0..<3 {
            for column in 0..<3 {
                let product = (0..<3).reduce(0.0) { $0 + columns[$1][row] * columns[$1][column] }
                #expect(abs(product - covariance[row][column]) < 1e-9)
            }
        }
        #expect(NormalVector(covariance: [[1, 2], [2, 1]]) == nil)
        #expect(try #require(NormalVector(covariance: [[0, 0], [0, 4]])).errors([1, 1]) == [0, 2])
    }
}
