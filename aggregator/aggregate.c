/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/aggregate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/strategy.h"
#include "nn/safetensors.h"

/* Encodes the model, with words about where it comes from, and writes the blob. */
static enum cn_err write_model(const struct model *model, const struct task *task, uint32_t round,
                               const struct registry *registry, struct cn_buf *bytes,
                               uint8_t hash[HASH_BYTES], struct cn_diag *diag)
{
    struct safetensors_metadata *metadata = calloc(1, sizeof(*metadata));
    if (!metadata)
        return CN_E_NOMEM;
    char number[16];
    snprintf(number, sizeof(number), "%u", (unsigned)round);
    enum cn_err err;
    CN_TRY_OUT(err, safetensors_metadata_set(metadata, "producer", "cairn"));
    CN_TRY_OUT(err, safetensors_metadata_set(metadata, "task", task->name));
    CN_TRY_OUT(err, safetensors_metadata_set(metadata, "round", number));
    CN_TRY_OUT(err, safetensors_encode(bytes, model, metadata));
    CN_TRY_OUT(err, registry_put(registry, hash, bytes->data, bytes->len, diag));
out:
    free(metadata);
    return err;
}

/* Moves model by the round's sum. */
static enum cn_err step(struct aggregate *job, struct model *model)
{
    static const char *const names[] = {[TASK_STRATEGY_FEDAVG] = "fedavg"};
    const struct strategy *strategy = strategy_find(names[job->task->strategy.name]);
    CN_ASSERT(strategy);
    struct encode_plan plan;
    CN_TRY(task_encode_plan(&plan, job->task, &job->diag));
    size_t d = model_params(model);
    CN_ASSERT(plan.values == d && plan.counters <= TASK_COUNTER_COUNT);
    float *sum = malloc(d * sizeof(*sum));
    if (!sum)
        return CN_E_NOMEM;
    uint64_t counters[TASK_COUNTER_COUNT] = {0};
    enum cn_err err;
    CN_TRY_OUT(err, encode_sum_decode(sum, counters, round_sum(job->round), &plan, job->survivors));
    CN_TRY_OUT(err, tally_read(&job->tally, counters, job->task, job->survivors));
    CN_TRY_OUT(err, strategy->step(model_weights(model), sum, d, job->tally.divisor,
                                   job->task->strategy.learning_rate));
out:
    free(sum);
    return err;
}

static enum cn_err next_model(struct aggregate *job)
{
    struct model *model = NULL;
    struct cn_buf bytes;
    cn_buf_init(&bytes, SIZE_MAX);
    enum cn_err err;
    CN_TRY_OUT(err, task_model_new(&model, job->task, 1, &job->diag));
    CN_TRY_OUT(err, safetensors_decode(model, job->model->bytes, job->model->len, NULL,
                                       "the current model", &job->diag));
    CN_TRY_OUT(err, step(job, model));
    bytes.max = safetensors_bytes_max(model);
    uint8_t hash[HASH_BYTES];
    CN_TRY_OUT(err, write_model(model, job->task, job->round_number, job->registry, &bytes, hash,
                                &job->diag));
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
    model_free(model);
    return err;
}

void aggregate_run(struct aggregate *job)
{
    struct round_facts facts;
    round_facts(job->round, &facts);
    job->survivors = facts.survivors;
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
    CN_TRY_OUT(err, write_model(model, task, 0, registry, &bytes, hash, diag));
out:
    cn_buf_clear(&bytes);
    model_free(model);
    return err;
}
