/* SPDX-License-Identifier: Apache-2.0 */
/* The device's state machine of secure aggregation; see secagg_device.h. Names of sets as in
 * Bonawitz et al. 2017: U1 the roster, U2 those who shared, U3 the survivors. */
#include "crypto/secagg_device.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/pack.h"
#include "crypto/secagg_device_internal.h"

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
        sodium_memzero(device->secrets, sizeof *device->secrets +
                                            device->shared_count * sizeof(struct device_shared));
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
    if (!secagg_prg_is_safe((enum secagg_prg)config->prg))
        return CN_E_CONFIG;
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
    free(device->neighbours);
    free(device->around);
    free(device);
}

void secagg_device_remember(struct secagg_device *device, struct certificate_cache *cache)
{
    device->known = cache;
}

enum cn_err secagg_device_keys(struct secagg_device *device, struct secagg_keys *out)
{
    CN_TRY(enter(device, PHASE_KEYS));
    secagg_keys_sign(&device->keys, &device->config, device->identity);
    *out = device->keys;
    return leave(device, CN_OK);
}

static enum cn_err enter_and_share(struct secagg_device *device, const struct roster_view *view,
                                   struct secagg_sealed *out)
{
    CN_TRY(secagg_device_enter(device, view));
    return secagg_device_share_out(device, out);
}

enum cn_err secagg_device_roster(struct secagg_device *device, const struct secagg_member *members,
                                 uint32_t count, uint32_t threshold, struct secagg_sealed *out)
{
    struct secagg_entry *entries = NULL;
    enum cn_err err = CN_OK;

    CN_TRY(enter(device, PHASE_ROSTER));
    if (count > SECAGG_DEVICES_MAX)
        CN_TRY_OUT(err, CN_E_TOO_LARGE);
    entries = calloc(count, sizeof *entries);
    if (!entries && count > 0)
        CN_TRY_OUT(err, CN_E_NOMEM);
    for (uint32_t i = 0; i < count; i++)
        secagg_entry_of(&entries[i], &members[i]);
    struct roster_view view = {.entries = entries,
                               .count = count,
                               .threshold = threshold,
                               .members = members,
                               .is_whole = true};
    err = enter_and_share(device, &view, out);
out:
    free(entries);
    return leave(device, err);
}

enum cn_err secagg_device_roster_entries(struct secagg_device *device,
                                         const struct secagg_roster *roster,
                                         struct secagg_sealed *out)
{
    struct roster_view view = {.entries = roster->entries,
                               .count = roster->count,
                               .threshold = roster->threshold,
                               .members = roster->neighbours};

    CN_TRY(enter(device, PHASE_ROSTER));
    if (roster->count > SECAGG_DEVICES_MAX)
        return leave(device, CN_E_TOO_LARGE);
    uint32_t degree = secagg_degree(&device->config, roster->count);
    if (degree == 0)
        return leave(device, CN_E_THRESHOLD);
    if (roster->neighbours_count != degree)
        return leave(device, CN_E_INCONSISTENT);
    return leave(device, enter_and_share(device, &view, out));
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
    *degree = device->plan.degree;
    return CN_OK;
}

/* Opens a neighbour's message. What it holds is kept only when it is two scalars. */
static bool opens(struct secagg_device *device, uint32_t slot, const struct secagg_sealed *sealed)
{
    struct device_shared *shared = &device->secrets->shared[slot];
    struct device_sealing sealing;

    secagg_device_sealing(&sealing, device, sealed->from, device->index);
    if (seal_open(&shared->shares, sealed->bytes, sizeof sealed->bytes, &sealing.binding,
                  shared->seal_key) == CN_OK &&
        agree_is_scalar(shared->shares.of_self) && agree_is_scalar(shared->shares.of_mask))
        return true;
    sodium_memzero(&shared->shares, sizeof shared->shares);
    return false;
}

static enum cn_err take_sealed(struct secagg_device *device, const struct secagg_sealed *sealed)
{
    uint32_t slot = secagg_device_slot(device, sealed->from);

