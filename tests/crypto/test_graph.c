/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/graph.h"

#define VECTORS CAIRN_SOURCE_DIR "/tests/vectors/graph/"

static struct graph_demand demand_of(uint32_t devices, uint32_t corrupt, uint32_t dropout,
                                     enum graph_adversary adversary)
{
    return (struct graph_demand){.devices = devices,
                                 .corrupt_permille = corrupt,
                                 .dropout_permille = dropout,
                                 .security_bits = GRAPH_SECURITY_BITS,
                                 .correctness_bits = GRAPH_CORRECTNESS_BITS,
                                 .adversary = adversary};
}

static uint32_t apart(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

Test(graph, plans_the_rings_of_the_golden_table)
{
    FILE *file = fopen(VECTORS "secagg_graph_params.csv", "r");
    char line[256], name[32];
    double corrupt, dropout;
    unsigned devices, degree, threshold, threshold_max, rows = 0;

    cr_assert(file && fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        struct graph_plan plan;

        cr_assert_eq(sscanf(line, "%31[^,],%u,%lf,%lf,%u,%u,%u", name, &devices, &corrupt, &dropout,
                            &degree, &threshold, &threshold_max),
                     7);
        struct graph_demand demand =
            demand_of(devices, (uint32_t)(corrupt * 1000 + 0.5), (uint32_t)(dropout * 1000 + 0.5),
                      strcmp(name, "semimal") == 0 ? GRAPH_MALICIOUS : GRAPH_CURIOUS);
        cr_assert_eq(graph_plan_ring(&plan, &demand), CN_OK, "%s", line);
        cr_assert_leq(apart(plan.degree, degree), 2, "%s degree %u", line, plan.degree);
        cr_assert_leq(apart(plan.threshold, threshold), 1, "%s threshold %u", line, plan.threshold);
        cr_assert_leq(apart(plan.threshold_max, threshold_max), 1, "%s", line);
        rows++;
    }
    fclose(file);
    cr_assert_eq(rows, 56);
}

Test(graph, plans_the_complete_graph_for_small_cohorts)
{
    struct graph_demand demand = demand_of(8, 250, 125, GRAPH_MALICIOUS);
    struct graph_plan plan;

    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_OK);
    cr_assert_eq(plan.degree, 7);
    cr_assert_eq(plan.threshold, 6); /* floor(2 * 8 / 3) + 1, as secagg_threshold */
    cr_assert_eq(plan.threshold_max, 7);
    demand.adversary = GRAPH_CURIOUS;
    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_OK);
    cr_assert_eq(plan.threshold, 5);
    demand = demand_of(99, 50, 50, GRAPH_CURIOUS);
    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_OK);
    cr_assert_eq(plan.degree, 98);
    demand.devices = 100;
    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_OK);
    cr_assert_eq(plan.degree, 12);
}

Test(graph, raises_the_complete_threshold_with_the_corrupt)
{
    struct graph_demand demand = demand_of(10, 500, 0, GRAPH_MALICIOUS);
    struct graph_plan plan;

    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_OK);
    cr_assert_eq(plan.threshold, 8, "2 * 8 > 10 + 5, and 2 * 7 is not");
    demand = demand_of(10, 700, 0, GRAPH_CURIOUS);
    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_OK);
    cr_assert_eq(plan.threshold, 8, "seven must not open it");
}

Test(graph, refuses_two_devices_of_which_one_may_leave)
{
    struct graph_demand demand = demand_of(2, 0, 500, GRAPH_CURIOUS);
    struct graph_plan plan;

    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_E_THRESHOLD);
    demand.dropout_permille = 0;
    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_OK);
    cr_assert_eq(plan.threshold, 2);
}

