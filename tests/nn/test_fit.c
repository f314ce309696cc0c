/* SPDX-License-Identifier: Apache-2.0 */
/* Looks, early ends and interruptions of whole trainings. */
#include "nn/fit.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "tests/nn/fixture.h"

static const struct model_spec SPEC = {.channels = 1,
                                       .height = 1,
                                       .width = 6,
                                       .layers = {{.kind = LAYER_DENSE, .units = 8},
                                                  {.kind = LAYER_TANH},
                                                  {.kind = LAYER_DENSE, .units = 2}},
                                       .layer_count = 3};

struct scene {
    struct model *model;
    struct dataset data, test;
    struct cn_seeded seeded;
    struct cn_random random;
    struct fit_result result;
    struct fit_report reports[128];
    unsigned report_count;
    uint32_t end_at; /* step at which progress ends it; 0: never */
};

static void keep_report(void *ctx, const struct fit_report *report)
{
    struct scene *s = ctx;

    cr_assert_lt(s->report_count, 128);
    s->reports[s->report_count++] = *report;
}

static bool end_at(void *ctx, uint32_t step, uint32_t steps)
{
    const struct scene *s = ctx;

    (void)steps;
    return s->end_at && step >= s->end_at;
}

static struct scene *scene_make(void)
{
    struct scene *s = calloc(1, sizeof *s);

    cr_assert(s);
    s->model = fixture_model(&SPEC, 8, 1);
    s->data = fixture_data(&SPEC, 24, 2, 2);
    s->test = fixture_data(&SPEC, 40, 2, 3);
    s->random = cn_random_seeded(&s->seeded, 4);
    return s;
}

static void scene_free(struct scene *s)
{
    fixture_data_free(&s->data);
    fixture_data_free(&s->test);
    model_free(s->model);
    free(s);
}

static enum cn_err fit(struct scene *s, struct fit_options options, struct cn_diag *diag)
{
    options.train.progress = end_at;
    options.train.progress_ctx = s;
    options.report = keep_report;
    options.report_ctx = s;
    options.seeded = &s->seeded;
    return fit_run(s->model, &s->data, &options, &s->random, &s->result, diag);
}

/* Labels are noise, so that a model learns its 24 by heart and does worse on others. */
static struct fit_options by_heart(const struct scene *s)
{
    return (struct fit_options){
        .train = {.learning_rate = 0.3, .momentum = 0.9, .batch = 8, .epochs = 60},
        .test = &s->test,
    };
}

Test(fit, looks_at_the_test_data_after_every_epoch)
{
    struct scene *s = scene_make();
    struct evaluate_result after;

    cr_assert_eq(fit(s, by_heart(s), NULL), CN_OK);
    cr_assert_eq(s->report_count, 60);
    cr_assert(s->reports[1].step == 6 && s->reports[1].steps == 180 && s->reports[1].tested);
    cr_assert_lt(s->reports[59].loss, s->reports[0].loss);
    cr_assert_eq(evaluate_run(s->model, &s->test, &after), CN_OK);
    cr_assert_eq(s->result.test.loss, after.loss);
    cr_assert_eq(s->reports[59].test.loss, after.loss);
    cr_assert(!s->result.stopped_early && s->result.train.steps == 180);
    scene_free(s);
}

Test(fit, ends_early_with_the_best_weights_it_had)
{
    struct scene *s = scene_make();
    struct fit_options options = by_heart(s);
    struct evaluate_result after;
    double best = INFINITY;

    options.patience = 4;
    options.every = 2;
    cr_assert_eq(fit(s, options, NULL), CN_OK);
    cr_assert(s->result.stopped_early);
    for (unsigned i = 0; i < s->report_count; i++) {
        cr_assert_eq(s->reports[i].best, s->reports[i].test.loss < best);
        best = fmin(best, s->reports[i].test.loss);
    }
    cr_assert_eq(s->result.best_step, s->reports[s->report_count - 5].step);
    cr_assert_eq(s->result.train.steps, s->result.best_step + 8);
    cr_assert_eq(evaluate_run(s->model, &s->test, &after), CN_OK);
    cr_assert_eq(after.loss, best);
    cr_assert_eq(s->result.test.loss, best);
    scene_free(s);
}

Test(fit, does_not_let_a_look_change_the_training)
{
    struct scene *a = scene_make(), *b = scene_make();
    struct fit_options without = by_heart(b);

    without.test = NULL;
    cr_assert_eq(fit(a, by_heart(a), NULL), CN_OK);
    cr_assert_eq(fit(b, without, NULL), CN_OK);
    cr_assert_arr_eq(model_weights(a->model), model_weights(b->model),
                     model_params(a->model) * sizeof(float));
    cr_assert(!b->reports[0].tested);
    scene_free(a);
    scene_free(b);
}

Test(fit, goes_on_after_interruptions_bit_for_bit)
{
    static const uint32_t ends[] = {1, 3, 40, 41, 60, 0};
    char path[] = "/tmp/cairn-fit-XXXXXX";
    struct scene *whole = scene_make(), *part;
    struct fit_options options = by_heart(whole);
    int fd = mkstemp(path);

    cr_assert(fd >= 0);
    close(fd);
    unlink(path);
    options.patience = 25; /* the best weights and the looks waited are kept, too */
    cr_assert_eq(fit(whole, options, NULL), CN_OK);
    options.checkpoint = path;
    options.resume = true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        part = scene_make();
        part->end_at = ends[i];
        options.test = &part->test;
        cr_assert_eq(fit(part, options, NULL), ends[i] ? CN_E_DEADLINE : CN_OK);
        cr_assert_eq(part->result.resumed_at, i ? ends[i - 1] : 0);
        if (ends[i])
            scene_free(part);
    }
    cr_assert_arr_eq(model_weights(whole->model), model_weights(part->model),
                     model_params(whole->model) * sizeof(float));
    cr_assert_eq(whole->result.best_step, part->result.best_step);
    cr_assert_eq(whole->result.train.steps, part->result.train.steps);
    cr_assert_eq(whole->result.train.loss, part->result.train.loss);
    scene_free(part);
    part = scene_make(); /* a checkpoint of a training that has ended gives its result again */
    options.test = &part->test;
    cr_assert_eq(fit(part, options, NULL), CN_OK);
    cr_assert_eq(part->report_count, 0);
    cr_assert_arr_eq(model_weights(whole->model), model_weights(part->model),
                     model_params(whole->model) * sizeof(float));
    scene_free(part);
    scene_free(whole);
    unlink(path);
}

Test(fit, refuses_patience_without_test_data)
{
    struct scene *s = scene_make();
    struct fit_options options = by_heart(s);
    struct cn_diag diag = {0};

    options.test = NULL;
    options.patience = 1;
    cr_assert_eq(fit(s, options, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.text, "test data"));
    scene_free(s);
}
