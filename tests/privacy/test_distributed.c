/* SPDX-License-Identifier: Apache-2.0 */
/* Streams are keyed; limits are five standard deviations, one false alarm in a million each. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "privacy/clip.h"
#include "privacy/distributed.h"
#include "privacy/encode.h"
#include "privacy/report.h"

static const uint8_t binding[ROTATE_SEED_BYTES] = "a round's binding, 32 bytes....";

static struct random_stream *stream;
static struct cn_random source;

static void start(void)
{
    static const uint8_t key[RANDOM_KEY_BYTES] = "the key of the distributed tests";

    cr_assert_eq(random_stream_new_keyed(&stream, key), CN_OK);
    source = random_stream_interface(stream);
}

static void stop(void)
{
    random_stream_free(stream);
}

TestSuite(distributed, .init = start, .fini = stop);

static const struct distributed_wish wish = {
    .noise_multiplier = 0.8, .honest_min = 12, .cohort_max = 20};

static double mechanism_noise(const struct distributed_plan *plan)
{
    const struct bounds_distributed *m = &plan->mechanism;
    struct bounds_sensitivity s;

    cr_assert_eq(bounds_distributed_sensitivity(&s, m), CN_OK);
    cr_assert_float_eq(s.l2, plan->l2, 1e-9 * s.l2);
    cr_assert_lt(s.tau * m->dim, 1e-12);
    return sqrt((double)m->devices) * m->sigma / s.l2;
}

Test(distributed, lets_the_honest_few_carry_all_of_the_noise)
{
    static const uint32_t sizes[] = {1, 5, 1000, 1025, 26010, 1000000};

    for (size_t i = 0; i < CN_COUNT(sizes); i++)
        for (uint32_t honest = 1; honest <= 4096; honest *= 8)
            for (double z = 0.01; z < 9; z *= 3) {
                struct distributed_wish w = {z, honest, 4 * honest, 0};
                struct distributed_plan plan;

                cr_assert_eq(distributed_plan_make(&plan, sizes[i], &w, NULL), CN_OK);
                cr_assert_geq(mechanism_noise(&plan), z * (1 - 1e-12));
                cr_assert_leq(mechanism_noise(&plan), z * 1.09, "z %g honest %u", z, honest);
                cr_assert_geq(plan.mechanism.sigma, DISTRIBUTED_SIGMA_MIN);
                cr_assert_leq(plan.wrap_log2, -40);
                cr_assert_lt(plan.mechanism.dim, 2 * sizes[i] + (sizes[i] == 1));
                cr_assert_leq(plan.l2, plan.mechanism.scale * 1.025);
            }
}

/* Priced at steps of its own and as a Gaussian of noise multiplier z. */
Test(distributed, costs_what_a_gaussian_of_the_same_multiplier_costs)
{
    struct distributed_plan plan;
    struct accountant_event distributed = {.kind = ACCOUNTANT_DISTRIBUTED, .steps = 50};
    struct accountant_event gaussian = {
        .kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = 0.8, .sampling_rate = 1, .steps = 50};
    struct accountant a, b;
    double x, y;

    cr_assert_eq(distributed_plan_make(&plan, 26010, &wish, NULL), CN_OK);
    distributed.distributed = plan.mechanism;
    accountant_init(&a);
    accountant_init(&b);
    cr_assert_eq(accountant_add(&a, &distributed), CN_OK);
    cr_assert_eq(accountant_add(&b, &gaussian), CN_OK);
    cr_assert_eq(accountant_epsilon(&a, 1e-5, &x, NULL), CN_OK);
    cr_assert_eq(accountant_epsilon(&b, 1e-5, &y, NULL), CN_OK);
    cr_assert_float_eq(x / y, 1, 1e-3);
}

Test(distributed, refuses_plans_that_do_not_exist)
{
    const struct distributed_wish bad[] = {
        {0, 1, 1, 0}, {1, 0, 1, 0},   {1, 2, 1, 0},       {1e9, 1, 1, 0},
        {1, 1, 1, 3}, {NAN, 1, 1, 0}, {256, 1, 65536, 0},
    };
    struct distributed_plan plan;
    struct cn_diag diag = {0};

    for (size_t i = 0; i < CN_COUNT(bad); i++)
        cr_assert_eq(distributed_plan_make(&plan, 1 << 20, &bad[i], &diag), CN_E_CONFIG, "%zu", i);
    cr_assert(diag.text[0] && diag.hint[0]);
    cr_assert_eq(distributed_plan_make(&plan, 0, &wish, NULL), CN_E_CONFIG);
}