/* Says no with numbers; each of them, put in place, makes it yes, and one step beyond it no. */
static void check_advice(struct graph_demand demand)
{
    struct graph_advice advice;
    struct graph_plan plan;
    struct cn_diag diag = {0};
    char number[32];

    cr_assert_eq(graph_plan_make(&plan, &demand, &diag), CN_E_THRESHOLD);
    cr_assert_eq(graph_advise(&advice, &demand), CN_OK);
    cr_assert_neq(advice.dropout_permille, GRAPH_NONE);
    snprintf(number, sizeof number, "%u.%u %% that leave", advice.dropout_permille / 10,
             advice.dropout_permille % 10);
    cr_assert(strstr(diag.hint, number), "%s", diag.hint);
    struct graph_demand better = demand;
    better.dropout_permille = advice.dropout_permille;
    cr_assert_eq(graph_plan_make(&plan, &better, NULL), CN_OK);
    better.dropout_permille++;
    cr_assert_eq(graph_plan_make(&plan, &better, NULL), CN_E_THRESHOLD);
    if (advice.corrupt_permille != GRAPH_NONE) {
        better = demand;
        better.corrupt_permille = advice.corrupt_permille;
        cr_assert_eq(graph_plan_make(&plan, &better, NULL), CN_OK);
        better.corrupt_permille++;
        cr_assert_eq(graph_plan_make(&plan, &better, NULL), CN_E_THRESHOLD);
    }
    if (advice.devices != GRAPH_NONE) {
        better = demand;
        better.devices = advice.devices;
        cr_assert_eq(graph_plan_make(&plan, &better, NULL), CN_OK);
    }
}

Test(graph, refuses_the_unattainable_with_numbers_that_would_do)
{
    check_advice(demand_of(100, 330, 450, GRAPH_MALICIOUS));
    check_advice(demand_of(1000, 330, 400, GRAPH_MALICIOUS));
    check_advice(demand_of(10, 100, 400, GRAPH_MALICIOUS));
    check_advice(demand_of(30, 600, 500, GRAPH_CURIOUS));
}

Test(graph, advises_a_larger_cohort_when_only_rounding_stands_in_the_way)
{
    struct graph_demand demand = demand_of(4, 0, 300, GRAPH_MALICIOUS); /* 3 of 4: all but one */
    struct graph_advice advice;
    struct graph_plan plan;

    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_OK);
    demand = demand_of(12, 0, 260, GRAPH_MALICIOUS); /* 9 of 12, 9 stay */
    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_OK);
    demand = demand_of(10, 0, 300, GRAPH_MALICIOUS); /* 7 of 10, 7 stay */
    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_OK);
    demand = demand_of(3, 0, 340, GRAPH_MALICIOUS); /* 3 of 3, 2 stay */
    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_E_THRESHOLD);
    cr_assert_eq(graph_advise(&advice, &demand), CN_OK);
    cr_assert_neq(advice.devices, GRAPH_NONE);
    demand.devices = advice.devices;
    cr_assert_eq(graph_plan_make(&plan, &demand, NULL), CN_OK);
}

Test(graph, refuses_demands_out_of_range)
{
    const struct graph_demand good = demand_of(200, 50, 50, GRAPH_CURIOUS);
    struct graph_demand bad[10];
    struct graph_plan plan;
    struct graph_advice advice;

    for (size_t i = 0; i < CN_COUNT(bad); i++)
        bad[i] = good;
    bad[0].devices = 1;
    bad[1].devices = GRAPH_DEVICES_MAX + 1;
    bad[2].corrupt_permille = 1001;
    bad[3].dropout_permille = 1001;
    bad[4].security_bits = 0;
    bad[5].security_bits = GRAPH_BITS_MAX + 1;
    bad[6].correctness_bits = 0;
    bad[7].correctness_bits = GRAPH_BITS_MAX + 1;
    bad[8].adversary = (enum graph_adversary)2;
    bad[9].devices = 0;
    for (size_t i = 0; i < CN_COUNT(bad); i++) {
        cr_assert_eq(graph_plan_make(&plan, &bad[i], NULL), CN_E_CONFIG, "%zu", i);
        cr_assert_eq(graph_plan_ring(&plan, &bad[i]), CN_E_CONFIG, "%zu", i);
        cr_assert_eq(graph_advise(&advice, &bad[i]), CN_E_CONFIG, "%zu", i);
    }
    cr_assert_eq(graph_plan_make(&plan, &good, NULL), CN_OK);
}

