/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/central.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "privacy/noise.h"

#define NOISE_FOLDER "noise"
#define PIECE 1024
#define SIGMA_MIN 2048.0 /* below it the grid of whole numbers would show in the price */

bool central_wanted(const struct task *task)
{
    return task->privacy.unit == TASK_UNIT_USER &&
           task->privacy.placement == TASK_PLACEMENT_CENTRAL;
}

static enum cn_err state_path(char path[CN_PATH_MAX], const struct central *central, uint32_t round)
{
    char name[2 * TASK_ID_BYTES + 16], hex[2 * TASK_ID_BYTES + 1], folder[CN_PATH_MAX];
    if (!central->folder)
        return CN_E_STATE;
    snprintf(name, sizeof(name), "%s.%u", cn_hex_encode(hex, central->task_id, TASK_ID_BYTES),
             (unsigned)round);
    CN_TRY(cn_path_join(folder, central->folder, NOISE_FOLDER));
    CN_TRY(cn_folder_make(folder, 0700, central->diag));
    return cn_path_join(path, folder, name);
}

/* The submission and its plan. */
static void state_id(uint8_t id[CORRELATED_ID_BYTES], const struct central *central)
{
    _Static_assert(CORRELATED_ID_BYTES == 2 * TASK_ID_BYTES, "half of it is the plan's hash");
    memcpy(id, central->task_id, TASK_ID_BYTES);
    memcpy(id + TASK_ID_BYTES, central->task->hash, TASK_ID_BYTES);
}

static enum cn_err open_state(struct central *central, size_t n)
{
    struct correlated_plan plan;
    uint8_t id[CORRELATED_ID_BYTES];
    char path[CN_PATH_MAX];
    CN_TRY(state_path(path, central, central->round));
    CN_TRY(task_correlated_plan(&plan, central->task));
    state_id(id, central);
    if (central->round == 1)
        return correlated_new(&central->state, &plan, n, id);
    return correlated_load(&central->state, &plan, n, id, central->round, path, central->diag);
}

/* Independent noise: exactly distributed, of a whole sigma. */
static enum cn_err add_independent(int64_t *values, size_t n, double sigma,
                                   const struct cn_random *random)
{
    int64_t noise[PIECE];
    uint64_t whole = (uint64_t)sigma;
    for (size_t at = 0; at < n; at += PIECE) {
        size_t count = n - at < PIECE ? n - at : PIECE;
        CN_TRY(noise_discrete_gaussian(noise, count, whole * whole, 1, random));
        for (size_t i = 0; i < count; i++)
            values[at + i] += noise[i];
    }
    explicit_bzero(noise, sizeof(noise));
    return CN_OK;
}

enum cn_err central_add(void *ctx, int64_t *values, size_t n, double sensitivity)
{
    struct central *central = ctx;
    const struct task_privacy *privacy = &central->task->privacy;
    struct cn_random random;
    CN_TRY(random_system(&random));
    CN_TRY(random_stream_new(&central->stream, &random));
    random = random_stream_interface(central->stream);
    if (privacy->correlation != CORRELATED_NONE) {
        CN_TRY(open_state(central, n));
        return correlated_add(central->state, values, privacy->noise_multiplier, sensitivity,
                              &random);
    }
    double sigma = fmax(ceil(privacy->noise_multiplier * sensitivity * (1 + 1e-12)), SIGMA_MIN);
    if (!(sigma <= (double)NOISE_SIGMA_WHOLE_MAX))
        return CN_E_CONFIG;
    return add_independent(values, n, sigma, &random);
}

enum cn_err central_keep(struct central *central)
{
    char path[CN_PATH_MAX];
    if (!central->state)
        return CN_OK;
    CN_TRY(state_path(path, central, central->round + 1));
    CN_TRY(correlated_save(central->state, path, central->diag));
    if (central->round > 1) {
        CN_TRY(state_path(path, central, central->round - 1));
        (void)unlink(path); /* of a round that is long published; gone already after a retry */
    }
    return CN_OK;
}

void central_clear(struct central *central)
{
    random_stream_free(central->stream);
    correlated_free(central->state);
    central->stream = NULL;
    central->state = NULL;
}
