import Foundation
import Testing

@testable import Formats

@Suite("Documentation")
struct DocumentationTests {
    private static let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Docs/scenario-reference.md")

    @Test("The reference's example is a scenario that reads")
    func example() throws {
        let fixture = try ScenarioFixture()
        let page = try String(contentsOf: Self.page, encoding: .utf8)
        let blocks = page.split(separator: "```yaml\n").dropFirst().map { String($0.prefix { $0 != "`" }) }
        try #require(blocks.count == 2)
        try fixture.folder.write("prices/on-demand.yaml", blocks[1])
        let text = blocks[0].replacing("llama-2-70b-h100-tp4", with: "llama")
        #expect(try fixture.told(text) == [])
    }

    @Test("The reference names every key that a scenario reads")
    func keys() throws {
        let page = try String(contentsOf: Self.page, encoding: .utf8)
        let sources = Self.page.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Sources/Formats/Scenario")
        let call = #/\.(?:optional|required|requiredNode|requiredMap|node|map|list|choice|has)\("([a-z_0-9]+)"/#
        var keys: Set<String> = []
        for file in try FileManager.default.contentsOfDirectory(at: sources, includingPropertiesForKeys: nil) {
            for match in try String(contentsOf: file, encoding: .utf8).matches(of: call) {
                keys.insert(String(match.1))
            }
        }
        #expect(keys.count > 50)
        for key in keys.sorted() {
            #expect(page.contains("`\(key)`") || page.contains("\(key): "), "'\(key)' is not in the reference")
        }
    }
}
