/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn train`: learns, says its epsilon, repeats by seed, goes on after an interruption. */
#include "cli_world.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(train, .init = scratch_make, .fini = world_clear);

#define COMMON                                                                                     \
    "model: {input: [2], layers: [{type: dense, units: 4}, {type: tanh}, {type: dense, units: "    \
    "2}]}\n"                                                                                       \
    "data: {classes: 2, labels: [no, yes]}\n"                                                      \
    "secure_aggregation: {update_range: 1}\n"                                                      \
    "rounds: {count: 3, cohort_min: 2, cohort_max: 2}\n"

static const char PLAIN[] =
    "task: plain\n" COMMON "training: {learning_rate: 0.03, momentum: 0.9, epochs: 10, batch: 8}\n"
    "privacy: {unit: none}\n";
static const char PRIVATE[] =
    "task: private\n" COMMON
    "training: {learning_rate: 0.3, steps: 20, batch: 16, sampling_rate: 0.25}\n"
    "privacy: {unit: example, clip_norm: 1, noise_multiplier: 1.5, delta: 1.0e-3}\n";

/* yes where a > b */
static void make_files(void)
{
    char text[64 * 32] = "a,b,y\n";

    for (int i = 0; i < 60; i++) {
        int a = i * 7 % 20 - 10, b = i * 11 % 23 - 11;

        snprintf(text + strlen(text), 32, "%d,%d,%s\n", a, b, a > b ? "yes" : "no");
    }
    scratch_text("plain.yaml", PLAIN);
    scratch_text("private.yaml", PRIVATE);
    scratch_text("d.csv", text);
}

static int train(const char *task, const char *extra)
{
    return world_runf("train %s/%s.yaml --quiet --data csv:%s/d.csv,label=y --json%s%s",
                      scratch_folder, task, scratch_folder, extra ? " " : "", extra ? extra : "");
}

static int trainf(const char *task, const char *format, const char *name)
{
    char extra[512];

    snprintf(extra, sizeof extra, format, scratch_folder, name, scratch_folder, scratch_folder);
    return train(task, extra);
}

Test(train, learns_and_writes_a_model_that_evaluates_alike)
{
    json_t *answer, *test, *score;

    make_files();
    cr_assert_eq(trainf("plain", "--seed 1 --out %s/%s --test csv:%s/d.csv,label=y", "m"), 0, "%s",
                 world_err);
    answer = world_json();
    test = json_object_get(answer, "test");
    cr_assert_eq(json_integer_value(json_object_get(answer, "steps")), 3 * 10 * 8);
    cr_assert_gt(json_real_value(json_object_get(test, "accuracy")), 0.9);
    cr_assert_eq(json_array_size(json_object_get(answer, "looks")), 30);
    cr_assert(json_is_null(json_object_get(answer, "privacy")));
    cr_assert_eq(world_runf("model evaluate %s/m --task %s/plain.yaml --data csv:%s/d.csv,label=y "
                            "--json",
                            scratch_folder, scratch_folder, scratch_folder),
                 0);
    score = world_json();
    cr_assert_eq(json_integer_value(json_object_get(score, "correct")),
                 json_integer_value(json_object_get(test, "correct")));
    json_decref(answer);
    json_decref(score);
}

Test(train, with_privacy_says_its_epsilon_and_whether_it_holds)
{
    json_t *answer, *privacy;
    double epsilon;

    make_files();
    cr_assert_eq(train("private", NULL), 0, "%s", world_err);
    answer = world_json();
    privacy = json_object_get(answer, "privacy");
    epsilon = json_real_value(json_object_get(privacy, "epsilon"));
    cr_assert(epsilon > 1 && epsilon < 20, "%g", epsilon);
    cr_assert(json_is_true(json_object_get(privacy, "holds")));
    json_decref(answer);
    cr_assert_eq(train("private", "--seed 3 --rounds 1"), 0);
    answer = world_json();
    privacy = json_object_get(answer, "privacy");
    cr_assert_lt(json_real_value(json_object_get(privacy, "epsilon")), epsilon);
    cr_assert(json_is_false(json_object_get(privacy, "holds")));
    json_decref(answer);
}

/* scratch_read keeps one file at a time. */
static void expect_same_files(const char *a, const char *b)
{
    size_t a_len, b_len;
    unsigned char *bytes = scratch_read(scratch_path(a), &a_len), *copy = malloc(a_len);

    cr_assert(copy);
    memcpy(copy, bytes, a_len);
    bytes = scratch_read(scratch_path(b), &b_len);
    cr_assert_eq(a_len, b_len);
    cr_assert_arr_eq(copy, bytes, a_len);
    free(copy);
}

Test(train, repeats_itself_by_seed)
{
    make_files();
    cr_assert_eq(trainf("private", "--seed 5 --out %s/%s", "a"), 0);
    cr_assert_eq(trainf("private", "--seed 5 --out %s/%s", "b"), 0);
    expect_same_files("a", "b");
}

static useconds_t microseconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (useconds_t)(now.tv_sec % 1000 * 1000000 + now.tv_nsec / 1000);
}

/* The signal falls at any step, a third of the way that the whole took; an open end of the last
 * piece is fine. */
Test(train, goes_on_after_an_interruption_bit_for_bit)
{
    static const char *const way =
        "--rounds 300 --every 2000 --seed 5 --out %s/%s --checkpoint %s/ck --resume";
    int code = -1, interrupted = 0;

    make_files();
    useconds_t third = microseconds_now();
    cr_assert_eq(trainf("plain", "--rounds 300 --every 2000 --seed 5 --out %s/%s", "whole"), 0);
    third = (microseconds_now() - third) / 3;
    for (int i = 0; i < 40; i++) {
        pid_t child;

        signal(SIGINT, SIG_IGN);
        child = fork();
        if (child == 0) { /* the parent trains; the child interrupts it */
            usleep(third);
            kill(getppid(), SIGINT);
            _exit(0);
        }
        code = trainf("plain", way, "parts");
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        interrupted += code != 0;
        if (code == 0)
            break;
        cr_assert_eq(code, 3);
        SAYS(world_err, "interrupted after step");
    }
    cr_assert_eq(code, 0);
    cr_assert_gt(interrupted, 0, "the training was too short to be interrupted");
    expect_same_files("whole", "parts");
}

Test(train, refuses_what_does_not_belong_together)
{
    make_files();
    cr_assert_eq(train("plain", "--resume"), 2);
    SAYS(world_err, "--checkpoint");
    cr_assert_eq(train("plain", "--patience 2"), 2);
    SAYS(world_err, "test data");
    cr_assert_eq(trainf("plain", "--start %s/%s", "nothing"), 3);
    cr_assert_eq(train("plain", "--rounds 100000000"), 2);
    cr_assert_eq(trainf("plain", "--rounds 1 --seed 1 --checkpoint %s/%s", "ck"), 0);
    cr_assert_eq(trainf("plain", "--rounds 1 --seed 2 --resume --checkpoint %s/%s", "ck"), 2);
    SAYS(world_err, "another task, other data or other options");
}

Test(train, of_numbers_tells_a_loss_and_no_accuracy)
{
    json_t *answer, *test;

    scratch_text("n.yaml", "task: numbers\n"
                           "model: {input: [2], loss: huber, layers: [{type: dense, units: 1}]}\n"
                           "data: {targets: [{name: z}]}\n"
                           "training: {learning_rate: 0.01, epochs: 5, batch: 4}\n"
                           "privacy: {unit: none}\n"
                           "secure_aggregation: {update_range: 1}\n"
                           "rounds: {count: 2, cohort_min: 2, cohort_max: 2}\n");
    scratch_text("n.csv", "a,b,z\n1,2,3\n2,2,4\n0,1,1\n-1,2,1\n3,-1,2\n");
    cr_assert_eq(world_runf("train %s/n.yaml --data csv:%s/n.csv --test csv:%s/n.csv",
                            scratch_folder, scratch_folder, scratch_folder),
                 0);
    SAYS(world_out, "test      loss ");
    cr_assert(!strstr(world_out, "accuracy") && !strstr(world_err, "accuracy"));
    cr_assert_eq(world_runf("train %s/n.yaml --data csv:%s/n.csv --test csv:%s/n.csv --json",
                            scratch_folder, scratch_folder, scratch_folder),
                 0);
    answer = world_json();
    test = json_object_get(answer, "test");
    cr_assert(json_is_null(json_object_get(test, "accuracy")));
    cr_assert(json_real_value(json_object_get(test, "loss")) > 0);
    json_decref(answer);
}
