import CKernels

/// Keys and values of every cached token, in blocks of 16 tokens that sequences take and give back.
///
/// A block's number is the same in every layer. Within a layer a block holds keys `[heads, head dimension, 16]`, so that
/// one query meets sixteen keys at a time, and values `[heads, 16, head dimension rounded up to 16]`.
final class KeyValueCache {
    /// Tokens of a block.
    static let blockSize = Int(CK_BLOCK)

    let blocks: Int
    let shape: ck_attention_shape
    private let keys: FloatBuffer
    private let values: FloatBuffer

    init(configuration c: ModelConfiguration, blocks: Int) {
        self.blocks = blocks
        let valueDimension = (c.headDimension + Int(CK_BLOCK) - 1) / Int(CK_BLOCK) * Int(CK_BLOCK)
        shape = ck_attention_shape(
            heads: c.heads, kv_heads: c.keyValueHeads, head_dim: c.headDimension, value_dim: valueDimension,
            key_block_stride: c.keyValueHeads * c.headDimension * Int(CK_BLOCK),
            value_block_stride: c.keyValueHeads * valueDimension * Int(CK_BLOCK),
            scale: 1 / Float(c.headDimension).squareRoot())
        keys = FloatBuffer(count: c.layers * blocks * shape.key_block_stride)
        values = FloatBuffer(count: c.layers * blocks * shape.value_block_stride)
    }

    /// The first block's keys in a layer.
    func keys(layer: Int) -> UnsafeMutablePointer<Float> { keys.base + layer * blocks * shape.key_block_stride }
    /// The first block's values in a layer.
    func values(layer: Int) -> UnsafeMutablePointer<Float> { values.base + layer * blocks * shape.value_block_stride }
}
