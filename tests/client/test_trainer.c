/* SPDX-License-Identifier: Apache-2.0 */
#include "client/trainer.h"

#include <math.h>

#include "client_fixture.h"
#include "nn/safetensors.h"

#define FEATURES 4

static char base[] = "/tmp/cairn-trainer-test-XXXXXX";
static char folder[sizeof base];
static struct data_source source;
static struct trainer trainer;
static struct task *task;
static struct cn_buf global_model;
static struct trainer_job job;

#define HEAD                                                                                       \
    "task: t\nmodel:\n  input: [1, 1, 4]\n  layers:\n    - {type: dense, units: 2}\n"              \
    "data: {classes: 2}\nsecure_aggregation: {update_range: 5}\n"                                  \
    "rounds: {count: 2, cohort_min: 3, cohort_max: 4}\n"
#define WITH_NOISE                                                                                 \
    HEAD "training: {learning_rate: 0.5, steps: 4, batch: 100, sampling_rate: 0.5}\n"              \
         "privacy: {unit: example, clip_norm: 1, noise_multiplier: 1, delta: 1.0e-5}\n"
#define WITHOUT HEAD "training: {learning_rate: 0.1, epochs: 2, batch: 20}\nprivacy: {unit: none}\n"

#define OF_USERS                                                                                   \
    "task: t\nmodel:\n  input: [1, 1, 4]\n  layers:\n    - {type: dense, units: 2}\n"              \
    "data: {classes: 2}\nrounds: {count: 2, cohort_min: 3, cohort_max: 4}\n"                       \
    "training: {learning_rate: 0.1, epochs: 2, batch: 20}\n"                                       \
    "privacy: {unit: user, placement: local, clip_norm: 1.0e-3, noise_multiplier: 1, "             \
    "delta: 1.0e-5, clip_quantile: 0.5, clip_count_noise: 2}\n"

/* Rows whose label is the sign of the first feature. */
static void write_data(unsigned rows, unsigned columns)
{
    char path[CN_PATH_MAX];
    struct cn_buf text;

    cn_buf_init(&text, 1 << 20);
    for (unsigned k = 0; k < columns; k++)
        cn_put_text(&text, "x%u,", k);
    cn_put_text(&text, "y\n");
    for (unsigned i = 0; i < rows; i++) {
        for (unsigned k = 0; k < columns; k++)
            cn_put_text(&text, "%s0.%u,", (i + (k ? i / (k + 1) : 0)) % 2 ? "-" : "", i % 9 + 1);
        cn_put_text(&text, "%u\n", i % 2);
    }
    snprintf(path, sizeof path, "%s/data.csv", folder);
    MUST(cn_file_write(path, text.data, text.len, 0600, NULL));
    cn_buf_clear(&text);
    snprintf(source.format, sizeof source.format, "csv");
    snprintf(source.path, sizeof source.path, "%s", path);
    snprintf(source.label, sizeof source.label, "y");
}

static void prepare(const char *text)
{
    struct cn_diag diag = {0};
    char line[CN_DIAG_LINE_MAX];
    struct model *model;

    cr_assert_eq(task_parse(&task, text, strlen(text), "test", &diag), CN_OK, "%s",
                 cn_diag_line(&diag, line));
    MUST(task_model_new(&model, task, 1, NULL));
    cn_buf_init(&global_model, safetensors_bytes_max(model));
    MUST(safetensors_encode(&global_model, model, NULL));
    model_free(model);
    trainer_init(&trainer, &source);
    job = (struct trainer_job){.trainer = &trainer,
                               .task = task,
                               .plan = task->hash,
                               .model = global_model.data,
                               .model_len = global_model.len};
}

static void open_it(void)
{
    memcpy(folder, base, sizeof base);
    cr_assert_not_null(mkdtemp(folder));
    write_data(200, FEATURES);
}

