/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn bench train`: samples per second of well-known models on random data, on this machine.
 *
 * bench/peers/train_torch.py trains the same models in PyTorch. What is timed is train_run itself:
 * drawing batches, gradients, clipping, the optimiser and its checks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/show.h"
#include "cli/verbs.h"
#include "nn/train.h"

#define EXAMPLES_MIN 256
#define STEPS_WARM 3
#define WARM_SHARE 0.2 /* of the time, at the start, that is not counted */

/* A model of the table in bench/RESULTS.md. */
struct subject {
    const char *name;
    double macs;      /* multiplications of one example's forward pass */
    double first;     /* of them in the first layer, whose input gradient nobody needs */
    uint32_t targets; /* of one example; 0: 1 */
    struct model_spec spec;
};

#define DENSE(n)                                                                                   \
    {                                                                                              \
        .kind = LAYER_DENSE, .units = n                                                            \
    }
#define RELU                                                                                       \
    {                                                                                              \
        .kind = LAYER_RELU                                                                         \
    }
#define FLATTEN                                                                                    \
    {                                                                                              \
        .kind = LAYER_FLATTEN                                                                      \
    }
#define POOL                                                                                       \
    {                                                                                              \
        .kind = LAYER_MAX_POOL, .kernel = 2                                                        \
    }
#define CONV(n, size, pad)                                                                         \
    {                                                                                              \
        .kind = LAYER_CONV2D, .filters = n, .kernel = size, .padding = pad                         \
    }
#define ENCODER                                                                                    \
    {                                                                                              \
        .kind = LAYER_ENCODER, .heads = 4, .units = 512, .causal = true                            \
    }
#define IMAGE .channels = 1, .height = 28, .width = 28
#define TOKENS(count, words) .channels = 1, .height = 1, .width = count, .vocabulary = words

/* Multiplications of a convolution, and of a dense layer. */
#define CONV_MACS(side, in, n, size) ((double)(side) * (side) * (size) * (size) * (in) * (n))
#define DENSE_MACS(in, n) ((double)(in) * (n))
#define LSTM_MACS(in, n) (4.0 * (n) * ((double)(in) + (n)))
/* One block at one of t positions: four projections, keys and values of all t, feed-forward. */
#define BLOCK_MACS(d, ff, t) (4.0 * (d) * (d) + 2.0 * (t) * (d) + 2.0 * (d) * (ff))

/* clang-format off */
static const struct subject SUBJECTS[] = {
    {.name = "mlp",
     .macs = DENSE_MACS(784, 128) + DENSE_MACS(128, 10),
     .first = DENSE_MACS(784, 128),
     .spec = {IMAGE, .layers = {FLATTEN, DENSE(128), RELU, DENSE(10)}, .layer_count = 4}},
    {.name = "cnn3",
     .macs = CONV_MACS(26, 1, 32, 3) + CONV_MACS(24, 32, 64, 3) + DENSE_MACS(9216, 128) +
             DENSE_MACS(128, 10),
     .first = CONV_MACS(26, 1, 32, 3),
     .spec = {IMAGE,
              .layers = {CONV(32, 3, 0), RELU, CONV(64, 3, 0), RELU, POOL, FLATTEN, DENSE(128),
                         RELU, DENSE(10)},
              .layer_count = 9}},
    {.name = "cnn5",
     .macs = CONV_MACS(28, 1, 32, 5) + CONV_MACS(14, 32, 64, 5) + DENSE_MACS(3136, 512) +
             DENSE_MACS(512, 62),
     .first = CONV_MACS(28, 1, 32, 5),
     .spec = {IMAGE,
              .layers = {CONV(32, 5, 2), RELU, POOL, CONV(64, 5, 2), RELU, POOL, FLATTEN,
                         DENSE(512), RELU, DENSE(62)},
              .layer_count = 10}},
    {.name = "lstm",
     .macs = 80 * (LSTM_MACS(8, 256) + LSTM_MACS(256, 256)) + DENSE_MACS(256, 90),
     .spec = {TOKENS(80, 90),
              .layers = {{.kind = LAYER_EMBEDDING, .units = 8},
                         {.kind = LAYER_LSTM, .units = 256, .layers = 2},
                         DENSE(90)},
              .layer_count = 3}},
    {.name = "transformer",
     .macs = 64 * (2 * BLOCK_MACS(128, 512, 64) + DENSE_MACS(128, 1000)),
     .targets = 64,
     .spec = {TOKENS(64, 1000),
              .layers = {{.kind = LAYER_EMBEDDING, .units = 128},
                         {.kind = LAYER_POSITION, .learned = true},
                         ENCODER, ENCODER, DENSE(1000)},
              .layer_count = 5}},
    {.name = "logistic",
     .macs = DENSE_MACS(784, 10),
     .first = DENSE_MACS(784, 10),
     .spec = {IMAGE, .layers = {FLATTEN, DENSE(10)}, .layer_count = 2}},
};
/* clang-format on */

#define SUBJECT_NAMES "mlp cnn3 cnn5 lstm transformer logistic"

/* Watches the steps of one training: when counting began, and how many were counted. */
struct watch {
    double start_s, warm_until_s, end_s;
    double counted_from_s, now_s;
    double cpu_from_s; /* processor time, of all threads */
    uint32_t warm_steps, steps;
};

struct outcome {
    uint32_t micro;
    size_t params;
    double samples_per_s, samples_per_cpu_s, gflops, peak_rss_mb, model_mb;
    uint32_t steps;
};

static double clock_s(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool on_step(void *ctx, uint32_t step, uint32_t steps)
{
    struct watch *watch = ctx;

    (void)steps;
    watch->now_s = clock_s(CLOCK_MONOTONIC);
    if (watch->warm_steps == 0) {
        if (step < STEPS_WARM || watch->now_s < watch->warm_until_s)
            return false;
        watch->warm_steps = step;
        watch->counted_from_s = watch->now_s;
        watch->cpu_from_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
        return false;
    }
    watch->steps = step - watch->warm_steps;
    return watch->now_s >= watch->end_s;
}

static enum cn_err make_data(struct dataset *data, const struct subject *subject,
                             const struct model *model, const struct cn_random *random,
                             size_t examples)
{
    const struct model_spec *spec = &subject->spec;
    struct dataset_options shape = {.channels = spec->channels,
                                    .height = spec->height,
                                    .width = spec->width,
                                    .vocabulary = spec->vocabulary,
                                    .targets = subject->targets};
    size_t features;

    CN_TRY(dataset_new_with(data, examples, &shape));
    data->classes = model_outputs(model);
    features = dataset_features(data);
    for (size_t i = 0; i < examples * features; i++)
        data->x[i] = spec->vocabulary ? (float)cn_random_below(random, spec->vocabulary)
                                      : (float)cn_random_normal(random);
    for (size_t i = 0; i < examples * dataset_targets(data); i++)
        data->y[i] = (uint32_t)cn_random_below(random, data->classes);
    return CN_OK;
}

static enum cn_err time_training(struct outcome *out, struct model *model,
                                 const struct dataset *data, struct train_options *options,
                                 const struct cn_random *random, double seconds)
{
    struct watch watch = {.start_s = clock_s(CLOCK_MONOTONIC)};
    struct train_result result;
    double samples;
    enum cn_err err;

    watch.warm_until_s = watch.start_s + WARM_SHARE * seconds;
    watch.end_s = watch.start_s + seconds;
    options->progress = on_step;
    options->progress_ctx = &watch;
    err = train_run(model, data, options, random, &result);
    if (err != CN_E_DEADLINE)
        return err == CN_OK ? CN_E_TOO_LARGE : err;
    out->steps = watch.steps;
    samples = (double)watch.steps * options->batch;
    out->samples_per_s = samples / (watch.now_s - watch.counted_from_s);
    out->samples_per_cpu_s = samples / (clock_s(CLOCK_PROCESS_CPUTIME_ID) - watch.cpu_from_s);
    return CN_OK;
}

/* The kernel's high-water mark of this process; getrusage would include what the parent had. */
static double peak_rss_mb(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    double kib = 0.0;

    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (status)
        fclose(status);
    return kib / 1024.0;
}

static enum cn_err run(struct outcome *out, const struct subject *subject,
                       struct train_options *options, double seconds, struct cn_diag *diag)
{
    size_t examples = options->batch > EXAMPLES_MIN / 2 ? 2 * (size_t)options->batch : EXAMPLES_MIN;
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 1);
    struct dataset data = {0};
    struct model *model = NULL;
    enum cn_err err;

    examples = (examples + options->batch - 1) / options->batch * options->batch;
    CN_TRY_OUT(err, model_new(&model, &subject->spec, out->micro, diag));
    CN_TRY_OUT(err, make_data(&data, subject, model, &random, examples));
    model_init_weights(model, &random);
    CN_TRY_OUT(err, time_training(out, model, &data, options, &random, seconds));
    out->micro = model_batch_max(model);
    out->params = model_params(model);
    out->model_mb = (double)model_bytes(model) / 1048576.0;
    out->gflops = 2.0e-9 * (3.0 * subject->macs - subject->first) * out->samples_per_s;
    out->peak_rss_mb = peak_rss_mb();
out:
    dataset_free(&data);
    model_free(model);
    return err;
}

static json_t *outcome_json(const struct subject *subject, const struct train_options *options,
                            const struct outcome *out)
{
    return json_pack("{s:s, s:I, s:I, s:b, s:f, s:f, s:I, s:f, s:f, s:f, s:I, s:I}", "model",
                     subject->name, "batch", (json_int_t)options->batch, "threads",
                     (json_int_t)options->threads, "dp", (int)(options->clip_norm > 0.0),
                     "samples_per_s", out->samples_per_s, "samples_per_cpu_s",
                     out->samples_per_cpu_s, "params", (json_int_t)out->params, "peak_rss_mb",
                     out->peak_rss_mb, "gflops", out->gflops, "model_mb", out->model_mb, "steps",
                     (json_int_t)out->steps, "micro_batch", (json_int_t)out->micro);
}

static void print_outcome(const struct cn_args *args, const struct subject *subject,
                          const struct outcome *out)
{
    char params[SHOW_NUMBER_MAX], rate[SHOW_NUMBER_MAX];

    fprintf(args->out, "model      %s, %s parameters\n", subject->name,
            show_count(params, out->params));
    fprintf(args->out, "speed      %s samples per second, %.1f GFLOP/s\n",
            show_count(rate, (uint64_t)(out->samples_per_s + 0.5)), out->gflops);
    fprintf(args->out, "memory     %.1f MiB at most, %.1f MiB of them the model's\n",
            out->peak_rss_mb, out->model_mb);
    fprintf(args->out, "measured   %u steps, in micro-batches of at most %u\n", out->steps,
            out->micro);
}

static int bench_train(const struct cn_args *args)
{
    const struct subject *subject = &SUBJECTS[cn_args_choice(args, "model")];
    bool adam = cn_args_choice(args, "optimizer") == 1;
    struct train_options options = {
        .learning_rate = adam ? 1e-4 : 1e-3,
        .optimiser.kind = adam ? OPTIMISER_ADAM : OPTIMISER_SGD,
        .batch = (uint32_t)cn_args_uint(args, "batch"),
        .threads = (uint32_t)cn_args_uint(args, "threads"),
        .steps = TRAIN_STEPS_MAX,
        .clip_norm = cn_args_flag(args, "dp") ? 1.0 : 0.0,
    };
    struct outcome out = {.micro = (uint32_t)cn_args_uint(args, "micro")};
    struct cn_diag diag = {0};
    enum cn_err err = run(&out, subject, &options, cn_args_real(args, "seconds"), &diag);

    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (args->json)
        return show_json(args, outcome_json(subject, &options, &out), CN_EXIT_DONE);
    print_outcome(args, subject, &out);
    return CN_EXIT_DONE;
}

/* clang-format off */
static const struct cn_option train_verb_options[] = {
    {.name = "model", .kind = CN_OPTION_CHOICE, .choices = SUBJECT_NAMES, .value = "NAME",
     .fallback = "cnn5", .help = "what to train"},
    {.name = "batch", .kind = CN_OPTION_UINT, .value = "N", .min = 1, .max = 65536,
     .fallback = "32", .help = "examples of one step"},
    {.name = "threads", .kind = CN_OPTION_UINT, .value = "N", .min = 1, .max = TEAM_THREADS_MAX,
     .fallback = "1", .help = "threads that share each batch"},
    {.name = "optimizer", .kind = CN_OPTION_CHOICE, .choices = "sgd adam", .value = "NAME",
     .fallback = "sgd", .help = "without momentum, or Adam"},
    {.name = "dp", .kind = CN_OPTION_FLAG, .help = "clip every example's gradient by itself"},
    {.name = "micro", .kind = CN_OPTION_UINT, .value = "N", .min = 0, .max = MODEL_BATCH_MAX,
     .fallback = "0", .help = "examples that run through the layers at a time; 0: chosen"},
    {.name = "seconds", .kind = CN_OPTION_REAL, .value = "S", .min = 0.01, .max = 3600,
     .fallback = "3", .help = "how long; the first fifth is not counted"},
};

const struct cn_verb bench_train_verbs[] = {
    {.name = "bench train",
     .summary = "measure how fast models are trained on this machine",
     .details = "Random data, float32. gflops counts a multiplication and an addition as two, "
                "three times the forward pass without the first layer's input gradient. "
                "peak_rss_mb is that of this process, the data included.\n\n"
                "From a source tree, `./dev bench train` runs the same models in PyTorch, in "
                "turns, and prints the ratios.",
     .example = "cairn bench train --model mlp --batch 32 --threads 2",
     .options = train_verb_options,
     .option_count = CN_COUNT(train_verb_options),
     .run = bench_train},
};
/* clang-format on */
const size_t bench_train_verb_count = CN_COUNT(bench_train_verbs);
