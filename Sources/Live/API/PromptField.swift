/// A field of one or several prompts: a string, an array of strings, an array of tokens, or an array of arrays of tokens.
struct PromptField {
    let name: String
    /// The most prompts.
    let limit: Int

    init(_ name: String, limit: Int) {
        self.name = name
        self.limit = limit
    }

    func read(_ fields: RequestFields, model: ServedModel) throws(APIError) -> [GenerationRequest.Prompt] {
        guard let value = fields[name] else { throw .invalid("'\(name)' is missing", param: name) }
        switch value {
        case .string(let text): return [model.prompt(text: text)]
        case .array(let elements):
            guard let first = elements.first else { throw .invalid("'\(name)' is empty", param: name) }
            if case .number = first { return [try prompt(tokens: elements, model: model)] }
            guard elements.count <= limit else {
                throw .invalid("'\(name)' has \(elements.count) elements, more than \(limit)", param: name)
            }
            var prompts: [GenerationRequest.Prompt] = []
            for element in elements {
                switch element {
                case .string(let text): prompts.append(model.prompt(text: text))
                case .array(let tokens): prompts.append(try prompt(tokens: tokens, model: model))
                default: throw wrongType(element)
                }
            }
            return prompts
        default: throw wrongType(value)
        }
    }

    private func wrongType(_ value: JSONTree) -> APIError {
        .invalid(
            "'\(name)' must be a string, an array of strings, or an array of tokens, not \(value.kind)", param: name,
            code: "invalid_type")
    }

    private func prompt(
        tokens elements: [JSONTree], model: ServedModel
    ) throws(APIError) -> GenerationRequest.Prompt {
        var tokens: [Int] = []
        tokens.reserveCapacity(elements.count)
        for element in elements {
            guard let token = element.integer else { throw wrongType(element) }
            tokens.append(token)
        }
        return try model.prompt(tokens: tokens, param: name)
    }
}
