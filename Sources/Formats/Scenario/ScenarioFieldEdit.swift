/// A change to one field of a scenario, made to its files as they are read and before anything is checked.
///
///     .set("traffic.chat.rate.constant", to: "14/s")
///     .scale("pools.chat.profile.stepTime.decode.constant", by: 1.1)
///
/// A path names a field by the keys that lead to it, joined by dots. An item of a list goes by its `name` (pools,
/// traffic), its `label` or else its `policy` (policies), by `provider/instance/zone/capacity` (prices), or by its
/// number from 0. A path goes on into the files that a scenario names: `pools.NAME.profile.…` into the engine profile,
/// `prices.OFFERING.…` into the price books. A key that holds dots is written as it is: the longest one that fits is
/// meant.
public struct ScenarioEdit: Hashable, Sendable {
    public var path: String
    public var change: Change

    public enum Change: Hashable, Sendable {
        /// Puts this text in the place of the field, in the units of the scenario. Text that starts with `[` or `{` is
        /// read as YAML. A key that is not written yet is added; the scenario's own checks tell one that does not exist.
        case set(String)
        /// Multiplies the number in the field and keeps its unit. Of a map or list every number is multiplied; of a
        /// `rate` its `scale`, and of a length its law but not the bounds beside it. A field that takes whole numbers
        /// gets the nearest one.
        case scale(Double)
    }

    public init(path: String, _ change: Change) {
        self.path = path
        self.change = change
    }

    public static func set(_ path: String, to value: String) -> ScenarioEdit { ScenarioEdit(path: path, .set(value)) }
    public static func scale(_ path: String, by factor: Double) -> ScenarioEdit {
        ScenarioEdit(path: path, .scale(factor))
    }
}

/// The edits of one reading, by the file they reach into.
struct ScenarioEdits {
    /// To the scenario's own document.
    private(set) var document: [ScenarioEdit] = []
    /// To the profile of a pool, by the pool's name, with the path inside the profile.
    private(set) var profiles: [(pool: String, path: String, edit: ScenarioEdit)] = []
    /// To the prices, with the path inside the list of prices.
    private(set) var prices: [(path: String, edit: ScenarioEdit)] = []

    /// - Parameter root: The scenario's document, whose pools have the names that paths go by.
    init(_ edits: [ScenarioEdit], root: YAMLNode) {
        let pools = ScenarioField.node(at: "pools", in: root)
        for edit in edits {
            if let rest = edit.path.after("prices."), !(rest.first?.isNumber ?? true) {
                prices.append((String(rest), edit))
            } else if let below = edit.path.after("pools."), let pools,
                let (item, inner) = ScenarioField.child(of: pools, at: below), let path = inner.after("profile.")
            {
                profiles.append((item.name, String(path), edit))
            } else {
                document.append(edit)
            }
        }
    }

    func ofProfile(_ pool: String) -> [(path: String, edit: ScenarioEdit)] {
        profiles.filter { $0.pool == pool }.map { ($0.path, $0.edit) }
    }
}

extension StringProtocol {
    /// What follows `prefix`; `nil` when the text does not start with it.
    func after(_ prefix: String) -> SubSequence? { hasPrefix(prefix) ? dropFirst(prefix.count) : nil }
}
