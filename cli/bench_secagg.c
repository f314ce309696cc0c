/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn bench secagg`: what a round of secure aggregation costs, before anybody runs one. */
#include <stdio.h>

#include "cli/secagg_bench.h"
#include "cli/show.h"
#include "cli/verbs.h"
#include "crypto/secagg_server.h"

static json_t *result_json(const struct secagg_bench_result *r)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:{s:f, s:f}, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:b}",
        "degree", (json_int_t)r->degree, "threshold", (json_int_t)r->opening, "survivors_min",
        (json_int_t)r->threshold, "dropped", (json_int_t)r->dropped, "client_cpu_ms", "mean",
        r->client_cpu_ms_mean, "max", r->client_cpu_ms_max, "client_meeting_ms",
        r->client_meeting_ms, "server_cpu_ms", r->server_cpu_ms, "open_wall_ms", r->open_wall_ms,
        "server_peak_mb", r->server_peak_mb, "bytes_up_per_client", r->bytes_up_per_client,
        "bytes_down_per_client", r->bytes_down_per_client, "prg_gb_per_s", r->prg_gb_per_s,
        "aes256ctr_gb_per_s", r->aes256ctr_gb_per_s, "floor_client_ms", r->floor_client_ms,
        "floor_server_ms", r->floor_server_ms, "sum_ok", (int)r->sum_ok);
}

static void print_result(const struct cn_args *args, const struct secagg_bench_result *r)
{
    char up[CN_AMOUNT_TEXT_BYTES], down[CN_AMOUNT_TEXT_BYTES];

    fprintf(args->out, "graph      %u neighbours, %u shares open a secret, %u must survive\n",
            r->degree, r->opening, r->threshold);
    fprintf(args->out, "client     %.2f ms mean, %.2f ms at most (masks alone: %.2f ms)\n",
            r->client_cpu_ms_mean, r->client_cpu_ms_max, r->floor_client_ms);
    fprintf(args->out, "           %s up, %s down\n",
            cn_bytes_text((uint64_t)r->bytes_up_per_client, up),
            cn_bytes_text((uint64_t)r->bytes_down_per_client, down));
    fprintf(args->out, "           %.2f ms more to verify its neighbours' certificates once\n",
            r->client_meeting_ms);
    fprintf(args->out, "server     %.1f ms (masks alone: %.1f ms), %.1f MiB at most\n",
            r->server_cpu_ms, r->floor_server_ms, r->server_peak_mb);
    fprintf(args->out, "           the sum is open after %.1f ms\n", r->open_wall_ms);
    fprintf(args->out, "keystream  ChaCha20 %.2f GB/s, AES-256-CTR %.2f GB/s\n", r->prg_gb_per_s,
            r->aes256ctr_gb_per_s);
    fprintf(args->out, "sum        %s, %u of the clients left\n", r->sum_ok ? "right" : "WRONG",
            r->dropped);
}

static int bench_secagg(const struct cn_args *args)
{
    struct secagg_bench_options options = {
        .clients = (uint32_t)cn_args_uint(args, "clients"),
        .dim = (uint32_t)cn_args_uint(args, "dim"),
        .bits = (uint8_t)cn_args_uint(args, "bits"),
        .drop_permille = (uint32_t)(cn_args_real(args, "drop") * 1000 + 0.5),
        .corrupt_permille = (uint32_t)(cn_args_real(args, "corrupt") * 1000 + 0.5),
        .ring = cn_args_choice(args, "graph") == 0,
        .adversary = cn_args_choice(args, "adversary") == 0 ? GRAPH_CURIOUS : GRAPH_MALICIOUS,
        .prg = (enum secagg_prg)cn_args_choice(args, "prg"),
        .threads = (uint32_t)cn_args_uint(args, "threads"),
    };
    struct secagg_bench_result result;
    struct cn_progress progress;
    struct cn_diag diag = {0};
    enum cn_err err;

    cn_progress_start(&progress, "bench", 6 * (uint64_t)options.clients, CN_PROGRESS_COUNT,
                      args->quiet);
    err = secagg_bench_run(&result, &options, &progress, &diag);
    cn_progress_finish(&progress);
    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    int code = result.sum_ok ? CN_EXIT_DONE : CN_EXIT_FAILED;
    if (args->json)
        return show_json(args, result_json(&result), code);
    print_result(args, &result);
    return code;
}

/* clang-format off */
static const struct cn_option secagg_options[] = {
    {.name = "clients", .kind = CN_OPTION_UINT, .value = "N", .min = 2, .max = SECAGG_DEVICES_MAX,
     .fallback = "32", .help = "devices in the roster"},
    {.name = "dim", .kind = CN_OPTION_UINT, .value = "D", .min = 1, .max = 1 << 28,
     .fallback = "100000", .help = "coordinates of a vector"},
    {.name = "bits", .kind = CN_OPTION_UINT, .value = "B", .min = 8, .max = 32,
     .fallback = "16", .help = "bits of a coordinate"},
    {.name = "drop", .kind = CN_OPTION_REAL, .value = "F", .min = 0, .max = 1,
     .fallback = "0", .help = "share of the clients that leave after sharing their keys"},
    {.name = "corrupt", .kind = CN_OPTION_REAL, .value = "F", .min = 0, .max = 1,
     .fallback = "0", .help = "share of the clients that may help the server; for the plan"},
    {.name = "graph", .kind = CN_OPTION_CHOICE, .choices = "ring complete", .value = "WHICH",
     .fallback = "ring", .help = "ring: few neighbours each, from 100 clients on"},
    {.name = "adversary", .kind = CN_OPTION_CHOICE, .choices = "curious malicious",
     .value = "WHO", .fallback = "malicious", .help = "what the server may do; for the plan"},
    {.name = "prg", .kind = CN_OPTION_CHOICE, .choices = "chacha20 aes256ctr", .value = "WHICH",
     .fallback = "chacha20", .help = "the keystream of the masks"},
    {.name = "threads", .kind = CN_OPTION_UINT, .value = "N", .min = 1, .max = SECAGG_THREADS_MAX,
     .fallback = "1", .help = "threads that open the sum"},
};
/* clang-format on */

const struct cn_verb bench_verbs[] = {
    {.name = "bench secagg",
     .summary = "measure a whole round of secure aggregation in memory",
     .details = "Real keys, real messages, the code that devices and aggregator run. Times are CPU "
                "time on this machine. `masks alone` is the time that expanding the keystreams of "
                "the masks takes, below which no implementation of this protocol can go.\n\n"
                "Time grows with the pairs of neighbours: 1000 clients take a minute against a "
                "server that lies, some seconds against a curious one.",
     .example = "cairn bench secagg --clients 32 --dim 1000000 --bits 16 --drop 0.1",
     .options = secagg_options,
     .option_count = CN_COUNT(secagg_options),
     .run = bench_secagg},
};
const size_t bench_verb_count = CN_COUNT(bench_verbs);
