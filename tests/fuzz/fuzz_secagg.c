/* SPDX-License-Identifier: Apache-2.0 */
/* A round of secure aggregation in which bytes from anywhere change messages on their way. Nobody
 * may crash, and a sum that opens is the right one: changed keys, shares, lists and vouches make
 * devices leave or are refused, they never make a wrong sum. (A changed vector does, so the sum is
 * not compared then: what a device sends is its own.)
 *
 * The input is a list of changes of five bytes: which message, of or to which device, where (two
 * bytes, modulo the message's size), and what to add there. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/pack.h"
#include "crypto/secagg_device.h"
#include "crypto/secagg_server.h"

enum { N = 4, DIM = 5, BITS = 12, PACKED = (DIM * BITS + 7) / 8, CHANGE = 5 };
enum what { KEYS, ROSTER, SHARES, INBOX, MASKED, SURVIVORS, VOUCH, VOUCHES, REVEAL, WHATS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    bool made;
    struct cn_seeded seeded;
    struct cn_random random;
    struct secagg_config config;
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    struct sign_key *identity[N];
    struct certificate certificate[N];
} world;

struct run {
    const uint8_t *changes;
    size_t count;
    struct secagg_server *server;
    struct secagg_device *device[N]; /* NULL: has left */
    uint32_t input[N][DIM];
    bool vector_changed;
};

static int by_id(const struct certificate *a, const struct certificate *b)
{
    uint8_t id_a[DEVICE_ID_BYTES], id_b[DEVICE_ID_BYTES];

    certificate_device_id(id_a, a);
    certificate_device_id(id_b, b);
    return memcmp(id_a, id_b, sizeof id_a);
}

/* Identities whose numbers are their positions. */
static void make_world(void)
{
    struct sign_key *registrar, *one_time;
    struct invitation invitation;

    world.made = true;
    world.random = cn_random_seeded(&world.seeded, 1);
    world.config = (struct secagg_config){.dim = DIM, .bits = BITS, .cohort_min = 2};
    CN_ASSERT(sign_key_new(&registrar, &world.random) == CN_OK);
    sign_key_public(registrar, world.registrar);
    CN_ASSERT(invitation_make(&invitation, &one_time, registrar, N, 1 << 30, &world.random) ==
              CN_OK);
    for (int k = 0; k < N; k++) {
        struct sign_key *key;
        struct certificate certificate;
        int at = k;

        CN_ASSERT(sign_key_new(&key, &world.random) == CN_OK);
        CN_ASSERT(certificate_make(&certificate, &invitation, one_time, key, "d", 1) == CN_OK);
        for (; at > 0 && by_id(&world.certificate[at - 1], &certificate) > 0; at--) {
            world.certificate[at] = world.certificate[at - 1];
            world.identity[at] = world.identity[at - 1];
        }
        world.certificate[at] = certificate;
        world.identity[at] = key;
    }
    sign_key_free(one_time);
    sign_key_free(registrar);
}

/* Applies the changes that are meant for this message; true when there were any. */
static bool change(const struct run *run, enum what what, uint32_t k, void *message, size_t len)
{
    bool changed = false;

    for (size_t i = 0; i < run->count && len > 0; i++) {
        const uint8_t *c = run->changes + CHANGE * i;
        if (c[0] % WHATS != what || c[1] % N != k)
            continue;
        uint8_t *at = (uint8_t *)message + (c[2] << 8 | c[3]) % len;
        *at = (uint8_t)(*at + c[4]);
        changed = true;
    }
    return changed;
}

static void leaves_on(struct run *run, uint32_t k, enum cn_err err)
{
    if (err == CN_OK)
        return;
    secagg_device_free(run->device[k]);
    run->device[k] = NULL;
}

static void announce(struct run *run)
{
    for (uint32_t k = 0; k < N; k++) {
        struct secagg_member member = {.certificate = world.certificate[k]};

        CN_ASSERT(secagg_device_new(&run->device[k], &world.config, world.identity[k],
                                    &world.certificate[k], world.registrar,
                                    &world.random) == CN_OK);
        CN_ASSERT(secagg_device_keys(run->device[k], &member.keys) == CN_OK);
        change(run, KEYS, k, &member.keys, sizeof member.keys);
        leaves_on(run, k, secagg_server_keys(run->server, &member));
        for (size_t i = 0; i < DIM; i++)
            run->input[k][i] = (uint32_t)cn_random_below(&world.random, 1 << BITS);
    }
}

/* A device's number among those admitted: its position once the roster is closed. */
static uint32_t position(const struct run *run, uint32_t k)
{
    uint8_t id[DEVICE_ID_BYTES];
    uint32_t index = 0;

    certificate_device_id(id, &world.certificate[k]);
    CN_ASSERT(secagg_server_find(run->server, id, &index) == CN_OK);
    return index;
}

