import Units

/// A rate profile as equal intervals, in each of which the rate is a straight line.
struct RateShape {
    let widthNanoseconds: Int64
    /// Rate at the start and at the end of each interval.
    private let starts: [Double]
    private let ends: [Double]
    /// Expected requests of one repetition.
    let massOfPeriod: Double

    init(_ profile: RateProfile) {
        if let problem = profile.problem { preconditionFailure(problem) }
        let width: TimeSpan
        switch profile {
        case .constant(let rate):
            width = .hours(1)
            (starts, ends) = ([rate], [rate])
        case .steps(let every, let values):
            width = every
            (starts, ends) = (values, values)
        case .linear(let every, let values):
            width = every
            starts = values
            ends = Array(values[1...]) + [values[0]]
        }
        widthNanoseconds = width.nanoseconds
        massOfPeriod = zip(starts, ends).reduce(0) { $0 + ($1.0 + $1.1) / 2 * width.seconds }
    }

    var count: Int { starts.count }
    var width: Double { Double(widthNanoseconds) / 1e9 }
    var periodNanoseconds: Int64 { widthNanoseconds * Int64(starts.count) }

    /// The rate `offset` seconds into an interval.
    func rate(in interval: Int, at offset: Double) -> Double {
        starts[interval] + slope(of: interval) * offset
    }

    func slope(of interval: Int) -> Double { (ends[interval] - starts[interval]) / width }

    /// Expected requests of a whole interval.
    func mass(of interval: Int) -> Double { (starts[interval] + ends[interval]) / 2 * width }

    /// Expected requests from `offset` seconds into an interval to its end.
    func mass(of interval: Int, from offset: Double) -> Double {
        (rate(in: interval, at: offset) + ends[interval]) / 2 * (width - offset)
    }
}

/// Inverts the integral of a rate profile, walking forwards: from one request to the next.
///
/// It keeps its place as an interval and an offset in it, so its precision does not fade as a run grows long.
struct RateCursor {
    private let shape: RateShape
    private let limit: TimeSpan
    /// Start of the present interval, whole intervals from the start of the run.
    private var intervalStart: Int64 = 0
    private var interval = 0
    /// Seconds into the interval.
    private var offset = 0.0

    /// Walks from the start of the run to `limit`.
    init(_ profile: RateProfile, limit: TimeSpan) {
        shape = RateShape(profile)
        self.limit = limit
    }

    /// Moves on until `requests` more are expected, and tells the time since the start; `nil` at or beyond the limit.
    ///
    /// - Complexity: O(1) amortised over the intervals walked; whole repetitions are stepped over at once.
    mutating func advance(by requests: Double) -> TimeSpan? {
        var left = requests
        guard shape.massOfPeriod > 0 else { return nil }
        if left > shape.massOfPeriod {
            let repetitions = (left / shape.massOfPeriod).rounded(.down)
            guard repetitions * Double(shape.periodNanoseconds) < Double(limit.nanoseconds) else { return nil }
            left -= repetitions * shape.massOfPeriod
            intervalStart += Int64(repetitions) * shape.periodNanoseconds
        }
        while intervalStart < limit.nanoseconds {
            if left < shape.mass(of: interval, from: offset) {
                // The root of slope/2 · x² + rate · x = left, in the form that loses no digits as the slope vanishes.
                let rate = shape.rate(in: interval, at: offset)
                let discriminant = rate * rate + 2 * shape.slope(of: interval) * left
                if left > 0 { offset += 2 * left / (rate + max(0, discriminant).squareRoot()) }
                let time = intervalStart + min(Int64(offset * 1e9), shape.widthNanoseconds - 1)
                return time < limit.nanoseconds ? TimeSpan(nanoseconds: time) : nil
            }
            left -= shape.mass(of: interval, from: offset)
            offset = 0
            interval = interval + 1 == shape.count ? 0 : interval + 1
            intervalStart += shape.widthNanoseconds
        }
        return nil
    }
}