    if (sealed->to != device->index || slot == device->plan.degree)
        return CN_E_INCONSISTENT;
    struct device_neighbour *neighbour = &device->neighbours[slot];
    if (neighbour->sets & (IN_U2 | ACCUSED))
        return CN_E_REPLAY;
    neighbour->sets |= opens(device, slot, sealed) ? IN_U2 : ACCUSED;
    device->accused += (neighbour->sets & ACCUSED) != 0;
    return CN_OK;
}

static bool is_ring(const struct secagg_device *device)
{
    return device->around != NULL;
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
    if (!is_ring(device))
        return check_size(device, size);
    return size - 1 < device->plan.neighbours_min ? CN_E_THRESHOLD : CN_OK;
}

static enum cn_err take_all(struct secagg_device *device, const struct secagg_sealed *in,
                            uint32_t count)
{
    if (count > device->plan.degree)
        return CN_E_INCONSISTENT;
    for (uint32_t i = 0; i < count; i++)
        CN_TRY(take_sealed(device, &in[i]));
    device->sets |= IN_U2;
    for (uint32_t k = 0; k < device->plan.degree; k++)
        sodium_memzero(device->secrets->shared[k].seal_key, SEAL_KEY_BYTES);
    sodium_memzero(device->secrets->seal, sizeof device->secrets->seal);
    return check_neighbours(device, 1 + count - device->accused);
}

enum cn_err secagg_device_shares(struct secagg_device *device, const struct secagg_sealed *in,
                                 uint32_t count)
{
    CN_TRY(enter(device, PHASE_SHARES));
    return leave(device, take_all(device, in, count));
}

enum cn_err secagg_device_complaints(struct secagg_device *device, uint32_t *list, uint32_t *count)
{
    uint32_t filled = 0;

    CN_TRY(enter(device, PHASE_MASK));
    for (uint32_t k = 0; k < device->plan.degree; k++) {
        if (device->neighbours[k].sets & ACCUSED)
            list[filled++] = device->neighbours[k].index;
    }
    device->has_complained = true;
    *count = filled;
    return CN_OK;
}

/* Fills masks with one per member of U2: this device's own, and with each neighbour the one that
 * the lower of the two positions adds and the higher subtracts. */
static size_t fill_masks(struct secagg_device *device, struct mask *masks)
{
    struct secagg_seed what = {device->session, device->config.prg};
    size_t filled = 0;

    secagg_self_seed(masks[filled].seed, &what, device->index, device->secrets->self);
    masks[filled++].subtract = false;
    for (uint32_t k = 0; k < device->plan.degree; k++) {
        const struct device_neighbour *neighbour = &device->neighbours[k];

        if (!(neighbour->sets & IN_U2))
            continue;
        memcpy(masks[filled].seed, device->secrets->shared[k].edge, MASK_SEED_BYTES);
        masks[filled++].subtract = neighbour->index < device->index;
    }
    return filled;
}

/* One of vector (masked in place) and packed is the result. */
static enum cn_err mask_all(struct secagg_device *device, uint32_t *vector, uint8_t *packed,
                            const uint32_t *plain)
{
    const struct secagg_config *config = &device->config;

    if (device->accused > 0 && !device->has_complained)
        return CN_E_AUTH;
    struct mask *masks = sodium_malloc(((size_t)device->plan.degree + 1) * sizeof *masks);
    if (!masks)
        return CN_E_NOMEM;
    struct mask_set set = {
        .bits = config->bits, .algorithm = (enum mask_algorithm)config->prg, .masks = masks};
    set.count = fill_masks(device, masks);
    enum cn_err err = packed ? mask_pack(packed, plain, config->dim, &set)
                             : mask_apply_range(vector, 0, config->dim, &set);
    sodium_free(masks); /* wipes */
    /* What follows reveals shares and seeds; b itself has done its work. */
    sodium_memzero(device->secrets->self, sizeof device->secrets->self);
    return err;
}

