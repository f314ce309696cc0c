/* SPDX-License-Identifier: Apache-2.0 */
/* Examples per second of the demo's model on one core, on random data.
 *
 *   bench_train [seconds] [micro-batch]
 *
 * The model: conv 1->16 8x8 stride 2 padding 2, tanh, max-pool 2 stride 1, conv 16->32 4x4 stride
 * 2, tanh, max-pool 2 stride 1, flatten, dense 512->32, tanh, dense 32->10; 26,010 parameters. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "nn/evaluate.h"
#include "nn/train.h"

#define EXAMPLES 2048
#define REPEATS 7

static const struct model_spec DEMO = {
    .channels = 1,
    .height = 28,
    .width = 28,
    .layers = {{.kind = LAYER_CONV2D, .filters = 16, .kernel = 8, .stride = 2, .padding = 2},
               {.kind = LAYER_TANH},
               {.kind = LAYER_MAX_POOL, .kernel = 2, .stride = 1},
               {.kind = LAYER_CONV2D, .filters = 32, .kernel = 4, .stride = 2},
               {.kind = LAYER_TANH},
               {.kind = LAYER_MAX_POOL, .kernel = 2, .stride = 1},
               {.kind = LAYER_FLATTEN},
               {.kind = LAYER_DENSE, .units = 32},
               {.kind = LAYER_TANH},
               {.kind = LAYER_DENSE, .units = 10}},
    .layer_count = 10,
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fill(struct dataset *data, const struct cn_random *random)
{
    for (size_t i = 0; i < data->n * 784; i++)
        data->x[i] = (float)cn_random_normal(random);
    for (size_t i = 0; i < data->n; i++)
        data->y[i] = (uint32_t)cn_random_below(random, 10);
    data->classes = 10;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Runs train_run again and again for the given time; gives examples per second. */
static double train_rate(struct model *model, const struct dataset *data,
                         const struct train_options *options, const struct cn_random *random,
                         double seconds)
{
    double start = now_s(), end = start + seconds, now;
    uint64_t seen = 0;

    do {
        struct train_result result;

        if (train_run(model, data, options, random, &result) != CN_OK)
            return 0.0;
        seen += result.examples;
        now = now_s();
    } while (now < end);
    return (double)seen / (now - start);
}

static double evaluate_rate(struct model *model, const struct dataset *data, double seconds)
{
    double start = now_s(), end = start + seconds, now;
    uint64_t seen = 0;

    do {
        struct evaluate_result result;

        if (evaluate_run(model, data, &result) != CN_OK)
            return 0.0;
        seen += result.n;
        now = now_s();
    } while (now < end);
    return (double)seen / (now - start);
}

static void report(const char *what, double rates[REPEATS])
{
    qsort(rates, REPEATS, sizeof *rates, by_size);
    printf("%-44s %9.0f /s  (%.0f to %.0f)\n", what, rates[REPEATS / 2], rates[0],
           rates[REPEATS - 1]);
}

static void run(struct model *model, const struct dataset *data, const struct cn_random *random,
                double seconds)
{
    struct train_options plain = {.learning_rate = 1e-3, .batch = 256, .steps = 20};
    struct train_options clipped = {.learning_rate = 1e-3,
                                    .sampling_rate = 0.125,
                                    .steps = 20,
                                    .clip_norm = 0.1,
                                    .expected_batch = 256};
    double rates[3][REPEATS];

    for (int i = 0; i < REPEATS; i++) {
        rates[0][i] = train_rate(model, data, &plain, random, seconds / (3 * REPEATS));
        rates[1][i] = train_rate(model, data, &clipped, random, seconds / (3 * REPEATS));
        rates[2][i] = evaluate_rate(model, data, seconds / (3 * REPEATS));
    }
    printf("%zu parameters, micro-batches of %u, %.2f MiB\n", model_params(model),
           model_batch_max(model), (double)model_bytes(model) / 1048576.0);
    report("training, batch 256", rates[0]);
    report("training, Poisson ~256, clipped per example", rates[1]);
    report("evaluating", rates[2]);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 6.0;
    uint32_t batch_max = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : MODEL_BATCH_AUTO;
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 1);
    struct dataset data = {0};
    struct model *model = NULL;
    int status = EXIT_FAILURE;

    if (model_new(&model, &DEMO, batch_max, NULL) == CN_OK &&
        dataset_new(&data, EXAMPLES, 1, 28, 28) == CN_OK) {
        fill(&data, &random);
        model_init_weights(model, &random);
        run(model, &data, &random, seconds);
        status = EXIT_SUCCESS;
    }
    dataset_free(&data);
    model_free(model);
    return status;
}
