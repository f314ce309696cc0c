/* SPDX-License-Identifier: Apache-2.0 */
/* The aggregator's own noise over restarts. Deviations are checked to five standard deviations. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregator/central.h"
#include "base/file.h"
#include "folder.h"

#define N 4000

static const char text[] = "task: central\n"
                           "model:\n"
                           "  input: [2]\n"
                           "  layers:\n"
                           "    - {type: dense, units: 2}\n"
                           "data: {classes: 2}\n"
                           "training: {learning_rate: 0.1, epochs: 1, batch: 4}\n"
                           "privacy:\n"
                           "  unit: user\n"
                           "  placement: central\n"
                           "  clip_norm: 1\n"
                           "  noise_multiplier: 2\n"
                           "  delta: 1.0e-5\n"
                           "%s"
                           "rounds: {count: 8, cohort_min: 3, cohort_max: 5}\n";

static const uint8_t task_id[TASK_ID_BYTES] = "one submission.";
static struct task *task;
static struct cn_diag diag;

static void load(const char *keys)
{
    char full[1024];
    int len = snprintf(full, sizeof full, text, keys);

    test_folder_make();
    diag = (struct cn_diag){0};
    cr_assert_eq(task_parse(&task, full, (size_t)len, "t.yaml", &diag), CN_OK, "%s", diag.text);
}

static void clear(void)
{
    task_free(task);
    test_folder_remove();
}

TestSuite(central, .fini = clear);

static struct central of_round(uint32_t round)
{
    return (struct central){
        .task = task, .folder = test_folder, .task_id = task_id, .round = round, .diag = &diag};
}

/* One round's noise alone, its deviation in units of the sensitivity; kept if asked. */
static double add(uint32_t round, int64_t *sum, bool keep)
{
    struct central central = of_round(round);
    int64_t *before = malloc(N * sizeof *before);
    double square = 0;

    memcpy(before, sum, N * sizeof *before);
    cr_assert_eq(central_add(&central, sum, N, 524287), CN_OK, "%s", diag.text);
    for (size_t i = 0; i < N; i++)
        square += pow((double)(sum[i] - before[i]) / 524287, 2) / N;
    if (keep)
        cr_assert_eq(central_keep(&central), CN_OK);
    central_clear(&central);
    free(before);
    return sqrt(square);
}

Test(central, adds_as_much_as_the_task_says)
{
    static int64_t sum[N];

    load("");
    cr_assert(central_wanted(task));
    for (uint32_t round = 1; round < 4; round++)
        cr_assert_float_eq(add(round, sum, true) / 2, 1, 5 * sqrt(0.5 / N));
}

/* Sum of all rounds in a tree of 8: at round 8 one node is left, of variance 4 z^2. */
Test(central, correlates_over_rounds_and_restarts)
{
    static int64_t sum[N];
    double square = 0;

    load("  correlation: tree\n  correlation_rounds: 8\n");
    for (uint32_t round = 1; round <= 8; round++) {
        static int64_t lost[N];

        if (round > 1)
            (void)add(round, lost, false); /* died before the round was given out */
        (void)add(round, sum, true);
    }
    for (size_t i = 0; i < N; i++)
        square += pow((double)sum[i] / (2 * 524287.0), 2) / N;
    cr_assert_float_eq(sqrt(square / 4), 1, 5 * sqrt(0.5 / N), "%g", sqrt(square / 4));
}

static void refuses(uint32_t round, enum cn_err expected)
{
    static int64_t sum[N];
    struct central central = of_round(round);

    diag = (struct cn_diag){0};
    cr_assert_eq(central_add(&central, sum, N, 524287), expected);
    central_clear(&central);
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(sum[i], 0);
}

Test(central, goes_on_with_the_right_state_or_not_at_all)
{
    static int64_t sum[N];
    struct central central;

    load("  correlation: banded\n  correlation_rounds: 3\n");
    refuses(2, CN_E_NOT_FOUND); /* nothing was kept yet */
    (void)add(1, sum, true);
    refuses(3, CN_E_NOT_FOUND); /* a round was lost */
    (void)add(2, sum, true);
    (void)add(3, sum, true);
    refuses(2, CN_E_NOT_FOUND); /* an old store: its noise is used up */
    (void)add(4, sum, false);
    central = of_round(4);
    central.task_id = (const uint8_t *)"another one....";
    cr_assert_eq(central_add(&central, sum, N, 524287), CN_E_NOT_FOUND);
    central_clear(&central);
    central = of_round(4);
    central.folder = NULL;
    cr_assert_eq(central_add(&central, sum, N, 524287), CN_E_STATE);
    central_clear(&central);
    central = of_round(4);
    cr_assert_eq(central_add(&central, sum, N - 1, 524287), CN_E_TAMPERED);
    cr_assert(diag.text[0] && diag.hint[0]);
    central_clear(&central);
}
