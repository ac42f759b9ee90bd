#include "weights.h"

// Inputs of a panel that are kept in the first-level cache while all rows pass over them: 8 KiB of weights. Whole blocks
// of every type.
enum { SLICE = 128 };

// `R` rows by one panel over `depth` inputs. Partial sums pass through y between slices, which keeps their order. Six rows
// by 16 outputs are 12 accumulators of AVX: with two weights and two inputs they fill its sixteen registers. Meanwhile
// the weights at `next` are fetched, which the rows of the next slice wait for.
#define CK_TILE(R)                                                                                                     \
    CK_INLINE void tile##R(                                                                                            \
        float *y, long y_stride, const float *x, long x_stride, const float *w, long depth, int first,                 \
        const float *next) {                                                                                           \
        ck_v16 sum[R];                                                                                                 \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)                                                 \
            sum[r] = first ? (ck_v16){0} : *ck_in(y + r * y_stride);                                                   \
        for (long i = 0; i < depth; i++) {                                                                             \
            __builtin_prefetch(next + i * CK_PANEL);                                                                   \
            const ck_v16 weights = *ck_in(w + i * CK_PANEL);                                                           \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) sum[r] += weights * x[r * x_stride + i];    \
        }                                                                                                              \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) *ck_at(y + r * y_stride) = sum[r];              \
    }
CK_TILE(1)
CK_TILE(2)
CK_TILE(3)
CK_TILE(4)
CK_TILE(5)
CK_TILE(6)

CK_INLINE void tiles(
    float *y, long y_stride, const float *x, long x_stride, const float *w, long depth, int first, const float *next,
    long rows) {
    for (long r = 0; r < rows; r += 6) {
        float *to = y + r * y_stride;
        const float *from = x + r * x_stride;
        switch (rows - r) {
        case 1: tile1(to, y_stride, from, x_stride, w, depth, first, next); break;
        case 2: tile2(to, y_stride, from, x_stride, w, depth, first, next); break;
        case 3: tile3(to, y_stride, from, x_stride, w, depth, first, next); break;
        case 4: tile4(to, y_stride, from, x_stride, w, depth, first, next); break;
        case 5: tile5(to, y_stride, from, x_stride, w, depth, first, next); break;
        default: tile6(to, y_stride, from, x_stride, w, depth, first, next); break;
        }
    }
}

CK_DISPATCH static void matmul_f32(
    float *y, long y_stride, const float *x, long x_stride, const float *packed, long rows, long inputs, long outputs) {
    for (long o = 0; o < outputs; o += CK_PANEL) {
        const float *panel = packed + o * inputs;
        for (long i = 0; i < inputs; i += SLICE) {
            const long depth = inputs - i < SLICE ? inputs - i : SLICE;
            const float *w = panel + i * CK_PANEL, *next = w + depth * CK_PANEL;
            tiles(y + o, y_stride, x + i, x_stride, w, depth, i == 0, next, rows);
        }
    }
}

// Other types: one row multiplies each weight as it is widened; more rows share a slice that is widened once. Both add the
// same products in the same order, those of the widened weights.
#define CK_MATMUL(TYPE, WIDTH, BYTES, FILE_BYTES)                                                                      \
    CK_DISPATCH static void widened_##TYPE(                                                                            \
        float *y, long y_stride, const float *x, long x_stride, const uint8_t *packed, long rows, long inputs,         \
        long outputs) {                                                                                                \
        const long panel_bytes = inputs / WIDTH * BYTES;                                                               \
        ck_v16 slice[SLICE] __attribute__((aligned(64)));                                                                                         \
        for (long o = 0; o < outputs; o += CK_PANEL) {                                                                 \
            const uint8_t *block = packed + o / CK_PANEL * panel_bytes;                                                \
            ck_scales scales;                                                                                          \
            if (rows == 1) {                                                                                           \
                ck_v16 sum = {0};                                                                                      \
                for (long i = 0; i < inputs; i += WIDTH, block += BYTES) {                                             \
                    scales_##TYPE(&scales, block);                                                                     \
                    _Pragma("clang loop unroll(full)") for (int j = 0; j < WIDTH; j++) {                               \
                        ck_v16 weight;                                                                                 \
                        weight_##TYPE(&weight, &scales, block, j);                                                     \
                        sum += weight * x[i + j];                                                                      \
                    }                                                                                                  \
                }                                                                                                      \
                *ck_at(y + o) = sum;                                                                                   \
                continue;                                                                                              \
            }                                                                                                          \
            for (long i = 0; i < inputs; i += SLICE) {                                                                 \
                const long depth = inputs - i < SLICE ? inputs - i : SLICE;                                            \
                for (long j = 0; j < depth; j += WIDTH, block += BYTES) {                                              \
                    scales_##TYPE(&scales, block);                                                                     \
                    _Pragma("clang loop unroll(full)") for (int k = 0; k < WIDTH; k++)                                 \
                        weight_##TYPE(slice + j + k, &scales, block, k);                                               \
                }                                                                                                      \
                const float *w = (const float *)slice;                                                                 \
                tiles(y + o, y_stride, x + i, x_stride, w, depth, i == 0, w, rows);                                    \
            }                                                                                                          \
        }                                                                                                              \
    }
CK_MATMUL(f16, 1, 32, 2)
CK_MATMUL(bf16, 1, 32, 2)
CK_MATMUL(q8_0, 32, 544, 34)
CK_MATMUL(q4_0, 32, 288, 18)
CK_MATMUL(q4_1, 32, 320, 20)

void ck_matmul(
    float *y, long y_stride, const float *x, long x_stride, ck_weight_type type, const void *packed, long rows,
    long inputs, long outputs) {
    switch (type) {
    case ck_f32: matmul_f32(y, y_stride, x, x_stride, packed, rows, inputs, outputs); break;
    case ck_f16: widened_f16(y, y_stride, x, x_stride, packed, rows, inputs, outputs); break;
    case ck_bf16: widened_bf16(y, y_stride, x, x_stride, packed, rows, inputs, outputs); break;
    case ck_q8_0: widened_q8_0(y, y_stride, x, x_stride, packed, rows, inputs, outputs); break;
    case ck_q4_0: widened_q4_0(y, y_stride, x, x_stride, packed, rows, inputs, outputs); break;
    case ck_q4_1: widened_q4_1(y, y_stride, x, x_stride, packed, rows, inputs, outputs); break;
    }
}
