/* SPDX-License-Identifier: Apache-2.0 */
/* The promises of privacy: which keys belong together, what a round costs, who may come again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "privacy/adaptive.h"
#include "task/tally.h"
#include "task/task_internal.h"

const char *task_unit_text(enum task_unit unit)
{
    switch (unit) {
    case TASK_UNIT_EXAMPLE:
        return "example";
    case TASK_UNIT_USER:
        return "user";
    case TASK_UNIT_NONE:
        break;
    }
    return "none";
}

const char *task_placement_text(enum task_placement placement)
{
    static const char *const texts[] = {[TASK_PLACEMENT_UNSAID] = "",
                                        [TASK_PLACEMENT_LOCAL] = "local",
                                        [TASK_PLACEMENT_CENTRAL] = "central",
                                        [TASK_PLACEMENT_DISTRIBUTED] = "distributed"};

    return (unsigned)placement < CN_COUNT(texts) ? texts[placement] : "";
}

/* The smallest surviving cohort without the devices that may help the aggregator. */
static uint32_t honest_survivors(const struct task *task)
{
    uint64_t permille = task_permille(task->secure_aggregation.corrupt);
    uint64_t corrupt = (permille * task->rounds.cohort_max + 999) / 1000;

    return corrupt < task->rounds.cohort_min ? task->rounds.cohort_min - (uint32_t)corrupt : 0;
}

void task_privacy_defaults(struct task *task)
{
    struct task_privacy *privacy = &task->privacy;

    if (privacy->placement == TASK_PLACEMENT_UNSAID && privacy->unit == TASK_UNIT_EXAMPLE)
        privacy->placement = TASK_PLACEMENT_LOCAL;
    if (privacy->placement == TASK_PLACEMENT_DISTRIBUTED && privacy->honest_min == 0)
        privacy->honest_min = honest_survivors(task);
    if (privacy->clip_quantile > 0 && privacy->clip_rate == 0)
        privacy->clip_rate = TASK_CLIP_RATE_DEFAULT;
    if (privacy->unit == TASK_UNIT_USER)
        task->secure_aggregation.update_range = privacy->clip_norm;
}

/* ---- which keys belong together ---- */

struct key {
    const char *name;
    const char *needs; /* in words, for keys that only some settings use */
    size_t offset, size;
};

#define KEY(member, words)                                                                         \
    {                                                                                              \
#member, words, offsetof(struct task_privacy, member),                                     \
            sizeof(((struct task_privacy *)0)->member)                                             \
    }

static const struct key keys[] = {
    KEY(placement, ""),
    KEY(clip_norm, ""),
    KEY(clipping, "'unit: example'"),
    KEY(noise_multiplier, ""),
    KEY(delta, ""),
    KEY(epsilon_max, ""),
    KEY(honest_min, "'placement: distributed'"),
    KEY(clip_quantile, "'unit: user'"),
    KEY(clip_rate, "'clip_quantile'"),
    KEY(clip_count_noise, "'clip_quantile'"),
    KEY(correlation, "'placement: central'"),
    KEY(correlation_rounds, "'correlation'"),
};

/* Absent keys are zero, and no range lets a zero be written where it would mean something. */
static bool given(const struct task_privacy *raw, const struct key *key)
{
    const uint8_t *at = (const uint8_t *)raw + key->offset;

    for (size_t i = 0; i < key->size; i++)
        if (at[i])
            return true;
    return false;
}

static enum cn_err refuse_key(const struct task_check *check, const struct key *key,
                              const char *needs, const char *hint)
{
    char path[64];
    enum cn_err err;

    snprintf(path, sizeof path, "privacy.%s", key->name);
    err = task_refuse(check, path, "'%s' needs %s", key->name, needs);
    cn_diag_hint(check->diag, "%s", hint);
    return err;
}

