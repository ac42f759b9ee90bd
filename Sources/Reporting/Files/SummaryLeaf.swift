import Studies
import Units

/// A value of a summary and the keys that lead to it.
struct SummaryLeaf {
    enum Value {
        case quantity(Measurement.Quantity)
        case flag(Bool)
        case numbers([Double])
        case text(String)
        case texts([String])
    }

    var path: ArraySlice<String>
    var value: Value

    init(_ path: [String], _ value: Value) {
        self.path = path[...]
        self.value = value
    }

    init(_ measurement: Measurement) { self.init(measurement.path, .quantity(measurement.quantity)) }

    static func mean(_ entry: RunEstimates.Entry) -> SummaryLeaf {
        let value = entry.estimate.value
        return SummaryLeaf(entry.path, .quantity(entry.isMoney ? .money(USD(nearest: value)) : .number(value)))
    }

    static func interval(_ entry: RunEstimates.Entry) -> SummaryLeaf? {
        guard let bounds = entry.estimate.ci95 else { return nil }
        let ends = [bounds.lower, bounds.upper]
        return SummaryLeaf(
            entry.path, entry.isMoney ? .texts(ends.map { USD(nearest: $0).description }) : .numbers(ends))
    }
}

extension [SummaryLeaf] {
    /// Writes the leaves as nested objects: leaves that share their first key share an object.
    func encode(into container: inout KeyedEncodingContainer<SummaryKey>) throws {
        var rest = self
        while let first = rest.first?.path.first {
            let key = SummaryKey(first)
            let group = rest.filter { $0.path.first == first }
            rest.removeAll { $0.path.first == first }
            guard let leaf = group.first, leaf.path.count == 1 else {
                var nested = container.nestedContainer(keyedBy: SummaryKey.self, forKey: key)
                let inner = group.map { SummaryLeaf([String]($0.path.dropFirst()), $0.value) }
                try inner.encode(into: &nested)
                continue
            }
            switch leaf.value {
            case .quantity(.count(let value)): try container.encode(value, forKey: key)
            case .quantity(.number(let value)): try container.encode(value, forKey: key)
            case .quantity(.money(let value)): try container.encode(value.description, forKey: key)
            case .quantity(.absent): try container.encodeNil(forKey: key)
            case .flag(let value): try container.encode(value, forKey: key)
            case .numbers(let values): try container.encode(values, forKey: key)
            case .text(let value): try container.encode(value, forKey: key)
            case .texts(let values): try container.encode(values, forKey: key)
            }
        }
    }
}

struct SummaryKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
}

extension USD {
    /// An estimated amount as text shows it: the nearest nanodollar. Not for bills, whose amounts are exact.
    init(nearest dollars: Double) { self.init(nanodollars: Int64((dollars * 1e9).rounded())) }
}
