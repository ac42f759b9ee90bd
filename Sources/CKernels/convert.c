#include "CKernels.h"

#include <string.h>

void ck_widen_bf16(float *out, const void *in, long count) {
    const char *bytes = in;
    for (long i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, 2);
        const uint32_t bits = (uint32_t)half << 16;
        memcpy(out + i, &bits, 4);
    }
}

void ck_widen_f16(float *out, const void *in, long count) {
    const char *bytes = in;
    for (long i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, 2);
        const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
        if (exponent == 0) { // zero and subnormals: fraction · 2⁻²⁴
            const float value = (float)fraction * 0x1p-24f;
            out[i] = sign ? -value : value;
            continue;
        }
        // 31 is infinity or NaN, and stays that; the others move from bias 15 to bias 127.
        const uint32_t bits = sign | (exponent == 31 ? 255u : exponent + 112u) << 23 | fraction << 13;
        memcpy(out + i, &bits, 4);
    }
}

static inline uint64_t splitmix64(uint64_t seed, uint64_t index) {
    uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

void ck_fill_integers(float *out, uint64_t seed, long count, float scale) {
    for (long i = 0; i < count; i++)
        out[i] = (float)((int)((uint32_t)(splitmix64(seed, (uint64_t)i) >> 32) % 255u) - 127) * scale;
}

void ck_fill_norm(float *out, uint64_t seed, long count) {
    for (long i = 0; i < count; i++)
        out[i] = 1.0f + (float)((int)((uint32_t)(splitmix64(seed, (uint64_t)i) >> 32) % 49u) - 24) / 64.0f;
}
