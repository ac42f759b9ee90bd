import FleetModel
import Pricing
import Units

/// The price books of a scenario as one, with the names of their files.
struct PriceBooks {
    var book: PriceBook
    var files: [String]
}

extension ScenarioBuilder {
    /// Reads the price books; `nil` when one of them has a mistake, which is then told, so that a price that is missing
    /// only for that reason is no second mistake.
    func readPriceBooks() -> PriceBooks? {
        guard map.requiredNode("prices", example: "[prices/on-demand.yaml]") != nil else { return nil }
        let items = map.list("prices")
        if items.isEmpty {
            file.error(map.position(of: "prices"), "prices names no price book", fix: "add a price book's path")
        }
        var prices: [(price: Price, file: ReadFile, position: Position)] = []
        var (files, isWhole) = ([String](), !items.isEmpty)
        var pending = edits.prices
        var offerings: [String] = []
        for item in items {
            guard let reference = file.scalar(item, label: "price book", .text),
                let (root, book) = folder.yaml(reference, "price book", at: item.position, in: file)
            else {
                isWhole = false
                continue
            }
            files.append(reference)
            let listed = ScenarioField.node(at: "prices", in: root)
            offerings += listed.map { ScenarioField.children(of: $0).map(\.name) } ?? []
            let here = pending.filter { edit in
                listed.map { ScenarioField.child(of: $0, at: edit.path) != nil } ?? false
            }
            pending.removeAll { edit in here.contains { $0.edit == edit.edit } }
            let edited = book.edited(root, by: here.map { ("prices." + $0.path, $0.edit) })
            let lines = book.map(edited, what: "price book") { readPrices($0) } ?? []
            isWhole = isWhole && !lines.isEmpty && lines.allSatisfy { $0.price != nil }
            for line in lines {
                guard let price = line.price else { continue }
                if let first = prices.first(where: { $0.price.offering == price.offering }) {
                    book.error(
                        line.position,
                        "\(price.offering) is priced twice; first in \(first.file.name) on line "
                            + "\(first.position.line)", fix: "keep one of the two")
                }
                prices.append((price, book, line.position))
            }
        }
        for edit in pending {
            let name = String(edit.path.prefix { $0 != "." })
            file.error(
                map.position(of: "prices"), "there is no '\(shown(edit.edit.path))': no price goes by that offering",
                fix: NearestName.fix("offerings", name, among: offerings))
        }
        return isWhole ? PriceBooks(book: PriceBook(prices: prices.map(\.price)), files: files) : nil
    }

    private func readPrices(_ book: MapReader) -> [(price: Price?, position: Position)] {
        guard let node = book.requiredNode("prices", example: "[{provider: aws, …}]") else { return [] }
        let items = book.file.list(node, label: "prices")
        if items.isEmpty { book.file.error(node.position, "prices is empty", fix: "add a price") }
        return items.map { item in (book.file.map(item, what: "price", readPrice), item.position) }
    }

    private func readPrice(_ map: MapReader) -> Price? {
        let offering = readOffering(map)
        let rate = map.required("usd_per_hour", .dollarsPerHour, example: "12.29")
        let accelerators = map.required("accelerators", .count(1...100_000), example: "8")
        let increment = map.choice(
            "billing", [("per-second", TimeSpan.seconds(1)), ("per-hour", .hours(1))], default: .seconds(1))
        let minimum = map.optional("minimum", .duration, default: .zero)
        let source = map.required("source", .text, example: "the provider's price page")
        let date = map.required("date", .date, example: "2026-03-02")
        guard let offering, let rate, let accelerators, let source, let date else { return nil }
        return Price(
            offering: offering, rate: rate, accelerators: Int(accelerators),
            billing: BillingRule(increment: increment, minimum: minimum), source: source, date: date)
    }

    /// The four keys that name an offering, in a price as in a pool.
    func readOffering(_ map: MapReader) -> Offering? {
        let provider = map.required("provider", .text, example: "aws")
        let instance = map.required("instance", .text, example: "p5.48xlarge")
        let zone = map.required("zone", .text, example: "us-east-1a")
        let capacity = map.choice("capacity", CapacityType.allCases.map { ($0.rawValue, $0) }, default: .onDemand)
        guard let provider, let instance, let zone else { return nil }
        return Offering(provider: provider, instanceType: instance, zone: zone, capacityType: capacity)
    }

    /// The price of a pool's offering; an error at the first part of it that no price has.
    func findPrice(of offering: Offering, _ map: MapReader, pool: String, in books: PriceBooks) -> Price? {
        if let price = books.book.price(of: offering) { return price }
        let parts: [(key: String, part: (Offering) -> String)] = [
            ("provider", { $0.provider }), ("instance", { $0.instanceType }), ("zone", { $0.zone }),
            ("capacity", { $0.capacityType.rawValue }),
        ]
        var candidates = books.book.prices.map(\.offering)
        for (key, part) in parts {
            let matching = candidates.filter { part($0) == part(offering) }
            guard matching.isEmpty else {
                candidates = matching
                continue
            }
            var known: [String] = []
            for name in candidates.map(part) where !known.contains(name) { known.append(name) }
            let list = "price books in use: \(books.files.joined(separator: ", ")); known by \(key)"
            file.error(
                map.position(of: key), "\(pool) is priced in no price book: \(shown(offering.description))",
                fix: NearestName.fix(list, part(offering), among: known))
            return nil
        }
        return nil
    }
}
