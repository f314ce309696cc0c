/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "privacy/clip.h"
#include "privacy/encode.h"

#define D 300

static struct cn_seeded seeded;
static struct cn_random random_source;

static void seed(void)
{
    random_source = cn_random_seeded(&seeded, 11);
}

TestSuite(encode, .init = seed);

static struct encode_plan plan_for(uint32_t cohort)
{
    struct encode_plan plan;

    cr_assert_eq(encode_plan_make(&plan, D, 3, 2.5, cohort, NULL), CN_OK);
    return plan;
}

Test(encode, chooses_bits_so_that_the_worst_sum_does_not_wrap)
{
    for (uint32_t cohort = 1; cohort <= ENCODE_COHORT_MAX; cohort += cohort < 40 ? 1 : 911) {
        struct encode_plan plan;

        cr_assert_eq(encode_plan_make(&plan, 10, 2, 1, cohort, NULL), CN_OK);
        uint64_t limit = ((uint64_t)1 << (plan.value_bits - 1)) - 1;

        cr_assert_lt(limit * cohort, (uint64_t)1 << (plan.modulus_bits - 1));
        cr_assert_leq((uint64_t)encode_counter_max(&plan) * cohort,
                      ((uint64_t)1 << plan.modulus_bits) - 1);
        cr_assert(plan.modulus_bits >= 8 && plan.modulus_bits <= 32);
    }
}

Test(encode, gives_eight_silos_twenty_bits_modulo_2_to_the_23)
{
    struct encode_plan plan = plan_for(8);

    cr_assert_eq(plan.value_bits, 20);
    cr_assert_eq(plan.modulus_bits, 23);
    cr_assert_eq(encode_length(&plan), D + 3);
    cr_assert_eq(encode_counter_max(&plan), 1048575);
}

/* Sums count encodings of random updates, longer and shorter than the range, modulo 2^b. */
static void round_trip(uint32_t cohort, uint32_t count)
{
    static float update[D], want[D], sum[D];
    static uint32_t encoded[D + 3], total[D + 3];
    struct encode_plan plan = plan_for(cohort);
    uint32_t counters[3], mask = (uint32_t)(((uint64_t)1 << plan.modulus_bits) - 1);
    uint64_t want_counters[3] = {0}, got_counters[3];
    double step = plan.range / (double)((1u << (plan.value_bits - 1)) - 1);

    memset(total, 0, sizeof total);
    memset(want, 0, sizeof want);
    for (uint32_t k = 0; k < count; k++) {
        for (size_t i = 0; i < D; i++)
            update[i] = (float)(cn_random_normal(&random_source) * (k % 2 ? 0.01 : 3));
        for (size_t i = 0; i < 3; i++) {
            counters[i] = i == 2 ? encode_counter_max(&plan) : (uint32_t)(k + i);
            want_counters[i] += counters[i];
        }
        cr_assert_eq(encode_update(encoded, update, counters, &plan, &random_source), CN_OK);
        cr_assert_eq(clip_l2(update, D, plan.range, NULL), CN_OK);
        for (size_t i = 0; i < D; i++)
            want[i] += update[i];
        for (size_t i = 0; i < D + 3; i++)
            total[i] = (total[i] + encoded[i]) & mask;
    }
    cr_assert_eq(encode_sum_decode(sum, got_counters, total, &plan, count), CN_OK);
    for (size_t i = 0; i < D; i++)
        cr_assert_float_eq(sum[i], want[i], count * (step + 1e-6), "%g %g", sum[i], want[i]);
    cr_assert_arr_eq(got_counters, want_counters, sizeof want_counters);
}

Test(encode, brings_a_sum_back)
{
    round_trip(1, 1);
    round_trip(8, 7);
    round_trip(8, 8);
    round_trip(1000, 200);
}

Test(encode, survives_a_whole_cohort_at_the_limit)
{
    float update[2] = {2.5f, 0}, sum[2];
    uint32_t encoded[2], total[2] = {0};
    struct encode_plan plan;

    for (int sign = -1; sign <= 1; sign += 2) {
        cr_assert_eq(encode_plan_make(&plan, 2, 0, 2.5, 300, NULL), CN_OK);
        memset(total, 0, sizeof total);
        update[0] = 2.5f * (float)sign;
        for (int k = 0; k < 300; k++) {
            cr_assert_eq(encode_update(encoded, update, NULL, &plan, &random_source), CN_OK);
            total[0] = (total[0] + encoded[0]) & (uint32_t)((1ull << plan.modulus_bits) - 1);
        }
        cr_assert_eq(encode_sum_decode(sum, NULL, total, &plan, 300), CN_OK);
        cr_assert_float_eq(sum[0], 750.0f * (float)sign, 1e-2);
    }
}

