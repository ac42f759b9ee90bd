#include "CKernels.h"
#include "dispatch.h"
#include "exponential.h"

#include <math.h>

void ck_store_kv(
    float *key_block, float *value_block, const float *key, const float *value, long slot, long kv_heads, long head_dim,
    long value_dim) {
    for (long h = 0; h < kv_heads; h++) {
        float *keys = key_block + h * head_dim * CK_BLOCK + slot;
        float *values = value_block + (h * CK_BLOCK + slot) * value_dim;
        for (long i = 0; i < head_dim; i++) {
            keys[i * CK_BLOCK] = key[h * head_dim + i];
            values[i] = value[h * head_dim + i];
        }
    }
}

// The scores of `R` queries against one block: sixteen keys at a time, summed in the order of the head dimension.
#define CK_SCORES(R)                                                                                                   \
    CK_INLINE void scores##R(                                                                                          \
        float *scores, long stride, const float *q, long q_stride, const float *keys, long head_dim, float scale) {    \
        ck_v16 sum[R];                                                                                                 \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) sum[r] = (ck_v16){0};                           \
        for (long i = 0; i < head_dim; i++)                                                                            \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)                                             \
                sum[r] += *ck_in(keys + i * CK_BLOCK) * q[r * q_stride + i];                                           \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) *ck_at(scores + r * stride) = sum[r] * scale;   \
    }
CK_SCORES(1)
CK_SCORES(4)

// Softmax over the first `context` scores, in place; the rest of the last block is left without meaning.
CK_INLINE void softmax(float *scores, long context) {
    const long padded = (context + CK_BLOCK - 1) / CK_BLOCK * CK_BLOCK;
    for (long i = context; i < padded; i++) scores[i] = -INFINITY;
    ck_v16 top = *ck_in(scores);
    for (long i = CK_BLOCK; i < padded; i += CK_BLOCK) top = __builtin_elementwise_max(top, *ck_in(scores + i));
    float most = top[0];
    for (int i = 1; i < CK_BLOCK; i++) most = top[i] > most ? top[i] : most;
    ck_v16 sums = {0};
    for (long i = 0; i < padded; i += CK_BLOCK) {
        ck_v16 v = *ck_in(scores + i) - most;
        ck_exp16(&v);
        *ck_at(scores + i) = v;
        if (i + CK_BLOCK <= context) sums += v;
    }
    float sum = 0;
    for (int i = 0; i < CK_BLOCK; i++) sum += sums[i];
    for (long i = context / CK_BLOCK * CK_BLOCK; i < context; i++) sum += scores[i];
    const float inverse = 1.0f / sum;
    for (long i = 0; i < padded; i += CK_BLOCK) *ck_at(scores + i) *= inverse;
}

// Adds `R` queries' weighted values of tokens first ..< last of one block, sixteen columns of the head at a time.
#define CK_VALUES(R)                                                                                                   \
    CK_INLINE void values##R(                                                                                          \
        ck_v16 *sum, const float *weights, long stride, const float *values, long value_dim, long first, long last) {  \
        for (long t = first; t < last; t++)                                                                            \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)                                             \
                sum[r] += *ck_in(values + t * value_dim) * weights[r * stride + t];                                    \
    }
CK_VALUES(1)
CK_VALUES(4)

CK_INLINE long least(long a, long b) { return a < b ? a : b; }

// One head of `R` consecutive queries. A query sees the tokens up to its own: what lies behind, of whatever value, is not
// even multiplied by 0, because a block is reused and 0 · NaN is NaN.
#define CK_HEAD(R)                                                                                                     \
    CK_INLINE void head##R(                                                                                            \
        float *out, long out_stride, const float *q, long q_stride, long position, const float *keys,                  \
        const float *values, const long *blocks, const ck_attention_shape *s, float *scores) {                      \
        const long stride = (position + R + CK_BLOCK - 1) / CK_BLOCK * CK_BLOCK, used = stride / CK_BLOCK;             \
        for (long b = 0; b < used; b++)                                                                                \
            scores##R(                                                                                                 \
                scores + b * CK_BLOCK, stride, q, q_stride, keys + blocks[b] * s->key_block_stride, s->head_dim,       \
                s->scale);                                                                                             \
        for (int r = 0; r < R; r++) softmax(scores + r * stride, position + r + 1);                                    \
        for (long i = 0; i < s->head_dim; i += CK_BLOCK) {                                                             \
            ck_v16 sum[R];                                                                                             \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) sum[r] = (ck_v16){0};                       \
            for (long b = 0; b < used; b++) {                                                                          \
                const long base = b * CK_BLOCK, shared = least(CK_BLOCK, position + 1 - base);                         \
                const float *block = values + blocks[b] * s->value_block_stride + i;                                   \
                if (shared > 0) values##R(sum, scores + base, stride, block, s->value_dim, 0, shared);                 \
                _Pragma("clang loop unroll(full)") for (int r = 1; r < R; r++)                                         \
                    values1(                                                                                           \
                        sum + r, scores + r * stride + base, stride, block, s->value_dim, shared > 0 ? shared : 0,     \
                        least(CK_BLOCK, position + r + 1 - base));                                                     \
            }                                                                                                          \
            const long lanes = least(CK_BLOCK, s->head_dim - i);                                                       \
            for (int r = 0; r < R; r++)                                                                                \
                for (long l = 0; l < lanes; l++) out[r * out_stride + i + l] = sum[r][l];                              \
        }                                                                                                              \
    }
CK_HEAD(1)
CK_HEAD(4)

CK_DISPATCH void ck_attention(
    float *out, long out_stride, const float *q, long q_stride, long count, long position, const float *keys,
    const float *values, const long *blocks, ck_attention_shape shape, float *scores) {
    const long group = shape.heads / shape.kv_heads;
    for (long h = 0; h < shape.heads; h++) {
        const float *head_keys = keys + h / group * shape.head_dim * CK_BLOCK;
        const float *head_values = values + h / group * shape.value_dim * CK_BLOCK;
        float *to = out + h * shape.head_dim;
        const float *from = q + h * shape.head_dim;
        long r = 0;
        for (; r + CK_QUERIES <= count; r += CK_QUERIES)
            head4(
                to + r * out_stride, out_stride, from + r * q_stride, q_stride, position + r, head_keys, head_values,
                blocks, &shape, scores);
        for (; r < count; r++)
            head1(
                to + r * out_stride, out_stride, from + r * q_stride, q_stride, position + r, head_keys, head_values,
                blocks, &shape, scores);
    }
}
