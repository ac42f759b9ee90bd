#pragma once

#include <stddef.h>
#include <stdint.h>

/// Takes `count` blocks of 64 bytes into the eight words of a SHA-256 state, with the SHA instructions of the processor
/// where it has them. The result is the same on every machine.
///
/// Source: FIPS 180-4, Secure Hash Standard, section 6.2.2.
void cdigest_sha256(uint32_t state[8], const uint8_t *blocks, size_t count);

/// The same without special instructions: what other processors run, and what tests compare with.
void cdigest_sha256_portable(uint32_t state[8], const uint8_t *blocks, size_t count);