Test(encode, refuses_a_sum_that_no_honest_cohort_gives)
{
    static uint32_t vector[D + 3];
    static float sum[D];
    struct encode_plan plan = plan_for(8);
    uint32_t limit = (1u << (plan.value_bits - 1)) - 1;
    uint64_t counters[3];

    memset(vector, 0, sizeof vector);
    vector[5] = 3 * limit;
    cr_assert_eq(encode_sum_decode(sum, counters, vector, &plan, 3), CN_OK);
    vector[5]++;
    sum[7] = 1;
    counters[1] = 1;
    cr_assert_eq(encode_sum_decode(sum, counters, vector, &plan, 3), CN_E_INCONSISTENT);
    cr_assert(sum[7] == 0 && counters[1] == 0);
    vector[5] = (1u << plan.modulus_bits) - 3 * limit;
    cr_assert_eq(encode_sum_decode(sum, counters, vector, &plan, 3), CN_OK);
    vector[5]--;
    cr_assert_eq(encode_sum_decode(sum, counters, vector, &plan, 3), CN_E_INCONSISTENT);
    vector[5] = 1u << plan.modulus_bits;
    cr_assert_eq(encode_sum_decode(sum, counters, vector, &plan, 3), CN_E_INCONSISTENT);
    vector[5] = 0;
    vector[D + 1] = 3 * encode_counter_max(&plan) + 1;
    cr_assert_eq(encode_sum_decode(sum, counters, vector, &plan, 3), CN_E_INCONSISTENT);
}

Test(encode, refuses_a_count_of_survivors_outside_the_plan)
{
    static uint32_t vector[D + 3];
    static float sum[D];
    struct encode_plan plan = plan_for(8);

    cr_assert_eq(encode_sum_decode(sum, NULL, vector, &plan, 0), CN_E_COHORT);
    cr_assert_eq(encode_sum_decode(sum, NULL, vector, &plan, 9), CN_E_COHORT);
    cr_assert_eq(encode_sum_decode(sum, NULL, vector, &plan, 8), CN_OK);
}

Test(encode, refuses_updates_that_are_not_finite_and_counters_that_are_too_large)
{
    static float update[D];
    static uint32_t out[D + 3];
    struct encode_plan plan = plan_for(8);
    uint32_t counters[3] = {0, 0, encode_counter_max(&plan) + 1};

    out[0] = 77;
    cr_assert_eq(encode_update(out, update, counters, &plan, &random_source), CN_E_TOO_LARGE);
    counters[2] = 0;
    update[D - 1] = NAN;
    cr_assert_eq(encode_update(out, update, counters, &plan, &random_source), CN_E_DIVERGED);
    update[D - 1] = -INFINITY;
    cr_assert_eq(encode_update(out, update, counters, &plan, &random_source), CN_E_DIVERGED);
    cr_assert_eq(out[0], 77);
}

Test(encode, refuses_plans_that_make_no_sense_and_says_why)
{
    struct encode_plan plan;
    struct cn_diag diag;

    cn_diag_clear(&diag);
    cr_assert_eq(encode_plan_make(&plan, 0, 0, 1, 8, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.text, "parameters"));
    cr_assert_eq(encode_plan_make(&plan, ENCODE_VALUES_MAX + 1, 0, 1, 8, NULL), CN_E_CONFIG);
    cr_assert_eq(encode_plan_make(&plan, 1, ENCODE_COUNTERS_MAX + 1, 1, 8, NULL), CN_E_CONFIG);
    cr_assert_eq(encode_plan_make(&plan, 1, 0, 0, 8, NULL), CN_E_CONFIG);
    cr_assert_eq(encode_plan_make(&plan, 1, 0, NAN, 8, NULL), CN_E_CONFIG);
    cr_assert_eq(encode_plan_make(&plan, 1, 0, INFINITY, 8, NULL), CN_E_CONFIG);
    cr_assert_eq(encode_plan_make(&plan, 1, 0, 1, 0, NULL), CN_E_CONFIG);
    cr_assert_eq(encode_plan_make(&plan, 1, 0, 1, ENCODE_COHORT_MAX + 1, NULL), CN_E_CONFIG);
}