/* A federation's sum against the plain one: unbiased, with the variance that was planned. */
static void check_sum(uint32_t d, double range, double rider)
{
    struct distributed_wish w = wish;
    struct encode_plan plan;

    w.rider = rider;
    cr_assert_eq(encode_plan_noised(&plan, d, 1, &w, NULL), CN_OK);
    cr_assert_eq(encode_plan_round(&plan, range, binding), CN_OK);

    size_t length = encode_length(&plan), n = d + (rider > 0 ? 1 : 0);
    uint32_t *one = calloc(length, sizeof *one), *total = calloc(length, sizeof *total);
    float *update = calloc(n, sizeof *update), *sum = calloc(n, sizeof *sum);
    double *want = calloc(n, sizeof *want), error = 0, bias = 0;
    uint64_t devices = 0;
    uint32_t mask = UINT32_MAX >> (32 - plan.modulus_bits);

    for (uint32_t k = 0; k < wish.cohort_max; k++) {
        double factor = k % 2 ? 0.5 * range : 3 * range; /* every other one is clipped */

        for (uint32_t i = 0; i < d; i++)
            update[i] = (float)(sin(i * 1.7) * factor / sqrt(d / 2.0));
        double norm = clip_l2_norm(update, d);
        for (uint32_t i = 0; i < d; i++)
            want[i] += update[i] * fmin(1, range / norm);
        if (rider > 0) {
            update[d] = (float)(k % 2 ? rider / 2 : -rider / 2);
            want[d] += update[d];
        }
        cr_assert_eq(encode_update(one, update, &(uint32_t){1}, &plan, &source), CN_OK);
        for (size_t i = 0; i < length; i++) {
            cr_assert_leq(one[i], mask);
            total[i] = (total[i] + one[i]) & mask;
        }
    }
    cr_assert_eq(encode_sum_decode(sum, &devices, total, &plan, wish.cohort_max), CN_OK);
    cr_assert_eq(devices, wish.cohort_max);
    double sigma = sqrt(wish.cohort_max) * plan.noise.mechanism.sigma / plan.noise.mechanism.scale;
    for (size_t i = 0; i < n; i++) {
        double off = (sum[i] - want[i]) / (sigma * (i < d ? range : 1));

        error += off * off / (double)n;
        bias += off / sqrt((double)n);
    }
    /* rounding adds at most n / 4 to n sigma^2 */
    double most = 1 + 0.25 / (double)plan.noise.sigma2, noise = 5 * sqrt(2.0 / (double)n);
    cr_assert_lt(error, most + noise, "%u numbers: %g", d, error);
    cr_assert_gt(error, 1 - noise, "%u numbers: %g", d, error);
    cr_assert_lt(fabs(bias), 5 * sqrt(most));
    free(one);
    free(total);
    free(update);
    free(sum);
    free(want);
}

Test(distributed, gives_the_sum_back_with_the_planned_noise_and_no_more)
{
    check_sum(3, 1, 0);
    check_sum(700, 0.01, 0);
    check_sum(5000, 1000, 0);
    check_sum(20000, 1, 0.3);
}

/* Without the noise the vector of one device is at most l2 long, whatever comes in. */
Test(distributed, never_lets_a_device_be_longer_than_priced)
{
    struct distributed_wish w = {0.01, 1, 1, 0}; /* sigma 12: seen through by rounding */
    struct distributed_plan plan;
    float v[1024], back[1024];
    uint32_t out[1024];
    double square = 0;

    cr_assert_eq(distributed_plan_make(&plan, 1000, &w, NULL), CN_OK);
    for (size_t i = 0; i < 1000; i++)
        v[i] = 1e20f;
    v[1000] = 1e30f; /* behind the update: cleared */
    cr_assert_eq(distributed_encode(out, v, &plan, binding, &source), CN_OK);
    cr_assert_eq(distributed_decode(back, out, &plan, binding), CN_OK);
    for (size_t i = 0; i < 1024; i++)
        square += back[i] * back[i];
    /* clip 1, rounding, and noise of sigma 12 in each of 1024 numbers of 1024 units a clip norm */
    cr_assert_lt(sqrt(square), 1.1 + 1.2 * plan.mechanism.sigma * 32 / plan.mechanism.scale);
    cr_assert_gt(back[5], 0);
}

Test(distributed, adds_nothing_unnoised_when_it_fails)
{
    struct distributed_plan plan;
    static float v[5120];
    static uint32_t out[5120];

    cr_assert_eq(distributed_plan_make(&plan, 5000, &wish, NULL), CN_OK);
    for (int bad = 0; bad < 2; bad++) {
        v[17] = bad ? NAN : INFINITY;
        memset(out, 0xff, sizeof out);
        cr_assert_eq(distributed_encode(out, v, &plan, binding, &source), CN_E_DIVERGED);
        for (size_t i = 0; i < plan.mechanism.dim; i++)
            cr_assert_eq(out[i], 0);
    }
    v[17] = 0;
    plan.l2 = 1e-9; /* no rounding is that short */
    v[3] = 1;
    memset(out, 0xff, sizeof out);
    cr_assert_eq(distributed_encode(out, v, &plan, binding, &source), CN_E_RANDOM);
    for (size_t i = 0; i < plan.mechanism.dim; i++)
        cr_assert_eq(out[i], 0);
}

