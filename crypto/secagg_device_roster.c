/* SPDX-License-Identifier: Apache-2.0 */
/* A device's entry into a roster: what it checks, what it keeps, and the sharing of its secrets;
 * see secagg_device.h. Of a ring it keeps nothing that grows with the roster. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/secagg_device_internal.h"

/* Finds this device, with its own exact keys. */
static enum cn_err find_self(struct secagg_device *device, const struct roster_view *view)
{
    struct secagg_member self = {.certificate = device->own, .keys = device->keys};
    struct secagg_entry entry;

    secagg_entry_of(&entry, &self);
    device->index = secagg_entries_find(view->entries, view->count, entry.device_id);
    if (device->index == view->count ||
        memcmp(&entry, &view->entries[device->index], sizeof entry) != 0)
        return CN_E_AUTH;
    if (!view->is_whole)
        return CN_OK;
    return memcmp(&view->members[device->index].keys, &device->keys, sizeof device->keys) == 0
               ? CN_OK
               : CN_E_AUTH;
}

/* The certificate: remembered, of the invitation of the neighbour before, or all of it. */
static enum cn_err check_certificate(struct secagg_device *device,
                                     const struct certificate *certificate,
                                     const struct certificate *before)
{
    if (!device->known && before &&
        certificate_check_under(certificate, &before->invitation) == CN_OK)
        return CN_OK;
    return certificate_cache_check(device->known, certificate, device->registrar);
}

static void keep_neighbour(struct device_neighbour *neighbour, uint32_t index,
                           const struct secagg_member *member)
{
    neighbour->index = index;
    neighbour->sets = 0;
    memcpy(neighbour->device, member->certificate.device, sizeof neighbour->device);
    memcpy(neighbour->mask_public, member->keys.mask_public, sizeof neighbour->mask_public);
    memcpy(neighbour->seal_public, member->keys.seal_public, sizeof neighbour->seal_public);
}

static void copy_keys(uint8_t (*out)[SECAGG_KEY_BYTES], const struct secagg_keys *keys)
{
    memcpy(out[0], keys->mask_public, SECAGG_KEY_BYTES);
    memcpy(out[1], keys->seal_public, SECAGG_KEY_BYTES);
    memcpy(out[2], keys->self_public, SECAGG_KEY_BYTES);
}

/* Checks every neighbour: listed (by position) is what the graph says. */
static enum cn_err check_neighbours(struct secagg_device *device, const struct roster_view *view,
                                    const uint32_t *listed)
{
    const struct certificate *before = NULL;
    size_t degree = device->plan.degree, keys_count = (degree + 1) * SECAGG_KEYS_OF_MEMBER;
    uint8_t(*keys)[SECAGG_KEY_BYTES] = calloc(keys_count, sizeof *keys);
    enum cn_err err = keys ? CN_OK : CN_E_NOMEM;

    for (size_t k = 0; k < degree && err == CN_OK; k++) {
        const struct secagg_member *member = &view->members[view->is_whole ? listed[k] : k];

        err = secagg_entry_check(view->entries, view->count, listed[k], member);
        if (err == CN_OK)
            err = check_certificate(device, &member->certificate, before);
        if (err == CN_OK) /* the points are looked at when they are used */
            err = secagg_keys_check_signature(member, &device->config);
        before = &member->certificate;
        if (err == CN_OK) {
            keep_neighbour(&device->neighbours[k], listed[k], member);
            copy_keys(keys + k * SECAGG_KEYS_OF_MEMBER, &member->keys);
        }
    }
    if (err == CN_OK) {
        copy_keys(keys + degree * SECAGG_KEYS_OF_MEMBER, &device->keys);
        err = secagg_keys_distinct(keys, keys_count);
    }
    free(keys);
    return err;
}

