/* SPDX-License-Identifier: Apache-2.0 */
/* A round in memory, step by step, with a meter around every call; see secagg_bench.h. */
#include "cli/secagg_bench.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/mask.h"
#include "crypto/pack.h"
#include "crypto/random.h"
#include "crypto/secagg_device.h"
#include "crypto/secagg_server.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

#define SPEED_BYTES ((size_t)64 * 1024) /* of keystream at a time */
#define SPEED_MS 60.0                   /* how long each keystream is measured */
#define MB (1024.0 * 1024.0)

static const struct round_id FIRST = {.round = 1, .attempt = 1};

struct client {
    const struct sign_key *identity;
    struct certificate certificate;
    struct secagg_device *device;
    double cpu_ms, meeting_ms;
    uint64_t up, down;
    bool leaves;
};

struct bench {
    const struct secagg_bench_options *options;
    struct secagg_bench_result *result;
    struct cn_progress *progress;
    uint64_t steps;
    struct random_stream *stream;
    struct cn_random random;
    struct secagg_config config;
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    struct sign_keys *identities;
    struct certificate_cache *known;  /* to the client at hand */
    struct client *clients;           /* [n] */
    struct client **at;               /* [n] by position in the roster */
    struct secagg_sealed *sealed;     /* [n] */
    struct secagg_share *shares;      /* [2 n] */
    struct secagg_member *neighbours; /* [n] of one client */
    struct secagg_vouch *vouches;     /* [n] for one client */
    uint32_t *vector;                 /* [dim] */
    uint32_t *plain;                  /* [dim] the sum that must come out */
    uint8_t *packed;
    struct cn_buf bytes; /* of one message */
    uint64_t pairs;      /* shares of pairwise secrets that survivors revealed */
    struct secagg_server *server;
    double server_ms;
    size_t heap_now, heap_peak; /* what the calls left behind, summed up */
};

/* ---- meters ---- */

