/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_world.h"

#include "cli/secagg_bench.h"
#include "crypto/secagg.h"

TestSuite(secagg_bench, .init = scratch_make, .fini = world_clear);

static const struct secagg_bench_options USUAL = {.clients = 7,
                                                  .dim = 3000,
                                                  .bits = 17,
                                                  .drop_permille = 150,
                                                  .corrupt_permille = 0,
                                                  .adversary = GRAPH_MALICIOUS};

Test(secagg_bench, opens_the_plain_sum_when_somebody_leaves)
{
    struct secagg_bench_result r;

    cr_assert_eq(secagg_bench_run(&r, &USUAL, NULL, NULL), CN_OK);
    cr_assert(r.sum_ok);
    cr_assert_eq(r.dropped, 1);
    cr_assert_eq(r.degree, 6);
    cr_assert_eq(r.threshold, 5);
}

Test(secagg_bench, counts_bytes_and_time_of_both_sides)
{
    struct secagg_bench_options options = USUAL;
    struct secagg_bench_result small, large;
    double more = 3000 * 17 / 8.0;

    cr_assert_eq(secagg_bench_run(&small, &options, NULL, NULL), CN_OK);
    options.dim *= 2;
    cr_assert_eq(secagg_bench_run(&large, &options, NULL, NULL), CN_OK);
    cr_assert_float_eq(large.bytes_up_per_client - small.bytes_up_per_client, more, 8);
    cr_assert_float_eq(large.bytes_down_per_client, small.bytes_down_per_client, 8);
    cr_assert_gt(small.bytes_up_per_client, more + 6 * SECAGG_SEALED_BYTES);
    cr_assert_gt(small.bytes_down_per_client, 7.0 * 160, "the roster alone");
    cr_assert(small.client_cpu_ms_mean > 0 && small.client_cpu_ms_max >= small.client_cpu_ms_mean);
    cr_assert_gt(small.server_cpu_ms, 0);
}

/* 7 masks for each client; 6 self masks and 6 pairwise ones of the one who left for the server;
 * words of 4 bytes. */
Test(secagg_bench, computes_floors_from_the_masks_that_must_be_expanded)
{
    struct secagg_bench_result r;

    cr_assert_eq(secagg_bench_run(&r, &USUAL, NULL, NULL), CN_OK);
    cr_assert_gt(r.prg_gb_per_s, 0);
    cr_assert_gt(r.aes256ctr_gb_per_s, 0);
    cr_assert_float_eq(r.floor_client_ms * r.prg_gb_per_s * 1e6, 7 * 3000 * 4, 1e-3);
    cr_assert_float_eq(r.floor_server_ms * r.prg_gb_per_s * 1e6, 12 * 3000 * 4, 1e-3);
}

Test(secagg_bench, refuses_rounds_that_can_not_open)
{
    struct secagg_bench_options options = USUAL;
    struct secagg_bench_result r;
    struct cn_diag diag = {0};

    options.drop_permille = 500;
    cr_assert_eq(secagg_bench_run(&r, &options, NULL, &diag), CN_E_THRESHOLD);
    cr_assert(diag.text[0] && diag.hint[0], "the numbers that would do");
    diag = (struct cn_diag){0};
    options.adversary = GRAPH_CURIOUS; /* the plan's 4 of 7 stay, but rounds want more than 2/3 */
    options.drop_permille = 430;
    cr_assert_eq(secagg_bench_run(&r, &options, NULL, &diag), CN_E_THRESHOLD);
    cr_assert(strstr(diag.text, "4 stay, and 5 are needed"), "%s", diag.text);
}

Test(secagg_bench, refuses_options_out_of_range)
{
    struct secagg_bench_options bad[5] = {USUAL, USUAL, USUAL, USUAL, USUAL};
    struct secagg_bench_result r;

    bad[0].clients = 1;
    bad[1].clients = SECAGG_DEVICES_MAX + 1;
    bad[2].bits = 7;
    bad[3].dim = 0;
    bad[4].drop_permille = 1001;
    for (size_t i = 0; i < CN_COUNT(bad); i++)
        cr_assert_eq(secagg_bench_run(&r, &bad[i], NULL, NULL), CN_E_CONFIG, "%zu", i);
}

Test(secagg_bench, answers_in_json)
{
    cr_assert_eq(world_run("bench secagg --clients 5 --dim 100 --bits 8 --drop 0.2 --json --quiet"),
                 CN_EXIT_DONE);
    json_t *answer = world_json();
    double mean, max;
    json_int_t degree, threshold, dropped;
    int sum_ok;

    cr_assert_eq(json_unpack(answer, "{s:I, s:I, s:I, s:b, s:{s:F, s:F}}", "degree", &degree,
                             "threshold", &threshold, "dropped", &dropped, "sum_ok", &sum_ok,
                             "client_cpu_ms", "mean", &mean, "max", &max),
                 0);
    cr_assert(degree == 4 && threshold == 4 && dropped == 1 && sum_ok);
    json_decref(answer);
    cr_assert_eq(world_run("bench secagg --clients 1"), CN_EXIT_USAGE);
    cr_assert_neq(world_run("bench secagg --clients 5 --drop 0.6"), CN_EXIT_DONE);
}

/* Under a ring each of 100 devices talks to a third of them, with the machines of real rounds. */
Test(secagg_bench, runs_a_ring_of_a_hundred)
{
    struct secagg_bench_options options = {.clients = 100,
                                           .dim = 20,
                                           .bits = 9,
                                           .drop_permille = 100,
                                           .corrupt_permille = 50,
                                           .ring = true,
                                           .adversary = GRAPH_CURIOUS};
    struct secagg_bench_result r;

    cr_assert_eq(secagg_bench_run(&r, &options, NULL, NULL), CN_OK);
    cr_assert(r.sum_ok);
    cr_assert_lt(r.degree, 99);
    cr_assert_eq(r.degree, 16);
    cr_assert_eq(r.opening, 6);
    cr_assert_eq(r.threshold, 67);
    options.adversary = GRAPH_MALICIOUS;
    options.prg = secagg_prg_best();
    options.threads = 2;
    cr_assert_eq(secagg_bench_run(&r, &options, NULL, NULL), CN_OK);
    cr_assert(r.sum_ok);
    cr_assert_eq(r.degree, 52);
    options.drop_permille = 334;
    cr_assert_eq(secagg_bench_run(&r, &options, NULL, NULL), CN_E_CONFIG);
}
