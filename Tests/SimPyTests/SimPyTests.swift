import FleetModel
import Foundation
import Serving
import Simulation
import Testing

/// The simulator against a model of the same fleet that somebody else's simulation library plays: `fleet.py`, SimPy.
///
/// The plain engine of SimulationTests checks one replica. Here the whole run is compared, request by request: gateway,
/// arrivals, replicas, control loop and scrapes, through the public `Simulation.run`.
@Suite struct SimPyTests {
    @Test(
        .enabled(
            if: SimPy.isThere,
            "there is no .build-python/bin/python with SimPy; Scripts/test makes it where PyPI is reached"))
    func `each request has its first and last token at the nanosecond that SimPy says`() throws {
        let fleets = (1...UInt64(6)).flatMap { seed in
            RouterKind.allCases.map { (name: "seed \(seed), \($0)", fleet: Fleet(seed: seed, router: $0)) }
        }
        let answers = try SimPy.play(fleets.map(\.fleet))
        #expect(answers.count == fleets.count)
        var (refused, preemptions): (Int64, Int64) = (0, 0)
        for ((name, fleet), answer) in zip(fleets, answers) {
            let scenario = fleet.scenario
            let run = try Simulation.run(scenario, policy: scenario.policies[0])
            refused += run.outcomes.rejected
            preemptions += run.preemptions!
            if let difference = difference(of: run, from: answer, fleet: fleet) {
                Issue.record("\(name): \(difference)")
                return
            }
        }
        // The fleets are only worth something while they reach the rare paths.
        #expect(refused > 50 && preemptions > 50, "\(refused) refused, \(preemptions) preemptions")
    }

    /// The first request on which the two disagree, in words; `nil` when they agree on all.
    ///
    /// A class of one request keeps its TTFT exactly and its time per token floored to a nanosecond; the sum of all
    /// end-to-end times is exact again.
    private func difference(of run: RunResult, from answer: [SimPy.Times?], fleet: Fleet) -> String? {
        var sojourn = 0
        for (number, (request, want)) in zip(fleet.requests, answer).enumerated() {
            let got = run.sloClasses[number]
            guard got.arrived == 1 else { return "request \(number) did not arrive once" }
            guard got.ttft.count == (want == nil ? 0 : 1) else {
                return "request \(number): SimPy says \(want == nil ? "refused" : "completed")"
            }
            guard let want else { continue }
            sojourn += want.end - request[0]
            if got.ttft.sum != Int128(want.first - request[0]) {
                return "request \(number): TTFT \(got.ttft.sum) ns, SimPy \(want.first - request[0])"
            }
            let perToken = request[2] > 1 ? (want.end - want.first) / (request[2] - 1) : 0
            if got.tpot.sum != Int128(perToken) {
                return "request \(number): TPOT \(got.tpot.sum) ns, SimPy \(perToken)"
            }
        }
        return run.e2e.sum == Int128(sojourn) ? nil : "sum of E2E times \(run.e2e.sum) ns, SimPy \(sojourn)"
    }
}

/// `fleet.py` under an interpreter that has SimPy.
enum SimPy {
    struct Times { var first, end: Int }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    private static let python = folder.deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: ".build-python/bin/python").path

    static var isThere: Bool {
        FileManager.default.isExecutableFile(atPath: python)
            && (try? run(["-c", "import simpy"], input: Data())) != nil
    }

    /// The times of each request of each fleet; `nil` for one that was turned away.
    static func play(_ fleets: [Fleet]) throws -> [[Times?]] {
        let script = folder.appending(path: "fleet.py").path
        let answer = try run([script], input: JSONEncoder().encode(fleets))
        return try JSONDecoder().decode([[[Int]?]].self, from: answer)
            .map { $0.map { $0.map { Times(first: $0[0], end: $0[1]) } } }
    }

    private static func run(_ arguments: [String], input: Data) throws -> Data {
        // Files, because a pipe that nobody empties stops both sides.
        let place = FileManager.default.temporaryDirectory.appending(path: "simpy-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: place) }
        let (given, taken) = (place.appending(path: "in"), place.appending(path: "out"))
        try input.write(to: given)
        try Data().write(to: taken)
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: given)
        process.standardOutput = try FileHandle(forWritingTo: taken)
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(code: process.terminationStatus) }
        return try Data(contentsOf: taken)
    }

    struct Failure: Error { var code: Int32 }
}
