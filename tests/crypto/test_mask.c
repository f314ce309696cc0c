/* SPDX-License-Identifier: Apache-2.0 */
/* Masks: the RFC's keystream, libsodium's for long ones, cancelling, tiles and blocks. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "crypto/mask.h"
#include "crypto/pack.h"

#define ok(expr) cr_assert_eq((expr), CN_OK, "%s", #expr)

static const uint8_t zero_seed[MASK_SEED_BYTES];

/* RFC 8439, appendix A.1, test vector 1: 76 b8 e0 ad a0 f1 3d 90 40 5d ... */
Test(mask, expands_the_keystream_of_the_rfc)
{
    uint32_t narrow[4] = {0}, wide[2] = {0};

    ok(mask_add(narrow, 4, 16, zero_seed));
    cr_assert_eq(narrow[0], 0xb876);
    cr_assert_eq(narrow[1], 0xade0);
    cr_assert_eq(narrow[2], 0xf1a0);
    cr_assert_eq(narrow[3], 0x903d);
    ok(mask_add(wide, 2, 32, zero_seed));
    cr_assert_eq(wide[0], 0xade0b876);
    cr_assert_eq(wide[1], 0x903df1a0);
}

Test(mask, keeps_the_low_bits_of_each_word)
{
    uint32_t narrow[2] = {0}, wide[2] = {0};

    ok(mask_add(narrow, 2, 9, zero_seed));
    cr_assert_eq(narrow[0], 0xb876 & 0x1ff);
    ok(mask_add(wide, 2, 17, zero_seed));
    cr_assert_eq(wide[1], 0x903df1a0 & 0x1ffff);
}

/* Word i of the keystream by libsodium, an independent implementation. */
static uint32_t *reference(size_t n, uint8_t bits, const uint8_t seed[MASK_SEED_BYTES])
{
    size_t word = bits <= 16 ? 2 : 4;
    uint8_t *stream = malloc(n * word + 1), nonce[12] = {0};
    uint32_t *out = calloc(n + 1, sizeof *out);

    crypto_stream_chacha20_ietf(stream, n * word, nonce, seed);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < word; k++)
            out[i] |= (uint32_t)stream[i * word + k] << (8 * k);
        out[i] &= UINT32_MAX >> (32 - bits);
    }
    free(stream);
    return out;
}

Test(mask, agrees_with_libsodium_across_blocks_and_tiles)
{
    static const size_t sizes[] = {0,    1,     31,    2047,  2048,  2049, 4096,
                                   4097, 16383, 16384, 16385, 20480, 40000};
    static const uint8_t bits[] = {1, 8, 16, 17, 24, 32};
    uint8_t seed[MASK_SEED_BYTES];

    memset(seed, 0xa5, sizeof seed);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t b = 0; b < sizeof bits; b++) {
            size_t n = sizes[s];
            uint32_t *expected = reference(n, bits[b], seed);
            uint32_t *vector = calloc(n + 1, sizeof *vector);

            vector[n] = 77; /* behind the end */
            ok(mask_add(vector, n, bits[b], seed));
            cr_assert_eq(memcmp(vector, expected, n * sizeof *vector), 0, "%zu at %u", n, bits[b]);
            cr_assert_eq(vector[n], 77);
            ok(mask_sub(vector, n, bits[b], seed));
            cr_assert(n == 0 || sodium_is_zero((uint8_t *)vector, n * sizeof *vector));
            free(vector);
            free(expected);
        }
    }
}

Test(mask, applies_many_masks_as_one_after_the_other)
{
    enum { N = 20000, COUNT = 5 };
    static uint32_t together[N], alone[N];
    struct mask masks[COUNT];

    for (uint32_t i = 0; i < N; i++)
        together[i] = alone[i] = (i * 2654435761u) & 0xfffff;
    for (uint8_t k = 0; k < COUNT; k++) {
        memset(masks[k].seed, k + 1, sizeof masks[k].seed);
        masks[k].subtract = k % 2;
        ok(k % 2 ? mask_sub(alone, N, 20, masks[k].seed) : mask_add(alone, N, 20, masks[k].seed));
    }
    ok(mask_apply(together, N, 20, masks, COUNT));
    cr_assert_eq(memcmp(together, alone, sizeof alone), 0);
    ok(mask_apply(together, N, 20, masks, 0));
    cr_assert_eq(memcmp(together, alone, sizeof alone), 0);
}

Test(mask, reduces_what_it_adds_to)
{
    uint32_t vector[1] = {0xffffffff};

    ok(mask_add(vector, 1, 8, zero_seed));
    cr_assert_eq(vector[0], (0xff + 0x76) & 0xff);
    vector[0] = 0;
    ok(mask_sub(vector, 1, 16, zero_seed));
    cr_assert_eq(vector[0], 0x10000 - 0xb876);
}

