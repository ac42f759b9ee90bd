#include "pool.h"
#include "weights.h"

// Inputs of a panel that are kept in the first-level cache while many rows pass over them: 16 KiB of floats. Whole blocks
// of every type.
enum { SLICE = 128 };

// Floats of rows that pass over a panel after another: they stay in the second-level cache meanwhile.
enum { PASSING = 96 << 10 };

typedef struct {
    float *y;
    long y_stride;
    const float *x;
    long x_stride;
    ck_weight_type type;
    const uint8_t *packed;
    long rows, inputs;
} matmul_job;

// `R` rows by one panel. Each output has one sum in the order of its inputs, so a panel's 32 outputs by R rows are what is
// computed side by side. AVX-512 holds the sums of 12 rows in 24 of its 32 registers, AVX those of 3 in 12 of 16.
//
// tile: over `depth` inputs that are floats already. Partial sums pass through y between slices, which keeps their order.
// Meanwhile the weights at `next` and `also` are fetched.
#define CK_TILE(R)                                                                                                     \
    CK_INLINE void tile##R(                                                                                            \
        float *y, long y_stride, const float *x, long x_stride, const float *w, long depth, int first,                 \
        const float *next, const float *also) {                                                                        \
        ck_v16 low[R], high[R];                                                                                        \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) {                                               \
            low[r] = first ? (ck_v16){0} : *ck_in(y + r * y_stride);                                                   \
            high[r] = first ? (ck_v16){0} : *ck_in(y + r * y_stride + 16);                                             \
        }                                                                                                              \
        for (long i = 0; i < depth; i++) {                                                                             \
            __builtin_prefetch(next + i * CK_PANEL);                                                                   \
            __builtin_prefetch(also + i * CK_PANEL);                                                                   \
            const ck_v16 a = *ck_in(w + i * CK_PANEL), b = *ck_in(w + i * CK_PANEL + 16);                              \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) {                                           \
                const float v = x[r * x_stride + i];                                                                   \
                low[r] += a * v;                                                                                       \
                high[r] += b * v;                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) {                                               \
            *ck_at(y + r * y_stride) = low[r];                                                                         \
            *ck_at(y + r * y_stride + 16) = high[r];                                                                   \
        }                                                                                                              \
    }

// direct: over all inputs of a panel, each weight widened where it is multiplied. The same products in the same order.
#define CK_DIRECT(R, TYPE, WIDTH, BYTES)                                                                               \
    CK_INLINE void direct##R##_##TYPE(                                                                                 \
        float *y, long y_stride, const float *x, long x_stride, const uint8_t *block, long inputs) {                   \
        ck_v16 low[R], high[R];                                                                                        \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) low[r] = high[r] = (ck_v16){0};                 \
        for (long i = 0; i < inputs; i += WIDTH, block += BYTES) {                                                     \
            ck_scales lower, upper;                                                                                    \
            scales_##TYPE(&lower, block, 0);                                                                           \
            scales_##TYPE(&upper, block, 1);                                                                           \
            _Pragma("clang loop unroll_count(8)") for (int j = 0; j < WIDTH; j++) {                                    \
                ck_v16 a, b;                                                                                           \
                weight_##TYPE(&a, &lower, block, j, 0);                                                                \
                weight_##TYPE(&b, &upper, block, j, 1);                                                                \
                _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) {                                       \
                    const float v = x[r * x_stride + i + j];                                                           \
                    low[r] += a * v;                                                                                   \
                    high[r] += b * v;                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) {                                               \
            *ck_at(y + r * y_stride) = low[r];                                                                         \
            *ck_at(y + r * y_stride + 16) = high[r];                                                                   \
        }                                                                                                              \
    }

#define CK_UP_TO_12(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12)
CK_UP_TO_12(CK_TILE)

#define CK_DIRECTS(TYPE, WIDTH, BYTES, FILE_BYTES)                                                                     \
    CK_DIRECT(1, TYPE, WIDTH, BYTES)                                                                                   \
    CK_DIRECT(2, TYPE, WIDTH, BYTES)                                                                                   \
    CK_DIRECT(3, TYPE, WIDTH, BYTES)                                                                                   \
    CK_DIRECT(4, TYPE, WIDTH, BYTES)                                                                                   \
    CK_DIRECT(6, TYPE, WIDTH, BYTES)                                                                                   \
    CK_DIRECT(8, TYPE, WIDTH, BYTES)
