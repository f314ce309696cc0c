/* SPDX-License-Identifier: Apache-2.0 */
/* Masks as keystreams of ChaCha20 or AES-256-CTR; see mask.h. */
#include "crypto/mask.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <sodium.h>
#if defined(__aarch64__) || defined(__arm__)
#include <sys/auxv.h>
#endif

#include "crypto/pack.h"

#define BLOCK_BYTES 8192 /* keystream at a time: stays in L1 beside what it is added to */
#define IV_BYTES 16

_Static_assert(MASK_TILE_WORDS * 2 % BLOCK_BYTES == 0, "tiles start at whole blocks of keystream");

struct block {
    _Alignas(64) uint8_t bytes[BLOCK_BYTES];
};

static const struct block zeros;

/* What one tile needs while all masks pass over it: secret. */
struct workspace {
    struct block stream;
    _Alignas(64) uint16_t narrow[MASK_TILE_WORDS]; /* masks of up to 16 bits are summed up here */
    _Alignas(64) uint32_t tile[MASK_TILE_WORDS];   /* of mask_pack */
};

/* What a block of keystream does to the numbers. */
enum op { ADD_16, SUB_16, ADD_32, SUB_32 };

__attribute__((always_inline)) static inline void
combine(void *restrict numbers, const struct block *restrict stream, size_t n, enum op op)
{
    const uint16_t *narrow = (const uint16_t *)(const void *)stream->bytes;
    const uint32_t *wide = (const uint32_t *)(const void *)stream->bytes;
    uint16_t *narrow_sum = numbers;
    uint32_t *wide_sum = numbers;

    switch (op) {
    case ADD_16:
        for (size_t i = 0; i < n; i++)
            narrow_sum[i] = (uint16_t)(narrow_sum[i] + le16toh(narrow[i]));
        break;
    case SUB_16:
        for (size_t i = 0; i < n; i++)
            narrow_sum[i] = (uint16_t)(narrow_sum[i] - le16toh(narrow[i]));
        break;
    case ADD_32:
        for (size_t i = 0; i < n; i++)
            wide_sum[i] += le32toh(wide[i]);
        break;
    case SUB_32:
        for (size_t i = 0; i < n; i++)
            wide_sum[i] -= le32toh(wide[i]);
        break;
    }
}

static void combine_ref(void *numbers, const struct block *stream, size_t n, enum op op)
{
    combine(numbers, stream, n, op);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void combine_avx2(void *numbers, const struct block *stream,
                                                         size_t n, enum op op)
{
    combine(numbers, stream, n, op);
}
#endif

/* Picks at run time, by the processor. */
static void combine_block(void *numbers, const struct block *stream, size_t n, enum op op)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        combine_avx2(numbers, stream, n, op);
        return;
    }
#endif
    combine_ref(numbers, stream, n, op);
}

/* ChaCha20 for OpenSSL: block counter [4], little-endian, then the nonce [12]. */
static void chacha20_iv(uint8_t iv[IV_BYTES], uint64_t byte)
{
    uint32_t counter = htole32((uint32_t)(byte / 64));

    memset(iv, 0, IV_BYTES);
    memcpy(iv, &counter, sizeof counter);
}

/* AES: one number of 128 bits, big-endian. */
static void aes256_iv(uint8_t iv[IV_BYTES], uint64_t byte)
{
    uint64_t counter = htobe64(byte / 16);

    memset(iv, 0, IV_BYTES);
    memcpy(iv + IV_BYTES - sizeof counter, &counter, sizeof counter);
}

/* clang-format off */
static const struct {
    const EVP_CIPHER *(*cipher)(void);
    void (*iv)(uint8_t iv[IV_BYTES], uint64_t byte); /* of the keystream from this byte on */
} algorithms[] = {
    [MASK_CHACHA20]   = {EVP_chacha20,    chacha20_iv},
    [MASK_AES256_CTR] = {EVP_aes_256_ctr, aes256_iv},
};
/* clang-format on */

