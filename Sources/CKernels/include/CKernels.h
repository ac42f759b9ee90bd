#pragma once
#include <stdint.h>

// The hot tensor kernels of the inference core, computing in 32-bit floats, on the threads of a pool.
//
// They are C because Swift's SIMD types without CPU flags reach 1 to 20 % of these speeds, and a package with CPU flags
// cannot be depended on. On x86-64 Linux each kernel is compiled for three instruction sets and chosen when the program
// starts; elsewhere it is compiled once.
//
// Every sum has one order that depends only on the shape of its own row: never on how many other rows are computed with
// it, nor on how many threads. So a sequence's logits are the same bits alone, in a batch, in chunks and after a recomputation. Between
// instruction sets the last bits differ, because only some have a fused multiply-add.

enum {
    /// Outputs of a matrix that are stored and computed together.
    CK_PANEL = 32,
    /// Tokens of a KV block, and the width of a padded head.
    CK_BLOCK = 16,
    /// Queries of one sequence that read its keys and values together.
    CK_QUERIES = 4,
};

/// Threads that compute one kernel at a time together. Each but the caller's is kept on one processor, and sleeps when
/// nothing has been computed for some 60 µs.
typedef struct ck_pool ck_pool;

/// Starts a pool of `threads` threads, the caller's included: fewer where the system gives no more, and no pool at all but
/// on Linux. Every kernel takes no pool (NULL) too, and computes on the caller's thread then.
ck_pool *ck_pool_create(int threads);

/// Ends the threads. No kernel is running.
void ck_pool_destroy(ck_pool *pool);

/// Threads of a pool, the caller's included; 1 without a pool.
int ck_pool_threads(const ck_pool *pool);

/// Memory for `bytes` bytes, at least one, all zero: on large pages where it is large and the system has them, which a
/// stream of weights reads faster. NULL when there is none.
void *ck_allocate(long bytes);
void ck_free(void *memory);

/// A file's first `bytes` bytes, at least one, mapped to be read. NULL when the system will not; `errno` says why.
///
/// A mapped file that somebody shortens ends a process by SIGBUS. While a thread has access, zeros are read there instead,
/// and the end of the access tells of it; any other SIGBUS comes to whom it came before.
typedef struct ck_mapping ck_mapping;
ck_mapping *ck_map(int file, long bytes);
void ck_unmap(ck_mapping *mapping);

/// Where the bytes lie. A thread has access to one mapping at a time.
const void *ck_begin_access(ck_mapping *mapping);

/// Ends an access to `count` bytes from `offset` on, whose pages need not stay in memory. 1 where the file no longer had
/// them all, now or earlier.
int ck_end_access(ck_mapping *mapping, long offset, long count);

/// How weights are stored: floats of 32 and 16 bits, and the blocks of 32 that GGUF defines, each with a half-float scale
/// d. A weight is d·q of 8 bits (q8_0), d·(q − 8) of 4 bits (q4_0), or d·q + m of 4 bits with a half-float m (q4_1).
/// Source: ggml/src/ggml-common.h and ggml-quants.c of github.com/ggml-org/llama.cpp.
typedef enum { ck_f32, ck_f16, ck_bf16, ck_q8_0, ck_q4_0, ck_q4_1 } ck_weight_type;

/// Inputs that are stored together, the bytes they take in a row of a file, and in a panel of CK_PANEL outputs.
typedef struct {
    long inputs, bytes, panel_bytes;
} ck_block_sizes;

ck_block_sizes ck_sizes(ck_weight_type type);

/// Packs one row of a matrix, `inputs` weights as a file stores them, as output `output`.
///
/// Layout of `packed`: `[panels, blocks, CK_PANEL outputs of a block]`, so that a product reads the weights as one stream
/// and no more bytes than the file has. `packed` starts zeroed, and holds the outputs rounded up to a whole panel.
/// `inputs` is a multiple of the type's block.
void ck_pack(void *packed, ck_weight_type type, const void *row, long output, long inputs);

/// Widens output row `output` of a packed matrix into `inputs` floats.
void ck_unpack_row(float *row, ck_weight_type type, const void *packed, long output, long inputs);

