/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/aggregate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/central.h"
#include "aggregator/strategy.h"
#include "nn/safetensors.h"

/* Where a model stands: what is written beside its weights. */
struct stand {
    const struct task *task;
    uint32_t round;
    double clip; /* of the next round, when it adapts */
};

/* Encodes the model, with words about where it comes from, and writes the blob. */
static enum cn_err write_model(const struct model *model, const struct stand *stand,
                               const struct registry *registry, struct cn_buf *bytes,
                               uint8_t hash[HASH_BYTES], struct cn_diag *diag)
{
    struct safetensors_metadata *metadata = calloc(1, sizeof(*metadata));
    if (!metadata)
        return CN_E_NOMEM;
    char number[16], clip[TASK_CLIP_TEXT_MAX];
    snprintf(number, sizeof(number), "%u", (unsigned)stand->round);
    task_clip_text(clip, stand->clip);
    enum cn_err err;
    CN_TRY_OUT(err, safetensors_metadata_set(metadata, "producer", "cairn"));
    CN_TRY_OUT(err, safetensors_metadata_set(metadata, "task", stand->task->name));
    CN_TRY_OUT(err, safetensors_metadata_set(metadata, "round", number));
    if (stand->task->privacy.clip_quantile > 0)
        CN_TRY_OUT(err, safetensors_metadata_set(metadata, TASK_CLIP_KEY, clip));
    CN_TRY_OUT(err, safetensors_encode(bytes, model, metadata));
    CN_TRY_OUT(err, registry_put(registry, hash, bytes->data, bytes->len, diag));
out:
    free(metadata);
    return err;
}

/* The next round's clip norm, from the count that rode behind the values of sum. */
static enum cn_err adapt(struct aggregate *job, double *clip, const struct encode_plan *plan,
                         const float *sum)
{
    struct adaptive adaptive = task_adaptive(job->task);
    if (!(plan->rider > 0))
        return CN_OK;
    return adaptive_next(clip, *clip, &adaptive, plan->rider, (double)sum[plan->values],
                         job->survivors);
}

/* The sum of updates and its counters, with the noise that is the aggregator's to add. */
static enum cn_err decode(struct aggregate *job, float *sum, uint64_t *counters,
                          const struct encode_plan *plan, struct central *central)
{
    encode_noise noise = central_wanted(job->task) ? central_add : NULL;
    CN_TRY(encode_sum_decode_noised(sum, counters, round_sum(job->round), plan, job->survivors,
                                    noise, central));
    return tally_read(&job->tally, counters, job->task, job->survivors);
}

/* Moves model by the round's sum; clip is the round's, then the next one's. */
static enum cn_err step(struct aggregate *job, struct model *model, double *clip,
                        struct central *central)
{
    static const char *const names[] = {[TASK_STRATEGY_FEDAVG] = "fedavg"};
    const struct strategy *strategy = strategy_find(names[job->task->strategy.name]);
    CN_ASSERT(strategy);
    struct encode_plan plan;
    CN_TRY(task_encode_plan(&plan, job->task, &job->diag));
    CN_TRY(encode_plan_round(&plan, *clip, job->binding));
    size_t d = model_params(model);
    CN_ASSERT(plan.values == d && plan.counters <= TASK_COUNTER_COUNT);
    float *sum = malloc((d + 1) * sizeof(*sum)); /* room for what rides behind the values */
    if (!sum)
        return CN_E_NOMEM;
    uint64_t counters[TASK_COUNTER_COUNT] = {0};
    enum cn_err err;
    CN_TRY_OUT(err, decode(job, sum, counters, &plan, central));
    CN_TRY_OUT(err, adapt(job, clip, &plan, sum));
    CN_TRY_OUT(err, strategy->step(model_weights(model), sum, d, job->tally.divisor,
                                   job->task->strategy.learning_rate));
out:
    free(sum);
    return err;
}

/* The model that the devices started from, and the norm that they clipped to. */
static enum cn_err read_model(struct aggregate *job, struct model *model, double *clip)
{
    struct safetensors_metadata *words = calloc(1, sizeof(*words));
    if (!words)
        return CN_E_NOMEM;
    enum cn_err err = safetensors_decode(model, job->model->bytes, job->model->len, words,
                                         "the current model", &job->diag);
    if (err == CN_OK)
        err = task_clip_read(clip, job->task, safetensors_metadata_get(words, TASK_CLIP_KEY),
                             &job->diag);
    free(words);
    return err;
}

static enum cn_err next_model(struct aggregate *job)
{
    struct model *model = NULL;
    struct cn_buf bytes;
    struct central central = {.task = job->task,
                              .folder = job->folder,
                              .task_id = job->task_id,
                              .round = job->round_number,
                              .diag = &job->diag};
    struct stand stand = {.task = job->task, .round = job->round_number};
    cn_buf_init(&bytes, SIZE_MAX);
    enum cn_err err;
    CN_TRY_OUT(err, task_model_new(&model, job->task, 1, &job->diag));
    CN_TRY_OUT(err, read_model(job, model, &stand.clip));
    CN_TRY_OUT(err, step(job, model, &stand.clip, &central));
    bytes.max = safetensors_bytes_max(model);
    uint8_t hash[HASH_BYTES];
    CN_TRY_OUT(err, write_model(model, &stand, job->registry, &bytes, hash, &job->diag));
    CN_TRY_OUT(err, central_keep(&central));
    job->next = calloc(1, sizeof(*job->next));
    if (!job->next)
        CN_TRY_OUT(err, CN_E_NOMEM);
    memcpy(job->next->hash, hash, HASH_BYTES);
    job->next->bytes = bytes.data;
    job->next->len = bytes.len;
    job->next->holders = 1;
    cn_buf_init(&bytes, 0);
out:
    cn_buf_clear(&bytes);
    central_clear(&central);
    model_free(model);
    return err;
}

void aggregate_run(struct aggregate *job)
{
    struct round_facts facts;
    round_facts(job->round, &facts);
    job->survivors = facts.survivors;
    memcpy(job->binding, facts.binding, HASH_BYTES);
    job->opened = round_open(job->round);
    job->err = job->opened == CN_OK ? next_model(job) : job->opened;
}

enum cn_err aggregate_first(uint8_t hash[HASH_BYTES], const struct task *task,
                            const struct registry *registry, const char *start_from,
                            struct cn_diag *diag)
{
    struct model *model = NULL;
    struct cn_buf bytes;
    cn_buf_init(&bytes, SIZE_MAX);
    enum cn_err err;
    CN_TRY_OUT(err, task_model_new(&model, task, 1, diag));
    if (start_from)
        CN_TRY_OUT(err, safetensors_load(model, start_from, NULL, diag));
    bytes.max = safetensors_bytes_max(model);
    struct stand stand = {.task = task, .clip = task->privacy.clip_norm};
    CN_TRY_OUT(err, write_model(model, &stand, registry, &bytes, hash, diag));
out:
    cn_buf_clear(&bytes);
    model_free(model);
    return err;
}
