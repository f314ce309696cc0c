/* SPDX-License-Identifier: Apache-2.0 */
/* The device's state machine of secure aggregation; see secagg_device.h. Names of sets as in
 * Bonawitz et al. 2017: U1 the roster, U2 those who shared, U3 the survivors. */
#include "crypto/secagg_device.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/secagg_internal.h"

#define MASK_BATCH 32 /* masks in one pass over the vector */

enum phase {
    PHASE_KEYS,
    PHASE_ROSTER,
    PHASE_SHARES,
    PHASE_MASK,
    PHASE_SURVIVORS,
    PHASE_REVEAL,
    PHASE_ENDED,
    PHASE_COUNT
};

/* Each phase accepts the one call that names it; a failure of it leads to PHASE_ENDED. */
/* clang-format off */
static const struct {
    enum phase next;
    bool keeps_secrets; /* whether next needs them */
} phases[] = {
    [PHASE_KEYS]      = {PHASE_ROSTER,    true},
    [PHASE_ROSTER]    = {PHASE_SHARES,    true},
    [PHASE_SHARES]    = {PHASE_MASK,      true},
    [PHASE_MASK]      = {PHASE_SURVIVORS, true},
    [PHASE_SURVIVORS] = {PHASE_REVEAL,    true},
    [PHASE_REVEAL]    = {PHASE_ENDED,     false},
    [PHASE_ENDED]     = {PHASE_ENDED,     false},
};
/* clang-format on */
_Static_assert(CN_COUNT(phases) == PHASE_COUNT, "one row per phase");

/* All that must not leak, in one sodium_malloc block. */
struct device_secrets {
    uint8_t mask[AGREE_SECRET_BYTES]; /* of the pairwise masks */
    uint8_t seal[AGREE_SECRET_BYTES]; /* opens what neighbours seal */
    uint8_t self[AGREE_SECRET_BYTES]; /* b, of the self mask */
    struct secagg_pair_of_shares own; /* this device's shares of its own secrets */
    struct secagg_pair_of_shares opened;
    uint8_t key[SEAL_KEY_BYTES];
    struct mask masks[MASK_BATCH];
};

enum { IN_U2 = 1, IN_U3 = 2, VOUCHED = 4 };

struct secagg_device {
    enum phase phase;
    struct secagg_config config;
    const struct sign_key *identity;
    struct cn_random random;
    struct certificate own;
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    struct secagg_keys keys;
    struct device_secrets *secrets;

    /* From the roster on. */
    struct secagg_member *members; /* [count] */
    uint32_t count;
    uint32_t threshold;
    uint32_t index;
    uint8_t session[SECAGG_SESSION_BYTES];
    struct secagg_shape shape;

    uint8_t *sets;              /* [count] IN_U2, IN_U3 */
    struct secagg_sealed *held; /* [count] by sender, of U2; opened again at the end */
    uint32_t survivors_count;
    uint8_t vouch_message[HASH_BYTES];
};

static enum cn_err enter(const struct secagg_device *device, enum phase phase)
{
    return device->phase == phase && phase != PHASE_ENDED ? CN_OK : CN_E_UNEXPECTED;
}

/* Moves on, or ends the round; either way gives err. */
static enum cn_err leave(struct secagg_device *device, enum cn_err err)
{
    bool keep = err == CN_OK && phases[device->phase].keeps_secrets;

    device->phase = err == CN_OK ? phases[device->phase].next : PHASE_ENDED;
    if (!keep)
        sodium_memzero(device->secrets, sizeof *device->secrets);
    return err;
}

static enum cn_err draw_keys(struct secagg_device *device)
{
    struct device_secrets *secrets = device->secrets;
    struct secagg_keys *keys = &device->keys;

    CN_TRY(agree_pair(keys->mask_public, secrets->mask, &device->random));
    CN_TRY(agree_pair(keys->seal_public, secrets->seal, &device->random));
    return agree_pair(keys->self_public, secrets->self, &device->random);
}

