extension TokenizerData {
    /// The longest `tokenizer.json` that is read.
    public static let fileLimit = 128 << 20

    /// Reads the `tokenizer.json` of the `tokenizers` library.
    ///
    /// BPE models only, byte-level or SentencePiece-like; a normalizer, pre-tokenizer or option that this code does not
    /// compute is refused by name rather than left out. Takes up to 32 times the file's size while it reads.
    ///
    /// - Throws: ``ModelFileError`` with the part, and the byte where the JSON itself is broken.
    public init(file: String) throws(ModelFileError) {
        try self.init(json: try ModelFile.contents(of: file, limit: Self.fileLimit), file: file)
    }

    init(json: [UInt8], file: String) throws(ModelFileError) {
        do throws(JSONReader.Failure) {
            var parts = JSONParts()
            var reader = JSONReader(json)
            try parts.read(&reader)
            try reader.end()
            self = try parts.data(reader)
        } catch let failure {
            throw ModelFileError(file: file, part: "byte \(failure.offset)", problem: failure.problem)
        }
    }
}

/// The parts of a `tokenizer.json` as they are met.
private struct JSONParts {
    struct Added {
        var id: Int
        var text: String
        var isSpecial: Bool
    }

    var vocabulary: [(text: String, id: Int, offset: Int)] = []
    var added: [(added: Added, offset: Int)] = []
    var merges: [TokenizerData.Merge] = []
    var model: [(String, JSONValue)] = []
    var normalizer = JSONValue.null
    var preTokenizer = JSONValue.null
    var postProcessor = JSONValue.null

    mutating func read(_ reader: inout JSONReader) throws(JSONReader.Failure) {
        var parts = self
        try reader.object { (key, reader) throws(JSONReader.Failure) in
            switch key {
            case "added_tokens":
                try reader.array { (reader) throws(JSONReader.Failure) in
                    let offset = reader.offset
                    parts.added.append((try Self.added(&reader), offset))
                }
            case "model": try parts.readModel(&reader)
            case "normalizer": parts.normalizer = try reader.value()
            case "pre_tokenizer": parts.preTokenizer = try reader.value()
            case "post_processor": parts.postProcessor = try reader.value()
            default: try reader.skip()
            }
        }
        self = parts
    }

    private static func added(_ reader: inout JSONReader) throws(JSONReader.Failure) -> Added {
        let value = try reader.value()
        guard let number = value["id"]?.number, let id = Int(exactly: number), let text = value["content"]?.text else {
            throw reader.failure("has an added token without id or content")
        }
        for option in ["single_word", "lstrip", "rstrip"] where value[option]?.isTrue == true {
            throw reader.failure("has the added token '\(text)' with \(option), which is not computed here")
        }
        return Added(id: id, text: text, isSpecial: value["special"]?.isTrue ?? false)
    }

    private mutating func readModel(_ reader: inout JSONReader) throws(JSONReader.Failure) {
        var parts = self
        try reader.object { (key, reader) throws(JSONReader.Failure) in
            switch key {
            // Other models have arrays here.
            case "vocab" where try reader.peek() == 0x7B:
                try reader.object { (text, reader) throws(JSONReader.Failure) in
                    let offset = reader.offset
                    parts.vocabulary.append((text, try reader.integer(), offset))
                }
            case "merges" where try reader.peek() == 0x5B:
                try reader.array { (reader) throws(JSONReader.Failure) in parts.merges.append(try Self.merge(&reader)) }
            default: parts.model.append((key, try reader.value()))
            }
        }
        self = parts
    }

    /// `"a b"` or `["a", "b"]`.
    private static func merge(_ reader: inout JSONReader) throws(JSONReader.Failure) -> TokenizerData.Merge {
        if try reader.peek() == 0x22 {
            let text = try reader.string()
            guard let merge = TokenizerData.Merge(text) else {
                throw reader.failure("has the merge '\(text)', which is not two tokens")
            }
            return merge
        }
        var sides: [String] = []
        try reader.array { (reader) throws(JSONReader.Failure) in
            guard sides.count < 2 else { throw reader.failure("has a merge of more than two tokens") }
            sides.append(try reader.string())
        }
        guard sides.count == 2 else { throw reader.failure("has a merge that is not two tokens") }
        return TokenizerData.Merge(sides[0], sides[1])
    }