CK_WEIGHT_TYPES(CK_DIRECTS)

// Rows in tiles of at most `most`, all about as high: 16 are 8 and 8, not 12 and 4.
//
// Of the weights at `next` the first tile fetches one half and the second the other: all of them during the first would
// be more than memory delivers in that time, and nothing would be asked of it during the second.
CK_INLINE void tiles(
    float *y, long y_stride, const float *x, long x_stride, const float *w, long depth, int first,
    const float *next, long rows, long most) {
    long left = (rows + most - 1) / most;
    const float *half = next, *other = left == 1 ? next + 16 : next;
    for (long r = 0; r < rows; left--) {
        const long height = (rows - r + left - 1) / left;
        float *to = y + r * y_stride;
        const float *from = x + r * x_stride;
        switch (height) {
#define CK_CASE(R)                                                                                                     \
    case R:                                                                                                            \
        if (R > most) __builtin_unreachable();                                                                         \
        tile##R(to, y_stride, from, x_stride, w, depth, first, half, other);                                           \
        break;
            CK_UP_TO_12(CK_CASE)
        default: __builtin_unreachable();
        }
        half = other = r == 0 ? next + 16 : w;
        r += height;
    }
}

// Panels `first ..< last` of one type.
//
// Few rows multiply weights as they are widened; many share a slice that is widened once, into the first-level cache.
#define CK_PANELS(NAME, MOST, DIRECT, TYPE, WIDTH, BYTES)                                                              \
    static void NAME##_##TYPE(const matmul_job *j, long first, long last) {                                            \
        const long panel_bytes = j->inputs / WIDTH * BYTES;                                                            \
        ck_v16 slice[2 * SLICE] __attribute__((aligned(64)));                                                          \
        if (j->rows <= DIRECT) {                                                                                       \
            for (long p = first; p < last; p++) {                                                                      \
                const uint8_t *panel = j->packed + p * panel_bytes;                                                    \
                float *y = j->y + p * CK_PANEL;                                                                        \
                switch (j->rows) {                                                                                     \
                case 1: direct1_##TYPE(y, j->y_stride, j->x, j->x_stride, panel, j->inputs); break;                    \
                case 2: direct2_##TYPE(y, j->y_stride, j->x, j->x_stride, panel, j->inputs); break;                    \
                case 3: direct3_##TYPE(y, j->y_stride, j->x, j->x_stride, panel, j->inputs); break;                    \
                case 4:                                                                                                \
                    if (DIRECT < 4) __builtin_unreachable();                                                           \
                    direct4_##TYPE(y, j->y_stride, j->x, j->x_stride, panel, j->inputs);                               \
                    break;                                                                                             \
                case 5:                                                                                                \
                    if (DIRECT < 5) __builtin_unreachable();                                                           \
                    direct2_##TYPE(y, j->y_stride, j->x, j->x_stride, panel, j->inputs);                               \
                    direct3_##TYPE(                                                                                    \
                        y + 2 * j->y_stride, j->y_stride, j->x + 2 * j->x_stride, j->x_stride, panel, j->inputs);      \
                    break;                                                                                             \
                case 6:                                                                                                \
                    if (DIRECT < 6) __builtin_unreachable();                                                           \
                    direct6_##TYPE(y, j->y_stride, j->x, j->x_stride, panel, j->inputs);                               \
                    break;                                                                                             \
                case 7:                                                                                                \
                    if (DIRECT < 7) __builtin_unreachable();                                                           \
                    direct4_##TYPE(y, j->y_stride, j->x, j->x_stride, panel, j->inputs);                               \
                    direct3_##TYPE(                                                                                    \
                        y + 4 * j->y_stride, j->y_stride, j->x + 4 * j->x_stride, j->x_stride, panel, j->inputs);      \
                    break;                                                                                             \
                case 8:                                                                                                \
                    if (DIRECT < 8) __builtin_unreachable();                                                           \
                    direct8_##TYPE(y, j->y_stride, j->x, j->x_stride, panel, j->inputs);                               \
                    break;                                                                                             \
                }                                                                                                      \
            }                                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        const long passing = PASSING / j->inputs < MOST ? MOST : PASSING / j->inputs / MOST * MOST;                    \
        for (long r = 0; r < j->rows; r += passing) {                                                                  \
            const long rows = j->rows - r < passing ? j->rows - r : passing;                                           \
            for (long p = first; p < last; p++) {                                                                      \
                const uint8_t *block = j->packed + p * panel_bytes;                                                    \
                float *y = j->y + r * j->y_stride + p * CK_PANEL;                                                      \
                const float *x = j->x + r * j->x_stride;                                                               \
                for (long i = 0; i < j->inputs; i += SLICE) {                                                          \
                    const long depth = j->inputs - i < SLICE ? j->inputs - i : SLICE;                                  \
                    const float *w = (const float *)block;                                                             \
                    const float *next = w + depth * CK_PANEL;                                                          \
                    if (ck_##TYPE != ck_f32) {                                                                         \
                        for (long k = 0; k < depth; k += WIDTH) {                                                      \
                            const uint8_t *from = block + k / WIDTH * BYTES;                                           \
                            ck_scales lower, upper;                                                                    \
                            scales_##TYPE(&lower, from, 0);                                                            \
                            scales_##TYPE(&upper, from, 1);                                                            \
                            _Pragma("clang loop unroll_count(8)") for (int l = 0; l < WIDTH; l++) {                    \
                                weight_##TYPE(slice + 2 * (k + l), &lower, from, l, 0);                                \
                                weight_##TYPE(slice + 2 * (k + l) + 1, &upper, from, l, 1);                            \
                            }                                                                                          \
                        }                                                                                              \
                        w = next = (const float *)slice;                                                               \
                    }                                                                                                  \
                    tiles(y, j->y_stride, x + i, j->x_stride, w, depth, i == 0, next, rows, MOST);                     \
                    block += depth / WIDTH * BYTES;                                                                    \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#define CK_NARROW(TYPE, WIDTH, BYTES, FILE_BYTES) CK_DISPATCH CK_PANELS(narrow, 3, 3, TYPE, WIDTH, BYTES)
CK_WEIGHT_TYPES(CK_NARROW)

// With AVX-512 a tile is higher, and needs other code: so it is chosen here and not by the loader.
#if defined(__x86_64__)
#define CK_HAS_WIDE 1
#define CK_WIDE(TYPE, WIDTH, BYTES, FILE_BYTES)                                                                        \
    __attribute__((target("arch=x86-64-v4"))) CK_WHOLE CK_PANELS(wide, 12, 8, TYPE, WIDTH, BYTES)
CK_WEIGHT_TYPES(CK_WIDE)
#endif

static void matmul_narrow(const void *context, long first, long last, int thread) {
    (void)thread;
    const matmul_job *j = context;
    switch (j->type) {
#define CK_NARROW_CASE(TYPE, WIDTH, BYTES, FILE_BYTES)                                                                 \
    case ck_##TYPE: narrow_##TYPE(j, first, last); break;
        CK_WEIGHT_TYPES(CK_NARROW_CASE)
    }
}

#if defined(CK_HAS_WIDE)
static void matmul_wide(const void *context, long first, long last, int thread) {
    (void)thread;
    const matmul_job *j = context;
    switch (j->type) {
#define CK_WIDE_CASE(TYPE, WIDTH, BYTES, FILE_BYTES)                                                                   \
    case ck_##TYPE: wide_##TYPE(j, first, last); break;
        CK_WEIGHT_TYPES(CK_WIDE_CASE)
    }
}

static int is_wide(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

void ck_matmul(
    ck_pool *pool, float *y, long y_stride, const float *x, long x_stride, ck_weight_type type, const void *packed,
    long rows, long inputs, long outputs) {
    const matmul_job job = {y, y_stride, x, x_stride, type, packed, rows, inputs};
    const long panels = (outputs + CK_PANEL - 1) / CK_PANEL;
    // Below some 64 Ki products a second thread costs more than it saves.
    const long grain = 1 + (64 << 10) / (CK_PANEL * inputs * rows + 1);
#if defined(CK_HAS_WIDE)
    if (is_wide()) {
        ck_run(pool, panels, grain, matmul_wide, &job);
        return;
    }
#endif
    ck_run(pool, panels, grain, matmul_narrow, &job);
}