enum cn_err secagg_device_new(struct secagg_device **out, const struct secagg_config *config,
                              const struct sign_key *identity, const struct certificate *own,
                              const uint8_t registrar[32], const struct cn_random *random)
{
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    enum cn_err err = CN_OK;

    *out = NULL;
    CN_TRY(secagg_config_check(config));
    CN_TRY(certificate_check(own, registrar));
    sign_key_public(identity, public_key);
    if (memcmp(public_key, own->device, sizeof public_key) != 0)
        return CN_E_AUTH;
    struct secagg_device *device = calloc(1, sizeof *device);
    if (!device)
        return CN_E_NOMEM;
    device->config = *config;
    device->identity = identity;
    device->random = *random;
    device->own = *own;
    memcpy(device->registrar, registrar, sizeof device->registrar);
    device->secrets = sodium_malloc(sizeof *device->secrets);
    if (!device->secrets)
        CN_TRY_OUT(err, CN_E_NOMEM);
    CN_TRY_OUT(err, draw_keys(device));
    *out = device;
    return CN_OK;
out:
    secagg_device_free(device);
    return err;
}

void secagg_device_free(struct secagg_device *device)
{
    if (!device)
        return;
    sodium_free(device->secrets); /* wipes */
    secagg_shape_clear(&device->shape);
    free(device->members);
    free(device->sets);
    free(device->held);
    free(device);
}

enum cn_err secagg_device_keys(struct secagg_device *device, struct secagg_keys *out)
{
    CN_TRY(enter(device, PHASE_KEYS));
    secagg_keys_sign(&device->keys, &device->config, device->identity);
    *out = device->keys;
    return leave(device, CN_OK);
}

/* Finds this device, with its own exact keys. */
static enum cn_err find_self(struct secagg_device *device, const struct secagg_member *members,
                             uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(members[i].certificate.device, device->own.device, SIGN_PUBLIC_BYTES) != 0)
            continue;
        device->index = i;
        return memcmp(&members[i].keys, &device->keys, sizeof device->keys) == 0 ? CN_OK
                                                                                 : CN_E_AUTH;
    }
    return CN_E_AUTH;
}

static enum cn_err keep_roster(struct secagg_device *device, const struct secagg_member *members,
                               uint32_t count, uint32_t threshold)
{
    CN_TRY(secagg_roster_check(&device->config, members, count, threshold, device->registrar));
    CN_TRY(find_self(device, members, count));
    device->members = calloc(count, sizeof *device->members);
    device->sets = calloc(count, sizeof *device->sets);
    device->held = calloc(count, sizeof *device->held);
    if (!device->members || !device->sets || !device->held)
        return CN_E_NOMEM;
    memcpy(device->members, members, count * sizeof *members);
    device->count = count;
    device->threshold = threshold;
    secagg_session_id(device->session, &device->config, members, count, threshold);
    return secagg_shape_init(&device->shape, &device->config, device->session, count, threshold);
}

/* The key for the channel with a neighbour; from and to only differ in the associated data. */
static enum cn_err seal_key(struct secagg_device *device, uint32_t neighbour)
{
    return secagg_seal_key(device->secrets->key, device->session, device->index, neighbour,
                           device->secrets->seal, device->members[neighbour].keys.seal_public);
}

static enum cn_err seal_for(struct secagg_device *device, uint32_t to,
                            const struct secagg_pair_of_shares *shares, struct secagg_sealed *out)
{
    struct secagg_channel channel;
    struct seal_binding binding = {SECAGG_SHARE_LABEL, channel.bytes, sizeof channel.bytes};

    secagg_channel_make(&channel, device->session, device->index, to);
    CN_TRY(seal_key(device, to));
    out->from = device->index;
    out->to = to;
    seal_make(out->bytes, shares, sizeof *shares, &binding, device->secrets->key, &device->random);
    return CN_OK;
}

