/* SPDX-License-Identifier: Apache-2.0 */
/* Steps against numbers worked out by hand or by tests/vectors/nn/optimiser.py. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "nn/optimiser.h"

static const float GRADIENTS[4] = {1.0f, -0.5f, 0.25f, 2.0f};

/* The weight, 1 at first, after each of four steps. */
static void expect_way(const struct optimiser_options *options, const double want[4])
{
    struct optimiser o;
    float w = 1.0f;

    cr_assert_eq(optimiser_init(&o, options, &w, 1, 4), CN_OK);
    for (int i = 0; i < 4; i++) {
        float g = GRADIENTS[i];

        optimiser_step(&o, &w, &g);
        cr_assert_float_eq(w, want[i], 1e-6, "step %d: %.9g and not %.9g", i, (double)w, want[i]);
    }
    optimiser_clear(&o);
}

Test(optimiser, without_momentum_goes_down_the_gradient)
{
    expect_way(&(struct optimiser_options){.learning_rate = 0.1},
               (double[]){0.9, 0.95, 0.925, 0.725});
}

Test(optimiser, with_momentum_remembers_the_way)
{
    /* v: 1, 0.4, 0.61, 2.549 */
    expect_way(&(struct optimiser_options){.learning_rate = 0.1, .momentum = 0.9},
               (double[]){0.9, 0.86, 0.799, 0.5441});
}

Test(optimiser, nesterov_looks_ahead)
{
    /* g + 0.9 v: 1.9, -0.14, 0.799, 4.2941 */
    expect_way(&(struct optimiser_options){.kind = OPTIMISER_NESTEROV,
                                           .learning_rate = 0.1,
                                           .momentum = 0.9},
               (double[]){0.81, 0.824, 0.7441, 0.31469});
}

Test(optimiser, adam_follows_the_formula)
{
    expect_way(&(struct optimiser_options){.kind = OPTIMISER_ADAM, .learning_rate = 0.1},
               (double[]){0.900000001, 0.873366297, 0.839323383, 0.775034192});
}

Test(optimiser, adam_takes_other_settings_and_adds_the_decay_to_the_gradient)
{
    expect_way(&(struct optimiser_options){.kind = OPTIMISER_ADAM,
                                           .learning_rate = 0.1,
                                           .beta1 = 0.8,
                                           .beta2 = 0.95,
                                           .epsilon = 1e-3,
                                           .weight_decay = 0.5},
               (double[]){0.900066622, 0.839136184, 0.769360712, 0.685302105});
}

Test(optimiser, adamw_decays_apart_from_the_gradient)
{
    expect_way(&(struct optimiser_options){.kind = OPTIMISER_ADAMW,
                                           .learning_rate = 0.1,
                                           .weight_decay = 0.5},
               (double[]){0.850000001, 0.780866297, 0.707780068, 0.608101873});
}

Test(optimiser, rmsprop_follows_the_formula)
{
    expect_way(&(struct optimiser_options){.kind = OPTIMISER_RMSPROP, .learning_rate = 0.01},
               (double[]){0.900000010, 0.944901331, 0.922890914, 0.835828994});
}

Test(optimiser, rmsprop_takes_momentum)
{
    expect_way(&(struct optimiser_options){.kind = OPTIMISER_RMSPROP,
                                           .learning_rate = 0.01,
                                           .beta2 = 0.9,
                                           .epsilon = 1e-3,
                                           .momentum = 0.5},
               (double[]){0.968476908, 0.967416207, 0.959362204, 0.927056260});
}

Test(optimiser, adagrad_follows_the_formula)
{
    expect_way(&(struct optimiser_options){.kind = OPTIMISER_ADAGRAD, .learning_rate = 0.1},
               (double[]){0.900000000, 0.944721360, 0.922899571, 0.836127387});
}

Test(optimiser, weight_decay_and_proximal_term_pull)
{
    /* g + 0.5 w: 1.5, -0.075, 0.67875...; w - 0.1 of it */
    expect_way(&(struct optimiser_options){.learning_rate = 0.1, .weight_decay = 0.5},
               (double[]){0.85, 0.8575, 0.789625, 0.55014375});
    /* g + 0.5 (w - 1): 1, -0.55, 0.2275, 1.96613... */
    expect_way(&(struct optimiser_options){.learning_rate = 0.1, .proximal = 0.5},
               (double[]){0.9, 0.955, 0.93225, 0.7356375});
}

Test(optimiser, clips_the_whole_gradient_and_not_each_number)
{
    struct optimiser o;
    struct optimiser_options options = {.learning_rate = 1.0, .gradient_clip = 2.5};
    float w[2] = {0.0f, 0.0f}, long_one[2] = {3.0f, -4.0f}, short_one[2] = {1.0f, 2.0f};

    cr_assert_eq(optimiser_init(&o, &options, w, 2, 2), CN_OK);
    optimiser_step(&o, w, long_one);
    cr_assert_float_eq(w[0], -1.5, 1e-6);
    cr_assert_float_eq(w[1], 2.0, 1e-6);
    optimiser_step(&o, w, short_one);
    cr_assert_float_eq(w[0], -2.5, 1e-6);
    cr_assert_float_eq(w[1], 0.0, 1e-6);
    optimiser_clear(&o);
}