static double clock_ms(clockid_t which)
{
    struct timespec now;

    clock_gettime(which, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* Of all threads: opening may use several. */
static double cpu_ms(void)
{
    return clock_ms(CLOCK_PROCESS_CPUTIME_ID);
}

static double wall_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

static size_t heap_in_use(void)
{
#if defined(__GLIBC__)
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

/* What the server holds is what its calls left behind. */
struct server_meter {
    double ms;
    size_t heap;
};

static struct server_meter server_start(void)
{
    struct server_meter meter = {.heap = heap_in_use()};

    meter.ms = cpu_ms(); /* last: looking through the heap takes its time */
    return meter;
}

static void server_stop(struct bench *bench, struct server_meter meter)
{
    bench->server_ms += cpu_ms() - meter.ms;       /* first, for the same reason */
    bench->heap_now += heap_in_use() - meter.heap; /* may fall: wraps and wraps back */
    if ((ptrdiff_t)bench->heap_now > (ptrdiff_t)bench->heap_peak)
        bench->heap_peak = bench->heap_now;
}

#define SERVER(bench, call)                                                                        \
    do {                                                                                           \
        struct server_meter meter_ = server_start();                                               \
        enum cn_err err_ = (call);                                                                 \
        server_stop((bench), meter_);                                                              \
        CN_TRY(err_);                                                                              \
    } while (0)

#define CLIENT(client, call)                                                                       \
    do {                                                                                           \
        double start_ = cpu_ms();                                                                  \
        enum cn_err err_ = (call);                                                                 \
        (client)->cpu_ms += cpu_ms() - start_;                                                     \
        CN_TRY(err_);                                                                              \
    } while (0)

static void step(struct bench *bench)
{
    bench->steps++;
    if (bench->progress)
        cn_progress_update(bench->progress, bench->steps);
}

/* The bytes of a message on its way, before TLS. */
static enum cn_err count_bytes(struct bench *bench, uint64_t *total, const struct message *message)
{
    cn_buf_reset(&bench->bytes);
    CN_TRY(message_encode(&bench->bytes, message));
    *total += bench->bytes.len + FRAME_HEAD_BYTES;
    return CN_OK;
}

/* ---- before the round ---- */

static enum cn_err enrol(struct bench *bench)
{
    const struct secagg_bench_options *options = bench->options;
    struct sign_key *registrar = NULL, *one_time = NULL;
    struct invitation invitation;
    enum cn_err err;

    CN_TRY_OUT(err, sign_keys_new(&bench->identities, options->clients, &bench->random));
    CN_TRY_OUT(err, sign_key_new(&registrar, &bench->random));
    sign_key_public(registrar, bench->registrar);
    CN_TRY_OUT(err, invitation_make(&invitation, &one_time, registrar, options->clients, INT32_MAX,
                                    &bench->random));
    for (uint32_t i = 0; i < options->clients; i++) {
        struct client *client = &bench->clients[i];

        client->identity = sign_keys_at(bench->identities, i);
        CN_TRY_OUT(err, certificate_make(&client->certificate, &invitation, one_time,
                                         client->identity, "bench", 0));
    }
out:
    sign_key_free(one_time);
    sign_key_free(registrar);
    return err;
}

/* Some leave, chosen at random. */
static enum cn_err choose_leavers(struct bench *bench)
{
    uint32_t n = bench->options->clients, *order = calloc(n, sizeof *order);

    if (!order)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    cn_random_shuffle(&bench->random, order, n);
    for (uint32_t i = 0; i < bench->result->dropped; i++)
        bench->clients[order[i]].leaves = true;
    free(order);
    return CN_OK;
}

static enum cn_err make_room(struct bench *bench)
{
    uint32_t n = bench->options->clients, dim = bench->options->dim;

    bench->clients = calloc(n, sizeof *bench->clients);
    bench->at = calloc(n, sizeof *bench->at);
    bench->sealed = calloc(n, sizeof *bench->sealed);
    bench->shares = calloc((size_t)2 * n, sizeof *bench->shares);
    bench->neighbours = calloc(n, sizeof *bench->neighbours);
    bench->vouches = calloc(n, sizeof *bench->vouches);
    bench->vector = calloc(dim, sizeof *bench->vector);
    bench->plain = calloc(dim, sizeof *bench->plain);
    bench->packed = malloc(pack_bytes(dim, bench->options->bits));
    return bench->clients && bench->at && bench->sealed && bench->shares && bench->neighbours &&
                   bench->vouches && bench->vector && bench->plain && bench->packed
               ? CN_OK
               : CN_E_NOMEM;
}

static void bench_clear(struct bench *bench)
{
    for (uint32_t i = 0; bench->clients && i < bench->options->clients; i++) {
        secagg_device_free(bench->clients[i].device);
    }
    sign_keys_free(bench->identities);
    certificate_cache_free(bench->known);
    secagg_server_free(bench->server);
    free(bench->clients);
    free(bench->at);
    free(bench->sealed);
    free(bench->shares);
    free(bench->neighbours);
    free(bench->vouches);
    free(bench->vector);
    free(bench->plain);
    free(bench->packed);
    cn_buf_clear(&bench->bytes);
    random_stream_free(bench->stream);
}

/* ---- the round ---- */

static enum cn_err keys(struct bench *bench)
{
    struct message ready = {.type = MESSAGE_READY, .as.ready.id = FIRST};

    SERVER(bench, secagg_server_new(&bench->server, &bench->config, bench->registrar));
    for (uint32_t i = 0; i < bench->options->clients; i++) {
        struct client *client = &bench->clients[i];
        struct secagg_member member = {.certificate = client->certificate};

        CLIENT(client, secagg_device_new(&client->device, &bench->config, client->identity,
                                         &client->certificate, bench->registrar, &bench->random));
        CLIENT(client, secagg_device_keys(client->device, &member.keys));
        ready.as.ready.keys = member.keys;
        CN_TRY(count_bytes(bench, &client->up, &ready));
        /* The certificate was verified when the client logged in. */
        SERVER(bench, secagg_server_keys_known(bench->server, &member));
        step(bench);
    }
    SERVER(bench, secagg_server_close_roster(bench->server));
    for (uint32_t i = 0; i < bench->options->clients; i++) {
        uint8_t id[DEVICE_ID_BYTES];
        uint32_t position;

        certificate_device_id(id, &bench->clients[i].certificate);
        CN_TRY(secagg_server_find(bench->server, id, &position));
        bench->at[position] = &bench->clients[i];
    }
    return CN_OK;
}

/* Messages point to arrays that may be written, because decoders fill them; encoders only read. */
static void *lend(const void *list)
{
    void *lent;

    memcpy(&lent, &list, sizeof lent);
    return lent;
}

/* What a client gets of the roster: entries of all and its neighbours' certificates. In the
 * complete graph the members say all that the entries do. */
static enum cn_err count_roster(struct bench *bench, struct client *client,
                                const struct secagg_roster *given)
{
    struct message roster = {.type = MESSAGE_ROSTER};
    bool is_ring = given->neighbours_count + 1 < given->count;

    roster.as.roster =
        (struct message_roster){.id = FIRST,
                                .threshold = given->threshold,
                                .entries = (const uint8_t *)given->entries,
                                .entries_len = is_ring ? given->count * MESSAGE_ENTRY_BYTES : 0,
                                .members = lend(given->neighbours),
                                .count = given->neighbours_count};
    return count_bytes(bench, &client->down, &roster);
}

/* The certificates of the neighbours, which a client verifies when it meets them first. */
static enum cn_err meet(struct bench *bench, struct client *client,
                        const struct secagg_roster *given)
{
    double start = cpu_ms();

    for (uint32_t k = 0; k < given->neighbours_count; k++)
        CN_TRY(certificate_cache_check(bench->known, &given->neighbours[k].certificate,
                                       bench->registrar));
    client->meeting_ms += cpu_ms() - start;
    secagg_device_remember(client->device, bench->known);
    return CN_OK;
}

static enum cn_err share_one(struct bench *bench, uint32_t position, struct secagg_roster *given)
{
    struct message shares = {.type = MESSAGE_SHARES};
    struct client *client = bench->at[position];
    uint32_t degree = bench->result->degree;

    SERVER(bench, secagg_server_neighbours(bench->server, position, bench->neighbours,
                                           &given->neighbours_count));
    given->neighbours = bench->neighbours;
    CN_TRY(count_roster(bench, client, given));
    certificate_cache_free(bench->known); /* the next client has met nobody yet */
    CN_TRY(certificate_cache_new(&bench->known));
    CN_TRY(meet(bench, client, given));
    CLIENT(client, secagg_device_roster_entries(client->device, given, bench->sealed));
    shares.as.shares =
        (struct message_shares){.id = FIRST, .sealed = bench->sealed, .count = degree};
    CN_TRY(count_bytes(bench, &client->up, &shares));
    SERVER(bench, secagg_server_shares(bench->server, position, bench->sealed, degree));
    return CN_OK;
}

static enum cn_err shares(struct bench *bench)
{
    struct secagg_roster given;

    CN_TRY(secagg_server_entries(bench->server, &given.entries, &given.count, &given.threshold));
    CN_TRY(secagg_server_degree(bench->server, &bench->result->degree));
    bench->result->threshold = given.threshold;
    for (uint32_t i = 0; i < given.count; i++) {
        CN_TRY(share_one(bench, i, &given));
        step(bench);
    }
    SERVER(bench, secagg_server_close_shares(bench->server));
    return CN_OK;
}

static void draw_vector(struct bench *bench)
{
    uint32_t low = UINT32_MAX >> (SECAGG_BITS_MAX - bench->options->bits);

    cn_random_fill(&bench->random, bench->vector, bench->options->dim * sizeof *bench->vector);
    for (uint32_t k = 0; k < bench->options->dim; k++) {
        bench->vector[k] &= low;
        bench->plain[k] = (bench->plain[k] + bench->vector[k]) & low;
    }
}

/* The announcement, the answer, and the vector in chunks. */
static enum cn_err count_upload(struct bench *bench, struct client *client, size_t len)
{
    struct message message = {.type = MESSAGE_UPLOAD};

    message.as.upload.id = FIRST;
    message.as.upload.bytes = len;
    CN_TRY(count_bytes(bench, &client->up, &message));
    message = (struct message){.type = MESSAGE_RESUME};
    CN_TRY(count_bytes(bench, &client->down, &message));
    for (size_t at = 0; at < len; at += CHUNK_BYTES_MAX) {
        size_t piece = len - at < CHUNK_BYTES_MAX ? len - at : CHUNK_BYTES_MAX;

        message = (struct message){.type = MESSAGE_CHUNK};
        message.as.chunk.offset = at;
        message.as.chunk.bytes = bench->packed + at;
        message.as.chunk.len = piece;
        CN_TRY(count_bytes(bench, &client->up, &message));
    }
    message = (struct message){.type = MESSAGE_RESUME, .as.resume.offset = len};
    return count_bytes(bench, &client->down, &message);
}

static enum cn_err mask_one(struct bench *bench, uint32_t position)
{
    const struct secagg_bench_options *options = bench->options;
    struct client *client = bench->at[position];
    struct message inbox = {.type = MESSAGE_INBOX};
    size_t len = pack_bytes(options->dim, options->bits);
    uint32_t count;

    SERVER(bench, secagg_server_inbox(bench->server, position, bench->sealed, &count));
    inbox.as.inbox = (struct message_inbox){.id = FIRST, .sealed = bench->sealed, .count = count};
    CN_TRY(count_bytes(bench, &client->down, &inbox));
    CLIENT(client, secagg_device_shares(client->device, bench->sealed, count));
    draw_vector(bench);
    CLIENT(client, secagg_device_mask_packed(client->device, bench->packed, bench->vector));
    CN_TRY(count_upload(bench, client, len));
    SERVER(bench, secagg_server_masked(bench->server, position, bench->packed, len));
    return CN_OK;
}

static enum cn_err masked(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->options->clients; i++) {
        if (!bench->at[i]->leaves)
            CN_TRY(mask_one(bench, i));
        step(bench);
    }
    SERVER(bench, secagg_server_close_masked(bench->server));
    return CN_OK;
}

static enum cn_err vouches(struct bench *bench)
{
    struct message list = {.type = MESSAGE_SURVIVORS},
                   vouch = {.type = MESSAGE_VOUCH, .as.vouch.id = FIRST};
    const uint32_t *survivors;
    uint32_t count;

    CN_TRY(secagg_server_survivors(bench->server, &survivors, &count));
    list.as.survivors =
        (struct message_survivors){.id = FIRST, .indices = lend(survivors), .count = count};
    for (uint32_t k = 0; k < count; k++) {
        struct client *client = bench->at[survivors[k]];
        uint8_t *signature = vouch.as.vouch.signature;

        CN_TRY(count_bytes(bench, &client->down, &list));
        CLIENT(client, secagg_device_survivors(client->device, survivors, count, signature));
        CN_TRY(count_bytes(bench, &client->up, &vouch));
        SERVER(bench, secagg_server_vouch(bench->server, survivors[k], signature));
        step(bench);
    }
    SERVER(bench, secagg_server_close_vouches(bench->server));
    return CN_OK;
}

static enum cn_err reveals(struct bench *bench)
{
    struct message list = {.type = MESSAGE_VOUCHES}, reveal = {.type = MESSAGE_REVEAL};
    struct message outcome = {.type = MESSAGE_OUTCOME,
                              .as.outcome = {.id = FIRST, .published = true}};
    const struct secagg_vouch *vouches;
    uint32_t count, given, shares;

    CN_TRY(secagg_server_vouches(bench->server, &vouches, &count));
    for (uint32_t k = 0; k < count; k++) {
        struct client *client = bench->at[vouches[k].index];

        SERVER(bench,
               secagg_server_vouches_for(bench->server, vouches[k].index, bench->vouches, &given));
        list.as.vouches =
            (struct message_vouches){.id = FIRST, .vouches = bench->vouches, .count = given};
        CN_TRY(count_bytes(bench, &client->down, &list));
        CLIENT(client, secagg_device_reveal_edges(client->device, bench->vouches, given,
                                                  bench->shares, &shares));
        for (uint32_t s = 0; s < shares; s++)
            bench->pairs += bench->shares[s].kind == SECAGG_PAIR;
        reveal.as.reveal =
            (struct message_reveal){.id = FIRST, .shares = bench->shares, .count = shares};
        CN_TRY(count_bytes(bench, &client->up, &reveal));
        SERVER(bench, secagg_server_reveal(bench->server, vouches[k].index, bench->shares, shares));
        CN_TRY(count_bytes(bench, &client->down, &outcome));
        step(bench);
    }
    return CN_OK;
}

/* Into bench->vector, which nobody needs any more. */
static enum cn_err open_sum(struct bench *bench)
{
    size_t bytes = bench->options->dim * sizeof *bench->vector;

    double start = wall_ms();
    secagg_server_set_threads(bench->server, bench->options->threads);
    SERVER(bench, secagg_server_open(bench->server, bench->vector));
    bench->result->open_wall_ms = wall_ms() - start;
    bench->result->sum_ok = memcmp(bench->vector, bench->plain, bytes) == 0;
    bench->steps = 6 * (uint64_t)bench->options->clients - 1;
    step(bench);
    return CN_OK;
}

/* ---- what it came to ---- */

static enum cn_err measure_speed(double *gb_per_s, enum mask_algorithm algorithm)
{
    static const uint8_t seed[MASK_SEED_BYTES] = {1};
    uint8_t *stream = malloc(SPEED_BYTES);
    double start = cpu_ms(), ms = 0;
    uint64_t bytes = 0;
    enum cn_err err = stream ? CN_OK : CN_E_NOMEM;

    while (err == CN_OK && ms < SPEED_MS) {
        err = mask_expand(stream, SPEED_BYTES, algorithm, seed);
        bytes += SPEED_BYTES;
        ms = cpu_ms() - start;
    }
    free(stream);
    *gb_per_s = err == CN_OK ? (double)bytes / (ms * 1e6) : 0;
    return err;
}

/* Masks that the server takes off: one of each survivor, and those that survivors put on for the
 * ones who left. Counted where they are: every survivor reveals a share of each neighbour. */
static void fill_floors(struct bench *bench)
{
    struct secagg_bench_result *result = bench->result;
    double mask_bytes = (double)bench->options->dim * (bench->options->bits <= 16 ? 2 : 4);
    double speed = bench->options->prg == SECAGG_PRG_AES256CTR ? result->aes256ctr_gb_per_s
                                                               : result->prg_gb_per_s;
    double bytes_per_ms = speed * 1e6;
    double stayed = bench->options->clients - result->dropped;

    result->floor_client_ms = (result->degree + 1.0) * mask_bytes / bytes_per_ms;
    result->floor_server_ms = (stayed + (double)bench->pairs) * mask_bytes / bytes_per_ms;
}

static void fill_result(struct bench *bench)
{
    struct secagg_bench_result *result = bench->result;
    double stayed = bench->options->clients - result->dropped;

    for (uint32_t i = 0; i < bench->options->clients; i++) {
        const struct client *client = &bench->clients[i];

        if (client->leaves)
            continue;
        result->client_cpu_ms_mean += client->cpu_ms / stayed;
        result->client_meeting_ms += client->meeting_ms / stayed;
        if (client->cpu_ms > result->client_cpu_ms_max)
            result->client_cpu_ms_max = client->cpu_ms;
        result->bytes_up_per_client += (double)client->up / stayed;
        result->bytes_down_per_client += (double)client->down / stayed;
    }
    result->server_cpu_ms = bench->server_ms;
    result->server_peak_mb = (double)bench->heap_peak / MB;
    fill_floors(bench);
}

/* The graph of the round. */
static enum cn_err plan(struct bench *bench, struct cn_diag *diag)
{
    const struct secagg_bench_options *options = bench->options;
    struct secagg_plan made;

    if (options->ring && (options->corrupt_permille > SECAGG_RING_PERMILLE_MAX ||
                          options->drop_permille > SECAGG_RING_PERMILLE_MAX)) {
        cn_diag_set(diag, NULL, 0, 0,
                    "fewer than a third of the devices may help the server, and fewer than a third "
                    "leave");
        return CN_E_CONFIG;
    }
    if (options->ring)
        bench->config.ring = (struct secagg_ring){
            .devices_min = SECAGG_RING_DEVICES_MIN,
            .corrupt_permille = (uint16_t)options->corrupt_permille,
            .dropout_permille = (uint16_t)options->drop_permille,
            .security_bits = options->adversary == GRAPH_CURIOUS ? GRAPH_SECURITY_BITS
                                                                 : SECAGG_RING_SECURITY_BITS,
            .correctness_bits = SECAGG_RING_CORRECTNESS_BITS,
            .adversary = options->adversary == GRAPH_CURIOUS ? SECAGG_CURIOUS : SECAGG_MALICIOUS};
    CN_TRY(secagg_plan_make(&made, &bench->config, options->clients, diag));
    bench->result->opening = made.threshold;
    return CN_OK;
}

static enum cn_err check(struct bench *bench, struct cn_diag *diag)
{
    const struct secagg_bench_options *options = bench->options;
    uint32_t threshold = secagg_threshold(options->clients), stay;

    bench->config = (struct secagg_config){
        .dim = options->dim, .bits = options->bits, .prg = (uint8_t)options->prg, .cohort_min = 2};
    if (!secagg_prg_is_safe(options->prg)) {
        cn_diag_set(diag, NULL, 0, 0, "this machine has no instructions for AES: use chacha20");
        return CN_E_CONFIG;
    }
    CN_TRY(secagg_config_check(&bench->config));
    if (options->clients < SECAGG_DEVICES_MIN || options->clients > SECAGG_DEVICES_MAX ||
        options->drop_permille > 1000)
        return CN_E_CONFIG;
    CN_TRY(plan(bench, diag));
    bench->result->dropped = (uint32_t)((uint64_t)options->clients * options->drop_permille / 1000);
    stay = options->clients - bench->result->dropped;
    if (stay >= threshold)
        return CN_OK;
    cn_diag_set(diag, NULL, 0, 0, "of %u clients %u stay, and %u are needed to open the sum",
                options->clients, stay, threshold);
    cn_diag_hint(diag, "let at most %u leave", options->clients - threshold);
    return CN_E_THRESHOLD;
}

enum cn_err secagg_bench_run(struct secagg_bench_result *result,
                             const struct secagg_bench_options *options,
                             struct cn_progress *progress, struct cn_diag *diag)
{
    struct bench bench = {.options = options, .result = result, .progress = progress};
    struct cn_random seed;
    enum cn_err err;

    *result = (struct secagg_bench_result){0};
    CN_TRY(check(&bench, diag));
    cn_buf_init(&bench.bytes, MESSAGE_BYTES_MAX);
    CN_TRY_OUT(err, random_system(&seed));
    CN_TRY_OUT(err, random_stream_new(&bench.stream, &seed));
    bench.random = random_stream_interface(bench.stream);
    CN_TRY_OUT(err, make_room(&bench));
    CN_TRY_OUT(err, enrol(&bench));
    CN_TRY_OUT(err, choose_leavers(&bench));
    CN_TRY_OUT(err, measure_speed(&result->prg_gb_per_s, MASK_CHACHA20));
    CN_TRY_OUT(err, measure_speed(&result->aes256ctr_gb_per_s, MASK_AES256_CTR));
    CN_TRY_OUT(err, keys(&bench));
    CN_TRY_OUT(err, shares(&bench));
    CN_TRY_OUT(err, masked(&bench));
    CN_TRY_OUT(err, vouches(&bench));
    CN_TRY_OUT(err, reveals(&bench));
    CN_TRY_OUT(err, open_sum(&bench));
    fill_result(&bench);
out:
    bench_clear(&bench);
    return err;
}
