/* SPDX-License-Identifier: Apache-2.0 */
/* One round among devices in the same process, for test_round.c and test_round_answers.c. */
#ifndef CAIRN_TESTS_AGGREGATOR_ROUND_FIXTURE_H
#define CAIRN_TESTS_AGGREGATOR_ROUND_FIXTURE_H

#include "aggregator/round.h"
#include "federation.h"

enum { DIM = 40, BITS = 16 };

static struct fed fed;
static struct round *current;
static uint64_t now_ms;
static uint32_t openings, opened_cohort, declines;
static enum cn_err opening_answer;
static enum decline_code decline_code;

__attribute__((unused)) static void fill(void *ctx, int device, uint32_t *vector)
{
    (void)ctx;
    for (uint32_t k = 0; k < DIM; k++)
        vector[k] = (uint32_t)(device + 1) * 10 + k;
}

__attribute__((unused)) static enum cn_err deliver(void *ctx, const uint8_t id[DEVICE_ID_BYTES],
                                                   const struct message *message)
{
    (void)ctx;
    return round_message(current, id, message, now_ms);
}

__attribute__((unused)) static void send(void *ctx, const uint8_t id[DEVICE_ID_BYTES],
                                         const struct message *message)
{
    (void)ctx;
    fed_send(&fed, id, message);
}

__attribute__((unused)) static enum cn_err opening(void *ctx, uint32_t cohort)
{
    (void)ctx;
    openings++;
    opened_cohort = cohort;
    return opening_answer;
}

__attribute__((unused)) static void declined(void *ctx, const uint8_t id[DEVICE_ID_BYTES],
                                             enum decline_code code, const char *text)
{
    (void)ctx, (void)id;
    declines++;
    decline_code = code;
    cr_assert_str_eq(text, "the owner says no");
}

__attribute__((unused)) static struct round_options options(uint32_t cohort_min,
                                                            uint32_t cohort_max)
{
    struct round_options o = {.plan_bytes = 10,
                              .model_bytes = 20,
                              .rounds = 5,
                              .cohort_max = cohort_max,
                              .grace_ms = 2000,
                              .uploads_max = 1 << 20};
    memset(o.id.task, 3, sizeof(o.id.task));
    o.id.round = 2;
    o.id.attempt = 1;
    memset(o.plan, 4, sizeof(o.plan));
    memset(o.model, 5, sizeof(o.model));
    o.secagg = (struct secagg_config){.dim = DIM, .bits = BITS, .cohort_min = cohort_min};
    round_binding(o.secagg.binding, &o.id, o.plan, o.model);
    memcpy(o.registrar, fed.registrar_public, SIGN_PUBLIC_BYTES);
    for (int phase = ROUND_GATHER; phase <= ROUND_REVEAL; phase++)
        o.wait_ms[phase] = 10000;
    return o;
}

__attribute__((unused)) static void begin_with(int devices, const struct round_options *o)
{
    struct round_calls calls = {.send = send, .opening = opening, .declined = declined};
    fed.secagg = o->secagg;
    fed.fill = fill;
    fed.deliver = deliver;
    FED_OK(round_new(&current, o, &calls, fed.cohort, &fed.random, now_ms));
    for (int i = 0; i < devices; i++)
        fed_join(&fed, i);
}

__attribute__((unused)) static void begin(int devices, uint32_t cohort_min, uint32_t cohort_max)
{
    fed_init(&fed, devices);
    struct round_options o = options(cohort_min, cohort_max);
    begin_with(devices, &o);
}

__attribute__((unused)) static void setup(void)
{
    now_ms = 5000;
    openings = opened_cohort = declines = 0;
    opening_answer = CN_OK;
    current = NULL;
}

__attribute__((unused)) static void teardown(void)
{
    round_free(current);
    fed_clear(&fed);
}

/* Runs until nothing more happens without time passing. */
__attribute__((unused)) static void settle(void)
{
    do {
        round_tick(current, now_ms);
        fed_run(&fed);
    } while (fed.head != fed.tail);
    round_tick(current, now_ms);
}

__attribute__((unused)) static void pass(uint64_t ms)
{
    now_ms += ms;
    settle();
}

__attribute__((unused)) static void open_and_check(const char *who)
{
    uint32_t expected = 0, count = 0;
    cr_assert_eq(round_phase(current), ROUND_OPEN, "%s: %s, %s", who,
                 round_phase_name(round_phase(current)), round_reason(current));
    FED_OK(round_open(current));
    round_opened(current, CN_OK, now_ms);
    cr_assert_eq(round_phase(current), ROUND_SUMMED);
    for (const char *c = who; *c; c++, count++)
        expected += (uint32_t)(*c - '0' + 1) * 10;
    for (uint32_t k = 0; k < DIM; k++)
        cr_assert_eq(round_sum(current)[k], expected + count * k);
    struct round_facts facts;
    round_facts(current, &facts);
    cr_assert_eq(facts.survivors, count);
}

__attribute__((unused)) static void expect_failed(enum cn_err why, const char *words)
{
    cr_assert_eq(round_phase(current), ROUND_FAILED, "%s", round_phase_name(round_phase(current)));
    cr_assert_eq((int)round_error(current), (int)why, "%s", cn_err_name(round_error(current)));
    cr_assert(strstr(round_reason(current), words), "%s", round_reason(current));
}

__attribute__((unused)) static void lose(int i)
{
    fed_leave(&fed, i);
    round_device_lost(current, fed.devices[i].id, now_ms);
}

__attribute__((unused)) static void come_back(int i)
{
    fed_join(&fed, i);
    round_device_here(current, fed.devices[i].id, now_ms);
}

#endif
