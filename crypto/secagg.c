/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of secure aggregation; see secagg.h. Hashes and keys are in secagg_derive.c. */
#include "crypto/secagg.h"

#include <stdio.h>

#include "crypto/secagg_internal.h"

_Static_assert(SECAGG_SEALED_BYTES == sizeof(struct secagg_pair_of_shares) + SEAL_OVERHEAD,
               "a sealed message is two shares");
_Static_assert(SECAGG_KEY_BYTES == AGREE_PUBLIC_BYTES, "keys are points");
_Static_assert(SECAGG_SHARE_BYTES == SHAMIR_BYTES, "shares are scalars");
_Static_assert(SECAGG_DEGREE_MAX + 1 <= SHAMIR_SHARES_MAX, "all neighbours can hold a share");
_Static_assert(SECAGG_BITS_MAX <= MASK_BITS_MAX, "masks cover every coordinate");

_Static_assert((int)SECAGG_PRG_CHACHA20 == (int)MASK_CHACHA20 &&
                   (int)SECAGG_PRG_AES256CTR == (int)MASK_AES256_CTR,
               "keystreams have one number");

bool secagg_prg_is_safe(enum secagg_prg prg)
{
    return prg < SECAGG_PRG_COUNT && mask_has_instructions((enum mask_algorithm)prg);
}

enum secagg_prg secagg_prg_best(void)
{
    return secagg_prg_is_safe(SECAGG_PRG_AES256CTR) ? SECAGG_PRG_AES256CTR : SECAGG_PRG_CHACHA20;
}

uint32_t secagg_threshold(uint32_t devices)
{
    return (uint32_t)((uint64_t)devices * 2 / 3 + 1);
}

uint32_t secagg_threshold_for(const struct secagg_config *config, uint32_t devices)
{
    uint32_t rule = secagg_threshold(devices);

    return rule > config->threshold_min ? rule : config->threshold_min;
}

static enum cn_err ring_check(const struct secagg_ring *ring)
{
    if (ring->devices_min == 0)
        return ring->corrupt_permille || ring->dropout_permille || ring->security_bits ||
                       ring->correctness_bits || ring->adversary
                   ? CN_E_CONFIG
                   : CN_OK;
    if (ring->adversary > SECAGG_CURIOUS)
        return CN_E_CONFIG;
    if (ring->security_bits < 1 || ring->security_bits > GRAPH_BITS_MAX)
        return CN_E_CONFIG;
    if (ring->correctness_bits < 1 || ring->correctness_bits > GRAPH_BITS_MAX)
        return CN_E_CONFIG;
    return ring->corrupt_permille > SECAGG_RING_PERMILLE_MAX ||
                   ring->dropout_permille > SECAGG_RING_PERMILLE_MAX
               ? CN_E_CONFIG
               : CN_OK;
}

static struct graph_demand demand_of(const struct secagg_ring *ring, uint32_t devices)
{
    return (struct graph_demand){.devices = devices,
                                 .corrupt_permille = ring->corrupt_permille,
                                 .dropout_permille = ring->dropout_permille,
                                 .security_bits = ring->security_bits,
                                 .correctness_bits = ring->correctness_bits,
                                 .adversary = ring->adversary == SECAGG_CURIOUS ? GRAPH_CURIOUS
                                                                                : GRAPH_MALICIOUS};
}

/* The largest value below *permille (which lies in demand) with which there is a ring. */
static bool largest_that_does(struct graph_demand *demand, uint32_t *permille)
{
    struct graph_plan plan;
    uint32_t low = 0, high = *permille;

    *permille = 0;
    if (graph_plan_checked(&plan, demand) != CN_OK)
        return false;
    while (low + 1 < high) {
        *permille = low + (high - low) / 2;
        if (graph_plan_checked(&plan, demand) == CN_OK)
            low = *permille;
        else
            high = *permille;
    }
    *permille = low;
    return true;
}