static bool used(const struct task_privacy *privacy, const char *name)
{
    if (strcmp(name, "honest_min") == 0)
        return privacy->placement == TASK_PLACEMENT_DISTRIBUTED;
    if (strcmp(name, "clipping") == 0)
        return privacy->unit == TASK_UNIT_EXAMPLE;
    if (strcmp(name, "clip_quantile") == 0)
        return privacy->unit == TASK_UNIT_USER;
    if (strcmp(name, "clip_rate") == 0 || strcmp(name, "clip_count_noise") == 0)
        return privacy->clip_quantile > 0;
    if (strcmp(name, "correlation") == 0)
        return privacy->placement == TASK_PLACEMENT_CENTRAL;
    return strcmp(name, "correlation_rounds") != 0 || privacy->correlation != CORRELATED_NONE;
}

static enum cn_err check_used(const struct task_check *check, const struct task_raw *raw)
{
    for (size_t i = 0; i < CN_COUNT(keys); i++)
        if (given(&raw->privacy, &keys[i]) && !used(&check->task->privacy, keys[i].name))
            return refuse_key(check, &keys[i], keys[i].needs, "remove it, or change the other");
    return CN_OK;
}

static enum cn_err check_needed(const struct task_check *check)
{
    const struct task_privacy *privacy = &check->task->privacy;
    const char *unit = task_unit_text(privacy->unit);

    if (privacy->placement == TASK_PLACEMENT_UNSAID)
        return task_refuse_hint(check, "privacy", "unit user needs 'placement'",
                                "'distributed': the devices add the noise together; 'local': each "
                                "adds all of it; 'central': the aggregator, which then sees sums");
    if (privacy->clip_norm == 0)
        return task_refuse(check, "privacy", "unit %s needs 'clip_norm'", unit);
    if (privacy->noise_multiplier == 0)
        return task_refuse(check, "privacy", "unit %s needs 'noise_multiplier'", unit);
    if (privacy->delta == 0)
        return task_refuse(check, "privacy", "unit %s needs 'delta'", unit);
    return CN_OK;
}

static enum cn_err check_example(const struct task_check *check)
{
    const struct task_training *training = &check->task->training;
    const struct task_privacy *privacy = &check->task->privacy;

    if (privacy->placement != TASK_PLACEMENT_LOCAL)
        return task_refuse_hint(check, "privacy.placement",
                                "examples are protected by the device that has them",
                                "set 'placement: local', or 'unit: user'");
    if (training->sampling_rate == 0)
        return task_refuse_hint(
            check, "training", "'sampling_rate' is missing, which privacy for examples needs",
            "Poisson batches are what the accountant counts; e.g. batch / examples");
    if (!training->steps)
        return task_refuse_hint(check, "training.epochs", "privacy for examples counts steps",
                                "give 'steps' in place of 'epochs'");
    if (training->weighting == TASK_WEIGHTING_EXAMPLES)
        return task_refuse_hint(check, "training.weighting",
                                "a device's number of examples would be revealed",
                                "privacy for examples goes with 'weighting: equal'");
    return CN_OK;
}

/* Settings that promise something must not stand where they do nothing. */
static enum cn_err check_not_private(const struct task_check *check, const struct task_raw *raw)
{
    static const char *const hint = "remove it, or set 'privacy.unit: example' or 'user'";

    for (size_t i = 0; i < CN_COUNT(keys); i++)
        if (given(&raw->privacy, &keys[i]))
            return refuse_key(check, &keys[i], "a unit", hint);
    if (check->task->training.sampling_rate != 0)
        return task_refuse_hint(check, "training.sampling_rate", "'sampling_rate' needs privacy",
                                hint);
    return CN_OK;
}

static enum cn_err check_honest(const struct task_check *check)
{
    const struct task *task = check->task;
    uint32_t honest = honest_survivors(task);

    if (task->privacy.placement != TASK_PLACEMENT_DISTRIBUTED)
        return CN_OK;
    if (task->secure_aggregation.mode == TASK_MODE_OFF)
        return task_refuse_hint(check, "privacy.placement",
                                "a part of the noise does not protect an update that is seen alone",
                                "set 'secure_aggregation.mode: on', or 'placement: local'");
    if (honest == 0)
        return task_refuse_hint(check, "rounds.cohort_min",
                                "the smallest cohort may consist of corrupt devices only",
                                "raise 'cohort_min' above secure_aggregation.corrupt * cohort_max");
    if (task->privacy.honest_min > honest)
        return task_refuse(check, "privacy.honest_min",
                           "only %u of the %u survivors of a smallest round are honest when %g of "
                           "%u devices are corrupt",
                           honest, task->rounds.cohort_min, task->secure_aggregation.corrupt,
                           task->rounds.cohort_max);
    return CN_OK;
}