/* Shares both secrets among the neighbours and this device, transiently in a block of its own. */
struct dealing {
    uint32_t holders[SECAGG_DEVICES_MAX];
    uint32_t points[SECAGG_DEVICES_MAX];
    uint32_t count;
    uint8_t of_self[SECAGG_DEVICES_MAX][SHAMIR_BYTES];
    uint8_t of_mask[SECAGG_DEVICES_MAX][SHAMIR_BYTES];
};

static enum cn_err deal(struct secagg_device *device, struct dealing *dealing)
{
    dealing->count = 0;
    for (uint32_t i = 0; i < device->count; i++) {
        if (!secagg_holds(&device->shape, i, device->index))
            continue;
        dealing->holders[dealing->count] = i;
        dealing->points[dealing->count++] = i + 1;
    }
    CN_TRY(shamir_split(dealing->of_self, dealing->points, dealing->count, device->shape.threshold,
                        device->secrets->self, &device->random));
    return shamir_split(dealing->of_mask, dealing->points, dealing->count, device->shape.threshold,
                        device->secrets->mask, &device->random);
}

static enum cn_err share_out(struct secagg_device *device, struct dealing *dealing,
                             struct secagg_sealed *out)
{
    struct secagg_pair_of_shares *shares = &device->secrets->opened;

    CN_TRY(deal(device, dealing));
    for (uint32_t k = 0; k < dealing->count; k++) {
        memcpy(shares->of_self, dealing->of_self[k], SHAMIR_BYTES);
        memcpy(shares->of_mask, dealing->of_mask[k], SHAMIR_BYTES);
        if (dealing->holders[k] == device->index)
            device->secrets->own = *shares;
        else
            CN_TRY(seal_for(device, dealing->holders[k], shares, out++));
    }
    return CN_OK;
}

enum cn_err secagg_device_roster(struct secagg_device *device, const struct secagg_member *members,
                                 uint32_t count, uint32_t threshold, struct secagg_sealed *out)
{
    CN_TRY(enter(device, PHASE_ROSTER));
    enum cn_err err = keep_roster(device, members, count, threshold);
    if (err != CN_OK)
        return leave(device, err);
    struct dealing *dealing = sodium_malloc(sizeof *dealing);
    err = dealing ? share_out(device, dealing, out) : CN_E_NOMEM;
    sodium_free(dealing); /* wipes */
    return leave(device, err);
}

static bool has_roster(const struct secagg_device *device)
{
    return device->count > 0;
}

enum cn_err secagg_device_index(const struct secagg_device *device, uint32_t *index)
{
    if (!has_roster(device))
        return CN_E_UNEXPECTED;
    *index = device->index;
    return CN_OK;
}

enum cn_err secagg_device_session(const struct secagg_device *device,
                                  uint8_t session[SECAGG_SESSION_BYTES])
{
    if (!has_roster(device))
        return CN_E_UNEXPECTED;
    memcpy(session, device->session, SECAGG_SESSION_BYTES);
    return CN_OK;
}

enum cn_err secagg_device_degree(const struct secagg_device *device, uint32_t *degree)
{
    if (!has_roster(device))
        return CN_E_UNEXPECTED;
    *degree = device->shape.graph.degree;
    return CN_OK;
}

/* Opens a neighbour's message into secrets->opened. */
static enum cn_err open_from(struct secagg_device *device, const struct secagg_sealed *sealed)
{
    struct secagg_pair_of_shares *opened = &device->secrets->opened;
    struct secagg_channel channel;
    struct seal_binding binding = {SECAGG_SHARE_LABEL, channel.bytes, sizeof channel.bytes};

    secagg_channel_make(&channel, device->session, sealed->from, device->index);
    CN_TRY(seal_key(device, sealed->from));
    CN_TRY(seal_open(opened, sealed->bytes, sizeof sealed->bytes, &binding, device->secrets->key));
    return agree_is_scalar(opened->of_self) && agree_is_scalar(opened->of_mask) ? CN_OK : CN_E_AUTH;
}

