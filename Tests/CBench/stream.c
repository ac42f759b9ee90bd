#include "CBench.h"

// Names the C library.
#include <stdlib.h>

typedef float v16 __attribute__((vector_size(64), aligned(4)));

static inline __attribute__((always_inline)) float sum(const float *floats, long count) {
    v16 sums[16] = {{0}};
    for (long i = 0; i < count; i += 256)
        for (int k = 0; k < 16; k++) sums[k] += *(const v16 *)(floats + i + 16 * k);
    float total = 0;
    for (int k = 0; k < 16; k++)
        for (int lane = 0; lane < 16; lane++) total += sums[k][lane];
    return total;
}

#if defined(__x86_64__) && defined(__clang__)
__attribute__((target("arch=x86-64-v4"), min_vector_width(512))) static float sum_wide(const float *floats, long count) {
    return sum(floats, count);
}
__attribute__((target("arch=x86-64-v3"))) static float sum_half(const float *floats, long count) {
    return sum(floats, count);
}

float cbench_sum(const float *floats, long count) {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) return sum_wide(floats, count);
    return __builtin_cpu_supports("avx2") ? sum_half(floats, count) : sum(floats, count);
}
#else
float cbench_sum(const float *floats, long count) { return sum(floats, count); }
#endif
