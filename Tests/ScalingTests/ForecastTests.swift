import FleetModel
import Scaling
import Testing
import Units

@Suite("Forecast")
struct ForecastTests {
    @Test("Two steps of the damped trend, by hand")
    func dampedTrend() throws {
        var trend = DampedTrend()
        #expect(trend.forecast(steps: 1, damping: 0.9) == nil)
        trend.observe(10, levelGain: 0.5, trendGain: 0.5, damping: 0.8)
        #expect(trend.forecast(steps: 7, damping: 0.8) == 10)
        trend.observe(14, levelGain: 0.5, trendGain: 0.5, damping: 0.8)
        // ℓ = 0.5·14 + 0.5·10 = 12, b = 0.5·2 + 0.5·0.8·0 = 1, x̂(2.5) = 12 + 0.8 + 0.64 + 0.512 / 2.
        #expect(trend.level == 12 && trend.slope == 1)
        let forecast = try #require(trend.forecast(steps: 2.5, damping: 0.8))
        #expect((forecast - 13.696).magnitude < 1e-12)
    }

    @Test("Head-room is the quantile of past errors once there are enough, and never below 1")
    func residuals() {
        var residuals = ForecastResiduals()
        #expect(residuals.factor(quantile: 0.9) == ForecastResiduals.prior)
        // Forecasts of 9.5 due a minute later; outcomes 0.5 to 19.5 make the ratios 0.1, 0.2 … 2.0.
        for minute in 0..<20 {
            let due = Instant.epoch + .minutes(Int64(minute) + 1)
            residuals.expect(9.5, at: due)
            residuals.observe(Double(minute) + 0.5, at: due)
        }
        #expect((residuals.factor(quantile: 0.9) - 1.8).magnitude < 1e-12)
        #expect(residuals.factor(quantile: 0.3) == 1)
        #expect((ForecastResiduals.raised(9.5, by: residuals.factor(quantile: 0.9)) - 17.5).magnitude < 1e-12)
    }

    @Test("A forecast is compared only when its time has come")
    func notYetDue() {
        var residuals = ForecastResiduals()
        for minute in 0..<40 {
            residuals.expect(1, at: .epoch + .hours(1) + .minutes(Int64(minute)))
            residuals.observe(100, at: .epoch + .minutes(Int64(minute)))
        }
        #expect(residuals.factor(quantile: 0.9) == ForecastResiduals.prior)
    }

    @Test("Mean lengths start from the assumption and follow what is seen, but a congested output only upwards")
    func lengths() {
        var estimate = LengthEstimate(assumedPromptTokens: 1000, assumedOutputTokens: 200)
        #expect(estimate.meanPrompt == 1000 && estimate.meanOutput == 200)
        let traffic = OfferedTraffic(window: .seconds(60), requests: 95, promptTokens: 47_500, outputTokens: 9_500)
        estimate.observe(traffic, isCongested: true)
        // 5 × 0.95 assumed requests of 1000 tokens and 95 of 500.
        #expect((estimate.meanPrompt - (4750 + 47_500) / 99.75).magnitude < 1e-9)
        #expect(estimate.meanOutput == 200)
        for _ in 0..<100 { estimate.observe(traffic, isCongested: false) }
        #expect((estimate.meanOutput - 100).magnitude < 1)
        // A fleet that was sized for short answers is congested by long ones, and must learn of them all the same.
        let long = OfferedTraffic(window: .seconds(60), requests: 95, promptTokens: 47_500, outputTokens: 38_000)
        for _ in 0..<200 { estimate.observe(long, isCongested: true) }
        #expect((estimate.meanOutput - 400).magnitude < 1)
    }

    @Test("The trailing maximum forgets a value exactly when its window ends", arguments: [59, 60, 61])
    func trailingMaximum(seconds: Int64) {
        var maximum = TrailingMaximum()
        #expect(maximum.add(9, at: .epoch, window: .seconds(60)) == 9)
        #expect(maximum.add(4, at: .epoch + .seconds(1), window: .seconds(60)) == 9)
        #expect(
            maximum.add(2, at: .epoch + .seconds(seconds), window: .seconds(60))
                == (seconds < 60 ? 9 : seconds < 61 ? 4 : 2))
    }
}