Test(optimiser, follows_its_schedule)
{
    struct optimiser_options o = {.learning_rate = 0.8};

    cr_assert_eq(optimiser_rate(&o, 99, 100), 0.8);
    o.warm_up = 3;
    cr_assert_float_eq(optimiser_rate(&o, 0, 10), 0.2, 1e-12);
    cr_assert_float_eq(optimiser_rate(&o, 2, 10), 0.6, 1e-12);
    cr_assert_float_eq(optimiser_rate(&o, 3, 10), 0.8, 1e-12);
    o.schedule = SCHEDULE_COSINE;
    o.warm_up = 2;
    cr_assert_float_eq(optimiser_rate(&o, 2, 10), 0.8, 1e-12);
    cr_assert_float_eq(optimiser_rate(&o, 4, 10), 0.4 * (1 + sqrt(0.5)), 1e-12);
    cr_assert_float_eq(optimiser_rate(&o, 6, 10), 0.4, 1e-12);
    cr_assert_eq(optimiser_rate(&o, 50, 10), optimiser_rate(&o, 9, 10));
    o = (struct optimiser_options){.learning_rate = 0.8,
                                   .schedule = SCHEDULE_STEP,
                                   .schedule_every = 4,
                                   .schedule_factor = 0.5};
    cr_assert_eq(optimiser_rate(&o, 3, 100), 0.8);
    cr_assert_eq(optimiser_rate(&o, 4, 100), 0.4);
    cr_assert_eq(optimiser_rate(&o, 11, 100), 0.2);
}

Test(optimiser, steps_as_long_as_the_schedule_says)
{
    expect_way(&(struct optimiser_options){.learning_rate = 0.1,
                                           .schedule = SCHEDULE_STEP,
                                           .schedule_every = 2,
                                           .schedule_factor = 0.5},
               (double[]){0.9, 0.95, 0.9375, 0.8375});
}

Test(optimiser, refuses_numbers_that_can_not_work_by_name)
{
    static const struct {
        struct optimiser_options options;
        const char *name;
    } BAD[] = {
        {{.learning_rate = 0.0}, "'learning_rate'"},
        {{.learning_rate = -1.0}, "'learning_rate'"},
        {{.learning_rate = INFINITY}, "'learning_rate'"},
        {{.learning_rate = NAN}, "'learning_rate'"},
        {{.learning_rate = 0.1, .momentum = -0.1}, "'momentum'"},
        {{.learning_rate = 0.1, .momentum = 1.0}, "'momentum'"},
        {{.learning_rate = 0.1, .momentum = NAN}, "'momentum'"},
        {{.learning_rate = 0.1, .kind = OPTIMISER_NESTEROV}, "'momentum'"},
        {{.learning_rate = 0.1, .kind = OPTIMISER_ADAM, .momentum = 0.9}, "'momentum'"},
        {{.learning_rate = 0.1, .kind = OPTIMISER_ADAM, .beta1 = 1.0}, "'beta1'"},
        {{.learning_rate = 0.1, .kind = OPTIMISER_RMSPROP, .beta1 = 0.5}, "'beta1'"},
        {{.learning_rate = 0.1, .beta2 = 0.5}, "'beta2'"},
        {{.learning_rate = 0.1, .kind = OPTIMISER_ADAMW, .beta2 = -0.5}, "'beta2'"},
        {{.learning_rate = 0.1, .epsilon = 0.5}, "'epsilon'"},
        {{.learning_rate = 0.1, .kind = OPTIMISER_ADAGRAD, .epsilon = NAN}, "'epsilon'"},
        {{.learning_rate = 0.1, .weight_decay = -1}, "'weight_decay'"},
        {{.learning_rate = 0.1, .gradient_clip = INFINITY}, "'gradient_clip'"},
        {{.learning_rate = 0.1, .proximal = NAN}, "'proximal'"},
        {{.learning_rate = 0.1, .schedule = SCHEDULE_STEP}, "'schedule_every'"},
        {{.learning_rate = 0.1, .schedule_every = 3}, "'schedule_every'"},
        {{.learning_rate = 0.1, .schedule = SCHEDULE_STEP, .schedule_every = 3},
         "'schedule_factor'"},
        {{.learning_rate = 0.1, .schedule_factor = 0.5}, "'schedule_factor'"},
        {{.learning_rate = 0.1, .kind = OPTIMISER_KIND_COUNT}, "'optimiser'"},
    };

    for (size_t i = 0; i < CN_COUNT(BAD); i++) {
        struct cn_diag diag = {0};
        struct optimiser o;
        float w = 0.0f;

        cr_assert_eq(optimiser_check(&BAD[i].options, &diag), CN_E_CONFIG, "%zu", i);
        cr_assert(strstr(diag.text, BAD[i].name), "%s lacks %s", diag.text, BAD[i].name);
        cr_assert_eq(optimiser_init(&o, &BAD[i].options, &w, 1, 1), CN_E_CONFIG);
        optimiser_clear(&o);
    }
}