static void advise(struct cn_diag *diag, const struct secagg_ring *ring, uint32_t devices)
{
    struct graph_demand fewer_liars = demand_of(ring, devices), fewer_leave = fewer_liars;
    char corrupt[64] = "", leaving[64] = "";

    if (!diag)
        return;
    if (ring->devices_min == 0) {
        cn_diag_set(
            diag, NULL, 0, 0,
            "%u devices need a ring of neighbours, for which this round makes no provision; "
            "up to %u do without",
            devices, SECAGG_COMPLETE_MAX);
        return;
    }
    if (largest_that_does(&fewer_liars, &fewer_liars.corrupt_permille))
        snprintf(corrupt, sizeof corrupt, "; at most %u of a thousand corrupt",
                 fewer_liars.corrupt_permille);
    if (largest_that_does(&fewer_leave, &fewer_leave.dropout_permille))
        snprintf(leaving, sizeof leaving, "; at most %u of a thousand leaving",
                 fewer_leave.dropout_permille);
    cn_diag_set(
        diag, NULL, 0, 0,
        "no ring of %u devices withstands %u of a thousand corrupt and %u leaving; what would "
        "do: cohorts of up to %u%s%s",
        devices, ring->corrupt_permille, ring->dropout_permille, SECAGG_COMPLETE_MAX, corrupt,
        leaving);
}

enum cn_err secagg_plan_make(struct secagg_plan *plan, const struct secagg_config *config,
                             uint32_t devices, struct cn_diag *diag)
{
    const struct secagg_ring *ring = &config->ring;
    struct graph_demand demand = demand_of(ring, devices);
    struct graph_plan made;
    enum cn_err err = CN_E_THRESHOLD;

    *plan = (struct secagg_plan){0};
    CN_TRY(ring_check(ring));
    if (devices < SECAGG_DEVICES_MIN || devices > SECAGG_DEVICES_MAX)
        return CN_E_CONFIG;
    if (ring->devices_min > 0 && devices >= ring->devices_min)
        err = graph_plan_checked(&made, &demand);
    if (err == CN_OK)
        *plan = (struct secagg_plan){.degree = made.degree,
                                     .threshold = made.threshold,
                                     .window_min = made.window_min,
                                     .neighbours_min = made.neighbours_min};
    if (err != CN_E_THRESHOLD)
        return err;
    if (devices > SECAGG_COMPLETE_MAX) {
        advise(diag, ring, devices);
        return CN_E_THRESHOLD;
    }
    *plan = (struct secagg_plan){.degree = devices - 1,
                                 .threshold = secagg_threshold_for(config, devices)};
    return CN_OK;
}

uint32_t secagg_degree(const struct secagg_config *config, uint32_t devices)
{
    struct secagg_plan plan;

    return secagg_plan_make(&plan, config, devices, NULL) == CN_OK ? plan.degree : 0;
}

enum cn_err secagg_shape_init(struct secagg_shape *shape, const struct secagg_config *config,
                              const uint8_t session[SECAGG_SESSION_BYTES], uint32_t devices,
                              uint32_t threshold)
{
    uint8_t seed[GRAPH_SEED_BYTES];
    struct secagg_plan plan;

    *shape = (struct secagg_shape){0};
    CN_TRY(secagg_plan_make(&plan, config, devices, NULL));
    hash_of(seed, "cairn-secagg-ring-1", session, SECAGG_SESSION_BYTES);
    CN_TRY(graph_init(&shape->graph, devices, plan.degree, seed));
    shape->threshold = shape->graph.place ? plan.threshold : threshold;
    shape->window_min = plan.window_min;
    shape->neighbours_min = plan.neighbours_min;
    return CN_OK;
}

void secagg_shape_clear(struct secagg_shape *shape)
{
    graph_clear(&shape->graph);
}

enum cn_err secagg_config_check(const struct secagg_config *config)
{
    if (config->dim < 1 || config->dim > SECAGG_DIM_MAX)
        return CN_E_CONFIG;
    if (config->bits < SECAGG_BITS_MIN || config->bits > SECAGG_BITS_MAX)
        return CN_E_CONFIG;
    if (config->cohort_min < SECAGG_DEVICES_MIN || config->cohort_min > SECAGG_DEVICES_MAX)
        return CN_E_CONFIG;
    if (config->threshold_min > SECAGG_DEVICES_MAX || config->degree_min > SECAGG_DEGREE_MAX)
        return CN_E_CONFIG;
    if (config->prg >= SECAGG_PRG_COUNT)
        return CN_E_CONFIG;
    return ring_check(&config->ring);
}
