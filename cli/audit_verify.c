/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn audit verify`: whether ledgers may be believed, alone and against each other. */
#include "cli/audit_verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/audit_cross.h"
#include "cli/show.h"
#include "privacy/ledger.h"
#include "privacy/receipt.h"

struct verified {
    const char *path;
    enum cn_err err;
    bool evidence_failed;
    struct ledger_summary summary;
    struct ledger_entry bad; /* whose evidence failed */
    struct cn_diag diag;
};

/* One run of the verb. */
struct verify {
    const struct cn_args *args;
    size_t count;
    bool every_signature;
    struct verified *all;                 /* [count] */
    uint8_t (*owners)[SIGN_PUBLIC_BYTES]; /* [count] */
    bool *whole;                          /* [count] */
    bool *later;                          /* [count] an aggregator's: read behind the devices' */
    struct cross cross;
    struct cross_result result;
};

struct seeing {
    struct cross *cross;
    struct verified *one;
};

/* ---- reading ---- */

static enum cn_err see(void *ctx, const struct ledger_entry *entry)
{
    const struct seeing *seeing = ctx;
    struct verified *one = seeing->one;

    if (receipt_evidence_check(entry, one->summary.public_key) != CN_OK) {
        one->evidence_failed = true;
        one->bad = *entry;
        return CN_E_TAMPERED;
    }
    return cross_add(seeing->cross, entry);
}

static void explain_evidence(struct verified *one)
{
    one->summary.bad_line = one->bad.sequence + 1;
    one->summary.lines = one->bad.sequence;
    cn_diag_set(&one->diag, one->path, (unsigned)one->summary.bad_line, 0,
                "the %s of round %u, attempt %u, does not carry the signature that it claims",
                one->bad.kind, one->bad.round, one->bad.attempt);
    cn_diag_hint(&one->diag, "the owner of this ledger wrote it so; ask both sides for theirs");
}

/* Who remembers what this file no longer shows? */
static void explain_witness(const struct verify *verify, struct verified *one)
{
    const struct ledger_summary *summary = &one->summary;
    const struct cross_mark *mark = NULL;
    uint64_t forked_at = summary->bad_line;

    if (summary->fault == LEDGER_TRUNCATED)
        mark = cross_witness(&verify->cross, summary->public_key, forked_at, NULL);
    else if (summary->fault == LEDGER_FORKED)
        mark = cross_witness(&verify->cross, summary->public_key, forked_at, summary->head);
    if (!mark)
        return;
    one->diag.hint[0] = '\0';
    cn_diag_hint(&one->diag,
                 "%.200s:%" PRIu64 " holds the owner's signature for %s%" PRIu64 " lines",
                 verify->cross.files[mark->file], mark->number,
                 summary->fault == LEDGER_FORKED ? "another head after " : "", mark->mark.count);
}

static void read_one(struct verify *verify, uint32_t file)
{
    struct verified *one = &verify->all[file];
    struct seeing seeing = {&verify->cross, one};
    struct ledger_reading reading = {
        .visit = see, .ctx = &seeing, .every_signature = verify->every_signature};
    struct ledger_mark *marks = NULL;

    cross_begin(&verify->cross, file);
    if (verify->later[file]) {
        one->err =
            cross_marks_of(&verify->cross, verify->owners[file], &marks, &reading.mark_count);
        reading.marks = marks;
    }
    if (one->err == CN_OK)
        one->err = ledger_read_as(one->path, &reading, &one->summary, &one->diag);
    if (one->evidence_failed)
        explain_evidence(one);
    else if (one->err == CN_E_TAMPERED)
        explain_witness(verify, one);
    if (one->err != CN_OK)
        cross_drop(&verify->cross);
    verify->whole[file] = one->err == CN_OK;
    memcpy(verify->owners[file], one->summary.public_key, SIGN_PUBLIC_BYTES);
    free(marks);
}

struct first_line {
    uint8_t key[SIGN_PUBLIC_BYTES];
    bool aggregator;
};

static enum cn_err see_first(void *ctx, const struct ledger_entry *entry)
{
    struct first_line *first = ctx;

    memcpy(first->key, entry->public_key, SIGN_PUBLIC_BYTES);
    first->aggregator = strcmp(entry->role, "aggregator") == 0;
    return CN_E_DENIED; /* enough */
}

/* Devices remember heads of aggregators' ledgers, so theirs are read first. */
static void read_all(struct verify *verify)
{
    struct ledger_summary summary;

    for (size_t i = 0; i < verify->count; i++) {
        struct first_line first = {0};

        verify->all[i].path = verify->args->arguments[i];
        CN_IGNORE(ledger_read(verify->all[i].path, see_first, &first, &summary, NULL));
        verify->later[i] = first.aggregator;
        memcpy(verify->owners[i], first.key, SIGN_PUBLIC_BYTES);
    }
    for (int later = 0; later < 2; later++)
        for (size_t i = 0; i < verify->count; i++)
            if (verify->later[i] == later)
                read_one(verify, (uint32_t)i);
}

/* ---- copies ---- */

static void tell_copy(struct verify *verify, uint32_t a, uint32_t b, const struct audit_copy *copy)
{
    char words[CROSS_FAULT_TEXT / 2];
    uint32_t at = copy->more_b ? b : a, other = at == b ? a : b;

    if (!copy->more_a && !copy->more_b)
        return;
    if (copy->more_a && copy->more_b)
        snprintf(words, sizeof words,
                 "forked copy: the first %" PRIu64
                 " lines are those of %.200s, this one differs; the same key signed both",
                 copy->lines, verify->all[other].path);
    else
        snprintf(words, sizeof words,
                 "truncated tail: %.200s is a copy of this ledger that lacks this line and %" PRIu64
                 " more",
                 verify->all[other].path, (at == b ? copy->more_b : copy->more_a) - 1);
    cross_tell(&verify->cross, &verify->result, at, copy->lines + 1, words);
}

/* Files of the same key must be the same ledger. */
static enum cn_err compare_copies(struct verify *verify)
{
    for (size_t b = 1; b < verify->count; b++) {
        for (size_t a = 0; a < b; a++) {
            struct audit_copy copy;

            if (!verify->whole[a] || !verify->whole[b] ||
                memcmp(verify->owners[a], verify->owners[b], SIGN_PUBLIC_BYTES) != 0)
                continue;
            CN_TRY(audit_copy_compare(&copy, verify->all[a].path, verify->all[b].path));
            tell_copy(verify, (uint32_t)a, (uint32_t)b, &copy);
            break;
        }
    }
    return CN_OK;
}

/* ---- answers ---- */

static json_t *verified_json(const struct verified *one)
{
    char key[2 * SIGN_PUBLIC_BYTES + 1], head[2 * HASH_BYTES + 1], line[CN_DIAG_LINE_MAX];
    const struct ledger_summary *summary = &one->summary;
    json_t *object =
        json_pack("{s:s, s:b, s:s, s:s, s:I, s:I, s:s, s:s}", "file", one->path, "ok",
                  one->err == CN_OK, "owner", summary->owner, "role", summary->role, "lines",
                  (json_int_t)summary->lines, "torn_bytes", (json_int_t)summary->torn_bytes, "head",
                  cn_hex_encode(head, summary->head, HASH_BYTES), "public_key",
                  cn_hex_encode(key, summary->public_key, SIGN_PUBLIC_BYTES));
    int failed = 0;

    if (!object || one->err == CN_OK)
        return object;
    failed |= json_object_set_new(object, "bad_line", json_integer((json_int_t)summary->bad_line));
    failed |= json_object_set_new(object, "fault", json_string(cn_diag_line(&one->diag, line)));
    failed |=
        json_object_set_new(object, "kind",
                            json_string(one->evidence_failed ? "the evidence does not hold"
                                                             : ledger_fault_text(summary->fault)));
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *verify_json(const struct verify *verify, bool ok)
{
    const struct cross_result *result = &verify->result;
    json_t *ledgers = json_array(), *faults = json_array();
    bool failed = !ledgers || !faults;

    for (size_t i = 0; !failed && i < verify->count; i++)
        failed = json_array_append_new(ledgers, verified_json(&verify->all[i])) != 0;
    for (uint32_t i = 0; !failed && i < result->fault_count; i++)
        failed = json_array_append_new(faults, json_string(result->faults[i])) != 0;
    if (failed) {
        json_decref(ledgers);
        json_decref(faults);
        return NULL;
    }
    return json_pack(
        "{s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "ok", ok, "ledgers",
        ledgers, "rounds", (json_int_t)result->rounds, "spendings", (json_int_t)result->spendings,
        "matched", (json_int_t)result->matched, "foreign", (json_int_t)result->foreign, "receipts",
        (json_int_t)result->receipts, "receipts_matched", (json_int_t)result->receipts_matched,
        "participations", (json_int_t)result->participations, "participations_matched",
        (json_int_t)result->participations_matched, "remembered_heads", (json_int_t)result->marks,
        "contradictions_total", (json_int_t)result->faults_total, "contradictions", faults);
}

static void print_verified(const struct cn_args *args, const struct verified *one, int width)
{
    char lines[SHOW_NUMBER_MAX], last[CN_TIME_TEXT_BYTES], words[CN_DIAG_LINE_MAX];
    char head[2 * HASH_BYTES + 1];
    const struct ledger_summary *summary = &one->summary;

    if (one->err != CN_OK) {
        fprintf(args->out, "  FAILED    %s\n", cn_diag_line(&one->diag, words));
        return;
    }
    cn_hex_encode(head, summary->head, HASH_BYTES);
    fprintf(args->out, "  verified  %-*s  %-10s  %-16.32s %9s line%s  last %s  head %.*s\n", width,
            one->path, summary->role, summary->owner, show_count(lines, summary->lines),
            summary->lines == 1 ? " " : "s", cn_time_text(summary->last_time_s, last),
            SHOW_HEX_SHORT, head);
    if (summary->torn_bytes)
        fprintf(args->out, "            %-*s  %" PRIu64 " bytes of an unfinished last line\n",
                width, "", summary->torn_bytes);
}

static void print_cross(const struct cn_args *args, const struct cross_result *result)
{
    char a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX];

    fputc('\n', args->out);
    if (!result->rounds)
        fprintf(args->out, "Spendings are not cross-checked: no aggregator's ledger with rounds is "
                           "among these.\n");
    else
        fprintf(args->out, "%s spending%s on devices, %s in the aggregator's rounds",
                show_count(a, result->spendings), show_plural(result->spendings),
                show_count(b, result->matched));
    if (result->rounds && result->foreign)
        fprintf(args->out, ", %s of other federations", show_count(a, result->foreign));
    if (result->rounds)
        fprintf(args->out, ".\n");
    if (result->receipts)
        fprintf(args->out, "%s receipt%s signed by the aggregator, %s found in its rounds.\n",
                show_count(a, result->receipts), show_plural(result->receipts),
                show_count(b, result->receipts_matched));
    if (result->participations)
        fprintf(args->out, "%s countersignature%s of devices, %s found in ledgers here.\n",
                show_count(a, result->participations), show_plural(result->participations),
                show_count(b, result->participations_matched));
    if (result->marks)
        fprintf(args->out, "%s head%s of the aggregator's ledger remembered by devices.\n",
                show_count(a, result->marks), show_plural(result->marks));
}

static void print_verify(const struct verify *verify, bool ok)
{
    const struct cross_result *result = &verify->result;
    FILE *out = verify->args->out;
    size_t width = 0;

    for (size_t i = 0; i < verify->count; i++)
        width = strlen(verify->all[i].path) > width ? strlen(verify->all[i].path) : width;
    for (size_t i = 0; i < verify->count; i++)
        print_verified(verify->args, &verify->all[i], width < 48 ? (int)width : 48);
    print_cross(verify->args, result);
    for (uint32_t i = 0; i < result->fault_count; i++)
        fprintf(out, "  CONTRADICTION  %s\n", result->faults[i]);
    if (result->faults_total > result->fault_count)
        fprintf(out, "  ... and %" PRIu64 " more\n", result->faults_total - result->fault_count);
    fprintf(out, "\n%s\n",
            ok ? "Everything verifies: no line was changed, removed or added by anyone else."
               : "Do not trust what failed; everything above the named line still holds.");
}

/* A file that can not be read is a failure; one that does not verify is an answer. */
static int unreadable(const struct verify *verify)
{
    for (size_t i = 0; i < verify->count; i++) {
        const struct verified *one = &verify->all[i];

        if (one->err != CN_OK && one->err != CN_E_TAMPERED)
            return cn_args_fail(verify->args, one->err, &one->diag);
    }
    return CN_EXIT_DONE;
}

static int verify_run(struct verify *verify)
{
    bool ok = true;
    int code;
    enum cn_err err;

    read_all(verify);
    code = unreadable(verify);
    if (code != CN_EXIT_DONE)
        return code;
    verify->cross.whole = verify->whole;
    verify->cross.owners = (const uint8_t(*)[SIGN_PUBLIC_BYTES])verify->owners;
    err = compare_copies(verify);
    if (err != CN_OK)
        return cn_args_fail(verify->args, err, NULL);
    cross_match(&verify->cross, &verify->result);
    for (size_t i = 0; i < verify->count; i++)
        ok = ok && verify->whole[i];
    ok = ok && verify->result.faults_total == 0;
    code = ok ? CN_EXIT_DONE : CN_EXIT_NO;
    if (verify->args->json)
        return show_json(verify->args, verify_json(verify, ok), code);
    print_verify(verify, ok);
    return code;
}

int audit_verify(const struct cn_args *args)
{
    size_t count = args->argument_count;
    struct verify *verify = calloc(1, sizeof *verify);
    int code = CN_EXIT_FAILED;

    if (!verify)
        return cn_args_fail(args, CN_E_NOMEM, NULL);
    verify->args = args;
    verify->count = count;
    verify->every_signature = cn_args_flag(args, "every-signature");
    verify->cross.files = args->arguments;
    verify->cross.file_count = (uint32_t)count;
    verify->all = calloc(count, sizeof *verify->all);
    verify->owners = calloc(count, sizeof *verify->owners);
    verify->whole = calloc(count, sizeof *verify->whole);
    verify->later = calloc(count, sizeof *verify->later);
    if (verify->all && verify->owners && verify->whole && verify->later)
        code = verify_run(verify);
    else
        code = cn_args_fail(args, CN_E_NOMEM, NULL);
    cross_clear(&verify->cross);
    free(verify->all);
    free(verify->owners);
    free(verify->whole);
    free(verify->later);
    free(verify);
    return code;
}
