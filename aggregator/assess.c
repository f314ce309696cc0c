/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/assess.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "nn/safetensors.h"

void assess_cache_clear(struct assess_cache *cache)
{
    dataset_free(&cache->data);
    model_free(cache->model);
    task_free(cache->task);
    memset(cache, 0, sizeof(*cache));
}

enum cn_err assess_load(struct dataset *data, const struct task *task, const char *source,
                        struct cn_diag *diag)
{
    struct data_source from;
    CN_TRY(data_source_parse(&from, source, diag));
    struct data_form form = task_data_form(task);
    return data_source_load(data, &from, &form, diag);
}

static enum cn_err fill(struct assess *job)
{
    struct assess_cache *cache = job->cache;
    if (cache->model && memcmp(cache->plan, job->plan, HASH_BYTES) == 0 &&
        strcmp(cache->test, job->test) == 0)
        return CN_OK;
    assess_cache_clear(cache);
    struct blob *plan = NULL;
    CN_TRY(registry_get(job->registry, &plan, job->plan, TASK_TEXT_BYTES_MAX, &job->diag));
    enum cn_err err =
        task_parse(&cache->task, (const char *)plan->bytes, plan->len, "the plan", &job->diag);
    blob_drop(plan);
    CN_TRY(err);
    CN_TRY(assess_load(&cache->data, cache->task, job->test, &job->diag));
    CN_TRY(task_model_new(&cache->model, cache->task, MODEL_BATCH_AUTO, &job->diag));
    memcpy(cache->plan, job->plan, HASH_BYTES);
    snprintf(cache->test, sizeof(cache->test), "%s", job->test);
    return CN_OK;
}

static enum cn_err evaluate(struct assess *job)
{
    CN_TRY(fill(job));
    struct model *model = job->cache->model;
    struct blob *weights = NULL;
    CN_TRY(registry_get(job->registry, &weights, job->model, safetensors_bytes_max(model),
                        &job->diag));
    enum cn_err err =
        safetensors_decode(model, weights->bytes, weights->len, NULL, "the model", &job->diag);
    blob_drop(weights);
    CN_TRY(err);
    return evaluate_run(model, &job->cache->data, &job->result);
}

void assess_run(struct assess *job)
{
    struct cn_clock clock = cn_clock_system();
    uint64_t begin = clock.steady_ms(clock.ctx);
    job->err = evaluate(job);
    if (job->err != CN_OK)
        assess_cache_clear(job->cache); /* half filled */
    job->seconds = (double)(clock.steady_ms(clock.ctx) - begin) / 1000.0;
}