bool mask_has_instructions(enum mask_algorithm algorithm)
{
    if (algorithm == MASK_CHACHA20)
        return true;
#if defined(__x86_64__)
    return __builtin_cpu_supports("aes");
#elif defined(__aarch64__)
    return getauxval(AT_HWCAP) & (1UL << 3); /* HWCAP_AES */
#elif defined(__arm__)
    return getauxval(AT_HWCAP2) & 1UL; /* HWCAP2_AES */
#else
    return false;
#endif
}

struct expansion {
    EVP_CIPHER_CTX *ctx;
    struct workspace *work;
    const struct mask_set *set;
};

static enum cn_err expansion_init(struct expansion *expansion, const struct mask_set *set)
{
    *expansion = (struct expansion){.set = set};
    if (set->bits < 1 || set->bits > MASK_BITS_MAX ||
        (size_t)set->algorithm >= CN_COUNT(algorithms))
        return CN_E_CONFIG;
    expansion->ctx = EVP_CIPHER_CTX_new();
    expansion->work = aligned_alloc(64, sizeof *expansion->work);
    if (!expansion->ctx || !expansion->work)
        return CN_E_NOMEM;
    const EVP_CIPHER *cipher = algorithms[set->algorithm].cipher();
    return EVP_EncryptInit_ex(expansion->ctx, cipher, NULL, NULL, NULL) == 1 ? CN_OK : CN_E_CRYPTO;
}

static void expansion_clear(struct expansion *expansion)
{
    EVP_CIPHER_CTX_free(expansion->ctx); /* wipes the key it holds */
    if (expansion->work)
        sodium_memzero(expansion->work, sizeof *expansion->work);
    free(expansion->work);
}

/* One mask on a tile's numbers, 16 or 32 bits wide; first is the tile's place in the vector. */
static enum cn_err apply_mask(const struct expansion *expansion, void *numbers, size_t first,
                              size_t n, const struct mask *mask)
{
    size_t word_bytes = expansion->set->bits <= 16 ? 2 : 4, bytes = n * word_bytes;
    enum op narrow = mask->subtract ? SUB_16 : ADD_16, wide = mask->subtract ? SUB_32 : ADD_32;
    struct block *stream = &expansion->work->stream;
    uint8_t iv[IV_BYTES];

    algorithms[expansion->set->algorithm].iv(iv, (uint64_t)first * word_bytes);
    if (EVP_EncryptInit_ex(expansion->ctx, NULL, NULL, mask->seed, iv) != 1)
        return CN_E_CRYPTO;
    for (size_t done = 0; done < bytes; done += BLOCK_BYTES) {
        int want = bytes - done < BLOCK_BYTES ? (int)(bytes - done) : BLOCK_BYTES, len = 0;

        if (EVP_EncryptUpdate(expansion->ctx, stream->bytes, &len, zeros.bytes, want) != 1 ||
            len != want)
            return CN_E_CRYPTO;
        combine_block((uint8_t *)numbers + done, stream, (size_t)want / word_bytes,
                      word_bytes == 2 ? narrow : wide);
    }
    return CN_OK;
}

/* All masks on one tile. Narrow ones are summed first, so that the tile is touched once. */
static enum cn_err apply_tile(const struct expansion *expansion, uint32_t *tile, size_t first,
                              size_t n)
{
    const struct mask_set *set = expansion->set;
    uint32_t low = UINT32_MAX >> (MASK_BITS_MAX - set->bits);
    uint16_t *narrow = expansion->work->narrow;
    bool is_narrow = set->bits <= 16;

    if (is_narrow)
        memset(narrow, 0, n * sizeof *narrow);
    for (size_t k = 0; k < set->count; k++)
        CN_TRY(apply_mask(expansion, is_narrow ? (void *)narrow : tile, first, n, &set->masks[k]));
    for (size_t i = 0; i < n; i++)
        tile[i] = (tile[i] + (is_narrow ? narrow[i] : 0)) & low;
    return CN_OK;
}

