#include "CKernels.h"
#include "dispatch.h"

#include <string.h>

// Inputs of a panel that are kept in the first-level cache while all rows pass over them: 8 KiB of weights.
enum { SLICE = 128 };

void ck_pack(float *packed, const float *rows, long first, long count, long inputs) {
    for (long o = 0; o < count; o++) {
        const long output = first + o;
        float *column = packed + output / CK_PANEL * CK_PANEL * inputs + output % CK_PANEL;
        for (long i = 0; i < inputs; i++) column[i * CK_PANEL] = rows[o * inputs + i];
    }
}

void ck_unpack_row(float *row, const float *packed, long output, long inputs) {
    const float *column = packed + output / CK_PANEL * CK_PANEL * inputs + output % CK_PANEL;
    for (long i = 0; i < inputs; i++) row[i] = column[i * CK_PANEL];
}

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

CK_DISPATCH void ck_matmul(
    float *y, long y_stride, const float *x, long x_stride, const float *packed, long rows, long inputs, long outputs) {
    for (long o = 0; o < outputs; o += CK_PANEL) {
        const float *panel = packed + o * inputs;
        for (long i = 0; i < inputs; i += SLICE) {
            const long depth = inputs - i < SLICE ? inputs - i : SLICE;
            const float *w = panel + i * CK_PANEL, *next = w + depth * CK_PANEL;
            const int first = i == 0;
            for (long r = 0; r < rows; r += 6) {
                float *to = y + r * y_stride + o;
                const float *from = x + r * x_stride + i;
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
    }
}
