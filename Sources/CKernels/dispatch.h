#pragma once

#include <stdint.h>

// Sixteen floats. Compilers split it into what the machine has: one AVX-512 register, two of AVX, four of SSE or NEON.
typedef float ck_v16 __attribute__((vector_size(64), aligned(4)));
typedef int32_t ck_i16 __attribute__((vector_size(64), aligned(4)));

#define CK_INLINE static inline __attribute__((always_inline))

// Compilers halve vectors of AVX-512 unless told that they are meant.
#if defined(__clang__) && defined(__x86_64__)
#define CK_WHOLE __attribute__((min_vector_width(512)))
#else
#define CK_WHOLE
#endif

// One function, three instruction sets, chosen by the dynamic loader (an ifunc, so glibc only).
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__)
#define CK_DISPATCH __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CK_DISPATCH
#endif

CK_INLINE ck_v16 *ck_at(float *p) { return (ck_v16 *)p; }
CK_INLINE const ck_v16 *ck_in(const float *p) { return (const ck_v16 *)p; }