static enum cn_err check_adaptive(const struct task_check *check)
{
    const struct task_privacy *privacy = &check->task->privacy;
    double rider;

    if (privacy->clip_quantile == 0)
        return CN_OK;
    if (privacy->correlation != CORRELATED_NONE)
        return task_refuse_hint(check, "privacy.clip_quantile",
                                "correlated noise needs a clip that stays",
                                "remove 'clip_quantile' or 'correlation'");
    if (privacy->clip_count_noise == 0)
        return task_refuse_hint(check, "privacy", "'clip_quantile' needs 'clip_count_noise'",
                                "a twentieth of the cohort is usual");
    if (adaptive_rider(&rider, privacy->noise_multiplier, privacy->clip_count_noise) != CN_OK ||
        rider > 2)
        return task_refuse_hint(check, "privacy.clip_count_noise",
                                "so little noise in the count leaves none for the update",
                                "take more than 'noise_multiplier'");
    return CN_OK;
}

static enum cn_err check_correlation(const struct task_check *check)
{
    const struct task_privacy *privacy = &check->task->privacy;

    if (privacy->correlation == CORRELATED_NONE)
        return CN_OK;
    if (privacy->correlation_rounds == 0)
        return task_refuse_hint(check, "privacy", "'correlation' needs 'correlation_rounds'",
                                "rounds of a tree, or the band; a device takes part once in them");
    if (privacy->correlation == CORRELATED_BANDED &&
        privacy->correlation_rounds > FACTORISE_BAND_MAX)
        return task_refuse(check, "privacy.correlation_rounds", "a band is at most %d wide",
                           FACTORISE_BAND_MAX);
    return CN_OK;
}

static enum cn_err check_user(const struct task_check *check, const struct task_raw *raw)
{
    const struct task_training *training = &check->task->training;

    if (raw->secure_aggregation.update_range != 0)
        return task_refuse_hint(check, "secure_aggregation.update_range",
                                "with unit user updates are clipped to 'privacy.clip_norm'",
                                "remove 'update_range'");
    if (training->sampling_rate != 0)
        return task_refuse(check, "training.sampling_rate",
                           "'sampling_rate' is for unit example only");
    if (training->weighting == TASK_WEIGHTING_EXAMPLES)
        return task_refuse_hint(check, "training.weighting",
                                "a device's number of examples would be revealed",
                                "privacy goes with 'weighting: equal'");
    CN_TRY(check_honest(check));
    CN_TRY(check_adaptive(check));
    return check_correlation(check);
}

enum cn_err task_check_privacy(const struct task_check *check, const struct task_raw *raw)
{
    enum task_unit unit = check->task->privacy.unit;

    if (unit != TASK_UNIT_USER && raw->secure_aggregation.update_range == 0)
        return task_refuse(check, "secure_aggregation", "'update_range' is missing");
    if (unit == TASK_UNIT_NONE)
        return check_not_private(check, raw);
    CN_TRY(check_needed(check));
    CN_TRY(check_used(check, raw));
    return unit == TASK_UNIT_EXAMPLE ? check_example(check) : check_user(check, raw);
}

/* ---- what follows from them ---- */

double task_rider(const struct task *task)
{
    const struct task_privacy *privacy = &task->privacy;
    double rider = 0;

    if (privacy->clip_quantile > 0)
        CN_IGNORE(adaptive_rider(&rider, privacy->noise_multiplier, privacy->clip_count_noise));
    return rider;
}

struct adaptive task_adaptive(const struct task *task)
{
    const struct task_privacy *privacy = &task->privacy;

    return (struct adaptive){privacy->clip_quantile, privacy->clip_rate, privacy->clip_count_noise};
}

enum cn_err task_clip_read(double *clip, const struct task *task, const char *text,
                           struct cn_diag *diag)
{
    double value;
    char *end;

