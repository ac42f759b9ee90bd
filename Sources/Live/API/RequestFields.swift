import InferenceCore

/// The members of a JSON object that a client sent, read one by one; null counts as absent.
///
/// A wrong type is an error that names the field. Members that nobody asks for are passed over.
struct RequestFields {
    private let members: [String: JSONTree]
    /// What stands before a name in messages, such as `messages[2].`.
    private let prefix: String

    /// - Throws: An error when the body is no JSON object.
    init(body: [UInt8]) throws(APIError) {
        let tree: JSONTree
        do {
            tree = try JSONTree(body)
        } catch {
            throw .invalid("The body is no JSON that can be read: at byte \(error.offset) it \(error.problem)")
        }
        try self.init(tree, at: "")
    }

    init(_ tree: JSONTree, at place: String) throws(APIError) {
        guard case .object(let members) = tree else {
            throw .invalid(
                "\(place.isEmpty ? "The body" : "'\(place)'") must be an object, not \(tree.kind)",
                param: place.isEmpty ? nil : place)
        }
        self.members = members
        prefix = place.isEmpty ? "" : place + "."
    }

    subscript(key: String) -> JSONTree? {
        guard let value = members[key] else { return nil }
        if case .null = value { return nil }
        return value
    }

    func name(_ key: String) -> String { prefix + key }

    private func wrongType(_ key: String, _ value: JSONTree, wanted: String) -> APIError {
        .invalid("'\(name(key))' must be \(wanted), not \(value.kind)", param: name(key), code: "invalid_type")
    }

    func string(_ key: String) throws(APIError) -> String? {
        guard let value = self[key] else { return nil }
        guard case .string(let text) = value else { throw wrongType(key, value, wanted: "a string") }
        return text
    }

    func bool(_ key: String) throws(APIError) -> Bool? {
        guard let value = self[key] else { return nil }
        guard case .bool(let flag) = value else { throw wrongType(key, value, wanted: "a boolean") }
        return flag
    }

    func number(_ key: String) throws(APIError) -> Double? {
        guard let value = self[key] else { return nil }
        guard let number = value.double else { throw wrongType(key, value, wanted: "a finite number") }
        return number
    }

    func integer(_ key: String) throws(APIError) -> Int? {
        guard let value = self[key] else { return nil }
        guard let number = value.integer else { throw wrongType(key, value, wanted: "a whole number") }
        return number
    }

    func object(_ key: String) throws(APIError) -> RequestFields? {
        guard let value = self[key] else { return nil }
        return try RequestFields(value, at: name(key))
    }

    func array(_ key: String) throws(APIError) -> [JSONTree]? {
        guard let value = self[key] else { return nil }
        guard case .array(let elements) = value else { throw wrongType(key, value, wanted: "an array") }
        return elements
    }

    /// A string or an array of strings.
    func strings(_ key: String) throws(APIError) -> [String]? {
        guard let value = self[key] else { return nil }
        if case .string(let text) = value { return [text] }
        guard case .array(let elements) = value else {
            throw wrongType(key, value, wanted: "a string or an array of strings")
        }
        var texts: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element else {
                throw .invalid(
                    "'\(name(key))[\(index)]' must be a string, not \(element.kind)", param: name(key),
                    code: "invalid_type")
            }
            texts.append(text)
        }
        return texts
    }

    /// An object of numbers under whole numbers, as `logit_bias` is.
    func numbersByToken(_ key: String) throws(APIError) -> [Int32: Double]? {
        guard let value = self[key] else { return nil }
        guard case .object(let members) = value else { throw wrongType(key, value, wanted: "an object") }
        var numbers: [Int32: Double] = [:]
        for (token, value) in members {
            guard let token = Int32(token), let number = value.double else {
                throw .invalid(
                    "'\(name(key))' must have a number under each token's number", param: name(key),
                    code: "invalid_type")
            }
            numbers[token] = number
        }
        return numbers
    }
}
