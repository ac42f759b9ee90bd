import Units

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A JSON file that says what it is and carries the digest of its content, so that a reader knows a whole one from a
/// damaged, half-written or foreign one.
///
/// The text is canonical: one content has one text, and a file whose bytes are not that text is damaged.
public struct SealedFile<Content: Codable & Sendable>: Sendable {
    public let content: Content
    /// Of the canonical text of `content`.
    public let digest: Digest
    /// What the file holds.
    public let text: String

    /// Seals `content`.
    ///
    /// - Parameter format: What kind of file it is, with the version of its keys, such as `tidegate sweep plan 1`.
    /// - Throws: `EncodingError` for a number that is not finite.
    public init(_ content: Content, format: String) throws {
        self.content = content
        digest = Digest(of: try CanonicalJSON.encode(content))
        text = try CanonicalJSON.encode(Envelope(content: content, digest: digest.hexadecimal, format: format))
    }

    /// Reads the file at `path` and verifies its digest and its bytes.
    public init(path: String, format: String) throws(SealedFileError) {
        let bytes: [UInt8]
        guard exists(path) else { throw SealedFileError(path: path, problem: .missing) }
        do throws(InputError) {
            bytes = try InputFile.contents(path: path, name: path, limit: 1 << 30)
        } catch {
            throw SealedFileError(path: path, problem: .unreadable("\(error)"))
        }
        let decoder = JSONDecoder()
        guard let header = try? decoder.decode(Header.self, from: Data(bytes)) else {
            throw SealedFileError(path: path, problem: .damaged)
        }
        guard header.format == format else {
            throw SealedFileError(path: path, problem: .otherFormat(expected: format, found: header.format))
        }
        guard let envelope = try? decoder.decode(Envelope.self, from: Data(bytes)),
            let sealed = try? SealedFile(envelope.content, format: format),
            envelope.digest == sealed.digest.hexadecimal, sealed.text.utf8.elementsEqual(bytes)
        else { throw SealedFileError(path: path, problem: .damaged) }
        self = sealed
    }

    private struct Envelope: Codable {
        var content: Content
        var digest: String
        var format: String
    }

    private struct Header: Decodable { var format: String }
}

/// Why a sealed file cannot be used.
public struct SealedFileError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Problem: Hashable, Sendable {
        case missing
        /// The system refuses it; in its words.
        case unreadable(String)
        case otherFormat(expected: String, found: String)
        /// Cut short, or changed by hand or by accident: the bytes do not have the digest they carry.
        case damaged
    }

    public var path: String
    public var problem: Problem

    public var description: String {
        switch problem {
        case .missing: "\(path): error: there is no such file"
        case .unreadable(let text): text
        case .otherFormat(let expected, let found):
            "\(path): error: this is a file of '\(shown(found))', not of '\(expected)'"
        case .damaged: "\(path): error: the file is damaged: its content does not have the digest it carries"
        }
    }
}
