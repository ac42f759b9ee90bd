#pragma once
#include "dispatch.h"

// *x = e^*x for sixteen floats, to about one unit in the last place between -87 and 88, where it clamps.
//
// e^x = 2^n · e^f with n the nearest integer to x·log₂e and |f| ≤ ln 2 / 2, where the Taylor series to f⁷ errs by less
// than 6e-9. ln 2 is subtracted in two parts so that n·ln 2 loses nothing.
CK_INLINE void ck_exp16(ck_v16 *x) {
    const ck_v16 zero = {0};
    const ck_v16 v = __builtin_elementwise_min(__builtin_elementwise_max(*x, zero - 87.0f), zero + 88.0f);
    const float rounder = 12582912.0f; // 1.5 · 2²³: adding it leaves no bits for a fraction
    const ck_v16 n = (v * 1.44269504f + rounder) - rounder;
    const ck_v16 f = (v - n * 0.693359375f) - n * -2.12194440e-4f;
    ck_v16 p = zero + 1.0f / 5040;
    p = p * f + 1.0f / 720;
    p = p * f + 1.0f / 120;
    p = p * f + 1.0f / 24;
    p = p * f + 1.0f / 6;
    p = p * f + 0.5f;
    p = p * f + 1.0f;
    p = p * f + 1.0f;
    const ck_i16 power = (__builtin_convertvector(n, ck_i16) + 127) << 23;
    *x = p * (ck_v16)power;
}