/* Beyond the tables' sigma the exact sampler takes over. */
Test(distributed, noises_with_the_exact_sampler_where_tables_end)
{
    struct distributed_wish w = {16, 1, 1, 0};
    struct distributed_plan plan;
    static float v[2048];
    static uint32_t out[2048];
    double square = 0;

    cr_assert_eq(distributed_plan_make(&plan, 2048, &w, NULL), CN_OK);
    cr_assert_gt(plan.sigma2, 1u << 24);
    memset(v, 0, sizeof v);
    cr_assert_eq(distributed_encode(out, v, &plan, binding, &source), CN_OK);
    cr_assert_eq(distributed_decode(v, out, &plan, binding), CN_OK);
    for (size_t i = 0; i < 2048; i++)
        square += pow(v[i] * plan.mechanism.scale / plan.mechanism.sigma, 2) / 2048;
    cr_assert_lt(fabs(square - 1), 5 * sqrt(2.0 / 2048));
}

Test(distributed, rotates_by_the_round_and_clips_by_it)
{
    struct encode_plan a, b;

    cr_assert_eq(encode_plan_noised(&a, 10, 0, &wish, NULL), CN_OK);
    b = a;
    cr_assert_eq(encode_plan_round(&a, 2, binding), CN_OK);
    cr_assert_eq(encode_plan_round(&b, 3, (const uint8_t[ROTATE_SEED_BYTES]){1}), CN_OK);
    cr_assert_neq(memcmp(a.seed, b.seed, sizeof a.seed), 0);
    cr_assert_eq(encode_plan_round(&a, 0, binding), CN_E_CONFIG);
    cr_assert_eq(encode_plan_round(&a, NAN, binding), CN_E_CONFIG);
}

static enum cn_err count_noise(void *ctx, int64_t *values, size_t n, double sensitivity)
{
    *(double *)ctx = sensitivity;
    for (size_t i = 0; i < n; i++)
        values[i] += 100;
    return CN_OK;
}

static enum cn_err no_noise(void *ctx, int64_t *values, size_t n, double sensitivity)
{
    (void)ctx;
    (void)values;
    (void)n;
    (void)sensitivity;
    return CN_E_RANDOM;
}

Test(distributed, lets_one_place_add_noise_to_the_whole_numbers)
{
    struct encode_plan plan;
    float update[5] = {0.5f, -0.25f, 0, 0.1f, 0.05f}, sum[5];
    uint32_t vector[6];
    uint64_t one;
    double sensitivity, unit;

    cr_assert_eq(encode_plan_make(&plan, 4, 1, 1, 10, NULL), CN_OK);
    cr_assert_eq(encode_plan_rider(&plan, 0), CN_E_CONFIG);
    cr_assert_eq(encode_plan_rider(&plan, 0.1), CN_OK);
    cr_assert_eq(encode_plan_round(&plan, 2, binding), CN_OK);
    cr_assert_eq(encode_update(vector, update, &(uint32_t){1}, &plan, &source), CN_OK);
    cr_assert_eq(encode_sum_decode_noised(sum, &one, vector, &plan, 1, count_noise, &sensitivity),
                 CN_OK);
    cr_assert_float_eq(sensitivity, 524287 + sqrt(5), 1e-6);
    unit = sqrt(1.0025) / 524287;
    for (size_t i = 0; i < 4; i++)
        cr_assert_float_eq(sum[i], update[i] + 200 * unit, 2.1 * unit);
    cr_assert_float_eq(sum[4], update[4] + 100 * unit, 1.1 * unit);
    cr_assert_eq(one, 1);
    cr_assert_eq(encode_sum_decode_noised(sum, &one, vector, &plan, 1, no_noise, NULL),
                 CN_E_RANDOM);
    cr_assert(sum[0] == 0 && sum[4] == 0 && one == 0);
}

Test(distributed, is_never_noised_twice)
{
    struct encode_plan plan;
    float sum[4];
    uint32_t vector[4] = {0};
    double sensitivity;

    cr_assert_eq(encode_plan_noised(&plan, 4, 0, &wish, NULL), CN_OK);
    cr_assert_eq(encode_sum_decode_noised(sum, NULL, vector, &plan, 1, count_noise, &sensitivity),
                 CN_E_CONFIG);
}
