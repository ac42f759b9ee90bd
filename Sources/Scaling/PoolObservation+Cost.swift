import FleetModel
import Units

extension PoolObservation {
    /// The offering a new replica would run on: the cheapest that can be bought; `nil` when none can.
    public var nextOffering: OfferingObservation? { offerings.first { $0.available } }

    /// The price of an hour at a level of `replicas`, on whole instances of the cheapest offering that can be bought.
    ///
    /// `nil` when no offering is available, its price is unknown, or the amount does not fit.
    public func costPerHour(replicas: Int) -> USD? {
        guard let next = nextOffering, let price = next.price, next.replicasPerInstance > 0 else { return nil }
        let instances = (replicas + next.replicasPerInstance - 1) / next.replicasPerInstance
        let (cost, overflow) = price.nanodollars.multipliedReportingOverflow(by: Int64(instances))
        return overflow ? nil : USD(nanodollars: cost)
    }
}

/// A number with a fixed count of decimals, as reasons show it: `decimal(3.14159, places: 2)` is `3.14`.
func decimal(_ value: Double, places: Int = 1) -> String {
    guard value.isFinite, value.magnitude < 1e12 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let scaled = Int64((value.magnitude * scale).rounded())
    let whole = scaled / Int64(scale)
    var text = (value < 0 && scaled > 0 ? "-" : "") + String(whole)
    if places > 0 {
        let fraction = String(scaled % Int64(scale))
        text += "." + String(repeating: "0", count: places - fraction.count) + fraction
    }
    return text
}
