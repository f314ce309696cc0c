/* SPDX-License-Identifier: Apache-2.0 */
#include "client/work.h"
#include "client_fixture.h"
#include "crypto/hash.h"
#include "nn/safetensors.h"

#define WEIGHTS 10 /* of the task below */
#define MODEL_BYTES_MAX (WEIGHTS * sizeof(float) + SAFETENSORS_HEADER_MAX + sizeof(uint64_t))

static struct fixture f;
static struct home *home;
static struct trainer trainer;
static struct work *work;
static struct message_offer offer = {.id = {{7}, 1, 1}, .rounds = 15, .train_ms = 60000};
static enum message_type sent[8];
static struct message last;
static size_t sent_count;
static bool is_over;

static const char task_text[] =
    "task: work\n"
    "model:\n  input: [1, 1, 4]\n  layers:\n    - {type: flatten}\n    - {type: dense, units: 2}\n"
    "data: {classes: 2}\n"
    "training: {learning_rate: 1, steps: 29, batch: 255, sampling_rate: 0.034}\n"
    "privacy: {unit: example, clip_norm: 0.1, noise_multiplier: 0.95, delta: 1.0e-5}\n"
    "secure_aggregation: {update_range: 20}\n"
    "rounds: {count: 15, cohort_min: 6, cohort_max: 8}\n";

static void host_send(void *ctx, const struct message *message)
{
    (void)ctx;
    cr_assert_lt(sent_count, CN_COUNT(sent));
    sent[sent_count++] = message->type;
    last = *message;
}

static bool host_congested(void *ctx)
{
    (void)ctx;
    return false;
}

static enum cn_err host_train(void *ctx, struct work *w, struct trainer_job *job)
{
    (void)ctx, (void)w, (void)job;
    cr_assert_fail("nothing was to be trained");
    return CN_E_STATE;
}

static void host_over(void *ctx, struct work *w)
{
    (void)ctx;
    cr_assert_eq(w, work);
    is_over = true;
}

static void open_it(void)
{
    fixture_open(&f);
    MUST(fixture_join(&f, NULL));
    MUST(home_open(&home, f.dir, NULL, f.clock, NULL));
    trainer_init(&trainer, &home->config.data);
    offer.plan_bytes = strlen(task_text);
    hash_blob(offer.plan, task_text, strlen(task_text));
    memset(offer.model, 3, sizeof offer.model);
    sent_count = 0;
    is_over = false;
}

static void close_it(void)
{
    work_free(work);
    trainer_clear(&trainer);
    home_close(home);
    fixture_close(&f);
}

TestSuite(work, .init = open_it, .fini = close_it);

/* Makes the offer and hands the plan over. */
static void offer_model_of(uint64_t bytes)
{
    struct work_host host = {host_send, host_congested, host_train, host_over, NULL};
    struct message chunk = {.type = MESSAGE_CHUNK};

    offer.model_bytes = bytes;
    MUST(work_new(&work, &offer, home, &trainer, &host));
    work_connected(work);
    cr_assert_eq(sent_count, 1);
    cr_assert_eq(sent[0], MESSAGE_FETCH);
    memcpy(chunk.as.chunk.hash, offer.plan, HASH_BYTES);
    chunk.as.chunk.bytes = (const uint8_t *)task_text;
    chunk.as.chunk.len = strlen(task_text);
    MUST(work_message(work, &chunk));
}

Test(work, accepts_an_offer_within_its_limits_and_fetches_the_model)
{
    offer_model_of(MODEL_BYTES_MAX);
    cr_assert_eq(sent_count, 3);
    cr_assert_eq(sent[1], MESSAGE_ACCEPT);
    cr_assert_eq(sent[2], MESSAGE_FETCH);
    cr_assert_arr_eq(last.as.fetch.hash, offer.model, HASH_BYTES);
    cr_assert_not(is_over);
}

/* 4 GiB and more could be announced for a model of ten weights. */
Test(work, declines_a_model_larger_than_its_plan_allows_before_memory_is_taken)
{
    offer_model_of(MODEL_BYTES_MAX + 1);
    cr_assert_eq(sent_count, 2);
    cr_assert_eq(sent[1], MESSAGE_DECLINE);
    cr_assert(is_over);
}
