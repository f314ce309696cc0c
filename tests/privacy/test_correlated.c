/* SPDX-License-Identifier: Apache-2.0 */
/* Streams are keyed; limits are five standard deviations, one false alarm in a million each. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "crypto/random.h"
#include "privacy/correlated.h"

#define N 3000

static const uint8_t id[CORRELATED_ID_BYTES] = "a task's identity, 32 bytes.....";
static struct random_stream *stream;
static struct cn_random source;
static char path[64];

static void start(void)
{
    static const uint8_t key[RANDOM_KEY_BYTES] = "the key of the correlated tests.";

    cr_assert_eq(random_stream_new_keyed(&stream, key), CN_OK);
    source = random_stream_interface(stream);
    snprintf(path, sizeof path, "/tmp/cairn_correlated_%d", (int)getpid());
}

static void stop(void)
{
    random_stream_free(stream);
    unlink(path);
}

TestSuite(correlated, .init = start, .fini = stop);

static struct correlated_plan banded(size_t rounds, size_t band)
{
    struct correlated_plan plan = {.kind = CORRELATED_BANDED};

    cr_assert_eq(factorise_banded(&plan.factor, rounds, band), CN_OK);
    return plan;
}

static struct correlated_plan tree(uint32_t rounds)
{
    return (struct correlated_plan){.kind = CORRELATED_TREE, .rounds = rounds};
}

/* Standard deviations of the noise in the prefix sums of every round, in units of sigma. */
static void prefixes(double *deviation, const struct correlated_plan *plan, uint32_t rounds)
{
    static const double sensitivity = 1000, z = 2;
    int64_t *sum = calloc(N, sizeof *sum);
    struct correlated *state;

    cr_assert_eq(correlated_new(&state, plan, N, id), CN_OK);
    for (uint32_t t = 1; t <= rounds; t++) {
        double square = 0;

        cr_assert_eq(correlated_round(state), t);
        cr_assert_eq(correlated_add(state, sum, z, sensitivity, &source), CN_OK);
        for (size_t i = 0; i < N; i++)
            square += pow((double)sum[i] / (z * sensitivity), 2) / N;
        deviation[t - 1] = sqrt(square);
    }
    correlated_free(state);
    free(sum);
}

Test(correlated, piles_up_as_the_factor_says)
{
    struct correlated_plan plan = banded(40, 6);
    double deviation[40], square = 0;

    prefixes(deviation, &plan, 40);
    for (size_t t = 0; t < 40; t++)
        square += deviation[t] * deviation[t] / 40;
    cr_assert_float_eq(sqrt(square) / plan.factor.error, 1, 5 * sqrt(0.5 / N));
    /* the first round's noise is z's alone */
    cr_assert_float_eq(deviation[0] / sqrt(plan.factor.square), 1, 5 * sqrt(0.5 / N));
}

/* Prefix t holds as many nodes as t has ones, each of variance 4 (levels) for a tree of 8. */
Test(correlated, piles_up_by_the_ones_of_the_round_in_a_tree)
{
    struct correlated_plan plan = tree(8);
    double deviation[12];

    prefixes(deviation, &plan, 12);
    for (uint32_t t = 1; t <= 12; t++) {
        /* of the first tree its root stays */
        int nodes = t <= 8 ? __builtin_popcount(t) : 1 + __builtin_popcount(t - 8);

        cr_assert_float_eq(deviation[t - 1] / sqrt(4.0 * nodes), 1, 5 * sqrt(0.5 / N), "%u", t);
    }
}

/* Noise of one participation: y = C g + z is what proves it. From the outputs o of two runs with
 * the same randomness and inputs that differ by g, y differs by exactly C g. */
Test(correlated, gives_out_nothing_but_a_function_of_the_integer_mechanism)
{
    struct correlated_plan plan = banded(10, 4);
    int64_t a[10], b[10], g[10] = {3, 0, 0, 0, -5, 0, 0, 0, 7, 0};
    static const uint8_t key[RANDOM_KEY_BYTES] = "the same noise twice for one sum";

    for (int run = 0; run < 2; run++) {
        struct random_stream *same;
        struct cn_random random;
        struct correlated *state;

        cr_assert_eq(random_stream_new_keyed(&same, key), CN_OK);
        random = random_stream_interface(same);
        cr_assert_eq(correlated_new(&state, &plan, 1, id), CN_OK);
        for (size_t t = 0; t < 10; t++) {
            int64_t *out = run ? &b[t] : &a[t];

            *out = run ? 100 + g[t] : 100;
            cr_assert_eq(correlated_add(state, out, 1, 50, &random), CN_OK);
        }
        correlated_free(state);
        random_stream_free(same);
    }
    for (size_t t = 0; t < 10; t++)
        cr_assert_eq(b[t] - a[t], g[t]);
}

Test(correlated, draws_sigmas_beyond_the_sampler)
{
    struct correlated_plan plan = banded(1, 1);
    int64_t *values = calloc(N, sizeof *values);
    struct correlated *state;
    double square = 0, sensitivity = 600000;

    cr_assert_eq(correlated_new(&state, &plan, N, id), CN_OK);
    cr_assert_eq(correlated_add(state, values, 3, sensitivity, &source), CN_OK);
    for (size_t i = 0; i < N; i++)
        square += pow((double)values[i] / (3 * sensitivity), 2) / N;
    cr_assert_float_eq(square, 1, 5 * sqrt(2.0 / N));
    correlated_free(state);
    free(values);
}