    *clip = task->secure_aggregation.update_range;
    if (task->privacy.clip_quantile == 0 || !text)
        return CN_OK;
    value = strtod(text, &end);
    if (end == text || *end || !(value >= ADAPTIVE_CLIP_MIN && value <= ADAPTIVE_CLIP_MAX)) {
        cn_diag_set(diag, "the global model", 0, 0, "'%s' is no norm to clip to", TASK_CLIP_KEY);
        return CN_E_DATA;
    }
    *clip = value;
    return CN_OK;
}

void task_clip_text(char out[TASK_CLIP_TEXT_MAX], double clip)
{
    snprintf(out, TASK_CLIP_TEXT_MAX, "%a", clip);
}

bool task_noise_on_devices(const struct task *task)
{
    return task->privacy.unit == TASK_UNIT_USER &&
           task->privacy.placement != TASK_PLACEMENT_CENTRAL;
}

enum cn_err task_correlated_plan(struct correlated_plan *plan, const struct task *task)
{
    const struct task_privacy *privacy = &task->privacy;

    *plan = (struct correlated_plan){.kind = privacy->correlation,
                                     .rounds = privacy->correlation_rounds};
    if (privacy->correlation != CORRELATED_BANDED)
        return CN_OK;
    return factorise_banded(&plan->factor, task->rounds.count, privacy->correlation_rounds);
}

uint32_t task_next_round(const struct task *task, uint32_t last)
{
    const struct task_privacy *privacy = &task->privacy;
    struct correlated_plan plan = {.kind = privacy->correlation,
                                   .rounds = privacy->correlation_rounds,
                                   .factor.band = privacy->correlation_rounds};

    return privacy->correlation == CORRELATED_NONE ? last : correlated_next(&plan, last);
}

static bool example_event(const struct task *task, struct accountant_event *event)
{
    *event = (struct accountant_event){
        .kind = ACCOUNTANT_DISCRETE_GAUSSIAN,
        .noise_multiplier = task->privacy.noise_multiplier,
        .sampling_rate = task->training.sampling_rate,
        .steps = task->training.steps,
    };
    return true;
}

/* Who takes part is seen by the aggregator, so nothing counts as sampled. */
static bool user_event(const struct task *task, struct accountant_event *event)
{
    struct encode_plan plan;

    *event = (struct accountant_event){.kind = ACCOUNTANT_DISCRETE_GAUSSIAN,
                                       .noise_multiplier = task->privacy.noise_multiplier,
                                       .sampling_rate = 1,
                                       .steps = 1};
    if (task->privacy.correlation != CORRELATED_NONE) {
        event->kind = ACCOUNTANT_CORRELATED;
        event->sampling_rate = 0;
        event->square = 1; /* the noise is made larger by the rest: correlated.h */
    } else if (task_noise_on_devices(task)) {
        *event = (struct accountant_event){.kind = ACCOUNTANT_KIND_COUNT, .steps = 1};
        if (task_encode_plan(&plan, task, NULL) != CN_OK) /* not of a task that was parsed */
            return true;                                  /* what no accountant takes */
        event->kind = ACCOUNTANT_DISTRIBUTED;
        event->distributed = plan.noise.mechanism;
    }
    return true;
}

bool task_round_event(const struct task *task, struct accountant_event *event)
{
    *event = (struct accountant_event){0};
    if (task->privacy.unit == TASK_UNIT_NONE)
        return false;
    return task->privacy.unit == TASK_UNIT_EXAMPLE ? example_event(task, event)
                                                   : user_event(task, event);
}

/* In so many rounds one device is in at most so many. */
static uint32_t participations(const struct task *task, uint32_t rounds)
{
    uint32_t apart = task->privacy.correlation_rounds;

    return task->privacy.correlation == CORRELATED_NONE ? rounds : (rounds + apart - 1) / apart;
}

enum cn_err task_epsilon(const struct task *task, uint32_t rounds, double *epsilon)
{
    struct accountant_event event;
    struct accountant accountant;

    *epsilon = 0;
    if (!task_round_event(task, &event) || rounds == 0)
        return CN_OK;
    event.steps *= participations(task, rounds);
    accountant_init(&accountant);
    CN_TRY(accountant_add(&accountant, &event));
    return accountant_epsilon(&accountant, task->privacy.delta, epsilon, NULL);
}