/// y[r, o] = Σ x[r, i] · w[o, i], summed in the order of i: for every type the bits of the product with the widened
/// weights in 32-bit floats.
///
/// The weights are read once for all rows. `y_stride` is at least the outputs rounded up to a whole panel, and the
/// columns past the outputs receive 0.
void ck_matmul(
    ck_pool *pool, float *y, long y_stride, const float *x, long x_stride, ck_weight_type type, const void *packed, long rows,
    long inputs, long outputs);

/// out[r, i] = x[r, i] / sqrt(mean of x[r]² + epsilon) · weight[i]. `width` is a multiple of CK_BLOCK.
void ck_rms_norm(
    ck_pool *pool, float *out, const float *x, const float *weight, long rows, long width, float epsilon);

/// The same for every head of every row, in place: rows of `heads` heads that lie `stride` floats apart.
void ck_rms_norm_heads(
    ck_pool *pool, float *x, long stride, const float *weight, long rows, long heads, long head_dim, float epsilon);

/// Shape of the attention of one layer.
typedef struct {
    long heads, kv_heads, head_dim, value_dim;
    /// Floats from one block's keys to the next, and the same for values.
    long key_block_stride, value_block_stride;
    float scale;
} ck_attention_shape;

/// Consecutive tokens of one sequence, the first at `position`, and the numbers of the blocks that hold its keys and
/// values, one for each CK_BLOCK tokens of its context.
typedef struct {
    long row, count, position;
    const int32_t *blocks;
} ck_span;

/// Rotates the queries and keys of every row by its position and stores keys and values in their sequences' blocks.
///
/// A row of `qkv` holds the heads of queries, keys and values, side by side; rows lie `stride` floats apart. Pairs
/// (i, i + head_dim / 2) of a head are rotated by angles whose cosines and sines are `[positions, head_dim / 2]`: half-split
/// rotary embedding. Layouts of a block of one layer: keys `[kv_heads, head_dim, CK_BLOCK]`, values
/// `[kv_heads, CK_BLOCK, value_dim]` with `value_dim` the head dimension rounded up to a multiple of CK_BLOCK, its tail
/// zeroed by the owner.
void ck_rotate_and_store(
    ck_pool *pool, float *qkv, long stride, const ck_span *spans, long span_count, const float *cosines,
    const float *sines, float *keys, float *values, ck_attention_shape shape);

/// Causal attention of every span over its sequence's blocks.
///
/// Row r of `q` and of `out` holds all heads of a token. `scores` has room for CK_QUERIES rows of the longest context
/// rounded up to a whole block and one block more, `scores_stride` floats for each thread.
void ck_attention(
    ck_pool *pool, float *out, long out_stride, const float *q, long q_stride, const ck_span *spans, long span_count,
    const float *keys, const float *values, ck_attention_shape shape, float *scores, long scores_stride);

/// out[r, i] = silu(gate[r, i]) · up[r, i], with `gate` and `up` side by side in rows of `stride` floats. `width` may be
/// any length, and rows of `out` are `out_stride` apart.
void ck_swiglu(
    ck_pool *pool, float *out, long out_stride, const float *gate_up, long stride, long rows, long width);

/// x[r, i] += bias[i] for rows of `width` floats that lie `stride` apart.
void ck_add_bias(ck_pool *pool, float *x, long stride, const float *bias, long rows, long width);

/// x[r, i] += y[r, i] for rows of `width` floats, y's being `y_stride` apart.
void ck_add_rows(ck_pool *pool, float *x, const float *y, long y_stride, long rows, long width);

/// The index of the largest value, the first of equals. NaN is never the largest; 0 when all are.
long ck_argmax(const float *x, long count);

/// The index of the first value that is NaN or infinity; `count` when there is none. Minus infinity is a value.
long ck_first_unusable(const float *x, long count);

/// Widens little-endian bfloat16 and IEEE half floats. The input need not be aligned.
void ck_widen_bf16(float *out, const void *in, long count);
void ck_widen_f16(float *out, const void *in, long count);

/// Fills `out` with integers of -127 ... 127 times `scale`, from splitmix64 started at `seed`: element i is
/// (z_i >> 32) % 255 - 127. Exact in bfloat16 when `scale` is a power of two.
/// Source of the generator: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
void ck_fill_integers(float *out, uint64_t seed, long count, float scale);

/// Fills `out` with 1 + k / 64, k in -24 ... 24, from the same generator: element i has k = (z_i >> 32) % 49 - 24.
void ck_fill_norm(float *out, uint64_t seed, long count);
