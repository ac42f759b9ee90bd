import Foundation
import Testing

@testable import Formats

@Suite("Sealed files")
struct SealedFileTests {
    private struct Content: Codable, Hashable, Sendable {
        var name: String
        var numbers: [Double]
    }

    private let content = Content(name: "é \"x\"", numbers: [0.1, 3, 1e-300])

    private func problem(_ bytes: [UInt8], format: String = "toy 1") throws -> SealedFileError.Problem? {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.json", bytes)
        do throws(SealedFileError) {
            _ = try SealedFile<Content>(path: path, format: format)
            return nil
        } catch {
            return error.problem
        }
    }

    @Test("What was sealed reads back, with the same text and digest")
    func roundTrip() throws {
        let sealed = try SealedFile(content, format: "toy 1")
        let folder = try TemporaryFolder()
        let read = try SealedFile<Content>(path: try folder.write("a.json", sealed.text), format: "toy 1")
        #expect(read.content == content)
        #expect(read.digest == sealed.digest)
        #expect(read.text == sealed.text)
    }

    @Test("A changed byte, a missing one and one more are all found, wherever they are")
    func damage() throws {
        let bytes = Array(try SealedFile(content, format: "toy 1").text.utf8)
        #expect(try problem(bytes) == nil)
        for index in stride(from: 0, to: bytes.count, by: 3) {
            var changed = bytes
            changed[index] ^= 1
            #expect(try problem(changed) != nil, "byte \(index)")
            #expect(try problem(Array(bytes[..<index])) == .damaged, "cut at \(index)")
        }
        #expect(try problem(bytes + [10]) == .damaged)
        #expect(try problem([]) == .damaged)
    }

    @Test("A file of another kind and a missing one are told apart from damage")
    func foreign() throws {
        let bytes = Array(try SealedFile(content, format: "toy 2").text.utf8)
        #expect(try problem(bytes) == .otherFormat(expected: "toy 1", found: "toy 2"))
        #expect(throws: SealedFileError(path: "/nowhere/a.json", problem: .missing)) {
            try SealedFile<Content>(path: "/nowhere/a.json", format: "toy 1")
        }
    }
}