Test(graph, wants_more_neighbours_for_more_security)
{
    struct graph_demand demand = demand_of(1000, 50, 50, GRAPH_CURIOUS);
    struct graph_plan usual, more;

    cr_assert_eq(graph_plan_ring(&usual, &demand), CN_OK);
    demand.security_bits = 120;
    cr_assert_eq(graph_plan_ring(&more, &demand), CN_OK);
    cr_assert_gt(more.degree, usual.degree);
    cr_assert_gt(more.threshold, usual.threshold);
}

static void check_ring(FILE *file, uint32_t devices, uint32_t degree, const uint8_t *seed)
{
    struct graph graph;
    uint32_t *neighbours = malloc(degree * sizeof *neighbours);

    cr_assert(neighbours);
    cr_assert_eq(graph_init(&graph, devices, degree, seed), CN_OK);
    for (uint32_t i = 0; i < devices; i++) {
        bool listed[64] = {false};

        graph_neighbours(&graph, i, neighbours);
        for (uint32_t k = 0; k < degree; k++) {
            unsigned want;

            cr_assert_eq(fscanf(file, "%u", &want), 1);
            cr_assert_eq(neighbours[k], want, "position %u", i);
            listed[want] = true;
        }
        for (uint32_t j = 0; j < devices; j++)
            cr_assert_eq(graph_is_neighbour(&graph, i, j), listed[j]);
    }
    graph_clear(&graph);
    free(neighbours);
}

Test(graph, makes_the_rings_that_another_program_makes)
{
    FILE *file = fopen(VECTORS "ring.txt", "r");
    unsigned devices, degree, rings = 0;
    char hex[65];

    cr_assert(file);
    while (fscanf(file, "%u %u %64s", &devices, &degree, hex) == 3) {
        uint8_t seed[GRAPH_SEED_BYTES];

        cr_assert_leq(devices, 64);
        for (size_t i = 0; i < sizeof seed; i++)
            cr_assert_eq(sscanf(hex + 2 * i, "%2hhx", &seed[i]), 1);
        check_ring(file, devices, degree, seed);
        rings++;
    }
    fclose(file);
    cr_assert_eq(rings, 4);
}

Test(graph, is_regular_symmetric_and_never_with_oneself)
{
    static const uint8_t seed[GRAPH_SEED_BYTES] = {9};
    struct graph graph;

    cr_assert_eq(graph_init(&graph, 101, 12, seed), CN_OK);
    for (uint32_t i = 0; i < 101; i++) {
        uint32_t count = 0;

        cr_assert_not(graph_is_neighbour(&graph, i, i));
        for (uint32_t j = 0; j < 103; j++) {
            count += graph_is_neighbour(&graph, i, j);
            cr_assert_eq(graph_is_neighbour(&graph, i, j), graph_is_neighbour(&graph, j, i));
        }
        cr_assert_eq(count, 12);
    }
    graph_clear(&graph);
    cr_assert_not(graph_is_neighbour(&graph, 0, 1), "an empty graph has no neighbours");
}

Test(graph, joins_everybody_in_the_complete_graph)
{
    static const uint8_t seed[GRAPH_SEED_BYTES];
    struct graph graph;
    uint32_t neighbours[4];

    cr_assert_eq(graph_init(&graph, 5, 4, seed), CN_OK);
    graph_neighbours(&graph, 2, neighbours);
    cr_assert_arr_eq(neighbours, ((uint32_t[]){0, 1, 3, 4}), sizeof neighbours);
    for (uint32_t j = 0; j < 6; j++)
        cr_assert_eq(graph_is_neighbour(&graph, 2, j), j != 2 && j < 5);
    graph_clear(&graph);
}