static void close_it(void)
{
    char command[CN_PATH_MAX];

    trainer_job_clear(&job);
    trainer_clear(&trainer);
    cn_buf_clear(&global_model);
    task_free(task);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(trainer, .init = open_it, .fini = close_it);

static double norm(void)
{
    double sum = 0;

    for (size_t i = 0; i < job.d; i++)
        sum += (double)job.update[i] * job.update[i];
    return sqrt(sum);
}

Test(trainer, an_update_is_finite_within_range_and_not_zero)
{
    prepare(WITHOUT);
    trainer_run(&job);
    MUST(job.err);
    cr_assert_eq(job.d, FEATURES * 2 + 2);
    cr_assert_gt(norm(), 1e-4);
    cr_assert_leq(norm(), 5.0 * (1 + 1e-6));
    cr_assert_eq(job.examples, 400);
}

Test(trainer, under_privacy_only_the_device_itself_is_counted)
{
    prepare(WITH_NOISE);
    trainer_run(&job);
    MUST(job.err);
    cr_assert_eq(task_counters(task), 1);
    cr_assert_eq(job.counters[TASK_COUNTER_DEVICES], 1);
}

Test(trainer, noise_is_fresh_in_every_run)
{
    float first[FEATURES * 2 + 2];

    prepare(WITH_NOISE);
    trainer_run(&job);
    MUST(job.err);
    memcpy(first, job.update, sizeof first);
    trainer_job_clear(&job);
    trainer_run(&job);
    MUST(job.err);
    cr_assert_neq(memcmp(first, job.update, sizeof first), 0);
}

/* Four steps of noise of deviation 1 * 1 * 0.5 / 100 on each of 10 coordinates: far from what the
 * clipped gradients alone can do to them in the second run's comparison; here only that it is there
 * at all: without noise two runs on one full batch would agree to rounding. */
Test(trainer, noise_has_the_size_that_the_task_asks_for)
{
    double sum = 0;
    const int runs = 60;

    prepare(HEAD "training: {learning_rate: 1, steps: 1, batch: 200, sampling_rate: 1}\n"
                 "privacy: {unit: example, clip_norm: 1.0e-3, noise_multiplier: 50, "
                 "delta: 1.0e-5}\n");
    for (int r = 0; r < runs; r++) {
        trainer_run(&job);
        MUST(job.err);
        sum += norm() * norm();
        trainer_job_clear(&job);
    }
    /* Expected square: 10 coordinates * (50 * 1e-3 / 200)^2 = 6.25e-7, slack under 5 percent more,
     * the gradients' part at most 1e-6^2 * ... = 1e-6. Chi-square with 600 degrees of freedom: six
     * deviations are 35 percent. */
    cr_assert_gt(sum / runs, 6.25e-7 * 0.65);
    cr_assert_lt(sum / runs, 6.25e-7 * 1.5 + 1e-6);
}

Test(trainer, a_missing_file_says_which)
{
    char line[CN_DIAG_LINE_MAX];

    snprintf(source.path, sizeof source.path, "/nowhere/patients.csv");
    prepare(WITHOUT);
    trainer_run(&job);
    cr_assert_eq(job.err, CN_E_NOT_FOUND);
    cr_assert_not_null(strstr(cn_diag_line(&job.diag, line), "/nowhere/patients.csv"), "%s", line);
    cr_assert_null(job.update);
}

Test(trainer, data_that_was_never_named_says_where_to_name_it)
{
    memset(&source, 0, sizeof source);
    prepare(WITHOUT);
    trainer_run(&job);
    cr_assert_eq(job.err, CN_E_DATA);
    cr_assert_not_null(strstr(job.diag.place, "client.yaml"));
}

Test(trainer, data_of_another_shape_is_refused)
{
    write_data(200, FEATURES + 1);
    prepare(WITHOUT);
    trainer_run(&job);
    cr_assert_neq(job.err, CN_OK);
    cr_assert_null(job.update);
}

Test(trainer, a_model_of_another_shape_is_refused)
{
    prepare(WITHOUT);
    job.model_len -= 4;
    trainer_run(&job);
    cr_assert_neq(job.err, CN_OK);
    cr_assert_null(job.update);
}

Test(trainer, a_training_that_diverges_gives_nothing_out)
{
    prepare("task: t\nmodel:\n  input: [1, 1, 4]\n  layers:\n"
            "    - {type: dense, units: 8}\n    - {type: dense, units: 8}\n"
            "    - {type: dense, units: 2}\n"
            "data: {classes: 2}\nsecure_aggregation: {update_range: 5}\n"
            "rounds: {count: 2, cohort_min: 3, cohort_max: 4}\n"
            "training: {learning_rate: 1.0e+5, weight_decay: 1.0e+6, epochs: 5, batch: 10}\n"
            "privacy: {unit: none}\n");
    trainer_run(&job);
    cr_assert_eq(job.err, CN_E_DIVERGED, "%s", cn_err_text(job.err));
    cr_assert_null(job.update);
}

Test(trainer, a_cancelled_training_gives_nothing_out)
{
    prepare(WITH_NOISE);
    atomic_store(&job.cancel, true);
    trainer_run(&job);
    cr_assert_eq(job.err, CN_E_DEADLINE);
    cr_assert_null(job.update);
}

/* With weights at the end of what floats hold, the model overflows for most examples. */
#define OVERFLOWING                                                                                \
    HEAD "training: {learning_rate: 1.0e+6, momentum: 0.9, steps: 400, batch: 1, "                 \
         "sampling_rate: 0.01}\n"                                                                  \
         "privacy: {unit: example, clip_norm: 1.0e+12, noise_multiplier: 250, delta: 1.0e-5}\n"

Test(trainer, with_privacy_nobody_learns_that_a_training_diverged)
{
    const unsigned d = FEATURES * 2 + 2;

    prepare(OVERFLOWING);
    for (unsigned i = 0; i < d; i++) {
        const float weight = (i % 2 ? -1.0f : 1.0f) * 3.4e38f;

        memcpy(global_model.data + global_model.len - (d - i) * sizeof weight, &weight,
               sizeof weight);
    }
    trainer_run(&job);
    MUST(job.err);
    cr_assert_eq(job.d, d);
    cr_assert(isfinite(norm()));
    if (job.diverged) /* where, is nn/'s business */
        cr_assert_eq(norm(), 0.0);
    cr_assert_eq(job.counters[TASK_COUNTER_DEVICES], 1);
}

/* Else the size of the noise would tell of one example more or less. */
Test(trainer, the_bound_of_batches_does_not_follow_the_number_of_examples)
{
    const uint32_t batches[] = {1, 7, 64, 255, 1000};

    for (size_t i = 0; i < CN_COUNT(batches); i++) {
        uint32_t b = batches[i], bound = trainer_batch_bound(b, 0);

        for (double expected = 0; expected <= b + sqrt(b); expected += b / 500.0)
            cr_assert_eq(trainer_batch_bound(b, expected), bound);
        cr_assert_geq(bound, b + 10 * sqrt(b) + 32);
        cr_assert_eq(trainer_batch_bound(b, b + sqrt(b) + 0.01), trainer_batch_bound(2 * b, 0));
        cr_assert_geq(trainer_batch_bound(b, 1e6), 1e6 + 9 * sqrt(1e6));
    }
}

/* The round's clip norm as the aggregator writes it beside the weights. */
static void tell_clip(const char *clip)
{
    struct safetensors_metadata words = {0};
    struct model *model;

    MUST(safetensors_metadata_set(&words, TASK_CLIP_KEY, clip));
    MUST(task_model_new(&model, task, 1, NULL));
    cn_buf_reset(&global_model);
    MUST(safetensors_encode(&global_model, model, &words));
    model_free(model);
    job.model = global_model.data;
    job.model_len = global_model.len;
}

Test(trainer, clips_a_users_update_and_says_whether_it_had_to)
{
    char clip[TASK_CLIP_TEXT_MAX];
    double rider;

    prepare(OF_USERS);
    rider = task_rider(task);
    cr_assert_gt(rider, 0);
    trainer_run(&job); /* the first model names no clip: the task's own */
    MUST(job.err);
    cr_assert_eq(job.clip, 1e-3);
    cr_assert_float_eq(norm(), 1e-3, 1e-8);
    cr_assert_eq(job.update[job.d], (float)(-rider / 2));
    cr_assert_eq(job.counters[TASK_COUNTER_DEVICES], 1);
    trainer_job_clear(&job);
    task_clip_text(clip, 1000.0 / 3);
    tell_clip(clip);
    trainer_run(&job);
    MUST(job.err);
    cr_assert_eq(job.clip, 1000.0 / 3);
    cr_assert_gt(norm(), 1e-2);
    cr_assert_eq(job.update[job.d], (float)(rider / 2));
}

Test(trainer, refuses_a_clip_that_is_none)
{
    static const char *const bad[] = {"", "x", "1x", "0", "-1", "nan", "inf", "1e300"};

    prepare(OF_USERS);
    for (size_t i = 0; i < CN_COUNT(bad); i++) {
        tell_clip(bad[i]);
        trainer_run(&job);
        cr_assert_eq(job.err, CN_E_DATA, "'%s'", bad[i]);
        cr_assert_null(job.update);
    }
}

/* Breaks the values of some rows of the file. */
static void spoil_data(unsigned every)
{
    struct cn_buf text = {0}, spoilt;
    unsigned row = 0;

    MUST(cn_file_read(&text, source.path, 1 << 20, NULL));
    cn_buf_init(&spoilt, 1 << 21);
    for (size_t i = 0; i < text.len; i++) {
        bool begins = i > 0 && text.data[i - 1] == '\n';

        row += begins;
        if (begins && row % every == 0)
            cn_put_text(&spoilt, "broken");
        cn_put_u8(&spoilt, text.data[i]);
    }
    MUST(cn_file_write(source.path, spoilt.data, spoilt.len, 0600, NULL));
    cn_buf_clear(&spoilt);
    cn_buf_clear(&text);
}

Test(trainer, rows_that_do_not_fit_are_examples_without_a_gradient_under_privacy)
{
    spoil_data(10);
    prepare(WITH_NOISE);
    trainer_run(&job);
    MUST(job.err);
    cr_assert_eq(trainer.data.n, 200);
    cr_assert_eq(trainer.data.faulty, 20);
    cr_assert_gt(norm(), 0);
}

Test(trainer, a_file_of_which_no_row_fits_tells_nobody_under_privacy)
{
    spoil_data(1);
    prepare(WITH_NOISE);
    trainer_run(&job);
    MUST(job.err);
    cr_assert_eq(trainer.data.faulty, 200);
    cr_assert(isfinite(norm()) && norm() > 0); /* the noise */
}

Test(trainer, users_keep_rows_that_do_not_fit_to_themselves)
{
    spoil_data(10);
    prepare(OF_USERS);
    trainer_run(&job);
    MUST(job.err);
    cr_assert_eq(trainer.data.faulty, 20);
}

Test(trainer, rows_that_do_not_fit_are_refused_without_privacy)
{
    spoil_data(10);
    prepare(WITHOUT);
    trainer_run(&job);
    cr_assert_eq(job.err, CN_E_DATA);
}