static enum cn_err take_sealed(struct secagg_device *device, const struct secagg_sealed *sealed)
{
    if (sealed->to != device->index ||
        !graph_is_neighbour(&device->shape.graph, device->index, sealed->from))
        return CN_E_INCONSISTENT;
    if (device->sets[sealed->from] & IN_U2)
        return CN_E_REPLAY;
    CN_TRY(open_from(device, sealed));
    device->sets[sealed->from] |= IN_U2;
    device->held[sealed->from] = *sealed;
    return CN_OK;
}

static enum cn_err check_size(const struct secagg_device *device, uint32_t size)
{
    if (size < device->config.cohort_min)
        return CN_E_COHORT;
    return size < device->threshold ? CN_E_THRESHOLD : CN_OK;
}

/* On a ring a device sees its neighbours only; the cohort is looked at when survivors are signed.
 */
static enum cn_err check_neighbours(const struct secagg_device *device, uint32_t size)
{
    if (device->shape.graph.degree + 1 == device->count)
        return check_size(device, size);
    return size - 1 < device->shape.neighbours_min ? CN_E_THRESHOLD : CN_OK;
}

static enum cn_err take_all(struct secagg_device *device, const struct secagg_sealed *in,
                            uint32_t count)
{
    if (count > device->shape.graph.degree)
        return CN_E_INCONSISTENT;
    CN_TRY(check_neighbours(device, count + 1));
    device->sets[device->index] |= IN_U2;
    for (uint32_t i = 0; i < count; i++)
        CN_TRY(take_sealed(device, &in[i]));
    return CN_OK;
}

enum cn_err secagg_device_shares(struct secagg_device *device, const struct secagg_sealed *in,
                                 uint32_t count)
{
    CN_TRY(enter(device, PHASE_SHARES));
    return leave(device, take_all(device, in, count));
}

/* The mask that device i contributes: its own, or the one with a neighbour, which the lower of two
 * positions adds and the higher subtracts. */
static enum cn_err mask_of(struct secagg_device *device, uint32_t i, struct mask *mask)
{
    struct device_secrets *secrets = device->secrets;

    mask->subtract = i < device->index;
    if (i != device->index)
        return secagg_mask_seed(mask->seed, device->session, device->index, i, secrets->mask,
                                device->members[i].keys.mask_public);
    secagg_self_seed(mask->seed, device->session, i, secrets->self);
    return CN_OK;
}

static enum cn_err mask_all(struct secagg_device *device, uint32_t *vector)
{
    const struct secagg_config *config = &device->config;
    struct mask *masks = device->secrets->masks;
    size_t filled = 0;

    for (uint32_t i = 0; i < device->count; i++) {
        if (device->sets[i] & IN_U2)
            CN_TRY(mask_of(device, i, &masks[filled++]));
        if (filled == MASK_BATCH || i + 1 == device->count) {
            CN_TRY(mask_apply(vector, config->dim, config->bits, masks, filled));
            filled = 0;
        }
    }
    return CN_OK;
}

enum cn_err secagg_device_mask(struct secagg_device *device, uint32_t *vector)
{
    CN_TRY(enter(device, PHASE_MASK));
    enum cn_err err = mask_all(device, vector);
    if (err != CN_OK)
        sodium_memzero(vector, device->config.dim * sizeof *vector);
    /* What follows reveals shares only; the secrets themselves have done their work. */
    sodium_memzero(device->secrets->mask, sizeof device->secrets->mask);
    sodium_memzero(device->secrets->self, sizeof device->secrets->self);
    sodium_memzero(device->secrets->masks, sizeof device->secrets->masks);
    return leave(device, err);
}

/* A neighbour that survives must have been in this device's U2, so that the masks between any two
 * honest survivors are on both vectors. */
