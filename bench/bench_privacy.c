/* SPDX-License-Identifier: Apache-2.0 */
/* What the noise of one device costs: encoding a million numbers, and the samplers.
 *
 *   bench_privacy [NUMBERS]     1,000,000 unless said; one thread, the best of seven */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/random.h"
#include "privacy/encode.h"
#include "privacy/noise.h"
#include "privacy/noise_table.h"
#include "privacy/pld.h"

#define RUNS 7

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(enum cn_err err)
{
    if (err == CN_OK)
        return;
    fprintf(stderr, "%s\n", cn_err_text(err));
    exit(1);
}

static double best_of(double (*run)(void *), void *ctx)
{
    double best = run(ctx);

    for (int i = 1; i < RUNS; i++) {
        double time = run(ctx);

        best = time < best ? time : best;
    }
    return best;
}

struct job {
    const struct cn_random *random;
    struct encode_plan plan;
    size_t n;
    float *update;
    uint32_t *vector;
    int32_t *noise;
    int64_t *wide;
    uint64_t sigma2;
    struct pld_event event;
};

static double time_encode(void *ctx)
{
    struct job *job = ctx;
    double start = now_s();

    must(encode_update(job->vector, job->update, &(uint32_t){1}, &job->plan, job->random));
    return now_s() - start;
}

static double time_table(void *ctx)
{
    struct job *job = ctx;
    struct noise_table *table;
    double start = now_s();

    must(noise_table_gaussian(&table, job->sigma2, 1));
    noise_table_draw(table, job->noise, job->n, job->random);
    noise_table_free(table);
    return now_s() - start;
}

static double time_exact(void *ctx)
{
    struct job *job = ctx;
    double start = now_s();

    must(noise_discrete_gaussian(job->wide, job->n, job->sigma2, 1, job->random));
    return now_s() - start;
}

static double time_pld(void *ctx)
{
    const struct job *job = ctx;
    struct pld_bracket epsilon;
    double start = now_s();

    must(pld_epsilon(&epsilon, &job->event, 1, PLD_ADD_REMOVE, 1e-5));
    return now_s() - start;
}

static double time_calibrate(void *ctx)
{
    const struct job *job = ctx;
    double start = now_s(), noise;

    must(pld_calibrate(&noise, &job->event, PLD_ADD_REMOVE, 3, 1e-5));
    return now_s() - start;
}

static void bench_noise(struct job *job)
{
    static const double sigmas[] = {4, 100, 1000, 4096};

    for (size_t i = 0; i < CN_COUNT(sigmas); i++) {
        job->sigma2 = (uint64_t)(sigmas[i] * sigmas[i]);
        printf("sigma %-6g table %7.1f M/s   exact %6.1f M/s\n", sigmas[i],
               1e-6 * (double)job->n / best_of(time_table, job),
               1e-6 * (double)job->n / best_of(time_exact, job));
    }
}

static void bench_encode(struct job *job)
{
    static const uint32_t honest[] = {1, 10, 50, 500};

    for (size_t i = 0; i < CN_COUNT(honest); i++) {
        struct distributed_wish wish = {1, honest[i], 2 * honest[i], 0};
        double all, sampler;

        must(encode_plan_noised(&job->plan, (uint32_t)job->n, 1, &wish, NULL));
        job->vector = realloc(job->vector, encode_length(&job->plan) * sizeof *job->vector);
        job->sigma2 = job->plan.noise.sigma2;
        all = best_of(time_encode, job);
        sampler = job->sigma2 <= NOISE_TABLE_WIDE_MAX ? best_of(time_table, job)
                                                      : best_of(time_exact, job);
        printf(
            "encode, %3u honest: %6.1f ms, of which the sampler %6.1f ms (sigma %.0f, %u bits)\n",
            honest[i], 1e3 * all, 1e3 * sampler, job->plan.noise.mechanism.sigma,
            job->plan.modulus_bits);
    }
}

static void bench_pld(struct job *job)
{
    static const struct {
        double noise, rate;
    } cases[] = {{0.6, 0.001}, {0.8, 0.001}, {1, 0.001}, {1, 0.01}, {2, 0.05}, {4, 0.2}};

    for (size_t i = 0; i < CN_COUNT(cases); i++) {
        double epsilon, calibrate;

        job->event = (struct pld_event){PLD_GAUSSIAN, cases[i].noise, cases[i].rate, 10000, 0};
        epsilon = best_of(time_pld, job);
        calibrate = best_of(time_calibrate, job);
        printf("pld of 10,000 steps, noise %-4g rate %-6g epsilon %6.1f ms, calibrate %7.1f ms\n",
               cases[i].noise, cases[i].rate, 1e3 * epsilon, 1e3 * calibrate);
    }
}

int main(int argc, char **argv)
{
    struct job job = {.n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000};
    struct random_stream *stream;
    struct cn_random random;

    must(random_system(&random));
    must(random_stream_new(&stream, &random));
    random = random_stream_interface(stream);
    job.random = &random;
    job.update = calloc(job.n, sizeof *job.update);
    job.noise = calloc(job.n, sizeof *job.noise);
    job.wide = calloc(job.n, sizeof *job.wide);
    for (size_t i = 0; i < job.n; i++)
        job.update[i] = (float)(i % 17) - 8;
    bench_noise(&job);
    bench_encode(&job);
    bench_pld(&job);
    random_stream_free(stream);
    free(job.update);
    free(job.vector);
    free(job.noise);
    free(job.wide);
    return 0;
}
