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
        for (long i = 0; i < 32; i++) to[64 + 32 * i + lane] = from[2 + i];
        break;
    case ck_q4_0:
    case ck_q4_1:
        memcpy(to + 2 * lane, from, 2);
        to += 64, from += 2;
        if (type == ck_q4_1) {
            memcpy(to + 2 * lane, from, 2);
            to += 64, from += 2;
        }
        // In a file byte j holds inputs j and j + 16.
        for (long i = 0; i < 32; i++) {
            const int number = i < 16 ? from[i] & 15 : from[i - 16] >> 4;
            to[i / 8 * 128 + 4 * lane + i % 8 / 2] |= (uint8_t)(number << i % 2 * 4);
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
            scales_##TYPE(&scales, block, half);                                                                       \
            for (int j = 0; j < WIDTH; j++) {                                                                          \
                weight_##TYPE(&weights, &scales, block, j, half);                                                      \
                row[i + j] = weights[output % 16];                                                                     \
            }                                                                                                          \
        }                                                                                                              \
        break;

CK_DISPATCH void ck_unpack_row(float *row, ck_weight_type type, const void *packed, long output, long inputs) {
    const uint8_t *block = packed;
    const int half = output / 16 % 2;
    ck_scales scales;
    ck_v16 weights;
    switch (type) { CK_WEIGHT_TYPES(CK_UNPACK) }
}
