/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn train`: a task's model on this machine, with the task's own clipping and noise, without a
 * federation. What would be rounds of many devices are here so many trainings in a row. */
#include "cli/train.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/show.h"
#include "cli/verbs.h"
#include "client/trainer.h"
#include "crypto/random.h"
#include "nn/safetensors.h"
#include "privacy/noise.h"

#define IDENTITY_LABEL "cairn-train"

/* Everything of one run of the verb. */
struct work {
    const struct cn_args *args;
    struct task *task;
    struct model *model;
    struct dataset data, test;
    struct fit_options options;
    struct random_stream *stream; /* without a seed */
    struct cn_seeded seeded;      /* with one */
    struct cn_random random;
    double slack; /* of the noise */
    struct train_answer *answer;
    struct cn_clock clock;
};

static volatile sig_atomic_t stop_asked;

static void ask_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

static bool progress(void *ctx, uint32_t step, uint32_t steps)
{
    struct work *work = ctx;

    (void)steps;
    cn_progress_update(&work->answer->progress, step);
    return stop_asked != 0;
}

static enum cn_err add_noise(void *ctx, float *clipped_sum, size_t d)
{
    const struct work *work = ctx;
    const struct task_privacy *privacy = &work->task->privacy;

    return noise_gradient(clipped_sum, d, privacy->clip_norm, privacy->noise_multiplier,
                          work->slack, &work->random);
}

static enum cn_err refuse(struct cn_diag *diag, const char *text, const char *hint)
{
    cn_diag_set(diag, NULL, 0, 0, "%s", text);
    cn_diag_hint(diag, "%s", hint);
    return CN_E_CONFIG;
}

/* ---- inputs ---- */

static enum cn_err load_source(struct dataset *set, const struct work *work, const char *option,
                               struct cn_diag *diag)
{
    struct data_source source;

    CN_TRY(data_source_parse(&source, cn_args_text(work->args, option), diag));
    return task_data_load(set, work->task, &source, diag);
}

static enum cn_err load(struct work *work, struct cn_diag *diag)
{
    const char *start = cn_args_text(work->args, "start");

    CN_TRY(task_load(&work->task, cn_args_argument(work->args, 0), diag));
    CN_TRY(task_model_new(&work->model, work->task, MODEL_BATCH_AUTO, diag));
    if (start)
        CN_TRY(safetensors_load(work->model, start, NULL, diag));
    CN_TRY(load_source(&work->data, work, "data", diag));
    if (cn_args_given(work->args, "test"))
        CN_TRY(load_source(&work->test, work, "test", diag));
    return CN_OK;
}

static enum cn_err make_random(struct work *work)
{
    struct cn_random seed;

    if (cn_args_given(work->args, "seed")) {
        work->random = cn_random_seeded(&work->seeded, cn_args_uint(work->args, "seed"));
        work->options.seeded = &work->seeded;
        return CN_OK;
    }
    CN_TRY(random_system(&seed));
    CN_TRY(random_stream_new(&work->stream, &seed));
    work->random = random_stream_interface(work->stream);
    return CN_OK;
}

/* ---- options ---- */

static enum cn_err all_rounds(uint32_t *steps, uint32_t rounds, struct cn_diag *diag)
{
    if (__builtin_mul_overflow(*steps, rounds, steps) || *steps > TRAIN_STEPS_MAX)
        return refuse(diag, "all rounds together have too many steps", "give fewer with --rounds");
    return CN_OK;
}

static enum cn_err fill_private(struct work *work)
{
    const struct task *task = work->task;
    double expected = task->training.sampling_rate * (double)work->data.n;
    uint32_t bound = trainer_batch_bound(task->training.batch, expected);
    struct train_options *options = &work->options.train;

    work->slack = noise_slack(bound, bound);
    options->batch_limit = bound;
    options->noise = add_noise;
    options->noise_ctx = work;
    return CN_OK;
}

static enum cn_err fill_options(struct work *work, struct cn_diag *diag)
{
    const struct cn_args *args = work->args;
    struct fit_options *options = &work->options;
    struct train_options *train = &options->train;
    bool private = work->task->privacy.unit == TASK_UNIT_EXAMPLE;
    uint32_t rounds = (uint32_t)cn_args_uint(args, "rounds");

    task_train_options(train, work->task);
    if (rounds == 0)
        rounds = work->task->rounds.count;
    CN_TRY(all_rounds(train->steps ? &train->steps : &train->epochs, rounds, diag));
    train->round = train->rounds = 0;
    train->threads = (uint32_t)cn_args_uint(args, "threads");
    train->progress = progress;
    train->progress_ctx = work;
    options->test = work->test.n ? &work->test : NULL;
    options->every = (uint32_t)cn_args_uint(args, "every");
    options->patience = (uint32_t)cn_args_uint(args, "patience");
    options->checkpoint = cn_args_text(args, "checkpoint");
    options->resume = cn_args_flag(args, "resume");
    options->report = train_answer_look;
    options->report_ctx = work->answer;
    if (options->resume && !options->checkpoint)
        return refuse(diag, "--resume needs --checkpoint", "name the file to go on from");
    if (private)
        CN_TRY(fill_private(work));
    return CN_OK;
}

static void hash_set(struct hash *hash, const struct dataset *set)
{
    size_t values = set->n * dataset_features(set);

    hash_add_u64(hash, set->n);
    hash_add(hash, set->x, values * sizeof *set->x);
    hash_add(hash, set->y, set->y ? set->n * dataset_targets(set) * sizeof *set->y : 0);
    hash_add(hash, set->z, set->z ? set->n * set->reals * sizeof *set->z : 0);
}

/* Everything that the bits of the result follow from, but the generator's state. */
static void identify(struct work *work)
{
    const struct fit_options *options = &work->options;
    struct hash hash;

    _Static_assert(CHECKPOINT_IDENTITY_BYTES == HASH_BYTES, "a hash is an identity");
    hash_init(&hash, IDENTITY_LABEL);
    hash_add(&hash, work->task->hash, HASH_BYTES);
    hash_add(&hash, model_weights_const(work->model), model_params(work->model) * sizeof(float));
    hash_set(&hash, &work->data);
    hash_set(&hash, &work->test);
    hash_add_u64(&hash, cn_args_uint(work->args, "seed"));
    hash_add_u64(&hash, options->train.steps);
    hash_add_u64(&hash, options->train.epochs);
    hash_add_u64(&hash, options->train.threads);
    hash_add_u64(&hash, options->every);
    hash_add_u64(&hash, options->patience);
    hash_final(&hash, work->options.identity);
}

/* ---- the run ---- */

static enum cn_err price(struct work *work)
{
    struct accountant accountant;
    struct accountant_event event;

    if (!task_round_event(work->task, &event) || work->task->privacy.unit != TASK_UNIT_EXAMPLE)
        return CN_OK;
    event.steps = work->answer->result.train.steps;
    accountant_init(&accountant);
    CN_TRY(accountant_add(&accountant, &event));
    work->answer->private = true;
    return accountant_epsilon(&accountant, work->task->privacy.delta, &work->answer->epsilon, NULL);
}

static enum cn_err save(const struct work *work, struct cn_diag *diag)
{
    const struct train_answer *answer = work->answer;
    struct safetensors_metadata metadata = {0};
    char text[64];

    if (!answer->out)
        return CN_OK;
    CN_TRY(safetensors_metadata_set(&metadata, "task", work->task->name));
    snprintf(text, sizeof text, "%u", answer->result.train.steps);
    CN_TRY(safetensors_metadata_set(&metadata, "steps", text));
    if (answer->private && !answer->seeded) {
        snprintf(text, sizeof text, "%.6g at delta %g", answer->epsilon, work->task->privacy.delta);
        CN_TRY(safetensors_metadata_set(&metadata, "epsilon", text));
    }
    return safetensors_save(answer->out, work->model, &metadata, diag);
}

static enum cn_err fit(struct work *work, struct cn_diag *diag)
{
    struct train_answer *answer = work->answer;
    uint64_t started = work->clock.steady_ms(work->clock.ctx);
    uint32_t steps = 0;
    enum cn_err err;

    CN_TRY(train_check(&steps, &work->options.train, work->data.n, diag));
    CN_TRY(gradient_check(work->model, &work->data, diag));
    if (work->options.test)
        CN_TRY(gradient_check(work->model, work->options.test, diag));
    cn_progress_start(&answer->progress, "training", steps, CN_PROGRESS_COUNT, work->args->quiet);
    err = fit_run(work->model, &work->data, &work->options, &work->random, &answer->result, diag);
    cn_progress_finish(&answer->progress);
    answer->seconds = (double)(work->clock.steady_ms(work->clock.ctx) - started) / 1000.0;
    if (err == CN_E_DEADLINE) {
        cn_diag_set(diag, NULL, 0, 0, "interrupted after step %u of %u", answer->result.train.steps,
                    steps);
        cn_diag_hint(diag, "%s",
                     work->options.checkpoint
                         ? "the same command with --resume goes on from there"
                         : "with --checkpoint FILE it could have gone on from there");
    }
    return err;
}

static enum cn_err run(struct work *work, struct cn_diag *diag)
{
    struct train_answer *answer = work->answer;

    CN_TRY(load(work, diag));
    CN_TRY(make_random(work));
    CN_TRY(fill_options(work, diag));
    identify(work);
    answer->task = work->task;
    answer->args = work->args;
    answer->examples = work->data.n;
    answer->seeded = work->options.seeded != NULL;
    answer->seed = cn_args_uint(work->args, "seed");
    answer->out = cn_args_text(work->args, "out");
    CN_TRY(fit(work, diag));
    CN_TRY(price(work));
    return save(work, diag);
}

static void work_clear(struct work *work)
{
    dataset_free(&work->data);
    dataset_free(&work->test);
    model_free(work->model);
    random_stream_free(work->stream);
    task_free(work->task);
    free(work->answer);
}

static int train(const struct cn_args *args)
{
    struct sigaction on_stop = {.sa_handler = ask_stop}, was[2];
    struct work work = {.args = args, .clock = cn_clock_system()};
    struct cn_diag diag = {0};
    int code = CN_EXIT_DONE;
    enum cn_err err = CN_E_NOMEM;

    stop_asked = 0;
    sigaction(SIGINT, &on_stop, &was[0]);
    sigaction(SIGTERM, &on_stop, &was[1]);
    work.answer = calloc(1, sizeof *work.answer);
    if (work.answer)
        err = run(&work, &diag);
    sigaction(SIGINT, &was[0], NULL);
    sigaction(SIGTERM, &was[1], NULL);
    if (err != CN_OK)
        code = cn_args_fail(args, err, &diag);
    else if (args->json)
        code = show_json(args, train_answer_json(work.answer), CN_EXIT_DONE);
    else
        train_answer_print(work.answer);
    work_clear(&work);
    return code;
}

/* clang-format off */
static const struct cn_option train_options[] = {
    {.name = "data", .kind = CN_OPTION_TEXT, .value = "SOURCE", .required = true,
     .help = "what to learn from, e.g. csv:FILE,label=COLUMN (cairn data inspect --help)"},
    {.name = "test", .kind = CN_OPTION_TEXT, .value = "SOURCE",
     .help = "measure on this now and then; with privacy it must be public"},
    {.name = "out", .kind = CN_OPTION_TEXT, .value = "MODEL",
     .help = "write the trained weights here (safetensors)"},
    {.name = "start", .kind = CN_OPTION_TEXT, .value = "MODEL",
     .help = "begin with these weights and not with model.seed's"},
    {.name = "rounds", .kind = CN_OPTION_UINT, .value = "N", .min = 1, .max = TASK_ROUNDS_MAX,
     .help = "as long as so many rounds of one device (default: the task's)"},
    {.name = "every", .kind = CN_OPTION_UINT, .value = "STEPS", .min = 1, .max = TRAIN_STEPS_MAX,
     .help = "measure and save so often (default: every epoch)"},
    {.name = "patience", .kind = CN_OPTION_UINT, .value = "N", .min = 1, .max = 1e6,
     .help = "end after N measurements without a smaller test loss, with the best weights"},
    {.name = "checkpoint", .kind = CN_OPTION_TEXT, .value = "FILE",
     .help = "keep the training here, to go on after an interruption"},
    {.name = "resume", .kind = CN_OPTION_FLAG, .help = "go on from the checkpoint if it is there"},
    {.name = "seed", .kind = CN_OPTION_UINT, .value = "N",
     .help = "same seed, same bits; the noise of privacy is then for show"},
    {.name = "threads", .kind = CN_OPTION_UINT, .value = "N", .min = 1, .max = TEAM_THREADS_MAX,
     .fallback = "1", .help = "that share each batch"},
};
/* clang-format on */

const struct cn_verb train_verbs[] = {
    {.name = "train",
     .arguments = "TASK.yaml",
     .summary = "train a task's model on this machine, with its clipping and noise",
     .details = "Nothing leaves this machine. With 'privacy.unit: example' the answer names the "
                "epsilon of the model. An interruption (Ctrl-C) writes the checkpoint; with a seed "
                "the same command with --resume ends with the bits of an uninterrupted training. "
                "A checkpoint is as private as the data.",
     .example = "cairn train configs/models/lenet.yaml --data idx:train-images,train-labels --test "
                "idx:t10k-images,t10k-labels --out lenet.safetensors --checkpoint lenet.ck",
     .options = train_options,
     .option_count = CN_COUNT(train_options),
     .run = train},
};
const size_t train_verb_count = CN_COUNT(train_verbs);
