#pragma once
#include "CKernels.h"
#include "dispatch.h"

#include <string.h>

// Weights of each stored type, widened to floats: sixteen outputs of one input at a time, the lower or the upper half of a
// panel.
//
// A panel of a type is a row of blocks. A block holds WIDTH inputs of its 32 outputs: scales first, where the type has
// them, then the inputs' numbers in order, each input's 32 outputs side by side. Numbers of four bits come in groups of
// eight inputs: 32 words of 32 bits, one an output, input i in bits 4i to 4i + 3. A widened weight is exactly the number
// that the file's format defines.

typedef int8_t ck_s8 __attribute__((vector_size(16), aligned(1)));
typedef uint16_t ck_u16 __attribute__((vector_size(32), aligned(2)));
typedef uint32_t ck_u32 __attribute__((vector_size(64), aligned(4)));

// Of sixteen outputs.
typedef struct {
    ck_v16 scale, least;
} ck_scales;

CK_INLINE void widen_half(ck_v16 *out, const uint8_t *in) {
    const ck_u32 bits = __builtin_convertvector(*(const ck_u16 *)in, ck_u32);
    const ck_u32 magnitude = bits & 0x7FFF;
    // As a float the magnitude is 2¹¹² too small, subnormals included; 31 as exponent is infinity or NaN, and stays that.
    const ck_v16 value = (ck_v16)(magnitude << 13) * 0x1p112f;
    const ck_u32 special = (ck_u32)(magnitude >= 0x7C00) & 0x7F800000u;
    *out = (ck_v16)((ck_u32)value | special | (bits & 0x8000) << 16);
}

// Input `i` of a block, half `h` of its outputs.

CK_INLINE void scales_f32(ck_scales *s, const uint8_t *block, int h) { (void)s, (void)block, (void)h; }
CK_INLINE void weight_f32(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i, int h) {
    (void)s, (void)i;
    *out = *(const ck_v16 *)(block + 64 * h);
}

CK_INLINE void scales_f16(ck_scales *s, const uint8_t *block, int h) { (void)s, (void)block, (void)h; }
CK_INLINE void weight_f16(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i, int h) {
    (void)s, (void)i;
    widen_half(out, block + 32 * h);
}

CK_INLINE void scales_bf16(ck_scales *s, const uint8_t *block, int h) { (void)s, (void)block, (void)h; }
CK_INLINE void weight_bf16(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i, int h) {
    (void)s, (void)i;
    *out = (ck_v16)(__builtin_convertvector(*(const ck_u16 *)(block + 32 * h), ck_u32) << 16);
}

CK_INLINE void scales_q8_0(ck_scales *s, const uint8_t *block, int h) { widen_half(&s->scale, block + 32 * h); }
CK_INLINE void weight_q8_0(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i, int h) {
    *out = __builtin_convertvector(*(const ck_s8 *)(block + 64 + 32 * i + 16 * h), ck_v16) * s->scale;
}

CK_INLINE void four_bits(ck_i16 *out, const uint8_t *numbers, int i, int h) {
    *out = (ck_i16)(*(const ck_u32 *)(numbers + i / 8 * 128 + 64 * h) >> (uint32_t)(i % 8 * 4) & 15);
}

CK_INLINE void scales_q4_0(ck_scales *s, const uint8_t *block, int h) { widen_half(&s->scale, block + 32 * h); }
CK_INLINE void weight_q4_0(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i, int h) {
    ck_i16 number;
    four_bits(&number, block + 64, i, h);
    *out = __builtin_convertvector(number - 8, ck_v16) * s->scale;
}

CK_INLINE void scales_q4_1(ck_scales *s, const uint8_t *block, int h) {
    widen_half(&s->scale, block + 32 * h);
    widen_half(&s->least, block + 64 + 32 * h);
}
CK_INLINE void weight_q4_1(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i, int h) {
    ck_i16 number;
    four_bits(&number, block + 128, i, h);
    // The product of 15 bits is exact, so a fused addition rounds no differently.
    *out = __builtin_convertvector(number, ck_v16) * s->scale + s->least;
}

// Type, inputs of a block, bytes of a block of 32 outputs, bytes of one output's block in a file.
#define CK_WEIGHT_TYPES(DO)                                                                                            \
    DO(f32, 1, 128, 4)                                                                                                 \
    DO(f16, 1, 64, 2)                                                                                                  \
    DO(bf16, 1, 64, 2)                                                                                                 \
    DO(q8_0, 32, 1088, 34)                                                                                             \
    DO(q4_0, 32, 576, 18)                                                                                              \
    DO(q4_1, 32, 640, 20)
