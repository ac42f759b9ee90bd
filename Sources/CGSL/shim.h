#pragma once
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_multifit.h>
#include <gsl/gsl_qrng.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <gsl/gsl_sf_gamma.h>
#include <stdint.h>
#include <stdlib.h>

// Philox4x32-10, a counter-based generator, as a gsl_rng_type: GSL has none of this kind. It is written in C because a
// gsl_rng_type is a C struct of C functions, and Swift 6 imports neither its globals nor its tables as safe to share.
//
// A block of four words is a pure function of a key and a counter, so any stream opens at any place in O(1).
//
// Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, §3.3; the
// round constants are the paper's (two multipliers found by search, and the golden ratio and √3 − 1 for the key).

typedef struct {
    uint32_t word[4];
} cgsl_block;

static inline cgsl_block cgsl_philox(uint64_t key, cgsl_block counter) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    cgsl_block x = counter;
    for (int round = 0; round < 10; round++) {
        uint64_t p = (uint64_t)0xD2511F53u * x.word[0];
        uint64_t q = (uint64_t)0xCD9E8D57u * x.word[2];
        cgsl_block y = {{(uint32_t)(q >> 32) ^ x.word[1] ^ k0, (uint32_t)q,
                         (uint32_t)(p >> 32) ^ x.word[3] ^ k1, (uint32_t)p}};
        x = y;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return x;
}

// The block of `stream` at `position`: two 64-bit halves of the counter.
static inline cgsl_block cgsl_philox_at(uint64_t key, uint64_t stream, uint64_t position) {
    cgsl_block counter = {{(uint32_t)position, (uint32_t)(position >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
    return cgsl_philox(key, counter);
}

// The 52 high bits of two words, centred in their cell: every value lies strictly between 0 and 1. (With 53 bits the
// last cell's centre would round to 1.)
static inline double cgsl_unit(uint32_t low, uint32_t high) {
    uint64_t bits = ((uint64_t)high << 32 | low) >> 12;
    return ((double)bits + 0.5) * 0x1p-52;
}

typedef struct {
    uint64_t key, stream, position;
    cgsl_block block;
    uint32_t used; // words of `block` already given; 4 asks for the next block
} cgsl_stream;

static inline void cgsl_stream_seek(cgsl_stream *s, uint64_t position) {
    s->position = position;
    s->used = 4;
}

static inline void cgsl_stream_refill(cgsl_stream *s) {
    s->block = cgsl_philox_at(s->key, s->stream, s->position++);
    s->used = 0;
}

static inline uint64_t cgsl_stream_bits(cgsl_stream *s) {
    if (s->used > 2) cgsl_stream_refill(s);
    uint64_t low = s->block.word[s->used], high = s->block.word[s->used + 1];
    s->used += 2;
    return high << 32 | low;
}

static inline double cgsl_stream_unit(cgsl_stream *s) {
    uint64_t bits = cgsl_stream_bits(s);
    return cgsl_unit((uint32_t)bits, (uint32_t)(bits >> 32));
}

static void cgsl_type_set(void *state, unsigned long seed) {
    cgsl_stream *s = (cgsl_stream *)state;
    s->key = seed;
    s->stream = 0;
    cgsl_stream_seek(s, 0);
}

static unsigned long cgsl_type_get(void *state) {
    cgsl_stream *s = (cgsl_stream *)state;
    if (s->used > 3) cgsl_stream_refill(s);
    return s->block.word[s->used++];
}

static double cgsl_type_get_double(void *state) { return cgsl_stream_unit((cgsl_stream *)state); }

// A new generator of `stream` under `key`, at position 0; free it with gsl_rng_free. Null without memory.
static inline gsl_rng *cgsl_stream_alloc(uint64_t key, uint64_t stream) {
    static const gsl_rng_type philox = {
        "philox4x32-10", 0xffffffffUL, 0, sizeof(cgsl_stream), cgsl_type_set, cgsl_type_get, cgsl_type_get_double};
    gsl_rng *generator = gsl_rng_alloc(&philox);
    if (generator == NULL) return NULL;
    cgsl_stream *s = (cgsl_stream *)generator->state;
    s->key = key;
    s->stream = stream;
    cgsl_stream_seek(s, 0);
    return generator;
}

static inline cgsl_stream *cgsl_stream_of(gsl_rng *generator) { return (cgsl_stream *)generator->state; }

// A new Sobol sequence of `dimensions`; free it with gsl_qrng_free. Null for more than 40 dimensions or without memory.
static inline gsl_qrng *cgsl_sobol_alloc(unsigned int dimensions) { return gsl_qrng_alloc(gsl_qrng_sobol, dimensions); }
