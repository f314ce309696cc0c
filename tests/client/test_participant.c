/* SPDX-License-Identifier: Apache-2.0 */
/* Participants against the real server of crypto/, with every message through its bytes. */
#include "client/participant.h"
#include "client_fixture.h"
#include "crypto/secagg_server.h"

#define N 5
#define DIM 33

static struct cn_random random_source;
static struct sign_key *registrar;
static uint8_t registrar_public[SIGN_PUBLIC_BYTES];
static struct secagg_config config;
static struct secagg_server *server;
static struct participant *devices[N]; /* in the order of the roster */
static struct sign_key *identities[N];
static struct certificate certificates[N];
static uint32_t inputs[N][DIM];
static uint32_t spendings[N];
static enum cn_err spend_result;
static const struct round_id id = {{9}, 3, 2};

struct seat {
    uint32_t who;
} seats[N];

static enum cn_err encode(void *ctx, uint32_t *vector)
{
    const struct seat *seat = ctx;

    memcpy(vector, inputs[seat->who], sizeof inputs[0]);
    return CN_OK;
}

static enum cn_err spend(void *ctx, uint32_t cohort, uint32_t threshold)
{
    const struct seat *seat = ctx;

    cr_assert_eq(cohort, N);
    cr_assert_eq(threshold, secagg_threshold(N));
    if (spend_result == CN_OK)
        spendings[seat->who]++;
    return spend_result;
}

static void make_device(uint32_t i)
{
    struct participant_setup setup = {
        .id = id,
        .secagg = config,
        .identity = identities[i],
        .certificate = &certificates[i],
        .registrar = registrar_public,
        .random = &random_source,
        .encode = encode,
        .spend = spend,
        .ctx = &seats[i],
    };

    seats[i].who = i;
    MUST(participant_new(&devices[i], &setup));
}

static int by_id(const void *a, const void *b)
{
    uint8_t one[DEVICE_ID_BYTES], two[DEVICE_ID_BYTES];

    certificate_device_id(one, a);
    certificate_device_id(two, b);
    return memcmp(one, two, sizeof one);
}

static void enrol(uint32_t i)
{
    struct invitation invitation;
    struct sign_key *one_time;

    MUST(invitation_make(&invitation, &one_time, registrar, 1, 1900000000, &random_source));
    MUST(sign_key_new(&identities[i], &random_source));
    MUST(certificate_make(&certificates[i], &invitation, one_time, identities[i], "device",
                          1800000000));
    sign_key_free(one_time);
}

/* Keys and certificates sorted together, as the roster will be. */
static void sort_devices(void)
{
    struct sign_key *sorted[N];
    struct certificate before[N];

    memcpy(before, certificates, sizeof before);
    qsort(certificates, N, sizeof certificates[0], by_id);
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < N; j++)
            if (memcmp(before[j].device, certificates[i].device, SIGN_PUBLIC_BYTES) == 0)
                sorted[i] = identities[j];
    memcpy(identities, sorted, sizeof sorted);
}

static void open_world(void)
{
    spend_result = CN_OK;
    MUST(random_system(&random_source));
    MUST(sign_key_new(&registrar, &random_source));
    sign_key_public(registrar, registrar_public);
    config = (struct secagg_config){.dim = DIM, .bits = 24, .cohort_min = 3};
    round_binding(config.binding, &id, registrar_public, registrar_public);
    MUST(secagg_server_new(&server, &config, registrar_public));
    for (uint32_t i = 0; i < N; i++)
        enrol(i);
    sort_devices();
    for (uint32_t i = 0; i < N; i++) {
        make_device(i);
        for (uint32_t k = 0; k < DIM; k++)
            inputs[i][k] = (i * 1000003u + k * 7919u) & 0xffffff;
    }
}

static void close_world(void)
{
    for (uint32_t i = 0; i < N; i++) {
        participant_free(devices[i]);
        sign_key_free(identities[i]);
    }
    secagg_server_free(server);
    sign_key_free(registrar);
}

TestSuite(participant, .init = open_world, .fini = close_world);

static struct message roster_message(void)
{
    struct message message = {.type = MESSAGE_ROSTER};
    const struct secagg_member *members;

