/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation of published models on the operator's test data, beside the rounds. */
#include "aggregator/runner_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/progress.h"

static double total_s(const struct metrics *metrics)
{
    return metrics->gather_s + metrics->train_s + metrics->shares_s + metrics->upload_s +
           metrics->unmask_s;
}

/* One line per round, with what is known. */
void runner_say_round(const struct store_task *task, const struct store_round *round)
{
    const struct metrics *m = &round->metrics;
    struct cn_log_field fields[13];
    size_t n = 0;
    fields[n++] = cn_log_text("task", task->name);
    fields[n++] = cn_log_uint("round", round->round);
    fields[n++] = cn_log_uint("of", task->rounds);
    if (isfinite(m->accuracy))
        fields[n++] = cn_log_real("accuracy", m->accuracy);
    if (isfinite(m->loss))
        fields[n++] = cn_log_real("loss", m->loss);
    if (isfinite(m->train_loss))
        fields[n++] = cn_log_real("train_loss", m->train_loss);
    if (isfinite(m->epsilon))
        fields[n++] = cn_log_real("epsilon", m->epsilon);
    fields[n++] = cn_log_uint("survivors", round->survivors);
    fields[n++] = cn_log_uint("cohort", round->cohort);
    fields[n++] = cn_log_real("seconds", total_s(m));
    fields[n++] = cn_log_uint("bytes_up", (uint64_t)m->bytes_up);
    fields[n++] = cn_log_uint("bytes_down", (uint64_t)m->bytes_down);
    fields[n] = (struct cn_log_field){.kind = CN_LOG_END};
    cn_log_write(CN_LOG_INFO, "round published", fields);
}

static void assess_job_run(struct runner_job *job)
{
    struct runner_assessing *assessing = (struct runner_assessing *)(void *)job;
    assess_run(&assessing->assess);
}

static void assess_job_done(struct runner_job *job, uint64_t now_ms)
{
    (void)now_ms;
    struct runner_assessing *assessing = (struct runner_assessing *)(void *)job;
    struct runner *runner = assessing->runner;
    const struct assess *assess = &assessing->assess;
    struct metrics *metrics = &assessing->round.metrics;
    runner->assessing_out = false;
    metrics->evaluate_s = assess->seconds;
    if (assess->err == CN_OK && assess->result.n > 0) {
        metrics->loss = assess->result.loss;
        metrics->accuracy = assess->result.counted ? evaluate_accuracy(&assess->result) : NAN;
    } else {
        char line[CN_DIAG_LINE_MAX];
        cn_log(CN_LOG_WARN, "the model could not be evaluated", cn_log_err(assess->err),
               cn_log_text("cause", cn_diag_line(&assess->diag, line)));
    }
    enum cn_err err = store_round_evaluated(runner->options.store, &assessing->round);
    if (err != CN_OK) {
        cn_log(CN_LOG_WARN, "the evaluation could not be stored", cn_log_err(err));
        runner->assess_wanted = false; /* until the next round or the next change of the store */
        return;
    }
    runner_say_round(&assessing->task, &assessing->round);
}

void runner_assess_start(struct runner *runner)
{
    if (!runner->assess_wanted || runner->assessing_out || runner->stopping)
        return;
    struct runner_assessing *assessing = &runner->assessing;
    struct store *store = runner->options.store;
    enum cn_err err = store_round_unevaluated(store, &assessing->round);
    if (err == CN_OK)
        err = store_task_get(store, assessing->round.task, &assessing->task);
    if (err != CN_OK) {
        runner->assess_wanted = false;
        return;
    }
    struct assess *assess = &assessing->assess;
    memset(assess, 0, sizeof(*assess));
    assess->cache = &assessing->cache;
    assess->registry = runner->options.registry;
    memcpy(assess->plan, assessing->task.plan, HASH_BYTES);
    memcpy(assess->model, assessing->round.model, HASH_BYTES);
    snprintf(assess->test, sizeof(assess->test), "%s", assessing->task.test);
    assessing->job = (struct runner_job){.run = assess_job_run, .done = assess_job_done};
    assessing->runner = runner;
    runner->assessing_out = true;
    runner->calls.work(runner->calls.ctx, &assessing->job);
}
