/* SPDX-License-Identifier: Apache-2.0 */
#include "client/unmasked.h"

#include "client_fixture.h"
#include "crypto/direct.h"
#include "crypto/pack.h"

enum { DIM = 5, BITS = 12 };

static struct fixture f;
static struct home *home;
static struct sign_key *ledger_key;
static struct direct_key *aggregator;
static struct unmasked *unmasked;
static struct participant_setup setup;
static int spendings;
static enum cn_err spend_answer;

static enum cn_err encode(void *ctx, uint32_t *vector)
{
    (void)ctx;
    for (uint32_t i = 0; i < DIM; i++)
        vector[i] = 100 + i;
    return CN_OK;
}

static enum cn_err spend(void *ctx, uint32_t cohort, uint32_t threshold)
{
    (void)ctx;
    cr_assert_eq(cohort, 4);
    cr_assert_eq(threshold, 0);
    spendings++;
    return spend_answer;
}

static void open_it(void)
{
    uint8_t public_key[SIGN_PUBLIC_BYTES];

    fixture_open(&f);
    MUST(fixture_join(&f, NULL));
    MUST(home_open(&home, f.dir, NULL, f.clock, NULL));
    MUST(sign_key_new(&ledger_key, &f.random));
    MUST(direct_key_new(&aggregator, &f.random));
    sign_key_public(ledger_key, public_key);
    setup = (struct participant_setup){.id = {{3}, 1, 1},
                                       .identity = home->identity,
                                       .certificate = &home->certificate,
                                       .random = &f.random,
                                       .encode = encode,
                                       .spend = spend};
    setup.secagg.dim = DIM;
    setup.secagg.bits = BITS;
    setup.secagg.cohort_min = 3;
    memset(setup.secagg.binding, 7, sizeof setup.secagg.binding);
    spendings = 0;
    spend_answer = CN_OK;
    MUST(unmasked_new(&unmasked, &setup, public_key));
}

static void close_it(void)
{
    unmasked_free(unmasked);
    direct_key_free(aggregator);
    sign_key_free(ledger_key);
    home_close(home);
    fixture_close(&f);
}

TestSuite(unmasked, .init = open_it, .fini = close_it);

static struct message collect(uint32_t cohort)
{
    struct message message = {.type = MESSAGE_COLLECT,
                              .as.collect = {.id = setup.id, .cohort = cohort}};
    uint8_t words[HASH_BYTES + SECAGG_KEY_BYTES];

    direct_key_public(aggregator, message.as.collect.key);
    memcpy(words, setup.secagg.binding, HASH_BYTES);
    memcpy(words + HASH_BYTES, message.as.collect.key, SECAGG_KEY_BYTES);
    sign_make(message.as.collect.signature, ledger_key, MESSAGE_COLLECT_LABEL, words, sizeof words);
    return message;
}

Test(unmasked, seals_the_update_to_the_aggregator_after_it_is_paid_for)
{
    struct message question = collect(4), ready, answer;
    uint8_t packed[64], hash[HASH_BYTES];
    uint32_t vector[DIM] = {0};
    uint64_t len;

    unmasked_ready(unmasked, &ready);
    MUST(direct_announced(&ready.as.ready.keys, setup.secagg.binding, home->certificate.device));
    cr_assert_null(unmasked_blob(unmasked, &len, hash));
    MUST(unmasked_collect(unmasked, &question, &answer));
    cr_assert_eq(spendings, 1);
    const uint8_t *blob = unmasked_blob(unmasked, &len, hash);
    cr_assert_eq(len, answer.as.upload.bytes);
    MUST(direct_open(packed, blob, (size_t)len, aggregator, ready.as.ready.keys.seal_public,
                     setup.secagg.binding));
    MUST(unpack_bits_add(vector, DIM, BITS, packed, (size_t)len - DIRECT_OVERHEAD));
    for (uint32_t i = 0; i < DIM; i++)
        cr_assert_eq(vector[i], 100 + i);
}

Test(unmasked, gives_the_same_answer_to_the_same_question_and_pays_once)
{
    struct message question = collect(4), first, second;

    MUST(unmasked_collect(unmasked, &question, &first));
    MUST(unmasked_collect(unmasked, &question, &second));
    cr_assert_eq(spendings, 1);
    cr_assert_eq(memcmp(&first.as.upload, &second.as.upload, sizeof first.as.upload), 0);
    question.as.collect.cohort++;
    cr_assert_eq(unmasked_collect(unmasked, &question, &second), CN_E_INCONSISTENT);
    cr_assert_eq(unmasked_collect(unmasked, &question, &second), CN_E_UNEXPECTED);
}

Test(unmasked, believes_no_key_but_the_aggregators)
{
    struct message question = collect(4), answer;

    question.as.collect.key[0] ^= 1;
    cr_assert_eq(unmasked_collect(unmasked, &question, &answer), CN_E_AUTH);
    cr_assert_eq(spendings, 0);
}

Test(unmasked, leaves_a_cohort_below_its_floor)
{
    struct message question = collect(2), answer;

    cr_assert_eq(unmasked_collect(unmasked, &question, &answer), CN_E_COHORT);
    cr_assert_eq(spendings, 0);
}

Test(unmasked, sends_nothing_that_can_not_be_paid_for)
{
    struct message question = collect(4), answer;
    uint8_t hash[HASH_BYTES];
    uint64_t len;

    spend_answer = CN_E_NOSPACE;
    cr_assert_eq(unmasked_collect(unmasked, &question, &answer), CN_E_NOSPACE);
    cr_assert_eq(answer.type, MESSAGE_NONE);
    cr_assert_null(unmasked_blob(unmasked, &len, hash));
}
