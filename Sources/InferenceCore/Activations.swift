/// What flows through a step: one row per fed token. Grows to the largest step seen and is used again.
final class Activations {
    let rows: Int
    /// The residual stream, `[rows, hidden]`.
    let stream: FloatBuffer
    /// The normalised input of a half layer, `[rows, hidden]`.
    let normed: FloatBuffer
    /// Queries, keys and values, or gate and up: `[rows, wide]`.
    let wide: FloatBuffer
    /// Distance of two rows of `wide`.
    let wideStride: Int
    /// What the heads give, or what the feed-forward gives before `down`: `[rows, inner]`.
    let inner: FloatBuffer
    let innerStride: Int
    /// What a half layer adds to the stream: `[rows, hidden padded]`.
    let delta: FloatBuffer
    let deltaStride: Int

    init(configuration c: ModelConfiguration, rows: Int) {
        self.rows = rows
        wideStride = PackedMatrix.room(max(c.queryWidth + 2 * c.keyValueWidth, 2 * c.feedForward))
        innerStride = max(c.queryWidth, c.feedForward)
        deltaStride = PackedMatrix.room(c.hidden)
        stream = FloatBuffer(count: rows * c.hidden)
        normed = FloatBuffer(count: rows * c.hidden)
        wide = FloatBuffer(count: rows * wideStride)
        inner = FloatBuffer(count: rows * innerStride)
        delta = FloatBuffer(count: rows * deltaStride)
    }
}
