#include "dispatch.h"
#include "exponential.h"
#include "pool.h"

#include <math.h>
#include <string.h>

// Rows that a thread takes at least: below that, handing them over costs more than computing them.
enum { ROWS = 4 };

CK_INLINE void normalise(float *out, const float *x, const float *weight, long width, float epsilon) {
    ck_v16 squares = {0};
    for (long i = 0; i < width; i += 16) {
        const ck_v16 v = *ck_in(x + i);
        squares += v * v;
    }
    float sum = 0;
    for (int i = 0; i < 16; i++) sum += squares[i];
    const float scale = 1.0f / sqrtf(sum / (float)width + epsilon);
    for (long i = 0; i < width; i += 16) *ck_at(out + i) = *ck_in(x + i) * scale * *ck_in(weight + i);
}

typedef struct {
    float *out;
    const float *x, *weight;
    long stride, heads, width;
    float epsilon;
} norm_job;

CK_DISPATCH static void norm_rows(const void *context, long first, long last, int thread) {
    (void)thread;
    const norm_job *j = context;
    for (long r = first; r < last; r++)
        for (long h = 0; h < j->heads; h++) {
            const long at = r * j->stride + h * j->width;
            normalise(j->out + at, j->x + at, j->weight, j->width, j->epsilon);
        }
}

void ck_rms_norm(
    ck_pool *pool, float *out, const float *x, const float *weight, long rows, long width, float epsilon) {
    const norm_job job = {out, x, weight, width, 1, width, epsilon};
    ck_run(pool, rows, ROWS, norm_rows, &job);
}

void ck_rms_norm_heads(
    ck_pool *pool, float *x, long stride, const float *weight, long rows, long heads, long head_dim, float epsilon) {
    const norm_job job = {x, x, weight, stride, heads, head_dim, epsilon};
    ck_run(pool, rows, ROWS, norm_rows, &job);
}

typedef struct {
    float *out;
    const float *in;
    long out_stride, in_stride, width;
} rows_job;

CK_DISPATCH static void swiglu_rows(const void *context, long first, long last, int thread) {
    (void)thread;
    const rows_job *j = context;
    for (long r = first; r < last; r++) {
        const float *gate = j->in + r * j->in_stride, *up = gate + j->width;
        for (long i = 0; i < j->width; i += 16) {
            const long lanes = j->width - i < 16 ? j->width - i : 16;
            ck_v16 g = {0}, u = {0};
            memcpy(&g, gate + i, (unsigned long)lanes * sizeof(float));
            memcpy(&u, up + i, (unsigned long)lanes * sizeof(float));
            ck_v16 e = -g;
            ck_exp16(&e);
            const ck_v16 product = g / (1.0f + e) * u;
            memcpy(j->out + r * j->out_stride + i, &product, (unsigned long)lanes * sizeof(float));
        }
    }
}

void ck_swiglu(
    ck_pool *pool, float *out, long out_stride, const float *gate_up, long stride, long rows, long width) {
    const rows_job job = {out, gate_up, out_stride, stride, width};
    ck_run(pool, rows, ROWS, swiglu_rows, &job);
}

CK_DISPATCH static void add_rows(const void *context, long first, long last, int thread) {
    (void)thread;
    const rows_job *j = context;
    for (long r = first; r < last; r++)
        for (long i = 0; i < j->width; i++) j->out[r * j->out_stride + i] += j->in[r * j->in_stride + i];
}

void ck_add_bias(ck_pool *pool, float *x, long stride, const float *bias, long rows, long width) {
    const rows_job job = {x, bias, stride, 0, width};
    ck_run(pool, rows, ROWS, add_rows, &job);
}

void ck_add_rows(ck_pool *pool, float *x, const float *y, long y_stride, long rows, long width) {
    const rows_job job = {x, y, width, y_stride, width};
    ck_run(pool, rows, ROWS, add_rows, &job);
}

// Two passes, because a maximum is found sixteen at a time and its index is not.
CK_DISPATCH long ck_argmax(const float *x, long count) {
    ck_v16 top = (ck_v16){0} - INFINITY;
    long i = 0;
    for (; i + 16 <= count; i += 16) top = __builtin_elementwise_max(top, *ck_in(x + i));
    float most = -INFINITY;
    for (int lane = 0; lane < 16; lane++) most = top[lane] > most ? top[lane] : most;
    for (; i < count; i++) most = x[i] > most ? x[i] : most;
    for (i = 0; i < count; i++)
        if (x[i] == most) return i;
    return 0;
}

CK_DISPATCH long ck_first_unusable(const float *x, long count) {
    long i = 0;
    // A block of 256 at a time, because a loop that may end at any number is not computed sixteen at a time.
    for (; i + 256 <= count; i += 256) {
        int unusable = 0;
        for (long k = i; k < i + 256; k++) unusable |= !(x[k] < INFINITY);
        if (unusable) break;
    }
    while (i < count && x[i] < INFINITY) i++;
    return i;
}