    func data(_ reader: JSONReader) throws(JSONReader.Failure) -> TokenizerData {
        let model = JSONValue.object(model)
        func wrong(_ problem: String) -> JSONReader.Failure { JSONReader.Failure(offset: 0, problem: problem) }
        // Old files have no type and are BPE all the same.
        guard model.type == nil || model.type == "BPE" else {
            throw wrong("has a model of type '\(model.type ?? "")'; only BPE is computed")
        }
        guard !vocabulary.isEmpty else { throw wrong("has no vocabulary") }
        for option in ["dropout", "continuing_subword_prefix", "end_of_word_suffix"] {
            let value = model[option] ?? .null
            guard value.isNull || value.text == "" || value.number == 0 else {
                throw wrong("has a model with \(option), which is not computed here")
            }
        }

        // A few numbers may stand for nothing, but the list must not outgrow the file.
        let most = vocabulary.count + added.count + 1024
        var tokens: [String] = []
        var types: [TokenizerData.TokenType] = []
        func place(_ text: String, _ id: Int, _ type: TokenizerData.TokenType, _ offset: Int, again: Bool)
            throws(JSONReader.Failure)
        {
            guard id >= 0, id < most else {
                throw JSONReader.Failure(
                    offset: offset, problem: "has the token '\(text)' with the id \(id), beyond \(most - 1)")
            }
            if id >= tokens.count {
                tokens.append(contentsOf: repeatElement("", count: id + 1 - tokens.count))
                types.append(contentsOf: repeatElement(.unused, count: id + 1 - types.count))
            }
            let isSame = again && tokens[id].utf8.elementsEqual(text.utf8)
            guard types[id] == .unused || isSame else {
                throw JSONReader.Failure(
                    offset: offset, problem: "gives the id \(id) to '\(text)', and before to '\(tokens[id])'")
            }
            tokens[id] = text
            types[id] = type
        }
        let fallsBack = model["byte_fallback"]?.isTrue ?? false
        for entry in vocabulary {
            let isByte = fallsBack && entry.text.utf8.count == 6 && entry.text.hasPrefix("<0x")
            try place(entry.text, entry.id, isByte ? .byte : .normal, entry.offset, again: false)
        }
        let unknownText = model["unk_token"]?.text
        for (added, offset) in added {
            let type: TokenizerData.TokenType =
                added.isSpecial ? .control : .userDefined
            try place(added.text, added.id, type, offset, again: true)
        }

        var data = TokenizerData(algorithm: .byteLevel(.gpt2), tokens: tokens, types: types)
        data.merges = merges
        data.ignoresMerges = model["ignore_merges"]?.isTrue ?? false
        if let unknownText {
            data.unknown = vocabulary.first { $0.text.utf8.elementsEqual(unknownText.utf8) }.map { Int32($0.id) }
            guard data.unknown != nil else { throw wrong("has the unk_token '\(unknownText)', which is no token") }
        }
        try setAlgorithm(&data)
        try setTemplate(&data)
        return data
    }

    private func setAlgorithm(_ data: inout TokenizerData) throws(JSONReader.Failure) {
        func wrong(_ problem: String) -> JSONReader.Failure { JSONReader.Failure(offset: 0, problem: problem) }
        let mark = "▁"
        var prefix: TokenizerData.SpacePrefix?
        var marksSpaces = false
        for step in sequence(normalizer, "normalizers") {
            switch step.type {
            case "NFC": data.composes = true
            case "Prepend" where step["prepend"]?.text == mark: prefix = .always
            case "Replace" where step["pattern"]?["String"]?.text == " " && step["content"]?.text == mark:
                marksSpaces = true
            default: throw wrong("has the normalizer '\(step.type ?? "?")', which is not computed here")
            }
        }
        let steps = sequence(preTokenizer, "pretokenizers")
        if steps.isEmpty, marksSpaces {
            data.algorithm = .sentencePiece(prefix ?? .never)
            return
        }
        guard !marksSpaces, prefix == nil else {
            throw wrong("has a pre-tokenizer behind normalizers that mark spaces, which is not computed here")
        }
        switch steps.map({ $0.type ?? "?" }) {
        case ["Metaspace"]:
            guard steps[0]["replacement"]?.text == mark, steps[0]["split"]?.isTrue == false else {
                throw wrong("has a Metaspace pre-tokenizer that splits or has another mark, which is not computed here")
            }
            switch steps[0]["prepend_scheme"]?.text {
            case "always": data.algorithm = .sentencePiece(.unlessThere)
            case "first": data.algorithm = .sentencePiece(.first)
            case "never": data.algorithm = .sentencePiece(.never)
            default: throw wrong("has a Metaspace pre-tokenizer with an unknown prepend_scheme")
            }
        case ["ByteLevel"]: try byteLevel(steps[0], splits: true)
        case ["Digits", "ByteLevel"]:
            guard steps[0]["individual_digits"]?.isTrue == true else {
                throw wrong("has a Digits pre-tokenizer without individual_digits, which is not computed here")
            }
            try byteLevel(steps[1], splits: true)
            data.algorithm = .byteLevel(.smollm)
        case ["Split", "ByteLevel"]:
            try byteLevel(steps[1], splits: false)
            let pattern = steps[0]["pattern"]?["Regex"]?.text ?? "?"
            guard let known = PreTokenizer.allCases.first(where: { $0.pattern == pattern }),
                steps[0]["behavior"]?.text == "Isolated", steps[0]["invert"]?.isTrue != true
            else { throw wrong("splits words by '\(pattern)', which is not computed here") }
            data.algorithm = .byteLevel(known)
        case let names: throw wrong("has the pre-tokenizers \(names), which are not computed here")
        }
        func byteLevel(_ step: JSONValue, splits: Bool) throws(JSONReader.Failure) {
            guard step["add_prefix_space"]?.isTrue != true, (step["use_regex"]?.isTrue ?? true) == splits else {
                throw wrong("has a ByteLevel pre-tokenizer with options that are not computed here")
            }
        }
    }

