/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a round without masks (secure_aggregation.mode: off): keys instead of shares, sealed
 * updates that are opened one by one. The round's table, deadlines and uploads are round.c's. */
#include "aggregator/round_internal.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/pack.h"

enum cn_err round_unmasked_new(struct round *round)
{
    const struct secagg_config *config = &round->options.secagg;
    if (!round->options.ledger_key)
        return CN_E_CONFIG;
    round->opened = calloc(1, round->upload_bytes);
    round->upload_bytes += DIRECT_OVERHEAD;
    if (round->calls.update)
        round->vector = calloc(config->dim, sizeof(*round->vector));
    if (!round->opened || (round->calls.update && !round->vector))
        return CN_E_NOMEM;
    return direct_key_new(&round->direct, round->random);
}

static void wipe(void *bytes, size_t len)
{
    if (bytes)
        explicit_bzero(bytes, len);
    free(bytes);
}

void round_unmasked_free(struct round *round)
{
    direct_key_free(round->direct);
    wipe(round->opened, round->options.unmasked ? round->upload_bytes - DIRECT_OVERHEAD : 0);
    wipe(round->vector, round->options.secagg.dim * sizeof(*round->vector));
}

enum cn_err round_unmasked_ready(struct round *round, struct seat *seat,
                                 const struct secagg_keys *keys)
{
    CN_TRY(direct_announced(keys, round->options.secagg.binding, seat->certificate.device));
    memcpy(seat->key, keys->seal_public, sizeof(seat->key));
    round->ready++;
    return CN_OK;
}

enum cn_err round_unmasked_close_train(struct round *round)
{
    round->roster = round->ready;
    return round->ready >= round->options.secagg.cohort_min ? CN_OK : CN_E_COHORT;
}

void round_unmasked_ask(struct round *round, struct seat *seat)
{
    struct message message = {.type = MESSAGE_COLLECT, .as.collect = {.id = round->options.id}};
    struct message_collect *collect = &message.as.collect;
    uint8_t words[HASH_BYTES + SECAGG_KEY_BYTES];
    collect->cohort = round->ready;
    direct_key_public(round->direct, collect->key);
    memcpy(words, round->options.secagg.binding, HASH_BYTES);
    memcpy(words + HASH_BYTES, collect->key, SECAGG_KEY_BYTES);
    sign_make(collect->signature, round->options.ledger_key, MESSAGE_COLLECT_LABEL, words,
              sizeof(words));
    round_send(round, seat, &message);
}

enum cn_err round_unmasked_take(struct round *round, struct seat *seat)
{
    const struct secagg_config *config = &round->options.secagg;
    size_t len = (size_t)round->upload_bytes - DIRECT_OVERHEAD;
    CN_TRY(direct_open(round->opened, seat->upload.bytes, (size_t)seat->upload.len, round->direct,
                       seat->key, config->binding));
    CN_TRY(unpack_bits_add(round->sum, config->dim, config->bits, round->opened, len));
    if (!round->calls.update)
        return CN_OK;
    memset(round->vector, 0, config->dim * sizeof(*round->vector));
    CN_TRY(unpack_bits_add(round->vector, config->dim, config->bits, round->opened, len));
    round->calls.update(round->calls.ctx, seat->device, round->vector);
    return CN_OK;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, DEVICE_ID_BYTES);
}

/* The hash over the survivors' ids in rising order, as in a roster. */
enum cn_err round_unmasked_close_upload(struct round *round)
{
    uint8_t(*ids)[DEVICE_ID_BYTES] = calloc(round->seat_count, DEVICE_ID_BYTES);
    struct hash hash;
    uint32_t count = 0;
    if (!ids)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < round->seat_count; i++)
        if (round->seats[i].answered & ROUND_BIT(ROUND_UPLOAD))
            memcpy(ids[count++], round->seats[i].device, DEVICE_ID_BYTES);
    qsort(ids, count, DEVICE_ID_BYTES, compare_ids);
    hash_init(&hash, "cairn-survivors");
    for (uint32_t i = 0; i < count; i++)
        hash_add(&hash, ids[i], DEVICE_ID_BYTES);
    hash_final(&hash, round->roster_hash);
    free(ids);
    return count >= round->options.secagg.cohort_min ? CN_OK : CN_E_COHORT;
}
