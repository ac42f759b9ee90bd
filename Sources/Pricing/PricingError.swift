import FleetModel
import Units

/// Why usage cannot be billed.
public enum PricingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No price is known: add the offering to a price book. `nearest` is the priced offering that reads most alike.
    case unknownPrice(Offering, nearest: Offering?)
    /// A usage record contradicts itself or the one before it: whoever recorded it is wrong.
    case inconsistentUsage(instance: String, start: Instant, problem: String)

    public var description: String {
        switch self {
        case .unknownPrice(let offering, let nearest):
            "'\(offering)' is priced in no price book" + (nearest.map { "; nearest: '\($0)'" } ?? "")
        case .inconsistentUsage(let instance, let start, let problem):
            "usage of '\(instance)' at \(start) cannot be billed: \(problem)"
        }
    }
}

extension PriceBook {
    /// The priced offering whose text is closest to `offering`; the earlier of equals, `nil` when the book is empty.
    public func nearest(to offering: Offering) -> Offering? {
        let wanted = offering.description
        return prices.map(\.offering).min {
            editDistance($0.description, wanted) < editDistance($1.description, wanted)
        }
    }
}

/// How many characters must be inserted, removed or replaced to turn one text into the other.
///
/// - Complexity: O(`a.count` × `b.count`).
/// - Source: Wagner and Fischer, "The String-to-String Correction Problem", JACM 21(1), 1974.
func editDistance(_ a: String, _ b: String) -> Int {
    let from = Array(a.unicodeScalars)
    let to = Array(b.unicodeScalars)
    var row = Array(0...to.count)
    for i in from.indices {
        var diagonal = row[0]
        row[0] = i + 1
        for j in to.indices {
            let replaced = diagonal + (from[i] == to[j] ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
        }
    }
    return row[to.count]
}