Test(correlated, lets_a_device_back_in_when_its_columns_are_over)
{
    struct correlated_plan band = banded(10, 4), of_eight = tree(8);

    cr_assert_eq(correlated_next(&band, 0), 1);
    cr_assert_eq(correlated_next(&band, 5), 9);
    cr_assert_eq(correlated_next(&of_eight, 0), 1);
    cr_assert_eq(correlated_next(&of_eight, 1), 9);
    cr_assert_eq(correlated_next(&of_eight, 8), 9);
    cr_assert_eq(correlated_next(&of_eight, 9), 17);
}

/* A run of 12 rounds with a restart after every one gives the same noise as one without. */
static void check_restarts(const struct correlated_plan *plan)
{
    static const uint8_t key[RANDOM_KEY_BYTES] = "restarts change nothing at all..";
    int64_t sums[2][50] = {0};

    for (int run = 0; run < 2; run++) {
        struct random_stream *same;
        struct cn_random random;
        struct correlated *state;

        cr_assert_eq(random_stream_new_keyed(&same, key), CN_OK);
        random = random_stream_interface(same);
        cr_assert_eq(correlated_new(&state, plan, 50, id), CN_OK);
        for (uint32_t t = 1; t <= 12; t++) {
            cr_assert_eq(correlated_add(state, sums[run], 1, 50, &random), CN_OK);
            if (run == 0)
                continue;
            cr_assert_eq(correlated_save(state, path, NULL), CN_OK);
            correlated_free(state);
            cr_assert_eq(correlated_load(&state, plan, 50, id, t + 1, path, NULL), CN_OK);
        }
        correlated_free(state);
        random_stream_free(same);
    }
    cr_assert_arr_eq(sums[0], sums[1], sizeof sums[0]);
}

Test(correlated, goes_on_after_a_restart_where_it_was)
{
    struct correlated_plan plans[] = {banded(12, 5), tree(8), banded(12, 1)};

    for (size_t i = 0; i < CN_COUNT(plans); i++)
        check_restarts(&plans[i]);
}

static void check_refused(const struct correlated_plan *plan, size_t n, const uint8_t *of,
                          uint32_t round)
{
    struct cn_diag diag = {0};
    struct correlated *state;

    cr_assert_eq(correlated_load(&state, plan, n, of, round, path, &diag), CN_E_TAMPERED);
    cr_assert_null(state);
    cr_assert(diag.text[0] && diag.hint[0]);
}

Test(correlated, refuses_noise_that_is_not_this_rounds)
{
    struct correlated_plan plan = banded(12, 3), wider = banded(12, 4), other = tree(4);
    static const uint8_t another[CORRELATED_ID_BYTES] = {1};
    int64_t values[7] = {0};
    struct correlated *state;

    cr_assert_eq(correlated_load(&state, &plan, 7, id, 1, "/nowhere/noise", NULL), CN_E_NOT_FOUND);
    cr_assert_eq(correlated_new(&state, &plan, 7, id), CN_OK);
    cr_assert_eq(correlated_add(state, values, 1, 50, &source), CN_OK);
    cr_assert_eq(correlated_save(state, path, NULL), CN_OK);
    correlated_free(state);
    check_refused(&plan, 7, id, 1);
    check_refused(&plan, 7, id, 3);
    check_refused(&plan, 7, another, 2);
    check_refused(&plan, 6, id, 2);
    check_refused(&plan, 8, id, 2);
    check_refused(&wider, 7, id, 2);
    check_refused(&other, 7, id, 2);
    cr_assert_eq(correlated_load(&state, &plan, 7, id, 2, path, NULL), CN_OK);
    correlated_free(state);
}

Test(correlated, notices_every_damaged_byte_and_every_cut)
{
    struct correlated_plan plan = banded(12, 2);
    int64_t values[2] = {0};
    struct correlated *state;
    struct cn_buf file;

    cr_assert_eq(correlated_new(&state, &plan, 2, id), CN_OK);
    cr_assert_eq(correlated_add(state, values, 1, 50, &source), CN_OK);
    cr_assert_eq(correlated_save(state, path, NULL), CN_OK);
    correlated_free(state);
    cr_assert_eq(cn_file_read(&file, path, 1 << 20, NULL), CN_OK);
    for (size_t i = 0; i < file.len; i += 7) {
        FILE *out = fopen(path, "wb");

        file.data[i] ^= 1;
        cr_assert_eq(fwrite(file.data, 1, file.len, out), file.len);
        fclose(out);
        check_refused(&plan, 2, id, 2);
        file.data[i] ^= 1;
        out = fopen(path, "wb");
        cr_assert_eq(fwrite(file.data, 1, i, out), i);
        fclose(out);
        check_refused(&plan, 2, id, 2);
    }
    cn_buf_clear(&file);
}

Test(correlated, refuses_other_noise_in_the_middle)
{
    struct correlated_plan plan = tree(4), none = {.kind = CORRELATED_NONE}, empty = tree(0);
    int64_t values[2] = {0};
    struct correlated *state;

    cr_assert_eq(correlated_new(&state, &none, 2, id), CN_E_CONFIG);
    cr_assert_eq(correlated_new(&state, &empty, 2, id), CN_E_CONFIG);
    cr_assert_eq(correlated_new(&state, &plan, 0, id), CN_E_CONFIG);
    cr_assert_eq(correlated_new(&state, &plan, 2, id), CN_OK);
    cr_assert_eq(correlated_add(state, values, 0, 50, &source), CN_E_CONFIG);
    cr_assert_eq(correlated_add(state, values, 1, -1, &source), CN_E_CONFIG);
    cr_assert_eq(correlated_add(state, values, 256, 1e18, &source), CN_E_CONFIG);
    cr_assert_eq(correlated_add(state, values, 1, 50, &source), CN_OK);
    cr_assert_eq(correlated_add(state, values, 2, 50, &source), CN_E_CONFIG);
    correlated_free(state);
}
