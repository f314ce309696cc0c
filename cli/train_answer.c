/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train.h"

#include <inttypes.h>
#include <math.h>

#include "base/clock.h"
#include "cli/show.h"

/* Numbers that are predicted have no hits. */
static double share_of(const struct evaluate_result *result)
{
    return result->counted ? evaluate_accuracy(result) : NAN;
}

void train_answer_look(void *ctx, const struct fit_report *report)
{
    struct train_answer *answer = ctx;
    FILE *err = answer->args->err;

    if (answer->look_count < TRAIN_LOOKS_MAX)
        answer->looks[answer->look_count++] = *report;
    if (answer->args->quiet)
        return;
    cn_progress_finish(&answer->progress); /* the next update draws the bar again */
    fprintf(err, "step %" PRIu32 " of %" PRIu32 "  loss %.4f", report->step, report->steps,
            report->loss);
    if (report->tested)
        fprintf(err, "  test loss %.4f", report->test.loss);
    if (report->tested && report->test.counted)
        fprintf(err, "  accuracy %.2f %%", 100 * share_of(&report->test));
    fprintf(err, "%s\n", report->tested && report->best ? "  best" : "");
}

static json_t *test_json(const struct evaluate_result *test)
{
    if (test->n == 0)
        return json_null();
    return json_pack("{s:I, s:I, s:o, s:f}", "examples", (json_int_t)test->n, "correct",
                     (json_int_t)test->correct, "accuracy", show_json_real(share_of(test)), "loss",
                     test->loss);
}

static json_t *looks_json(const struct train_answer *answer)
{
    json_t *looks = json_array();

    for (uint32_t i = 0; looks && i < answer->look_count; i++) {
        const struct fit_report *look = &answer->looks[i];
        json_t *one = json_pack("{s:I, s:o, s:o}", "step", (json_int_t)look->step, "loss",
                                show_json_real(look->loss), "test", test_json(&look->test));

        if (json_array_append_new(looks, one) != 0) {
            json_decref(looks);
            return NULL;
        }
    }
    return looks;
}

static json_t *privacy_json(const struct train_answer *answer)
{
    const struct task_privacy *privacy = &answer->task->privacy;

    if (!answer->private)
        return json_null();
    return json_pack("{s:s, s:o, s:f, s:f, s:f, s:b}", "unit", task_unit_text(privacy->unit),
                     "epsilon", show_json_real(answer->epsilon), "delta", privacy->delta,
                     "noise_multiplier", privacy->noise_multiplier, "clip_norm", privacy->clip_norm,
                     "holds", !answer->seeded);
}

json_t *train_answer_json(const struct train_answer *answer)
{
    const struct fit_result *result = &answer->result;

    return json_pack("{s:s, s:s?, s:I, s:I, s:I, s:f, s:o, s:o, s:I, s:b, s:I, s:o, s:o, s:o}",
                     "task", answer->task->name, "model", answer->out, "parameters",
                     (json_int_t)answer->task->params, "examples", (json_int_t)answer->examples,
                     "steps", (json_int_t)result->train.steps, "seconds", answer->seconds, "loss",
                     show_json_real(result->train.loss), "test", test_json(&result->test),
                     "resumed_at", (json_int_t)result->resumed_at, "stopped_early",
                     result->stopped_early, "best_step", (json_int_t)result->best_step, "seed",
                     answer->seeded ? json_integer((json_int_t)answer->seed) : json_null(),
                     "privacy", privacy_json(answer), "looks", looks_json(answer));
}

static void print_privacy(const struct train_answer *answer)
{
    FILE *out = answer->args->out;
    char epsilon[SHOW_NUMBER_MAX];

    if (!answer->private)
        fprintf(out, "privacy   none: the model may remember single examples\n");
    else if (answer->seeded)
        fprintf(out,
                "privacy   none: the noise follows from the seed (without --seed epsilon would "
                "be %s at delta %g)\n",
                show_epsilon(epsilon, answer->epsilon), answer->task->privacy.delta);
    else
        fprintf(out,
                "privacy   epsilon %s at delta %g for every example, of the model alone: losses "
                "and test results are not covered\n",
                show_epsilon(epsilon, answer->epsilon), answer->task->privacy.delta);
}

static void print_test(FILE *out, const struct evaluate_result *test)
{
    char count[SHOW_NUMBER_MAX];

    if (test->n == 0)
        return;
    fprintf(out, "test      ");
    if (test->counted)
        fprintf(out, "accuracy %.2f %%, ", 100 * share_of(test));
    fprintf(out, "loss %.4f, %s examples\n", test->loss, show_count(count, test->n));
}

void train_answer_print(const struct train_answer *answer)
{
    const struct fit_result *result = &answer->result;
    char count[SHOW_NUMBER_MAX], time[CN_TIME_TEXT_BYTES];
    FILE *out = answer->args->out;

    fprintf(out, "steps     %s in %s", show_count(count, result->train.steps),
            cn_duration_text((uint64_t)(answer->seconds * 1000), time));
    if (result->resumed_at)
        fprintf(out, ", the first %" PRIu32 " of them before", result->resumed_at);
    fprintf(out, "\nloss      %.4f over all steps\n", result->train.loss);
    print_test(out, &result->test);
    if (result->stopped_early)
        fprintf(out, "ended     early, with the weights of step %" PRIu32 "\n", result->best_step);
    print_privacy(answer);
    if (answer->out)
        fprintf(out, "model     %s\n", answer->out);
}