enum cn_err secagg_device_mask(struct secagg_device *device, uint32_t *vector)
{
    CN_TRY(enter(device, PHASE_MASK));
    enum cn_err err = mask_all(device, vector, NULL, NULL);
    if (err != CN_OK)
        sodium_memzero(vector, device->config.dim * sizeof *vector);
    return leave(device, err);
}

enum cn_err secagg_device_mask_packed(struct secagg_device *device, uint8_t *out,
                                      const uint32_t *vector)
{
    CN_TRY(enter(device, PHASE_MASK));
    enum cn_err err = mask_all(device, NULL, out, vector);
    if (err != CN_OK)
        sodium_memzero(out, pack_bytes(device->config.dim, device->config.bits));
    return leave(device, err);
}

/* On a ring: true when every window of degree / 2 places among the neighbours and this device holds
 * window_min that are in a set. */
static bool windows_hold(const struct secagg_device *device, uint8_t set)
{
    uint32_t degree = device->plan.degree, size = degree / 2, inside = 0;

    if (!is_ring(device))
        return true;
    for (uint32_t k = 0; k <= degree; k++) {
        for (uint32_t side = 0; side < 2; side++) { /* one place enters, one leaves */
            if (side == 1 && k < size)
                continue;
            uint32_t slot = device->around[side == 0 ? k : k - size];
            uint8_t sets = slot < degree ? device->neighbours[slot].sets : device->sets;
            uint32_t held = (sets & set) != 0;
            inside = side == 0 ? inside + held : inside - held;
        }
        if (k + 1 >= size && inside < device->plan.window_min)
            return false;
    }
    return true;
}

/* A neighbour that survives must have been in this device's U2, so that the masks between any two
 * honest survivors are on both vectors. */
static enum cn_err take_survivor(struct secagg_device *device, uint32_t index)
{
    if (index >= device->count)
        return CN_E_INCONSISTENT;
    uint32_t slot = secagg_device_slot(device, index);
    if (index == device->index)
        device->sets |= IN_U3;
    if (slot == device->plan.degree)
        return CN_OK;
    if (!(device->neighbours[slot].sets & IN_U2))
        return CN_E_INCONSISTENT;
    device->neighbours[slot].sets |= IN_U3;
    return CN_OK;
}

static enum cn_err sign_survivors(struct secagg_device *device, const uint32_t *survivors,
                                  uint32_t count, uint8_t signature[SECAGG_SIGNATURE_BYTES])
{
    CN_TRY(check_size(device, count));
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && survivors[i] <= survivors[i - 1])
            return CN_E_INCONSISTENT;
        CN_TRY(take_survivor(device, survivors[i]));
    }
    if (!(device->sets & IN_U3))
        return CN_E_INCONSISTENT;
    if (!windows_hold(device, IN_U3))
        return CN_E_THRESHOLD;
    device->survivors_count = count;
    secagg_vouch_message(device->vouch_message, device->session, survivors, count);
    sign_make(signature, device->identity, SECAGG_VOUCH_LABEL, device->vouch_message,
              sizeof device->vouch_message);
    device->sets |= VOUCHED;
    return CN_OK;
}

enum cn_err secagg_device_survivors(struct secagg_device *device, const uint32_t *survivors,
                                    uint32_t count, uint8_t signature[SECAGG_SIGNATURE_BYTES])
{
    CN_TRY(enter(device, PHASE_SURVIVORS));
    return leave(device, sign_survivors(device, survivors, count, signature));
}

/* One vouch: of a neighbour it must be right, under the very list that this device signed;
 * strangers on a ring are passed over. */
static enum cn_err take_vouch(struct secagg_device *device, const struct secagg_vouch *vouch)
{
    uint32_t slot = secagg_device_slot(device, vouch->index);

