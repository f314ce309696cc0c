/* SPDX-License-Identifier: Apache-2.0 */
/* What a lying aggregator and the devices that help it know together, and what follows from it.
 *
 * It holds every message that left an honest device, and the secrets of its own devices. Sealed
 * shares are opened where it has the key, secrets combined where it has enough shares; then linear
 * algebra over the masked vectors says whether one of them alone can be freed of its masks. */
#include <stdlib.h>
#include <string.h>

#include "sim_world.h"

enum { DEALT_MAX = 4096, PRIME = 2147483647, PAIRS = SIM_MEMBERS_MAX * SIM_MEMBERS_MAX };
enum { COLUMNS_MASKS = SIM_DEVICES_MAX + PAIRS, COLUMNS = COLUMNS_MASKS + SIM_DEVICES_MAX };

struct known {
    uint8_t public_key[AGREE_PUBLIC_BYTES];
    uint8_t secret[AGREE_SECRET_BYTES];
};

/* Shares of one secret, dealt in one session. */
struct dealt {
    uint8_t session[SECAGG_SESSION_BYTES];
    uint8_t public_key[AGREE_PUBLIC_BYTES];
    uint32_t threshold, count;
    uint32_t points[SIM_MEMBERS_MAX]; /* rising */
    uint8_t shares[SIM_MEMBERS_MAX][SHAMIR_BYTES];
};

struct sim_adversary {
    struct known known[SIM_SECRETS_MAX];
    uint32_t known_count;
    struct dealt dealt[DEALT_MAX];
    uint32_t dealt_count;
    uint64_t matrix[SIM_DEVICES_MAX][COLUMNS];
};

void sim_adversary_start(struct sim_world *world)
{
    world->adversary = calloc(1, sizeof *world->adversary);
    CN_ASSERT(world->adversary);
}

void sim_adversary_free(struct sim_world *world)
{
    free(world->adversary);
}

static const uint8_t *secret_of(const struct sim_adversary *adversary,
                                const uint8_t public_key[AGREE_PUBLIC_BYTES])
{
    for (uint32_t i = 0; i < adversary->known_count; i++)
        if (memcmp(adversary->known[i].public_key, public_key, AGREE_PUBLIC_BYTES) == 0)
            return adversary->known[i].secret;
    return NULL;
}

void sim_adversary_knows(struct sim_world *world, const uint8_t public_key[AGREE_PUBLIC_BYTES],
                         const uint8_t secret[AGREE_SECRET_BYTES])
{
    struct sim_adversary *adversary = world->adversary;

    if (secret_of(adversary, public_key))
        return;
    CN_ASSERT(adversary->known_count < SIM_SECRETS_MAX);
    struct known *known = &adversary->known[adversary->known_count++];
    memcpy(known->public_key, public_key, sizeof known->public_key);
    memcpy(known->secret, secret, sizeof known->secret);
}

static struct dealt *find_dealt(struct sim_adversary *adversary, const struct sim_sitting *sitting,
                                const uint8_t public_key[AGREE_PUBLIC_BYTES])
{
    for (uint32_t i = 0; i < adversary->dealt_count; i++) {
        struct dealt *dealt = &adversary->dealt[i];

        if (memcmp(dealt->public_key, public_key, AGREE_PUBLIC_BYTES) == 0 &&
            memcmp(dealt->session, sitting->session, SECAGG_SESSION_BYTES) == 0)
            return dealt;
    }
    CN_ASSERT(adversary->dealt_count < DEALT_MAX);
    struct dealt *dealt = &adversary->dealt[adversary->dealt_count++];
    memcpy(dealt->public_key, public_key, AGREE_PUBLIC_BYTES);
    memcpy(dealt->session, sitting->session, SECAGG_SESSION_BYTES);
    dealt->threshold = sitting->ring.threshold;
    return dealt;
}