Test(mask, refuses_widths_out_of_range)
{
    uint32_t vector[1] = {3};

    cr_assert_eq(mask_add(vector, 1, 0, zero_seed), CN_E_CONFIG);
    cr_assert_eq(mask_add(vector, 1, 33, zero_seed), CN_E_CONFIG);
    cr_assert_eq(mask_sub(vector, MASK_WORDS_MAX + 1, 16, zero_seed), CN_E_CONFIG);
    cr_assert_eq(vector[0], 3);
}

/* NIST, Advanced Encryption Standard Algorithm Validation Suite, VarKey and GFSbox answers for
 * AES-256: the cipher of a block of zeros is the first block of the keystream. */
static void check_first_block(const uint8_t key[32], const uint8_t cipher[16])
{
    struct mask mask = {.subtract = false};
    uint32_t wide[4] = {0};

    memcpy(mask.seed, key, sizeof mask.seed);
    ok(mask_apply_with(wide, 4, 32, MASK_AES256_CTR, &mask, 1));
    for (size_t i = 0; i < 16; i++)
        cr_assert_eq((uint8_t)(wide[i / 4] >> (8 * (i % 4))), cipher[i], "byte %zu", i);
}

Test(mask, expands_the_aes_keystream_of_nist)
{
    uint8_t key[32] = {0};
    static const uint8_t of_zeros[16] = {0xdc, 0x95, 0xc0, 0x78, 0xa2, 0x40, 0x89, 0x89,
                                         0xad, 0x48, 0xa2, 0x14, 0x92, 0x84, 0x20, 0x87};
    static const uint8_t of_first_bit[16] = {0xe3, 0x5a, 0x6d, 0xcb, 0x19, 0xb2, 0x01, 0xa0,
                                             0x1e, 0xbc, 0xfa, 0x8a, 0xa2, 0x2b, 0x57, 0x59};

    check_first_block(key, of_zeros);
    key[0] = 0x80;
    check_first_block(key, of_first_bit);
}

/* The keystream one block at a time, by AES in ECB mode over the counter. */
static void aes_reference(uint8_t *stream, size_t blocks, const uint8_t seed[MASK_SEED_BYTES])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    cr_assert(ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_ecb(), NULL, seed, NULL) == 1);
    for (size_t i = 0; i < blocks; i++) {
        uint8_t counter[16] = {0};
        int len;

        for (size_t k = 0; k < 8; k++)
            counter[15 - k] = (uint8_t)((uint64_t)i >> (8 * k));
        cr_assert_eq(EVP_EncryptUpdate(ctx, stream + 16 * i, &len, counter, 16), 1);
    }
    EVP_CIPHER_CTX_free(ctx);
}

Test(mask, agrees_with_aes_on_counters_across_blocks_and_tiles)
{
    static const size_t sizes[] = {0, 1, 7, 8, 9, 4095, 4096, 4097, 16384, 16385, 40000};
    static const uint8_t bits[] = {1, 16, 17, 32};
    struct mask mask = {.subtract = false};
    uint8_t *stream = malloc(40000 * 4);

    memset(mask.seed, 0x3c, sizeof mask.seed);
    aes_reference(stream, 10000, mask.seed);
    for (size_t s = 0; s < CN_COUNT(sizes); s++) {
        for (size_t b = 0; b < CN_COUNT(bits); b++) {
            size_t n = sizes[s], word = bits[b] <= 16 ? 2 : 4;
            uint32_t *vector = calloc(n + 1, sizeof *vector);

            ok(mask_apply_with(vector, n, bits[b], MASK_AES256_CTR, &mask, 1));
            for (size_t i = 0; i < n; i++) {
                uint32_t expected = 0;

                for (size_t k = 0; k < word; k++)
                    expected |= (uint32_t)stream[i * word + k] << (8 * k);
                cr_assert_eq(vector[i], expected & UINT32_MAX >> (32 - bits[b]));
            }
            cr_assert_eq(vector[n], 0, "nothing beyond the end");
            free(vector);
        }
    }
    free(stream);
}

Test(mask, cancels_by_the_same_algorithm_only)
{
    struct mask pair[2] = {{.seed = {1}, .subtract = false}, {.seed = {1}, .subtract = true}};
    uint32_t vector[100] = {0}, plain[100] = {0};

    for (uint32_t i = 0; i < 100; i++)
        plain[i] = vector[i] = i;
    ok(mask_apply_with(vector, 100, 20, MASK_AES256_CTR, pair, 2));
    cr_assert_arr_eq(vector, plain, sizeof plain);
    ok(mask_apply_with(vector, 100, 20, MASK_AES256_CTR, &pair[0], 1));
    ok(mask_apply_with(vector, 100, 20, MASK_CHACHA20, &pair[1], 1));
    cr_assert_arr_neq(vector, plain, sizeof plain);
}

