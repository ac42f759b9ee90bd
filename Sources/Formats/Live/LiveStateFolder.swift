import Control

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Where the records of a live plane lie in its folder of state.
///
/// `up` and `rehearse` have the journal at the top and the gateway's files in `gateway/`; gateway and controller as processes
/// of their own have the journal in `controller/` and the gateway's files at the top. Pools are in `pools/` in both.
public struct LiveStateFolder: Sendable {
    /// As it was named, or `state` in it, where a rehearsal keeps it.
    public let path: String
    /// Relative to `path`. Those that were put aside, in order of their numbers, then the one that goes on.
    public let journals: [String]
    public let ledger: String
    /// Pools that have a folder, in order of their names.
    public let pools: [String]
    /// Of those that have usage.
    public let usage: [(pool: String, file: String)]

    /// - Throws: A `LiveStateError` that names what is missing.
    public init(path named: String) throws(LiveStateError) {
        guard isFolder(named) else { throw LiveStateError(path: named, problem: .noFolder) }
        let path = !isFolder("\(named)/pools") && isFolder("\(named)/state/pools") ? "\(named)/state" : named
        self.path = path
        // Between the end of a day and the next there is for a moment no journal that goes on.
        let journals = ["", "controller/"].lazy.map { JournalSegments.files(endingWith: "\(path)/\($0)journal.jsonl") }
        guard let journal = journals.first(where: { !$0.isEmpty }) else {
            throw LiveStateError(path: path, problem: .missing("journal.jsonl", "a controller writes it"))
        }
        self.journals = journal.map { String($0.dropFirst(path.count + 1)) }
        let ledgers = ["", "gateway/"].map { "\($0)ledger.sqlite" }
        guard let ledger = ledgers.first(where: { exists("\(path)/\($0)") }) else {
            throw LiveStateError(path: path, problem: .missing("ledger.sqlite", "a gateway writes it"))
        }
        self.ledger = ledger
        pools = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/pools"))?.sorted() ?? []
        usage = pools.map { (pool: $0, file: "pools/\($0)/usage.jsonl") }.filter { exists("\(path)/\($0.file)") }
    }

    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Machines whose charge period goes on: it is in no `usage.jsonl` yet. None of pools that have ended.
    public var openMachines: [Machine] { pools.flatMap(openMachines(of:)) }

    private func openMachines(of pool: String) -> [Machine] {
        struct State: Decodable { var machines: MachineBook }
        guard let data = FileManager.default.contents(atPath: file("pools/\(pool)/workers.json")),
            let state = try? JSONDecoder().decode(State.self, from: data)
        else { return [] }
        return state.machines.machines.compactMap { $0 }
    }
}

/// Why a folder is no state of a live plane that a report could be made of.
public struct LiveStateError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Problem: Hashable, Sendable {
        case noFolder
        /// A file that is not there, and who would write it.
        case missing(String, String)
    }

    public var path: String
    public var problem: Problem

    public var description: String {
        switch problem {
        case .noFolder: "\(path): error: there is no such folder"
        case .missing(let file, let who):
            "\(path): error: there is no \(file) in this folder of state: \(who)\n"
                + "    name the folder that 'up' printed, the 'state' of the live configuration, or a rehearsal's --output"
        }
    }
}