enum cn_err mask_apply_range(uint32_t *vector, size_t first, size_t n, const struct mask_set *set)
{
    struct expansion expansion;

    if (first % MASK_TILE_WORDS != 0 || n > MASK_WORDS_MAX || first > MASK_WORDS_MAX - n)
        return CN_E_CONFIG;
    enum cn_err err = expansion_init(&expansion, set);
    for (size_t done = 0; done < n && err == CN_OK; done += MASK_TILE_WORDS) {
        size_t words = n - done < MASK_TILE_WORDS ? n - done : MASK_TILE_WORDS;

        err = apply_tile(&expansion, vector + done, first + done, words);
    }
    expansion_clear(&expansion);
    return err;
}

enum cn_err mask_pack(uint8_t *out, const uint32_t *vector, size_t n, const struct mask_set *set)
{
    struct expansion expansion;

    if (n > MASK_WORDS_MAX)
        return CN_E_CONFIG;
    enum cn_err err = expansion_init(&expansion, set);
    for (size_t done = 0; done < n && err == CN_OK; done += MASK_TILE_WORDS) {
        size_t words = n - done < MASK_TILE_WORDS ? n - done : MASK_TILE_WORDS;
        uint32_t *tile = expansion.work->tile;

        memcpy(tile, vector + done, words * sizeof *tile);
        err = apply_tile(&expansion, tile, done, words);
        if (err == CN_OK) /* tiles are whole numbers of bytes */
            pack_bits(out + done / 8 * set->bits, tile, words, set->bits);
    }
    expansion_clear(&expansion);
    return err;
}

enum cn_err mask_apply_with(uint32_t *vector, size_t n, uint8_t bits, enum mask_algorithm algorithm,
                            const struct mask *masks, size_t count)
{
    struct mask_set set = {.bits = bits, .algorithm = algorithm, .masks = masks, .count = count};

    return mask_apply_range(vector, 0, n, &set);
}

enum cn_err mask_apply(uint32_t *vector, size_t n, uint8_t bits, const struct mask *masks,
                       size_t count)
{
    return mask_apply_with(vector, n, bits, MASK_CHACHA20, masks, count);
}

static enum cn_err apply_one(uint32_t *vector, size_t n, uint8_t bits, const uint8_t *seed,
                             bool subtract)
{
    struct mask mask = {.subtract = subtract};

    memcpy(mask.seed, seed, MASK_SEED_BYTES);
    enum cn_err err = mask_apply(vector, n, bits, &mask, 1);
    sodium_memzero(&mask, sizeof mask);
    return err;
}

enum cn_err mask_add(uint32_t *vector, size_t n, uint8_t bits, const uint8_t seed[MASK_SEED_BYTES])
{
    return apply_one(vector, n, bits, seed, false);
}

enum cn_err mask_sub(uint32_t *vector, size_t n, uint8_t bits, const uint8_t seed[MASK_SEED_BYTES])
{
    return apply_one(vector, n, bits, seed, true);
}

enum cn_err mask_expand(uint8_t *out, size_t len, enum mask_algorithm algorithm,
                        const uint8_t seed[MASK_SEED_BYTES])
{
    uint8_t iv[IV_BYTES];
    int written = 0;
    enum cn_err err = CN_OK;

    if ((size_t)algorithm >= CN_COUNT(algorithms) || len > MASK_EXPAND_MAX)
        return CN_E_CONFIG;
    memset(out, 0, len);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx)
        return CN_E_NOMEM;
    algorithms[algorithm].iv(iv, 0);
    if (EVP_EncryptInit_ex(ctx, algorithms[algorithm].cipher(), NULL, seed, iv) != 1 ||
        EVP_EncryptUpdate(ctx, out, &written, out, (int)len) != 1 || (size_t)written != len)
        err = CN_E_CRYPTO;
    EVP_CIPHER_CTX_free(ctx);
    if (err != CN_OK)
        memset(out, 0, len);
    return err;
}