    message.as.roster.id = id;
    MUST(secagg_server_members(server, &members, &message.as.roster.count,
                               &message.as.roster.threshold));
    message.as.roster.members = (struct secagg_member *)(uintptr_t)members;
    return message;
}

static void to_roster(void)
{
    for (uint32_t i = 0; i < N; i++) {
        struct secagg_member member = {.certificate = certificates[i]};
        struct message ready;

        participant_ready(devices[i], &ready);
        member.keys = ready.as.ready.keys;
        MUST(secagg_server_keys(server, &member));
    }
    MUST(secagg_server_close_roster(server));
}

static void to_shares(void)
{
    struct message roster, answer;

    to_roster();
    roster = roster_message();
    for (uint32_t i = 0; i < N; i++) {
        MUST(participant_message(devices[i], &roster, &answer));
        cr_assert_eq(answer.type, MESSAGE_SHARES);
        MUST(secagg_server_shares(server, i, answer.as.shares.sealed, answer.as.shares.count));
    }
    MUST(secagg_server_close_shares(server));
}

static struct message inbox_message(uint32_t i, struct secagg_sealed sealed[N])
{
    struct message message = {.type = MESSAGE_INBOX};

    message.as.inbox.id = id;
    message.as.inbox.sealed = sealed;
    MUST(secagg_server_inbox(server, i, sealed, &message.as.inbox.count));
    return message;
}

static void to_masked(uint32_t stay)
{
    struct secagg_sealed sealed[N];
    uint8_t hash[HASH_BYTES];
    struct message inbox, answer;

    to_shares();
    for (uint32_t i = 0; i < stay; i++) {
        uint64_t len;
        const uint8_t *blob;

        inbox = inbox_message(i, sealed);
        MUST(participant_message(devices[i], &inbox, &answer));
        cr_assert_eq(answer.type, MESSAGE_UPLOAD);
        blob = participant_blob(devices[i], &len, hash);
        cr_assert_eq(memcmp(hash, answer.as.upload.hash, HASH_BYTES), 0);
        cr_assert_eq(spendings[i], 1);
        MUST(secagg_server_masked(server, i, blob, len));
    }
    MUST(secagg_server_close_masked(server));
}

static struct message survivors_message(void)
{
    struct message message = {.type = MESSAGE_SURVIVORS};
    const uint32_t *list;

    message.as.survivors.id = id;
    MUST(secagg_server_survivors(server, &list, &message.as.survivors.count));
    message.as.survivors.indices = (uint32_t *)(uintptr_t)list;
    return message;
}

static struct message vouches_message(void)
{
    struct message message = {.type = MESSAGE_VOUCHES};
    const struct secagg_vouch *vouches;

    message.as.vouches.id = id;
    MUST(secagg_server_vouches(server, &vouches, &message.as.vouches.count));
    message.as.vouches.vouches = (struct secagg_vouch *)(uintptr_t)vouches;
    return message;
}

static void to_vouches(uint32_t stay)
{
    struct message survivors, answer;

    to_masked(stay);
    survivors = survivors_message();
    for (uint32_t i = 0; i < stay; i++) {
        MUST(participant_message(devices[i], &survivors, &answer));
        MUST(secagg_server_vouch(server, i, answer.as.vouch.signature));
    }
    MUST(secagg_server_close_vouches(server));
}

static void expect_sum(uint32_t stay)
{
    uint32_t sum[DIM];

    MUST(secagg_server_open(server, sum));
    for (uint32_t k = 0; k < DIM; k++) {
        uint32_t plain = 0;

        for (uint32_t i = 0; i < stay; i++)
            plain += inputs[i][k];
        cr_assert_eq(sum[k], plain & 0xffffff, "coordinate %u", k);
    }
}

Test(participant, a_round_with_a_drop_out_gives_the_sum_of_the_survivors)
{
    struct message vouches, answer;

    to_vouches(N - 1);
    vouches = vouches_message();
    for (uint32_t i = 0; i < N - 1; i++) {
        MUST(participant_message(devices[i], &vouches, &answer));
        MUST(secagg_server_reveal(server, i, answer.as.reveal.shares, answer.as.reveal.count));
    }
    expect_sum(N - 1);
}

