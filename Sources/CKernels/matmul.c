#include "CKernels.h"
#include "dispatch.h"

#include <string.h>

// Inputs of a panel that are kept in the first-level cache while all rows pass over them: 16 KiB of weights.
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

// `R` rows by `W` outputs of a panel over `depth` inputs. Partial sums pass through y between slices, which keeps their
// order. Six rows by 16 outputs are 12 accumulators of AVX: with two weights and two inputs they fill its registers.
#define CK_TILE(R, W)                                                                                                  \
    CK_INLINE void tile##R(                                                                                            \
        float *y, long y_stride, const float *x, long x_stride, const float *w, long depth, int first) {               \
        ck_v16 sum[R][W / 16];                                                                                         \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)                                                 \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < W / 16; v++)                                        \
                sum[r][v] = first ? (ck_v16){0} : *ck_in(y + r * y_stride + v * 16);                                   \
        for (long i = 0; i < depth; i++)                                                                               \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)                                             \
                _Pragma("clang loop unroll(full)") for (int v = 0; v < W / 16; v++)                                    \
                    sum[r][v] += *ck_in(w + i * CK_PANEL + v * 16) * x[r * x_stride + i];                              \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++)                                                 \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < W / 16; v++)                                        \
                *ck_at(y + r * y_stride + v * 16) = sum[r][v];                                                         \
    }
CK_TILE(1, 32)
CK_TILE(2, 32)
CK_TILE(3, 16)
CK_TILE(4, 16)
CK_TILE(5, 16)
CK_TILE(6, 16)

#define HALVES(tile)                                                                                                   \
    tile(to, y_stride, from, x_stride, w, depth, first), tile(to + 16, y_stride, from, x_stride, w + 16, depth, first)

CK_DISPATCH void ck_matmul(
    float *y, long y_stride, const float *x, long x_stride, const float *packed, long rows, long inputs, long outputs) {
    for (long o = 0; o < outputs; o += CK_PANEL) {
        const float *panel = packed + o * inputs;
        for (long i = 0; i < inputs; i += SLICE) {
            const long depth = inputs - i < SLICE ? inputs - i : SLICE;
            const float *w = panel + i * CK_PANEL;
            const int first = i == 0;
            long r = 0;
            while (r < rows) {
                float *to = y + r * y_stride + o;
                const float *from = x + r * x_stride + i;
                switch (rows - r) {
                case 1: tile1(to, y_stride, from, x_stride, w, depth, first); break;
                case 2: tile2(to, y_stride, from, x_stride, w, depth, first); break;
                case 3: HALVES(tile3); break;
                case 4: HALVES(tile4); break;
                case 5: HALVES(tile5); break;
                default: HALVES(tile6); break;
                }
                r += 6;
            }
        }
    }
}