/* Combines the shares and says whether they give the secret behind the public key. */
static void combine(struct sim_world *world, const struct dealt *dealt)
{
    uint8_t weights[SIM_MEMBERS_MAX][SHAMIR_BYTES];
    uint8_t secret[SHAMIR_BYTES], public_key[AGREE_PUBLIC_BYTES];

    if (shamir_weights(weights, dealt->points, dealt->threshold) != CN_OK)
        return;
    shamir_combine(secret, dealt->shares, (const uint8_t(*)[SHAMIR_BYTES])weights,
                   dealt->threshold);
    if (agree_public(public_key, secret) == CN_OK &&
        memcmp(public_key, dealt->public_key, sizeof public_key) == 0)
        sim_adversary_knows(world, public_key, secret);
}

static void add_share(struct sim_world *world, const struct sim_sitting *sitting,
                      const uint8_t public_key[AGREE_PUBLIC_BYTES], uint32_t point,
                      const uint8_t value[SHAMIR_BYTES])
{
    struct dealt *dealt = find_dealt(world->adversary, sitting, public_key);
    uint32_t at = 0;

    while (at < dealt->count && dealt->points[at] < point)
        at++;
    if (dealt->count == SIM_MEMBERS_MAX || (at < dealt->count && dealt->points[at] == point))
        return;
    memmove(&dealt->points[at + 1], &dealt->points[at], (dealt->count - at) * sizeof(uint32_t));
    memmove(&dealt->shares[at + 1], &dealt->shares[at], (dealt->count - at) * SHAMIR_BYTES);
    dealt->points[at] = point;
    memcpy(dealt->shares[at], value, SHAMIR_BYTES);
    dealt->count++;
    if (dealt->count >= dealt->threshold)
        combine(world, dealt);
}

static void hear_sealed(struct sim_world *world, const struct sim_sitting *sitting,
                        const struct secagg_sealed *sealed)
{
    const struct secagg_keys *own = &sitting->keys[sitting->index];
    const uint8_t *secret = secret_of(world->adversary, sitting->keys[sealed->to].seal_public);
    struct secagg_pair_of_shares opened;
    struct secagg_channel channel;
    struct seal_binding binding = {SECAGG_SHARE_LABEL, channel.bytes, sizeof channel.bytes};
    uint8_t key[SEAL_KEY_BYTES];

    if (!secret)
        return;
    secagg_channel_make(&channel, sitting->session, sealed->from, sealed->to);
    if (secagg_seal_key(key, sitting->session, sealed->from, sealed->to, secret,
                        own->seal_public) != CN_OK ||
        seal_open(&opened, sealed->bytes, sizeof sealed->bytes, &binding, key) != CN_OK) {
        sim_broken(world, "the adversary can not open what was sealed for it");
        return;
    }
    add_share(world, sitting, own->self_public, sealed->to + 1, opened.of_self);
    add_share(world, sitting, own->mask_public, sealed->to + 1, opened.of_mask);
}

void sim_adversary_hears(struct sim_world *world, const struct sim_sitting *sitting,
                         const struct message *message)
{
    if (message->type == MESSAGE_SHARES)
        for (uint32_t i = 0; i < message->as.shares.count; i++)
            hear_sealed(world, sitting, &message->as.shares.sealed[i]);
    if (message->type != MESSAGE_REVEAL && message->type != MESSAGE_CHUNK)
        return;
    world->counts.reveals += message->type == MESSAGE_REVEAL;
    for (uint32_t i = 0; message->type == MESSAGE_REVEAL && i < message->as.reveal.count; i++) {
        const struct secagg_share *share = &message->as.reveal.shares[i];
        const struct secagg_keys *keys = &sitting->keys[share->of];

        add_share(world, sitting,
                  share->kind == SECAGG_SELF ? keys->self_public : keys->mask_public,
                  sitting->index + 1, share->value);
    }
    sim_adversary_check(world);
}

/* ---- linear algebra, modulo a prime ---- */

static uint64_t power(uint64_t base, uint64_t exponent)
{
    uint64_t result = 1;

    for (; exponent; exponent >>= 1, base = base * base % PRIME)
        if (exponent & 1)
            result = result * base % PRIME;
    return result;
}

static void subtract_row(uint64_t *row, const uint64_t *pivot, uint64_t factor)
{
    for (uint32_t c = 0; c < COLUMNS; c++)
        row[c] = (row[c] + (PRIME - factor) * pivot[c]) % PRIME;
}

