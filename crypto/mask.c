/* SPDX-License-Identifier: Apache-2.0 */
/* Masks as keystreams of ChaCha20 or AES-256-CTR; see mask.h. */
#include "crypto/mask.h"

#include <endian.h>
#include <string.h>

#include <openssl/evp.h>
#include <sodium.h>
#if defined(__aarch64__) || defined(__arm__)
#include <sys/auxv.h>
#endif

#define BLOCK_BYTES 8192  /* keystream at a time: stays in L1 beside what it is added to */
#define TILE_WORDS 16384u /* coordinates at a time: 64 KiB of vector stay in L2 */
#define IV_BYTES 16

_Static_assert(TILE_WORDS * 2 % BLOCK_BYTES == 0, "tiles start at whole blocks of keystream");

struct block {
    _Alignas(64) uint8_t bytes[BLOCK_BYTES];
};

static const struct block zeros;

/* What a block of keystream does to the vector. */
enum op { ADD_16, SUB_16, ADD_32, SUB_32 };

__attribute__((always_inline)) static inline void apply(uint32_t *restrict vector,
                                                        const struct block *restrict stream,
                                                        size_t n, uint32_t low, enum op op)
{
    const uint16_t *narrow = (const uint16_t *)(const void *)stream->bytes;
    const uint32_t *wide = (const uint32_t *)(const void *)stream->bytes;

    switch (op) {
    case ADD_16:
        for (size_t i = 0; i < n; i++)
            vector[i] = (vector[i] + le16toh(narrow[i])) & low;
        break;
    case SUB_16:
        for (size_t i = 0; i < n; i++)
            vector[i] = (vector[i] - le16toh(narrow[i])) & low;
        break;
    case ADD_32:
        for (size_t i = 0; i < n; i++)
            vector[i] = (vector[i] + le32toh(wide[i])) & low;
        break;
    case SUB_32:
        for (size_t i = 0; i < n; i++)
            vector[i] = (vector[i] - le32toh(wide[i])) & low;
        break;
    }
}

static void apply_ref(uint32_t *vector, const struct block *stream, size_t n, uint32_t low,
                      enum op op)
{
    apply(vector, stream, n, low, op);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void apply_avx2(uint32_t *vector, const struct block *stream,
                                                       size_t n, uint32_t low, enum op op)
{
    apply(vector, stream, n, low, op);
}
#endif

/* Picks at run time, by the processor. */
static void apply_block(uint32_t *vector, const struct block *stream, size_t n, uint32_t low,
                        enum op op)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        apply_avx2(vector, stream, n, low, op);
        return;
    }
#endif
    apply_ref(vector, stream, n, low, op);
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
    enum mask_algorithm algorithm;
    uint8_t bits;
};

/* One mask on one tile; first is the tile's place in the vector. */
static enum cn_err apply_tile(const struct expansion *expansion, uint32_t *tile, size_t first,
                              size_t n, const struct mask *mask)
{
    size_t word_bytes = expansion->bits <= 16 ? 2 : 4, block_words = BLOCK_BYTES / word_bytes;
    uint32_t low = UINT32_MAX >> (MASK_BITS_MAX - expansion->bits);
    enum op narrow = mask->subtract ? SUB_16 : ADD_16, wide = mask->subtract ? SUB_32 : ADD_32;
    enum op op = word_bytes == 2 ? narrow : wide;
    uint8_t iv[IV_BYTES];
    struct block stream;
    enum cn_err err = CN_OK;

    algorithms[expansion->algorithm].iv(iv, (uint64_t)first * word_bytes);
    if (EVP_EncryptInit_ex(expansion->ctx, NULL, NULL, mask->seed, iv) != 1)
        return CN_E_CRYPTO;
    for (size_t done = 0; done < n && err == CN_OK; done += block_words) {
        size_t words = n - done < block_words ? n - done : block_words;
        int len = 0, want = (int)(words * word_bytes);

        if (EVP_EncryptUpdate(expansion->ctx, stream.bytes, &len, zeros.bytes, want) != 1 ||
            len != want)
            err = CN_E_CRYPTO;
        else
            apply_block(tile + done, &stream, words, low, op);
    }
    sodium_memzero(&stream, sizeof stream);
    return err;
}

enum cn_err mask_apply_with(uint32_t *vector, size_t n, uint8_t bits, enum mask_algorithm algorithm,
                            const struct mask *masks, size_t count)
{
    struct expansion expansion = {.algorithm = algorithm, .bits = bits};
    enum cn_err err = CN_OK;

    if (bits < 1 || bits > MASK_BITS_MAX || n > MASK_WORDS_MAX)
        return CN_E_CONFIG;
    if ((size_t)algorithm >= CN_COUNT(algorithms))
        return CN_E_CONFIG;
    expansion.ctx = EVP_CIPHER_CTX_new();
    if (!expansion.ctx)
        return CN_E_NOMEM;
    if (EVP_EncryptInit_ex(expansion.ctx, algorithms[algorithm].cipher(), NULL, NULL, NULL) != 1)
        err = CN_E_CRYPTO;
    for (size_t first = 0; first < n && err == CN_OK; first += TILE_WORDS) {
        size_t words = n - first < TILE_WORDS ? n - first : TILE_WORDS;

        for (size_t k = 0; k < count && err == CN_OK; k++)
            err = apply_tile(&expansion, vector + first, first, words, &masks[k]);
    }
    EVP_CIPHER_CTX_free(expansion.ctx); /* wipes the key it holds */
    return err;
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