    if (vouch->index >= device->count)
        return CN_E_INCONSISTENT;
    if ((slot == device->plan.degree && vouch->index != device->index) ||
        (is_ring(device) && device->plan.window_min == 0)) /* the server is trusted */
        return CN_OK;
    bool is_own = slot == device->plan.degree;
    uint8_t *sets = is_own ? &device->sets : &device->neighbours[slot].sets;
    if (!(*sets & IN_U3))
        return CN_E_INCONSISTENT;
    CN_TRY(sign_check(vouch->signature,
                      is_own ? device->own.device : device->neighbours[slot].device,
                      SECAGG_VOUCH_LABEL, device->vouch_message, sizeof device->vouch_message));
    *sets |= VOUCHED;
    return CN_OK;
}

/* In the complete graph at least threshold survivors must have signed the list that this device
 * signed: then no other list can gather as many. On a ring most around it must: then nobody near
 * helps with another list, and so on all around. Signatures beyond the threshold add nothing. */
static enum cn_err check_vouches(struct secagg_device *device, const struct secagg_vouch *vouches,
                                 uint32_t count)
{
    if (!is_ring(device) && count < device->threshold)
        return CN_E_THRESHOLD;
    if (count > device->survivors_count)
        return CN_E_INCONSISTENT;
    for (uint32_t k = 0; k < count; k++) {
        if (k > 0 && vouches[k].index <= vouches[k - 1].index)
            return CN_E_INCONSISTENT;
        if (is_ring(device) || k < device->threshold)
            CN_TRY(take_vouch(device, &vouches[k]));
    }
    return windows_hold(device, VOUCHED) ? CN_OK : CN_E_THRESHOLD;
}

static struct secagg_share *put(struct secagg_share *out, uint32_t of, enum secagg_kind kind,
                                const uint8_t value[SECAGG_SHARE_BYTES])
{
    out->of = of;
    out->kind = (uint8_t)kind;
    memcpy(out->value, value, SECAGG_SHARE_BYTES);
    return out + 1;
}

/* What this device gives of one neighbour; returns where the next goes. */
static struct secagg_share *give(const struct secagg_device *device, uint32_t slot, bool with_edges,
                                 struct secagg_share *out)
{
    const struct device_neighbour *neighbour = &device->neighbours[slot];
    const struct device_shared *shared = &device->secrets->shared[slot];

    if (!(neighbour->sets & IN_U2))
        return out;
    if (neighbour->sets & IN_U3)
        return put(out, neighbour->index, SECAGG_SELF, shared->shares.of_self);
    out = put(out, neighbour->index, SECAGG_PAIR, shared->shares.of_mask);
    return with_edges ? put(out, neighbour->index, SECAGG_EDGE, shared->edge) : out;
}

static enum cn_err reveal(struct secagg_device *device, const struct secagg_vouch *vouches,
                          uint32_t count, bool with_edges, struct secagg_share **out)
{
    bool placed = false;

    CN_TRY(check_vouches(device, vouches, count));
    for (uint32_t k = 0; k <= device->plan.degree; k++) {
        bool is_last = k == device->plan.degree;

        if (!placed && (is_last || device->neighbours[k].index > device->index)) {
            *out = put(*out, device->index, SECAGG_SELF, device->secrets->own.of_self);
            placed = true;
        }
        if (!is_last)
            *out = give(device, k, with_edges, *out);
    }
    return CN_OK;
}

enum cn_err secagg_device_reveal(struct secagg_device *device, const struct secagg_vouch *vouches,
                                 uint32_t count, struct secagg_share *out, uint32_t *out_count)
{
    struct secagg_share *end = out;

    *out_count = 0;
    CN_TRY(enter(device, PHASE_REVEAL));
    enum cn_err err = reveal(device, vouches, count, false, &end);
    *out_count = (uint32_t)(end - out);
    return leave(device, err);
}

enum cn_err secagg_device_reveal_edges(struct secagg_device *device,
                                       const struct secagg_vouch *vouches, uint32_t count,
                                       struct secagg_share *out, uint32_t *out_count)
{
    struct secagg_share *end = out;

    *out_count = 0;
    CN_TRY(enter(device, PHASE_REVEAL));
    enum cn_err err = reveal(device, vouches, count, true, &end);
    *out_count = (uint32_t)(end - out);
    return leave(device, err);
}