/* Reduced row echelon form. */
static void reduce(uint64_t (*matrix)[COLUMNS], uint32_t rows)
{
    uint64_t spare[COLUMNS];

    for (uint32_t column = 0, top = 0; column < COLUMNS && top < rows; column++) {
        uint32_t pivot = top;

        while (pivot < rows && matrix[pivot][column] == 0)
            pivot++;
        if (pivot == rows)
            continue;
        memcpy(spare, matrix[pivot], sizeof spare);
        memcpy(matrix[pivot], matrix[top], sizeof spare);
        uint64_t inverse = power(spare[column], PRIME - 2);
        for (uint32_t c = 0; c < COLUMNS; c++)
            matrix[top][c] = spare[c] * inverse % PRIME;
        for (uint32_t r = 0; r < rows; r++)
            if (r != top && matrix[r][column])
                subtract_row(matrix[r], matrix[top], matrix[r][column]);
        top++;
    }
}

/* The masked vector of a device: its vector, and the masks that the adversary can not compute. */
static void fill_row(const struct sim_adversary *adversary, const struct sim_sitting *sitting,
                     uint64_t row[COLUMNS], uint32_t number)
{
    const struct secagg_keys *own = &sitting->keys[sitting->index];
    uint32_t i = sitting->index;

    memset(row, 0, COLUMNS * sizeof *row);
    row[COLUMNS_MASKS + number] = 1;
    row[number] = secret_of(adversary, own->self_public) ? 0 : 1;
    if (secret_of(adversary, own->mask_public))
        return;
    for (uint32_t j = 0; j < sitting->count; j++) {
        uint32_t low = i < j ? i : j, high = i < j ? j : i;

        if (!(sitting->ring.near[i] >> j & 1) || !(sitting->shared >> j & 1) ||
            secret_of(adversary, sitting->keys[j].mask_public))
            continue;
        row[SIM_DEVICES_MAX + low * SIM_MEMBERS_MAX + high] = i < j ? 1 : PRIME - 1;
    }
}

/* The device whose vector stands alone in a row without masks, or -1. */
static int exposed(uint64_t (*matrix)[COLUMNS], uint32_t rows)
{
    for (uint32_t r = 0; r < rows; r++) {
        uint32_t masks = 0, vectors = 0, which = 0;

        for (uint32_t c = 0; c < COLUMNS_MASKS; c++)
            masks += matrix[r][c] != 0;
        for (uint32_t k = 0; k < SIM_DEVICES_MAX; k++)
            if (matrix[r][COLUMNS_MASKS + k]) {
                vectors++;
                which = k;
            }
        if (masks == 0 && vectors == 1)
            return (int)which;
    }
    return -1;
}

static void check_session(struct sim_world *world, const struct sim_sitting *first)
{
    struct sim_adversary *adversary = world->adversary;
    uint32_t who[SIM_DEVICES_MAX], rows = 0;

    for (uint32_t i = 0; i < world->sitting_count; i++) {
        const struct sim_sitting *sitting = &world->sittings[i];

        if (!sitting->uploaded || world->devices[sitting->device].corrupt ||
            memcmp(sitting->session, first->session, SECAGG_SESSION_BYTES) != 0)
            continue;
        CN_ASSERT(rows < SIM_DEVICES_MAX);
        fill_row(adversary, sitting, adversary->matrix[rows], rows);
        who[rows++] = sitting->device;
    }
    reduce(adversary->matrix, rows);
    int found = exposed(adversary->matrix, rows);
    if (found >= 0)
        sim_broken(world, "the adversary can compute the vector of device %u", who[found]);
}

void sim_adversary_check(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->sitting_count; i++) {
        const struct sim_sitting *sitting = &world->sittings[i];
        bool first = sitting->uploaded;

        for (uint32_t j = 0; first && j < i; j++)
            first = !world->sittings[j].uploaded ||
                    memcmp(world->sittings[j].session, sitting->session, SECAGG_SESSION_BYTES) != 0;
        if (first)
            check_session(world, sitting);
    }
}