Test(participant, the_same_question_gets_the_same_answer_and_is_paid_for_once)
{
    struct secagg_sealed sealed[N];
    struct message inbox, one, two;
    uint64_t len;
    uint8_t hash[HASH_BYTES], *copy;
    const uint8_t *blob;

    to_shares();
    inbox = inbox_message(0, sealed);
    MUST(participant_message(devices[0], &inbox, &one));
    blob = participant_blob(devices[0], &len, hash);
    copy = malloc(len);
    memcpy(copy, blob, len);
    MUST(participant_message(devices[0], &inbox, &two));
    cr_assert_eq(spendings[0], 1);
    cr_assert_eq(memcmp(one.as.upload.hash, two.as.upload.hash, HASH_BYTES), 0);
    cr_assert_eq(memcmp(copy, participant_blob(devices[0], &len, hash), len), 0);
    free(copy);
}

Test(participant, a_revealed_answer_can_be_asked_for_again)
{
    struct message vouches, one, two;

    to_vouches(N);
    vouches = vouches_message();
    MUST(participant_message(devices[0], &vouches, &one));
    MUST(participant_message(devices[0], &vouches, &two));
    cr_assert_eq(one.as.reveal.count, two.as.reveal.count);
    MUST(secagg_server_reveal(server, 0, two.as.reveal.shares, two.as.reveal.count));
}

Test(participant, a_second_list_of_survivors_ends_the_round)
{
    struct message survivors, answer;
    uint32_t fewer[N];

    to_masked(N);
    survivors = survivors_message();
    MUST(participant_message(devices[0], &survivors, &answer));
    memcpy(fewer, survivors.as.survivors.indices, sizeof fewer);
    survivors.as.survivors.indices = fewer;
    survivors.as.survivors.count = N - 1;
    cr_assert_eq(participant_message(devices[0], &survivors, &answer), CN_E_INCONSISTENT);
    cr_assert_eq(answer.type, MESSAGE_NONE);
    survivors.as.survivors.count = N;
    cr_assert_eq(participant_message(devices[0], &survivors, &answer), CN_E_UNEXPECTED);
}

Test(participant, nothing_masked_exists_when_the_spending_can_not_be_written)
{
    struct secagg_sealed sealed[N];
    struct message inbox, answer;
    uint64_t len;
    uint8_t hash[HASH_BYTES];

    to_shares();
    spend_result = CN_E_NOSPACE;
    inbox = inbox_message(0, sealed);
    cr_assert_eq(participant_message(devices[0], &inbox, &answer), CN_E_NOSPACE);
    cr_assert_null(participant_blob(devices[0], &len, hash));
    cr_assert(!participant_has_spent(devices[0]));
    spend_result = CN_OK;
    cr_assert_eq(participant_message(devices[0], &inbox, &answer), CN_E_UNEXPECTED);
}

Test(participant, steps_can_not_be_skipped)
{
    struct message survivors = {.type = MESSAGE_SURVIVORS}, answer;
    uint32_t all[N] = {0, 1, 2, 3, 4};

    to_roster();
    survivors.as.survivors.id = id;
    survivors.as.survivors.indices = all;
    survivors.as.survivors.count = N;
    cr_assert_eq(participant_message(devices[0], &survivors, &answer), CN_E_UNEXPECTED);
    cr_assert_eq(spendings[0], 0);
}

Test(participant, a_swapped_key_in_the_roster_is_noticed)
{
    struct secagg_member members[N];
    struct message roster, answer;

    to_roster();
    roster = roster_message();
    memcpy(members, roster.as.roster.members, sizeof members);
    members[1].keys.mask_public[0] ^= 1;
    roster.as.roster.members = members;
    cr_assert_eq(participant_message(devices[0], &roster, &answer), CN_E_AUTH);
}

Test(participant, entries_in_the_complete_graph_end_the_round)
{
    struct secagg_entry entries[N];
    struct message roster, answer;
    const struct secagg_entry *given;
    uint32_t count, threshold;

    to_roster();
    roster = roster_message();
    MUST(secagg_server_entries(server, &given, &count, &threshold));
    memcpy(entries, given, sizeof entries);
    roster.as.roster.entries = (const uint8_t *)entries;
    roster.as.roster.entries_len = sizeof entries;
    cr_assert_eq(participant_message(devices[0], &roster, &answer), CN_E_INCONSISTENT);
    cr_assert_eq(answer.type, MESSAGE_NONE);
}
