/// Why a model's files cannot be used: which file, which part of it, and what is wrong there.
public struct ModelFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file's path as it was given.
    public var file: String
    /// The tensor or configuration key, where one is to blame.
    public var part: String?
    /// What is wrong, and what was expected.
    public var problem: String

    public init(file: String, part: String? = nil, problem: String) {
        self.file = file
        self.part = part
        self.problem = problem
    }

    public var description: String {
        guard let part else { return "\(file): \(problem)" }
        return "\(file): '\(part)' \(problem)"
    }
}