uint32_t secagg_device_slot(const struct secagg_device *device, uint32_t index)
{
    uint32_t low = 0, high = device->plan.degree;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (device->neighbours[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < device->plan.degree && device->neighbours[low].index == index
               ? low
               : device->plan.degree;
}

/* Remembers in what order this device and its neighbours stand on the ring. */
static enum cn_err keep_places(struct secagg_device *device, const struct graph *graph)
{
    uint32_t degree = graph->degree, half = degree / 2, n = graph->devices;

    if (!graph->place)
        return CN_OK;
    device->around = calloc(degree + 1, sizeof *device->around);
    if (!device->around)
        return CN_E_NOMEM;
    for (uint32_t k = 0; k <= degree; k++) {
        uint32_t place = (graph->place[device->index] + n - half + k) % n;

        device->around[k] = secagg_device_slot(device, graph->tenant[place]);
    }
    return CN_OK;
}

/* Moves the secrets to a block with room for every neighbour. */
static enum cn_err grow_secrets(struct secagg_device *device)
{
    size_t room = device->plan.degree * sizeof(struct device_shared);
    struct device_secrets *grown = sodium_malloc(sizeof *grown + room);

    if (!grown)
        return CN_E_NOMEM;
    memcpy(grown, device->secrets, sizeof *grown);
    sodium_memzero(grown->shared, room);
    sodium_free(device->secrets); /* wipes */
    device->secrets = grown;
    device->shared_count = device->plan.degree;
    return CN_OK;
}

static enum cn_err keep_neighbours(struct secagg_device *device, const struct roster_view *view)
{
    uint32_t degree = device->plan.degree;
    uint32_t *listed = calloc(degree, sizeof *listed);
    struct secagg_shape shape = {0};
    enum cn_err err = CN_OK;

    device->neighbours = calloc(degree, sizeof *device->neighbours);
    if (!listed || !device->neighbours)
        CN_TRY_OUT(err, CN_E_NOMEM);
    CN_TRY_OUT(err, grow_secrets(device));
    CN_TRY_OUT(err, secagg_shape_init(&shape, &device->config, device->session, view->count,
                                      view->threshold));
    graph_neighbours(&shape.graph, device->index, listed);
    CN_TRY_OUT(err, check_neighbours(device, view, listed));
    err = keep_places(device, &shape.graph);
out:
    secagg_shape_clear(&shape);
    free(listed);
    return err;
}

/* The same threshold as on the server: in the complete graph the roster's opens the secrets. */
static enum cn_err plan_graph(struct secagg_device *device, const struct roster_view *view)
{
    CN_TRY(secagg_plan_make(&device->plan, &device->config, view->count, NULL));
    if (device->plan.degree + 1 == view->count)
        device->plan.threshold = view->threshold;
    else if (device->plan.degree < device->config.degree_min)
        return CN_E_THRESHOLD;
    return CN_OK;
}

enum cn_err secagg_device_enter(struct secagg_device *device, const struct roster_view *view)
{
    CN_TRY(secagg_entries_check(&device->config, view->entries, view->count, view->threshold));
    CN_TRY(find_self(device, view));
    CN_TRY(plan_graph(device, view));
    device->threshold = view->threshold;
    secagg_session_from(device->session, &device->config, view->entries, view->count,
                        view->threshold);
    CN_TRY(keep_neighbours(device, view));
    device->count = view->count;
    return CN_OK;
}

void secagg_device_sealing(struct device_sealing *sealing, const struct secagg_device *device,
                           uint32_t from, uint32_t to)
{
    secagg_channel_make(&sealing->channel, device->session, from, to);
    sealing->binding = (struct seal_binding){SECAGG_SHARE_LABEL, sealing->channel.bytes,
                                             sizeof sealing->channel.bytes};
}

/* The shares of both secrets for the neighbours and this device, in a block of their own. */
struct dealing {
    uint32_t points[SECAGG_DEGREE_MAX + 1];
    uint32_t count;
    uint8_t of_self[SECAGG_DEGREE_MAX + 1][SHAMIR_BYTES];
    uint8_t of_mask[SECAGG_DEGREE_MAX + 1][SHAMIR_BYTES];
};

static enum cn_err deal(struct secagg_device *device, struct dealing *dealing)
{
    bool placed = false;

    dealing->count = 0;
    for (uint32_t k = 0; k < device->plan.degree; k++) {
        uint32_t index = device->neighbours[k].index;

        if (!placed && index > device->index) {
            dealing->points[dealing->count++] = device->index + 1;
            placed = true;
        }
        dealing->points[dealing->count++] = index + 1;
    }
    if (!placed)
        dealing->points[dealing->count++] = device->index + 1;
    CN_TRY(shamir_split(dealing->of_self, dealing->points, dealing->count, device->plan.threshold,
                        device->secrets->self, &device->random));
    return shamir_split(dealing->of_mask, dealing->points, dealing->count, device->plan.threshold,
                        device->secrets->mask, &device->random);
}

/* Both keys that this device shares with a neighbour come from points, which are refused here
 * unless they are points: the seed of their mask, and the key under which its shares are sealed. */
static enum cn_err seal_for(struct secagg_device *device, uint32_t slot,
                            const struct secagg_pair_of_shares *shares, struct secagg_sealed *out)
{
    const struct device_neighbour *neighbour = &device->neighbours[slot];
    uint8_t *key = device->secrets->shared[slot].seal_key;
    struct secagg_seed what = {device->session, device->config.prg};
    struct device_sealing sealing;

    CN_TRY(secagg_mask_seed(device->secrets->shared[slot].edge, &what, device->index,
                            neighbour->index, device->secrets->mask, neighbour->mask_public));
    CN_TRY(secagg_seal_key(key, device->session, device->index, neighbour->index,
                           device->secrets->seal, neighbour->seal_public));
    secagg_device_sealing(&sealing, device, device->index, neighbour->index);
    out->from = device->index;
    out->to = neighbour->index;
    seal_make(out->bytes, shares, sizeof *shares, &sealing.binding, key, &device->random);
    return CN_OK;
}

static enum cn_err seal_all(struct secagg_device *device, const struct dealing *dealing,
                            struct secagg_sealed *out)
{
    struct secagg_pair_of_shares *shares = &device->secrets->opened;
    uint32_t slot = 0;

    for (uint32_t k = 0; k < dealing->count; k++) {
        memcpy(shares->of_self, dealing->of_self[k], SHAMIR_BYTES);
        memcpy(shares->of_mask, dealing->of_mask[k], SHAMIR_BYTES);
        if (dealing->points[k] == device->index + 1) {
            device->secrets->own = *shares;
            continue;
        }
        CN_TRY(seal_for(device, slot, shares, &out[slot]));
        slot++;
    }
    sodium_memzero(shares, sizeof *shares);
    return CN_OK;
}

enum cn_err secagg_device_share_out(struct secagg_device *device, struct secagg_sealed *out)
{
    struct dealing *dealing = sodium_malloc(sizeof *dealing);

    if (!dealing)
        return CN_E_NOMEM;
    enum cn_err err = deal(device, dealing);
    if (err == CN_OK)
        err = seal_all(device, dealing, out);
    sodium_free(dealing); /* wipes */
    sodium_memzero(device->secrets->mask, sizeof device->secrets->mask);
    return err;
}