Test(graph, refuses_degrees_that_no_ring_has)
{
    static const uint8_t seed[GRAPH_SEED_BYTES];
    static const struct {
        uint32_t devices, degree;
    } bad[] = {{10, 0}, {10, 3}, {10, 10}, {10, 12}, {1, 0}, {0, 0}, {GRAPH_DEVICES_MAX + 1, 4}};
    struct graph graph;

    for (size_t i = 0; i < CN_COUNT(bad); i++)
        cr_assert_eq(graph_init(&graph, bad[i].devices, bad[i].degree, seed), CN_E_CONFIG, "%zu",
                     i);
    cr_assert_eq(graph_init(&graph, 2, 1, seed), CN_OK);
    graph_clear(&graph);
    cr_assert_eq(graph_init(&graph, 10, 8, seed), CN_OK);
    graph_clear(&graph);
}

/* Chi-square over the places of position 0 for 40,000 seeds: 9 degrees of freedom, beyond 40 with
 * probability 8e-6. The seeds are fixed, so the test is deterministic. */
Test(graph, places_everybody_everywhere_alike)
{
    uint32_t count[10] = {0};
    double chi = 0;

    for (uint32_t k = 0; k < 40000; k++) {
        uint8_t seed[GRAPH_SEED_BYTES] = {(uint8_t)k, (uint8_t)(k >> 8), 1};
        struct graph graph;

        cr_assert_eq(graph_init(&graph, 10, 2, seed), CN_OK);
        count[graph.place[0]]++;
        graph_clear(&graph);
    }
    for (size_t i = 0; i < 10; i++)
        chi += (count[i] - 4000.0) * (count[i] - 4000.0) / 4000.0;
    cr_assert_lt(chi, 40);
}

/* checked.csv comes from exact fractions in Python. */
Test(graph, plans_checked_rings_like_exact_arithmetic)
{
    FILE *file = fopen(VECTORS "checked.csv", "r");
    char line[256];
    unsigned n, corrupt, dropout, security, correctness, malicious, rows = 0;
    struct graph_plan want = {0}, plan;

    cr_assert(file && fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        int fields = sscanf(line, "%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u", &n, &corrupt, &dropout,
                            &security, &correctness, &malicious, &want.degree, &want.threshold,
                            &want.threshold_max, &want.window_min, &want.neighbours_min);

        cr_assert(fields == 11 || fields == 6, "%s", line);
        struct graph_demand demand =
            demand_of(n, corrupt, dropout, malicious ? GRAPH_MALICIOUS : GRAPH_CURIOUS);
        demand.security_bits = security;
        demand.correctness_bits = correctness;
        enum cn_err err = graph_plan_checked(&plan, &demand);
        rows++;
        cr_assert_eq(err, fields == 11 ? CN_OK : CN_E_THRESHOLD, "%s", line);
        if (err == CN_OK)
            cr_assert_arr_eq(&plan, &want, sizeof plan, "%s degree %u threshold %u", line,
                             plan.degree, plan.threshold);
    }
    fclose(file);
    cr_assert_eq(rows, 336);
}

Test(graph, finds_a_window_that_holds_too_few)
{
    static const uint8_t seed[GRAPH_SEED_BYTES] = {3};
    struct graph graph;
    uint8_t sets[20];

    cr_assert_eq(graph_init(&graph, 20, 8, seed), CN_OK);
    memset(sets, 6, sizeof sets);
    cr_assert(graph_windows_hold(&graph, sets, 2, 4));
    cr_assert_not(graph_windows_hold(&graph, sets, 2, 5), "a window has four places");
    cr_assert_not(graph_windows_hold(&graph, sets, 1, 1), "nobody is in the other set");
    for (uint32_t first = 0; first < 20; first++) { /* three in a row leave one, wherever */
        memset(sets, 6, sizeof sets);
        for (uint32_t k = 0; k < 3; k++)
            sets[graph.tenant[(first + k) % 20]] = 4;
        cr_assert(graph_windows_hold(&graph, sets, 2, 1));
        cr_assert_not(graph_windows_hold(&graph, sets, 2, 2));
        cr_assert(graph_windows_hold(&graph, sets, 4, 4));
    }
    graph_clear(&graph);
    cr_assert_eq(graph_init(&graph, 20, 19, seed), CN_OK);
    cr_assert(graph_windows_hold(&graph, sets, 1, 20), "everybody is everybody's neighbour");
    graph_clear(&graph);
}
