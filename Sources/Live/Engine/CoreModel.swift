import InferenceCore
import Serving
import Units

/// A model for the inference core: its shape and its words are read at once, its weights when the engine is made.
public struct CoreModel: Sendable {
    private enum Source: Sendable {
        case preset(ModelPreset)
        case path(String)
    }

    private let source: Source
    public let name: String
    public let configuration: ModelConfiguration
    private let tokenizer: Tokenizer?

    public init(preset: ModelPreset) {
        source = .preset(preset)
        name = preset.name
        configuration = preset.configuration
        tokenizer = nil
    }

    /// Reads the shape and the tokenizer of a GGUF file or a Hugging Face folder.
    ///
    /// - Throws: ``ModelFileError``.
    public init(path: String) throws(ModelFileError) {
        source = .path(path)
        let last = path.split(separator: "/").last.map(String.init) ?? path
        if path.hasSuffix(".gguf") {
            let file = try GGUFFile(path)
            configuration = try ModelConfiguration(file)
            tokenizer = try Tokenizer(TokenizerData(file.metadata, file: path), file: path)
            name = String(last.dropLast(5))
        } else {
            configuration = try ModelConfiguration(file: path + "/config.json")
            tokenizer = try Tokenizer(folder: path)
            name = last
        }
    }

    /// Bytes of KV cache of a block of 16 tokens.
    public var bytesPerBlock: Int { configuration.layers * 32 * configuration.keyValueWidth * 4 }

    /// How clients know it.
    public func served(as name: String?, maxContext: Int) -> ServedModel {
        let prompts: ServedModel.Prompts
        if let tokenizer {
            prompts = .tokenizer(tokenizer, Result { () throws(ChatTemplateError) in try ChatTemplate(of: tokenizer) })
        } else {
            prompts = .bytes(vocabulary: configuration.vocabulary)
        }
        return ServedModel(
            name: name ?? self.name, maxContext: maxContext, prompts: prompts, created: WallTime.seconds,
            root: self.name)
    }

    /// A loop over the core with this model.
    ///
    /// - Parameter threads: That compute a step together, the engine's own included.
    public func loop(limits: BatcherConfiguration, maxQueue: Int, threads: Int = 1) -> EngineLoop {
        EngineLoop(limits: limits, maxQueue: maxQueue) { stage in
            stage("loading weights")
            let weights =
                switch source {
                case .preset(let preset): preset.weights()
                case .path(let path): try Weights(path: path)
                }
            let decoder = TransformerDecoder(weights: weights, kvBlocks: limits.totalBlocks, threads: threads)
            stage("warming up")
            // The first step finds memory that no one has touched.
            decoder.step([StepEntry(blocks: [0], start: 0, tokens: [0])])
            return CoreEngine(
                decoder: decoder, limits: limits, vocabulary: tokenizer.map { .tokenizer($0) } ?? .numbers)
        }
    }
}
