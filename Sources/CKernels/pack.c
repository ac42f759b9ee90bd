#include "weights.h"

#define CK_BLOCK_SIZES(TYPE, WIDTH, BYTES, FILE_BYTES)                                                                 \
    case ck_##TYPE: return (ck_block_sizes){WIDTH, FILE_BYTES, BYTES};

ck_block_sizes ck_sizes(ck_weight_type type) {
    switch (type) { CK_WEIGHT_TYPES(CK_BLOCK_SIZES) }
    return (ck_block_sizes){1, 4, 64};
}

// One output's block into lane `lane` of a panel's block.
static void pack_block(uint8_t *to, const uint8_t *from, ck_weight_type type, long lane) {
    switch (type) {
    case ck_f32: memcpy(to + 4 * lane, from, 4); break;
    case ck_f16:
    case ck_bf16: memcpy(to + 2 * lane, from, 2); break;
    case ck_q8_0:
        memcpy(to + 2 * lane, from, 2);
        for (long i = 0; i < 32; i++) to[32 + 16 * i + lane] = from[2 + i];
        break;
    case ck_q4_0:
    case ck_q4_1:
        memcpy(to + 2 * lane, from, 2);
        to += 32, from += 2;
        if (type == ck_q4_1) {
            memcpy(to + 2 * lane, from, 2);
            to += 32, from += 2;
        }
        // In a file byte j holds inputs j and j + 16; in a panel byte j holds inputs 2j and 2j + 1.
        for (long j = 0; j < 16; j++) {
            const long even = 2 * j, odd = even + 1;
            const int low = even < 16 ? from[even] & 15 : from[even - 16] >> 4;
            const int high = odd < 16 ? from[odd] & 15 : from[odd - 16] >> 4;
            to[16 * j + lane] = (uint8_t)(low | high << 4);
        }
        break;
    }
}

void ck_pack(void *packed, ck_weight_type type, const void *row, long output, long inputs) {
    const ck_block_sizes size = ck_sizes(type);
    const long blocks = inputs / size.inputs;
    uint8_t *to = (uint8_t *)packed + output / CK_PANEL * blocks * size.panel_bytes;
    const uint8_t *from = row;
    for (long b = 0; b < blocks; b++)
        pack_block(to + b * size.panel_bytes, from + b * size.bytes, type, output % CK_PANEL);
}

#define CK_UNPACK(TYPE, WIDTH, BYTES, FILE_BYTES)                                                                      \
    case ck_##TYPE:                                                                                                    \
        block += output / CK_PANEL * (inputs / WIDTH) * BYTES;                                                         \
        for (long i = 0; i < inputs; i += WIDTH, block += BYTES) {                                                     \
            scales_##TYPE(&scales, block);                                                                             \
            for (int j = 0; j < WIDTH; j++) {                                                                          \
                weight_##TYPE(&weights, &scales, block, j);                                                            \
                row[i + j] = weights[output % CK_PANEL];                                                               \
            }                                                                                                          \
        }                                                                                                              \
        break;

CK_DISPATCH void ck_unpack_row(float *row, ck_weight_type type, const void *packed, long output, long inputs) {
    const uint8_t *block = packed;
    ck_scales scales;
    ck_v16 weights;
    switch (type) { CK_WEIGHT_TYPES(CK_UNPACK) }
}