Test(mask, chooses_chacha20_when_not_told)
{
    struct mask mask = {.seed = {5}, .subtract = true};
    uint32_t told[50] = {0}, untold[50] = {0};

    ok(mask_apply_with(told, 50, 24, MASK_CHACHA20, &mask, 1));
    ok(mask_apply(untold, 50, 24, &mask, 1));
    cr_assert_arr_eq(told, untold, sizeof told);
    cr_assert(mask_has_instructions(MASK_CHACHA20));
}

Test(mask, refuses_an_algorithm_that_is_none)
{
    struct mask mask = {.seed = {0}};
    uint32_t vector[1] = {0};

    cr_assert_eq(mask_apply_with(vector, 1, 8, (enum mask_algorithm)2, &mask, 1), CN_E_CONFIG);
    cr_assert_eq(mask_apply_with(vector, 1, 0, MASK_AES256_CTR, &mask, 1), CN_E_CONFIG);
    cr_assert_eq(mask_apply_with(vector, 1, 33, MASK_AES256_CTR, &mask, 1), CN_E_CONFIG);
}

Test(mask, expands_what_it_applies)
{
    struct mask mask = {.seed = {7}, .subtract = false};
    uint8_t stream[400] = {0};

    for (int a = MASK_CHACHA20; a <= MASK_AES256_CTR; a++) {
        uint32_t vector[100] = {0};

        ok(mask_expand(stream, sizeof stream, (enum mask_algorithm)a, mask.seed));
        ok(mask_apply_with(vector, 100, 32, (enum mask_algorithm)a, &mask, 1));
        for (size_t i = 0; i < sizeof stream; i++)
            cr_assert_eq(stream[i], (uint8_t)(vector[i / 4] >> (8 * (i % 4))));
    }
    ok(mask_expand(stream, 0, MASK_CHACHA20, mask.seed));
    cr_assert_eq(mask_expand(stream, 1, (enum mask_algorithm)9, mask.seed), CN_E_CONFIG);
    cr_assert_eq(mask_expand(stream, MASK_EXPAND_MAX + 1, MASK_CHACHA20, mask.seed), CN_E_CONFIG);
}

/* A tile is 16,384 coordinates: whole tiles, parts of tiles, and several threads' ranges give what
 * one pass gives, packed or not, with narrow and with wide words. */
Test(mask, gives_the_same_in_ranges_and_packed)
{
    enum { COUNT = 40000 };
    static uint32_t whole[COUNT], parts[COUNT], plain[COUNT];
    static uint8_t packed[4 * COUNT], expected[4 * COUNT];
    const uint8_t widths[] = {8, 11, 16, 17, 24, 32};
    struct mask masks[3];

    for (size_t k = 0; k < CN_COUNT(masks); k++) {
        memset(masks[k].seed, (int)k + 1, sizeof masks[k].seed);
        masks[k].subtract = k == 1;
    }
    for (size_t w = 0; w < 2 * CN_COUNT(widths); w++) {
        struct mask_set set = {.bits = widths[w / 2],
                               .algorithm = w % 2 ? MASK_AES256_CTR : MASK_CHACHA20,
                               .masks = masks,
                               .count = CN_COUNT(masks)};

        for (uint32_t i = 0; i < COUNT; i++)
            plain[i] = whole[i] = parts[i] = (i * 2654435761u) >> (32 - set.bits);
        cr_assert_eq(mask_apply_range(whole, 0, COUNT, &set), CN_OK);
        cr_assert_eq(mask_apply_range(parts + 32768, 32768, COUNT - 32768, &set), CN_OK);
        cr_assert_eq(mask_apply_range(parts, 0, 32768, &set), CN_OK);
        cr_assert_arr_eq(whole, parts, sizeof whole);
        pack_bits(expected, whole, COUNT, set.bits);
        cr_assert_eq(mask_pack(packed, plain, COUNT, &set), CN_OK);
        cr_assert_arr_eq(packed, expected, pack_bytes(COUNT, set.bits));
    }
}

Test(mask, refuses_ranges_that_start_within_a_tile)
{
    uint32_t vector[2] = {0};
    struct mask_set set = {.bits = 16};

    cr_assert_eq(mask_apply_range(vector, 1, 2, &set), CN_E_CONFIG);
    cr_assert_eq(mask_apply_range(vector, MASK_TILE_WORDS, 2, &set), CN_OK);
    set.bits = 0;
    cr_assert_eq(mask_apply_range(vector, 0, 2, &set), CN_E_CONFIG);
    set.bits = 33;
    cr_assert_eq(mask_pack((uint8_t[8]){0}, vector, 2, &set), CN_E_CONFIG);
}