static bool may_survive(const struct secagg_device *device, uint32_t i)
{
    if (i >= device->count)
        return false;
    return (device->sets[i] & IN_U2) || !secagg_holds(&device->shape, i, device->index);
}

static enum cn_err sign_survivors(struct secagg_device *device, const uint32_t *survivors,
                                  uint32_t count, uint8_t signature[SECAGG_SIGNATURE_BYTES])
{
    CN_TRY(check_size(device, count));
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && survivors[i] <= survivors[i - 1])
            return CN_E_INCONSISTENT;
        if (!may_survive(device, survivors[i]))
            return CN_E_INCONSISTENT;
        device->sets[survivors[i]] |= IN_U3;
    }
    if (!(device->sets[device->index] & IN_U3))
        return CN_E_INCONSISTENT;
    if (!secagg_windows_hold(&device->shape, device->sets, IN_U3))
        return CN_E_THRESHOLD;
    device->survivors_count = count;
    secagg_vouch_message(device->vouch_message, device->session, survivors, count);
    sign_make(signature, device->identity, SECAGG_VOUCH_LABEL, device->vouch_message,
              sizeof device->vouch_message);
    return CN_OK;
}

enum cn_err secagg_device_survivors(struct secagg_device *device, const uint32_t *survivors,
                                    uint32_t count, uint8_t signature[SECAGG_SIGNATURE_BYTES])
{
    CN_TRY(enter(device, PHASE_SURVIVORS));
    return leave(device, sign_survivors(device, survivors, count, signature));
}

/* At least threshold survivors must have signed the very list that this device signed: then no
 * other list can gather as many. On a ring they must also be everywhere: each of them vouches that
 * it shares masks with all survivors around it. */
static enum cn_err check_vouches(struct secagg_device *device, const struct secagg_vouch *vouches,
                                 uint32_t count)
{
    if (count < device->threshold)
        return CN_E_THRESHOLD;
    if (count > device->survivors_count)
        return CN_E_INCONSISTENT;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t i = vouches[k].index;

        if (k > 0 && i <= vouches[k - 1].index)
            return CN_E_INCONSISTENT;
        if (i >= device->count || !(device->sets[i] & IN_U3))
            return CN_E_INCONSISTENT;
        CN_TRY(sign_check(vouches[k].signature, device->members[i].certificate.device,
                          SECAGG_VOUCH_LABEL, device->vouch_message, sizeof device->vouch_message));
        device->sets[i] |= VOUCHED;
    }
    return secagg_windows_hold(&device->shape, device->sets, VOUCHED) ? CN_OK : CN_E_THRESHOLD;
}

static enum cn_err share_of(struct secagg_device *device, uint32_t i, struct secagg_share *out)
{
    const struct secagg_pair_of_shares *shares = &device->secrets->own;

    if (i != device->index) {
        CN_TRY(open_from(device, &device->held[i]));
        shares = &device->secrets->opened;
    }
    out->of = i;
    out->kind = device->sets[i] & IN_U3 ? SECAGG_SELF : SECAGG_PAIR;
    memcpy(out->value, out->kind == SECAGG_SELF ? shares->of_self : shares->of_mask,
           sizeof out->value);
    return CN_OK;
}

enum cn_err secagg_device_reveal(struct secagg_device *device, const struct secagg_vouch *vouches,
                                 uint32_t count, struct secagg_share *out, uint32_t *out_count)
{
    uint32_t filled = 0;

    CN_TRY(enter(device, PHASE_REVEAL));
    enum cn_err err = check_vouches(device, vouches, count);
    for (uint32_t i = 0; i < device->count && err == CN_OK; i++) {
        if (device->sets[i] & IN_U2)
            err = share_of(device, i, &out[filled++]);
    }
    if (err != CN_OK)
        sodium_memzero(out, filled * sizeof *out);
    *out_count = err == CN_OK ? filled : 0;
    return leave(device, err);
}
