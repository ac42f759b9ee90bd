#include "CKernels.h"
#include "dispatch.h"
#include "exponential.h"

#include <math.h>
#include <string.h>

CK_DISPATCH void ck_rms_norm(
    float *out, const float *x, const float *weight, long rows, long width, float epsilon) {
    for (long r = 0; r < rows; r++) {
        const float *from = x + r * width;
        ck_v16 squares = {0};
        for (long i = 0; i < width; i += 16) {
            const ck_v16 v = *ck_in(from + i);
            squares += v * v;
        }
        float sum = 0;
        for (int i = 0; i < 16; i++) sum += squares[i];
        const float scale = 1.0f / sqrtf(sum / (float)width + epsilon);
        for (long i = 0; i < width; i += 16)
            *ck_at(out + r * width + i) = *ck_in(from + i) * scale * *ck_in(weight + i);
    }
}

CK_DISPATCH void ck_rope(float *x, const float *cosine, const float *sine, long heads, long head_dim) {
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

CK_DISPATCH void ck_swiglu(float *out, long out_stride, const float *gate_up, long stride, long rows, long width) {
    for (long r = 0; r < rows; r++) {
        const float *gate = gate_up + r * stride, *up = gate + width;
        for (long i = 0; i < width; i += 16) {
            const long lanes = width - i < 16 ? width - i : 16;
            ck_v16 g = {0}, u = {0};
            memcpy(&g, gate + i, (unsigned long)lanes * sizeof(float));
            memcpy(&u, up + i, (unsigned long)lanes * sizeof(float));
            ck_v16 e = -g;
            ck_exp16(&e);
            const ck_v16 product = g / (1.0f + e) * u;
            memcpy(out + r * out_stride + i, &product, (unsigned long)lanes * sizeof(float));
        }
    }
}

CK_DISPATCH void ck_add_bias(float *x, long stride, const float *bias, long rows, long width) {
    for (long r = 0; r < rows; r++)
        for (long i = 0; i < width; i++) x[r * stride + i] += bias[i];
}

CK_DISPATCH void ck_add_rows(float *x, const float *y, long y_stride, long rows, long width) {
    for (long r = 0; r < rows; r++)
        for (long i = 0; i < width; i++) x[r * width + i] += y[r * y_stride + i];
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
