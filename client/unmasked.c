/* SPDX-License-Identifier: Apache-2.0 */
/* See unmasked.h. */
#include "client/unmasked.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/direct.h"
#include "crypto/hash.h"
#include "crypto/pack.h"

struct unmasked {
    struct participant_setup setup;
    uint8_t ledger_key[SIGN_PUBLIC_BYTES];
    struct direct_key *key;
    struct secagg_keys keys; /* as announced */
    bool ended;
    struct message_collect collect; /* that was answered, once blob is there */
    uint8_t *blob;
    uint64_t blob_len;
    uint8_t blob_hash[HASH_BYTES];
};

enum cn_err unmasked_new(struct unmasked **out, const struct participant_setup *setup,
                         const uint8_t ledger_key[SIGN_PUBLIC_BYTES])
{
    struct unmasked *u = calloc(1, sizeof *u);
    enum cn_err err;

    *out = NULL;
    if (!u)
        return CN_E_NOMEM;
    u->setup = *setup;
    memcpy(u->ledger_key, ledger_key, sizeof u->ledger_key);
    err = direct_key_new(&u->key, setup->random);
    if (err != CN_OK) {
        unmasked_free(u);
        return err;
    }
    direct_announce(&u->keys, u->key, setup->secagg.binding, setup->identity);
    *out = u;
    return CN_OK;
}

void unmasked_free(struct unmasked *u)
{
    if (!u)
        return;
    direct_key_free(u->key);
    free(u->blob);
    free(u);
}

void unmasked_ready(const struct unmasked *u, struct message *out)
{
    *out = (struct message){.type = MESSAGE_READY};
    out->as.ready.id = u->setup.id;
    out->as.ready.keys = u->keys;
}

static enum cn_err check(const struct unmasked *u, const struct message_collect *collect)
{
    uint8_t words[HASH_BYTES + SECAGG_KEY_BYTES];

    if (collect->cohort < u->setup.secagg.cohort_min)
        return CN_E_COHORT;
    memcpy(words, u->setup.secagg.binding, HASH_BYTES);
    memcpy(words + HASH_BYTES, collect->key, SECAGG_KEY_BYTES);
    return sign_check(collect->signature, u->ledger_key, MESSAGE_COLLECT_LABEL, words,
                      sizeof words);
}

/* Encodes, pays, and only then seals; the plain bytes are wiped by the caller. */
static enum cn_err fill(struct unmasked *u, const struct message_collect *collect, uint32_t *vector,
                        uint8_t *packed)
{
    const struct secagg_config *config = &u->setup.secagg;
    size_t len = pack_bytes(config->dim, config->bits);

    CN_TRY(u->setup.encode(u->setup.ctx, vector));
    CN_TRY(u->setup.spend(u->setup.ctx, collect->cohort, 0));
    pack_bits(packed, vector, config->dim, config->bits);
    u->blob_len = len + DIRECT_OVERHEAD;
    u->blob = malloc(u->blob_len);
    if (!u->blob)
        return CN_E_NOMEM;
    CN_TRY(direct_seal(u->blob, packed, len, u->key, collect->key, config->binding));
    hash_blob(u->blob_hash, u->blob, u->blob_len);
    return CN_OK;
}

static enum cn_err make_blob(struct unmasked *u, const struct message_collect *collect)
{
    const struct secagg_config *config = &u->setup.secagg;
    size_t vector_bytes = (size_t)config->dim * sizeof(uint32_t);
    size_t len = pack_bytes(config->dim, config->bits);
    uint32_t *vector = calloc(1, vector_bytes);
    uint8_t *packed = calloc(1, len);
    enum cn_err err = vector && packed ? fill(u, collect, vector, packed) : CN_E_NOMEM;

    if (vector)
        explicit_bzero(vector, vector_bytes);
    if (packed)
        explicit_bzero(packed, len);
    free(vector);
    free(packed);
    return err;
}

static bool same(const struct message_collect *a, const struct message_collect *b)
{
    return a->cohort == b->cohort && memcmp(a->key, b->key, sizeof a->key) == 0 &&
           memcmp(a->signature, b->signature, sizeof a->signature) == 0;
}

static enum cn_err answer(struct unmasked *u, const struct message_collect *collect)
{
    if (u->blob)
        return same(collect, &u->collect) ? CN_OK : CN_E_INCONSISTENT;
    CN_TRY(check(u, collect));
    CN_TRY(make_blob(u, collect));
    u->collect = *collect;
    return CN_OK;
}

enum cn_err unmasked_collect(struct unmasked *u, const struct message *in, struct message *out)
{
    enum cn_err err = CN_E_UNEXPECTED;

    *out = (struct message){.type = MESSAGE_NONE};
    if (!u->ended && in->type == MESSAGE_COLLECT)
        err = answer(u, &in->as.collect);
    if (err != CN_OK) {
        u->ended = true;
        return err;
    }
    out->type = MESSAGE_UPLOAD;
    out->as.upload.id = u->setup.id;
    out->as.upload.bytes = u->blob_len;
    memcpy(out->as.upload.hash, u->blob_hash, HASH_BYTES);
    return CN_OK;
}

const uint8_t *unmasked_blob(const struct unmasked *u, uint64_t *len, uint8_t hash[HASH_BYTES])
{
    *len = u->blob_len;
    memcpy(hash, u->blob_hash, HASH_BYTES);
    return u->ended ? NULL : u->blob;
}