    /// The steps of a `Sequence`, or the one step that there is.
    private func sequence(_ value: JSONValue, _ member: String) -> [JSONValue] {
        if value.isNull { return [] }
        guard value.type == "Sequence" else { return [value] }
        return value[member]?.elements ?? []
    }

    /// The special tokens before and behind a text.
    private func setTemplate(_ data: inout TokenizerData) throws(JSONReader.Failure) {
        func wrong(_ problem: String) -> JSONReader.Failure { JSONReader.Failure(offset: 0, problem: problem) }
        for step in sequence(postProcessor, "processors") {
            switch step.type {
            case "ByteLevel": continue
            case "TemplateProcessing":
                var isBehind = false
                for item in step["single"]?.elements ?? [] {
                    if item["Sequence"] != nil {
                        isBehind = true
                    } else if let name = item["SpecialToken"]?["id"]?.text {
                        let ids = step["special_tokens"]?[name]?["ids"]?.elements ?? []
                        for id in ids {
                            guard let number = id.number, let id = Int32(exactly: number) else {
                                throw wrong("has the special token '\(name)' without a whole id")
                            }
                            if isBehind { data.suffix.append(id) } else { data.prefix.append(id) }
                        }
                    }
                }
            default: throw wrong("has the post-processor '\(step.type ?? "?")', which is not computed here")
            }
        }
    }
}

extension TokenizerData.Merge {
    /// `"a b"`; `nil` when there are not two sides.
    init?(_ text: String) {
        let utf8 = text.utf8
        // A side may begin with a space in no alphabet that is used.
        guard let space = utf8.firstIndex(of: 0x20), space > utf8.startIndex,
            case let right = utf8[utf8.index(after: space)...], !right.isEmpty, !right.contains(0x20)
        else { return nil }
        self.init(String(text[..<space]), String(text[utf8.index(after: space)...]))
    }
}

extension Tokenizer {
    /// The tokenizer of a model's folder: `tokenizer.json`, and `tokenizer_config.json` where there is one, for the
    /// tokens that begin and end a text and for the chat template.
    public init(folder: String) throws(ModelFileError) {
        let file = folder + "/tokenizer.json"
        var data = try TokenizerData(file: file)
        let configuration = folder + "/tokenizer_config.json"
        if let bytes = try? ModelFile.contents(of: configuration, limit: TokenizerData.fileLimit) {
            do throws(JSONReader.Failure) {
                var reader = JSONReader(bytes)
                let value = try reader.value()
                try reader.end()
                func token(_ key: String) -> Int32? {
                    guard let text = value[key]?.text ?? value[key]?["content"]?.text else { return nil }
                    return data.tokens.firstIndex { $0.utf8.elementsEqual(text.utf8) }.map(Int32.init)
                }
                data.beginning = token("bos_token")
                data.end = token("eos_token")
                data.chatTemplate = value["chat_template"]?.text
            } catch let failure {
                throw ModelFileError(file: configuration, part: "byte \(failure.offset)", problem: failure.problem)
            }
        }
        try self.init(data, file: file)
    }
}
