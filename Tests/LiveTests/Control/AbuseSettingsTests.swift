import Control
import Foundation
import Testing

@testable import Formats
@testable import Units

@Suite("The sections abuse and alarms of a controller's configuration")
struct AbuseSettingsTests {
    private func check(_ controller: String) throws -> LiveConfigurationReader.Reading {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tidegate-abuse-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let scenario = URL(filePath: #filePath).appending(path: "../../../../Scenarios/laptop").standardized.path
        try """
        scenario: \(scenario)
        gateway: {authentication: none}
        controller: \(controller)
        """.write(toFile: "\(folder)/live.yaml", atomically: true, encoding: .utf8)
        return LiveConfigurationReader.check(path: "\(folder)/live.yaml")
    }

    @Test("Tenants are watched unless it is switched off, by what the file says")
    func abuse() throws {
        #expect(try check("{lease: 5s}").configuration?.controller.abuse == TenantWatchRules())
        let off = try check("{abuse: {enabled: false}}")
        #expect(off.configuration != nil && off.configuration?.controller.abuse == nil)
        let rules = try #require(
            try check("{abuse: {window: 10s, factor: 8, history: 4, cap_after: 0s}}").configuration?.controller.abuse)
        #expect(rules.window == .seconds(10) && rules.factor == 8 && rules.capAfter == .zero)
        #expect(rules.history == 4 && rules.leastHistory == 4, "who has a full history has a usual")
    }

    @Test(
        "What is wrong is said at its place",
        arguments: ["factor: 2", "window: 10", "cap_factor: 0.5", "foo: 1", "enabled: off"])
    func mistakes(entry: String) throws {
        let reading = try check("{abuse: {\(entry)}}")
        #expect(reading.configuration == nil && reading.diagnostics.count == 1, "\(reading.diagnostics)")
    }

    @Test("Alarms take a budget in dollars and shares as percentages")
    func alarms() throws {
        let limits = try #require(
            try check("{alarms: {daily_budget: 12.50, cold_start: 20%}}").configuration?.controller.alarms)
        #expect(limits.dailyBudget == USD("12.50") && limits.coldStartShare == 0.2)
        #expect(try check("{alarms: {cold_start: 0.2}}").configuration == nil)
    }
}