static void share(struct run *run)
{
    const struct secagg_member *members;
    struct secagg_sealed out[N];
    uint32_t count, threshold;

    CN_ASSERT(secagg_server_members(run->server, &members, &count, &threshold) == CN_OK);
    for (uint32_t k = 0; k < N; k++) {
        struct secagg_member copy[N];

        if (!run->device[k])
            continue;
        memcpy(copy, members, count * sizeof *copy);
        /* Keys only: certificates have a target of their own, and strings of fixed form. */
        change(run, ROSTER, k, &copy[k % count].keys, sizeof copy->keys);
        enum cn_err err = secagg_device_roster(run->device[k], copy, count, threshold, out);
        if (err == CN_OK) {
            change(run, SHARES, k, out, (count - 1) * sizeof *out);
            err = secagg_server_shares(run->server, position(run, k), out, count - 1);
        }
        leaves_on(run, k, err);
    }
}

static enum cn_err mask_one(struct run *run, uint32_t k)
{
    struct secagg_sealed inbox[N];
    uint32_t count, vector[DIM];
    uint8_t packed[PACKED];

    CN_TRY(secagg_server_inbox(run->server, position(run, k), inbox, &count));
    change(run, INBOX, k, inbox, count * sizeof *inbox);
    CN_TRY(secagg_device_shares(run->device[k], inbox, count));
    memcpy(vector, run->input[k], sizeof vector);
    CN_TRY(secagg_device_mask(run->device[k], vector));
    pack_bits(packed, vector, DIM, BITS);
    bool changed = change(run, MASKED, k, packed, sizeof packed);
    CN_TRY(secagg_server_masked(run->server, position(run, k), packed, sizeof packed));
    run->vector_changed = run->vector_changed || changed;
    return CN_OK;
}

static enum cn_err vouch_one(struct run *run, uint32_t k)
{
    const uint32_t *list;
    uint32_t count, copy[N];
    uint8_t signature[SECAGG_SIGNATURE_BYTES];

    CN_TRY(secagg_server_survivors(run->server, &list, &count));
    memcpy(copy, list, count * sizeof *copy);
    change(run, SURVIVORS, k, copy, count * sizeof *copy);
    CN_TRY(secagg_device_survivors(run->device[k], copy, count, signature));
    change(run, VOUCH, k, signature, sizeof signature);
    return secagg_server_vouch(run->server, position(run, k), signature);
}

static enum cn_err reveal_one(struct run *run, uint32_t k)
{
    const struct secagg_vouch *vouches;
    struct secagg_vouch copy[N];
    struct secagg_share shares[N];
    uint32_t count;

    CN_TRY(secagg_server_vouches(run->server, &vouches, &count));
    memcpy(copy, vouches, count * sizeof *copy);
    change(run, VOUCHES, k, copy, count * sizeof *copy);
    CN_TRY(secagg_device_reveal(run->device[k], copy, count, shares, &count));
    change(run, REVEAL, k, shares, count * sizeof *shares);
    return secagg_server_reveal(run->server, position(run, k), shares, count);
}

static void each(struct run *run, enum cn_err (*step)(struct run *, uint32_t))
{
    for (uint32_t k = 0; k < N; k++) {
        if (run->device[k])
            leaves_on(run, k, step(run, k));
    }
}

/* The plain sum over U3, which the server's own list names. */
static void check_sum(struct run *run, const uint32_t sum[DIM])
{
    const uint32_t *list;
    uint32_t count, plain[DIM] = {0};
    const struct secagg_member *members;
    uint32_t roster, threshold;

    CN_ASSERT(secagg_server_survivors(run->server, &list, &count) == CN_OK);
    CN_ASSERT(secagg_server_members(run->server, &members, &roster, &threshold) == CN_OK);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < N; k++) {
            if (memcmp(world.certificate[k].device, members[list[i]].certificate.device,
                       SIGN_PUBLIC_BYTES) != 0)
                continue;
            for (size_t c = 0; c < DIM; c++)
                plain[c] = (plain[c] + run->input[k][c]) & ((1 << BITS) - 1);
        }
    }
    CN_ASSERT(memcmp(plain, sum, sizeof plain) == 0);
}

static enum cn_err go(struct run *run)
{
    uint32_t sum[DIM];

    announce(run);
    CN_TRY(secagg_server_close_roster(run->server));
    share(run);
    CN_TRY(secagg_server_close_shares(run->server));
    each(run, mask_one);
    CN_TRY(secagg_server_close_masked(run->server));
    each(run, vouch_one);
    CN_TRY(secagg_server_close_vouches(run->server));
    each(run, reveal_one);
    CN_TRY(secagg_server_open(run->server, sum));
    if (!run->vector_changed)
        check_sum(run, sum);
    return CN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run = {.changes = data, .count = size / CHANGE};

    if (run.count > 16)
        return 0;
    if (!world.made)
        make_world();
    CN_ASSERT(secagg_server_new(&run.server, &world.config, world.registrar) == CN_OK);
    enum cn_err err = go(&run);
    CN_ASSERT(run.count > 0 || err == CN_OK); /* nothing changed: it succeeds */
    for (uint32_t k = 0; k < N; k++)
        secagg_device_free(run.device[k]);
    secagg_server_free(run.server);
    return 0;
}
