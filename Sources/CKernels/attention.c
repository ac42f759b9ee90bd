#include "dispatch.h"
#include "exponential.h"
#include "pool.h"

#include <math.h>

CK_INLINE void rotate(float *x, const float *cosine, const float *sine, long heads, long head_dim) {
    const long half = head_dim / 2;
    for (long h = 0; h < heads; h++) {
        float *low = x + h * head_dim, *high = low + half;
        for (long i = 0; i < half; i++) {
            const float a = low[i], b = high[i];
            low[i] = a * cosine[i] - b * sine[i];
            high[i] = b * cosine[i] + a * sine[i];
        }
    }
}

CK_INLINE void store(
    float *key_block, float *value_block, const float *key, const float *value, long slot, const ck_attention_shape *s) {
    for (long h = 0; h < s->kv_heads; h++) {
        float *keys = key_block + h * s->head_dim * CK_BLOCK + slot;
        float *values = value_block + (h * CK_BLOCK + slot) * s->value_dim;
        for (long i = 0; i < s->head_dim; i++) {
            keys[i * CK_BLOCK] = key[h * s->head_dim + i];
            values[i] = value[h * s->head_dim + i];
        }
    }
}

typedef struct {
    float *qkv;
    long stride;
    const ck_span *spans;
    const float *cosines, *sines;
    float *keys, *values;
    ck_attention_shape shape;
} store_job;

CK_DISPATCH static void store_rows(const void *context, long first, long last, int thread) {
    (void)thread;
    const store_job *j = context;
    const ck_attention_shape *s = &j->shape;
    const ck_span *span = j->spans;
    for (long r = first; r < last; r++) {
        while (r >= span->row + span->count) span++;
        const long position = span->position + r - span->row, half = s->head_dim / 2;
        const float *cosine = j->cosines + position * half, *sine = j->sines + position * half;
        float *query = j->qkv + r * j->stride, *key = query + s->heads * s->head_dim;
        rotate(query, cosine, sine, s->heads + s->kv_heads, s->head_dim);
        const long block = span->blocks[position / CK_BLOCK];
        store(
            j->keys + block * s->key_block_stride, j->values + block * s->value_block_stride, key,
            key + s->kv_heads * s->head_dim, position % CK_BLOCK, s);
    }
}

void ck_rotate_and_store(
    ck_pool *pool, float *qkv, long stride, const ck_span *spans, long span_count, const float *cosines,
    const float *sines, float *keys, float *values, ck_attention_shape shape) {
    if (span_count == 0) return;
    const store_job job = {qkv, stride, spans, cosines, sines, keys, values, shape};
    const ck_span *last = spans + span_count - 1;
    ck_run(pool, last->row + last->count, 4, store_rows, &job);
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
        const float *values, const int32_t *blocks, const ck_attention_shape *s, float *scores) {                      \
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

typedef struct {
    float *out;
    long out_stride;
    const float *q;
    long q_stride;
    const ck_span *spans;
    const float *keys, *values;
    ck_attention_shape shape;
    float *scores;
    long scores_stride;
} attention_job;

// Items are pairs of a span and a head, all heads of the first span first.
CK_DISPATCH static void attend(const void *context, long first, long last, int thread) {
    const attention_job *j = context;
    const ck_attention_shape *s = &j->shape;
    const long group = s->heads / s->kv_heads;
    float *scores = j->scores + thread * j->scores_stride;
    for (long item = first; item < last; item++) {
        const ck_span *span = j->spans + item / s->heads;
        const long h = item % s->heads;
        const float *keys = j->keys + h / group * s->head_dim * CK_BLOCK;
        const float *values = j->values + h / group * s->value_dim * CK_BLOCK;
        float *to = j->out + span->row * j->out_stride + h * s->head_dim;
        const float *from = j->q + span->row * j->q_stride + h * s->head_dim;
        long r = 0;
        for (; r + CK_QUERIES <= span->count; r += CK_QUERIES)
            head4(
                to + r * j->out_stride, j->out_stride, from + r * j->q_stride, j->q_stride, span->position + r, keys,
                values, span->blocks, s, scores);
        for (; r < span->count; r++)
            head1(
                to + r * j->out_stride, j->out_stride, from + r * j->q_stride, j->q_stride, span->position + r, keys,
                values, span->blocks, s, scores);
    }
}

void ck_attention(
    ck_pool *pool, float *out, long out_stride, const float *q, long q_stride, const ck_span *spans, long span_count,
    const float *keys, const float *values, ck_attention_shape shape, float *scores, long scores_stride) {
    const attention_job job = {
        out, out_stride, q, q_stride, spans, keys, values, shape, scores, scores_stride,
    };
    ck_run(pool, span_count * shape.heads, 1, attend, &job);
}
