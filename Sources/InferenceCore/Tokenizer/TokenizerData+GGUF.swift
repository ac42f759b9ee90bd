extension TokenizerData {
    /// Takes the tokenizer out of a GGUF file's metadata.
    ///
    /// - Throws: ``ModelFileError`` that names the key which is absent, of another type or not computed here.
    public init(_ metadata: GGUFMetadata, file: String) throws(ModelFileError) {
        func wrong(_ key: String, _ problem: String) -> ModelFileError {
            ModelFileError(file: file, part: "tokenizer." + key, problem: problem)
        }
        guard let tokens = metadata.strings("tokenizer.ggml.tokens") else {
            throw wrong("ggml.tokens", "is absent or no array of strings")
        }
        var types: [TokenType] = []
        if let numbers = metadata.integers("tokenizer.ggml.token_type") {
            types.reserveCapacity(numbers.count)
            for (id, number) in numbers.enumerated() {
                switch number {
                case 1: types.append(.normal)
                case 2: types.append(.unknown)
                case 3: types.append(.control)
                case 4: types.append(.userDefined)
                case 5: types.append(.unused)
                case 6: types.append(.byte)
                default: throw wrong("ggml.token_type", "is \(number) for token \(id), expected 1 to 6")
                }
            }
        } else {
            types = [TokenType](repeating: .normal, count: tokens.count)
        }
        let spacePrefix = metadata.bool("tokenizer.ggml.add_space_prefix")
        let model = metadata.string("tokenizer.ggml.model") ?? ""
        switch model {
        case "llama":
            self.init(algorithm: .sentencePiece(spacePrefix ?? true ? .always : .never), tokens: tokens, types: types)
            guard let scores = metadata.doubles("tokenizer.ggml.scores") else {
                throw wrong("ggml.scores", "is absent or no array of numbers")
            }
            self.scores = scores.map(Float.init)
        case "gpt2":
            let name = metadata.string("tokenizer.ggml.pre") ?? "default"
            let splitter: PreTokenizer
            switch name {
            case "default", "gpt-2", "gpt2": splitter = .gpt2
            case "smollm": splitter = .smollm
            case "llama-bpe", "llama3", "llama-v3": splitter = .llama3
            case "qwen2": splitter = .qwen2
            default: throw wrong("ggml.pre", "is '\(name)', expected gpt-2, smollm, llama-bpe or qwen2")
            }
            self.init(algorithm: .byteLevel(splitter), tokens: tokens, types: types)
            guard let texts = metadata.strings("tokenizer.ggml.merges") else {
                throw wrong("ggml.merges", "is absent or no array of strings")
            }
            merges.reserveCapacity(texts.count)
            for (rank, text) in texts.enumerated() {
                guard let merge = Merge(text) else {
                    throw wrong("ggml.merges", "has '\(text)' as number \(rank), which is not two tokens")
                }
                merges.append(merge)
            }
            ignoresMerges = splitter == .llama3
        default: throw wrong("ggml.model", "is '\(model)', expected gpt2 or llama")
        }
        func id(_ key: String) throws(ModelFileError) -> Int32? {
            guard let number = metadata.integer("tokenizer.ggml." + key) else { return nil }
            guard let id = Int32(exactly: number), id >= 0, id < tokens.count else {
                throw wrong("ggml." + key, "is \(number) in a vocabulary of \(tokens.count)")
            }
            return id
        }
        beginning = try id("bos_token_id")
        end = try id("eos_token_id")
        unknown = try id("unknown_token_id")
        // What llama.cpp takes where the file does not say.
        let begins = metadata.bool("tokenizer.ggml.add_bos_token") ?? (model == "llama")
        if begins, let beginning { prefix = [beginning] }
        if metadata.bool("tokenizer.ggml.add_eos_token") ?? false, let end { suffix = [end] }
        chatTemplate = metadata.string("tokenizer.chat_template")
    }
}
