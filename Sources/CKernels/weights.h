#pragma once
#include "CKernels.h"
#include "dispatch.h"

#include <string.h>

// Weights of each stored type, widened to floats: sixteen outputs of one input at a time.
//
// A panel of a type is a row of blocks. A block holds WIDTH inputs of its 16 outputs: scales first, where the type has
// them, then the inputs' numbers in order, each input's 16 outputs side by side. Two inputs of four bits share a vector
// of 16 bytes, the even one in the low halves. A widened weight is exactly the number that the file's format defines.

typedef uint8_t ck_u8 __attribute__((vector_size(16), aligned(1)));
typedef int8_t ck_s8 __attribute__((vector_size(16), aligned(1)));
typedef uint16_t ck_u16 __attribute__((vector_size(32), aligned(2)));
typedef uint32_t ck_u32 __attribute__((vector_size(64), aligned(4)));

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

CK_INLINE void scales_f32(ck_scales *s, const uint8_t *block) { (void)s, (void)block; }
CK_INLINE void weight_f32(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i) {
    (void)s, (void)i;
    *out = *(const ck_v16 *)block;
}

CK_INLINE void scales_f16(ck_scales *s, const uint8_t *block) { (void)s, (void)block; }
CK_INLINE void weight_f16(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i) {
    (void)s, (void)i;
    widen_half(out, block);
}

CK_INLINE void scales_bf16(ck_scales *s, const uint8_t *block) { (void)s, (void)block; }
CK_INLINE void weight_bf16(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i) {
    (void)s, (void)i;
    *out = (ck_v16)(__builtin_convertvector(*(const ck_u16 *)block, ck_u32) << 16);
}

CK_INLINE void scales_q8_0(ck_scales *s, const uint8_t *block) { widen_half(&s->scale, block); }
CK_INLINE void weight_q8_0(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i) {
    *out = __builtin_convertvector(*(const ck_s8 *)(block + 32 + 16 * i), ck_v16) * s->scale;
}

CK_INLINE void scales_q4_0(ck_scales *s, const uint8_t *block) { widen_half(&s->scale, block); }
CK_INLINE void weight_q4_0(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i) {
    const ck_u8 pair = *(const ck_u8 *)(block + 32 + i / 2 * 16);
    const ck_s8 number = (ck_s8)(i % 2 ? pair >> 4 : pair & 15) - 8;
    *out = __builtin_convertvector(number, ck_v16) * s->scale;
}

CK_INLINE void scales_q4_1(ck_scales *s, const uint8_t *block) {
    widen_half(&s->scale, block);
    widen_half(&s->least, block + 32);
}
CK_INLINE void weight_q4_1(ck_v16 *out, const ck_scales *s, const uint8_t *block, int i) {
    const ck_u8 pair = *(const ck_u8 *)(block + 64 + i / 2 * 16);
    const ck_s8 number = (ck_s8)(i % 2 ? pair >> 4 : pair & 15);
    // The product of 15 bits is exact, so a fused addition rounds no differently.
    *out = __builtin_convertvector(number, ck_v16) * s->scale + s->least;
}

// Type, inputs of a block, bytes of a block of 16 outputs, bytes of one output's block in a file.
#define CK_WEIGHT_TYPES(DO)                                                                                            \
    DO(f32, 1, 64, 4)                                                                                                  \
    DO(f16, 1, 32, 2)                                                                                                  \
    DO(bf16, 1, 32, 2)                                                                                                 \
    DO(q8_0, 32, 544, 34)                                                                                              \
    DO(q4_0, 32, 288, 18)                                                                                              \
    DO(q4_1, 32, 320, 20)
