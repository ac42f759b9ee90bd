import CKernels

/// A decoder that needs no download: a named shape, and weights from a seed.
///
/// Its text is noise, but its steps cost what those of a trained model of the same shape cost, which is all that a
/// calibration measures.
public struct ModelPreset: Hashable, Sendable {
    public var name: String
    public var configuration: ModelConfiguration
    public var seed: UInt32

    /// In order of size.
    public static let all: [ModelPreset] = [tiny, demo15M, demo110M]

    /// 0.6 M parameters: for tests.
    public static let tiny = ModelPreset(
        name: "tiny",
        configuration: ModelConfiguration(
            layers: 4, hidden: 128, heads: 4, keyValueHeads: 2, headDimension: 32, feedForward: 192, vocabulary: 288,
            maxContext: 1024),
        seed: 20)

    /// 24.4 M parameters: the shape of stories15M, its output matrix not tied to its embedding.
    public static let demo15M = ModelPreset(
        name: "demo-15m",
        configuration: ModelConfiguration(
            layers: 6, hidden: 288, heads: 6, keyValueHeads: 6, headDimension: 48, feedForward: 768, vocabulary: 32_000,
            maxContext: 2048),
        seed: 22)

    /// 134 M parameters: the shape of stories110M, its output matrix not tied to its embedding.
    public static let demo110M = ModelPreset(
        name: "demo-110m",
        configuration: ModelConfiguration(
            layers: 12, hidden: 768, heads: 12, keyValueHeads: 12, headDimension: 64, feedForward: 2048,
            vocabulary: 32_000, maxContext: 2048),
        seed: 23)

    public init(name: String, configuration: ModelConfiguration, seed: UInt32) {
        self.name = name
        self.configuration = configuration
        self.seed = seed
    }

    public static func named(_ name: String) -> ModelPreset? { all.first { $0.name == name } }

    /// Builds the weights; the same ones on every machine.
    public func weights() -> Weights { .random(configuration, seed: seed) }
}

extension Weights {
    /// Random weights of a shape, the same on every machine: exact in BF16, and scaled so that activations stay finite.
    ///
    /// A matrix weight is an integer of -127 to 127 times a power of two, 2⁻⁷ for the embedding, 2⁻⁹ for the output and
    /// 2⁻¹¹ otherwise; a norm weight is 1 + k/64 with k in -24 to 24. Tensor t, counted in a checkpoint's order, draws
    /// from splitmix64 started at seed·2³² + t·2²⁰.
    public static func random(_ configuration: ModelConfiguration, seed: UInt32) -> Weights {
        var index: UInt64 = 0
        func tensor(_ name: String, _ shape: [Int]) -> StoredTensor {
            let start = (UInt64(seed) << 32) &+ (index << 20)
            index += 1
            let count = shape.reduce(1, *)
            return StoredTensor(
                [Float](unsafeUninitializedCapacity: count) { floats, initialized in
                    if shape.count == 1 {
                        ck_fill_norm(floats.baseAddress!, start, count)
                    } else {
                        let shift: Float = name.contains("embed") ? 0x1p-7 : name.contains("lm_head") ? 0x1p-9 : 0x1p-11
                        ck_fill_integers(floats.baseAddress!, start, count, shift)
                    }
                    initialized = count
                })
        }
        do throws(ModelFileError) {
            return try Weights(configuration: configuration, tensor: tensor)
        } catch {
            preconditionFailure("no file is read: \(error)")
        }
    }
}
