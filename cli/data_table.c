/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of people: profile and de-identification, as text and JSON. */
#include "cli/data_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "cli/show.h"
#include "data/deidentify.h"
#include "data/manifest.h"
#include "data/profile.h"

#define SHARE_SHOWN 0.01 /* of a column's values: fewer likenesses are chance */

/* Tabs for names in .tsv, packed or not. */
static char separator_of(const char *path)
{
    size_t len = strlen(path);

    if (len > 3 && strcmp(path + len - 3, ".gz") == 0)
        len -= 3;
    return len > 4 && strncmp(path + len - 4, ".tsv", 4) == 0 ? '\t' : ',';
}

/* The folder that a file lies in, for temporary files beside it. */
static const char *folder_of(char out[CN_PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;

    if (slash == path)
        return "/";
    if (len == 0 || len >= CN_PATH_MAX)
        return ".";
    memcpy(out, path, len);
    out[len] = '\0';
    return out;
}

/* Prints a column's name so that it can be printed anywhere, over 24 cells. */
static void print_name(const struct cn_args *args, const char *name)
{
    struct cn_buf buf;

    cn_buf_init(&buf, 8 * DATA_NAME_MAX);
    cn_put_printable(&buf, name, strlen(name));
    fprintf(args->out, "  %-24.*s ", (int)buf.len, buf.data ? (const char *)buf.data : "");
    cn_buf_clear(&buf);
}

/* The kinds that a share of the values look like: [{"kind": ..., "count": ..., "share": ...}]. */
static json_t *suspects_json(const uint64_t suspects[IDENTIFIER_COUNT], uint64_t values)
{
    json_t *list = json_array();
    int failed = !list;

    for (unsigned i = 0; i < IDENTIFIER_COUNT && !failed; i++)
        if (suspects[i])
            failed = json_array_append_new(
                list,
                json_pack("{s:s, s:I, s:f}", "kind", identifier_text((enum identifier)i), "count",
                          (json_int_t)suspects[i], "share", (double)suspects[i] / (double)values));
    if (!failed)
        return list;
    json_decref(list);
    return NULL;
}

/* Prints "mail address 98 %" and its like behind a column; nothing when there is none. */
static void print_suspects(const struct cn_args *args, const uint64_t suspects[IDENTIFIER_COUNT],
                           uint64_t values)
{
    for (unsigned i = 0; i < IDENTIFIER_COUNT; i++) {
        double share = values ? (double)suspects[i] / (double)values : 0;

        if (share >= SHARE_SHOWN)
            fprintf(args->out, "  ! %s %.0f %%", identifier_text((enum identifier)i), 100 * share);
    }
}

/* ---- inspect ---- */

static json_t *column_json(const struct profile_column *column)
{
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:o}", "name", column->name, "type",
                  profile_type_text(column->type), "values", (json_int_t)column->values, "missing",
                  (json_int_t)column->missing, "distinct", (json_int_t)column->distinct,
                  "distinct_or_more", column->distinct == PROFILE_DISTINCT_MAX, "identifiers",
                  suspects_json(column->suspects, column->values));

    if (object && column->type == PROFILE_NUMBER &&
        json_object_update_new(object, json_pack("{s:f, s:f, s:f, s:f}", "mean", column->mean,
                                                 "deviation", column->deviation, "min", column->min,
                                                 "max", column->max)) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *crowd_json(const struct classes_summary *classes, bool values)
{
    json_t *object = json_pack("{s:I, s:I, s:I, s:I}", "classes", (json_int_t)classes->classes,
                               "k_anonymity", (json_int_t)classes->smallest, "classes_below_k",
                               (json_int_t)classes->classes_dropped, "rows_below_k",
                               (json_int_t)classes->rows_dropped);

    if (object && values)
        (void)json_object_set_new(object, "l_diversity", json_integer((json_int_t)classes->values));
    return object;
}

static json_t *profile_json(const struct profile *profile, bool values)
{
    json_t *object = json_pack("{s:I, s:[]}", "rows", (json_int_t)profile->rows, "columns");
    int failed = !object;

    for (uint32_t i = 0; i < profile->column_count && !failed; i++)
        failed = json_array_append_new(json_object_get(object, "columns"),
                                       column_json(&profile->columns[i]));
    if (!failed && profile->crowd)
        failed = json_object_set_new(object, "crowd", crowd_json(&profile->classes, values));
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

static void print_column(const struct cn_args *args, const struct profile_column *column)
{
    char count[SHOW_NUMBER_MAX], missing[SHOW_NUMBER_MAX];

    print_name(args, column->name);
    fprintf(args->out, "%-9s %10s %9s%s", profile_type_text(column->type),
            show_count(missing, column->missing), show_count(count, column->distinct),
            column->distinct == PROFILE_DISTINCT_MAX ? "+" : " ");
    if (column->type == PROFILE_NUMBER)
        fprintf(args->out, "  %.6g to %.6g, mean %.6g, deviation %.6g", column->min, column->max,
                column->mean, column->deviation);
    print_suspects(args, column->suspects, column->values);
    fprintf(args->out, "\n");
}

static void print_crowd(const struct cn_args *args, const struct classes_summary *classes)
{
    const char *sensitive = cn_args_text(args, "sensitive");
    uint64_t k = cn_args_uint(args, "k");
    char count[SHOW_NUMBER_MAX], rows[SHOW_NUMBER_MAX];

    fprintf(args->out,
            "\nBy %s there are %s classes; the smallest has %" PRIu64 " row%s (k = %" PRIu64 ").\n",
            cn_args_text(args, "quasi"), show_count(count, classes->classes), classes->smallest,
            show_plural(classes->smallest), classes->smallest);
    fprintf(args->out, "%s rows are in classes of fewer than %" PRIu64 ".\n",
            show_count(rows, classes->rows_dropped), k);
    if (sensitive)
        fprintf(args->out,
                "The least diverse class has %" PRIu64 " value%s of %s (l = %" PRIu64 ").\n",
                classes->values, show_plural(classes->values), sensitive, classes->values);
}

static void print_profile(const struct cn_args *args, const struct profile *profile)
{
    char count[SHOW_NUMBER_MAX];

    fprintf(args->out, "%s rows, %u columns\n\n  %-24s %-9s %10s %9s\n",
            show_count(count, profile->rows), profile->column_count, "column", "type", "missing",
            "distinct");
    for (uint32_t i = 0; i < profile->column_count; i++)
        print_column(args, &profile->columns[i]);
    if (profile->crowd)
        print_crowd(args, &profile->classes);
}

int data_table_inspect(const struct cn_args *args)
{
    const char *path = cn_args_argument(args, 0);
    char folder[CN_PATH_MAX];
    struct profile_options options = {.separator = separator_of(path),
                                      .quasi = cn_args_text(args, "quasi"),
                                      .sensitive = cn_args_text(args, "sensitive"),
                                      .k = (uint32_t)cn_args_uint(args, "k"),
                                      .folder = folder_of(folder, path)};
    struct cn_diag diag = {0};
    struct profile profile;
    enum cn_err err = profile_run(&profile, path, &options, &diag);
    int code = CN_EXIT_DONE;

    if (err != CN_OK)
        code = cn_args_fail(args, err, &diag);
    else if (args->json)
        code = show_json(args, profile_json(&profile, options.sensitive != NULL), CN_EXIT_DONE);
    else
        print_profile(args, &profile);
    profile_clear(&profile);
    return code;
}

/* ---- deidentify ---- */

static json_t *report_json(const struct deidentify_report *report, const struct policy *policy,
                           const char *out)
{
    json_t *object = json_pack("{s:s, s:s, s:I, s:I, s:I, s:[]}", "policy", policy->name, "output",
                               out, "rows_read", (json_int_t)report->rows_in, "rows_written",
                               (json_int_t)report->rows_out, "rows_suppressed",
                               (json_int_t)(report->rows_in - report->rows_out), "columns");
    int failed = !object;

    for (uint32_t i = 0; i < report->column_count && !failed; i++) {
        const struct deidentify_column *column = &report->columns[i];

        failed = json_array_append_new(
            json_object_get(object, "columns"),
            json_pack("{s:s, s:s, s:I, s:I, s:o}", "name", column->name, "action",
                      policy_action_text(column->action), "changed", (json_int_t)column->changed,
                      "missing", (json_int_t)column->missing, "identifiers_left",
                      suspects_json(column->suspects, report->rows_out - column->missing)));
    }
    if (!failed && policy->k)
        failed = json_object_set_new(
            object, "crowd",
            json_pack("{s:I, s:I, s:I, s:I}", "k", (json_int_t)policy->k, "l",
                      (json_int_t)policy->l, "classes", (json_int_t)report->classes.classes,
                      "classes_suppressed", (json_int_t)report->classes.classes_dropped));
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

static void print_report(const struct cn_args *args, const struct deidentify_report *report,
                         const struct policy *policy)
{
    char in[SHOW_NUMBER_MAX], out[SHOW_NUMBER_MAX], count[SHOW_NUMBER_MAX];

    fprintf(args->out, "policy '%s': %s of %s rows written to %s\n\n", policy->name,
            show_count(out, report->rows_out), show_count(in, report->rows_in),
            cn_args_argument(args, 1));
    for (uint32_t i = 0; i < report->column_count; i++) {
        const struct deidentify_column *column = &report->columns[i];

        print_name(args, column->name);
        fprintf(args->out, "%-10s %10s changed", policy_action_text(column->action),
                show_count(count, column->changed));
        print_suspects(args, column->suspects, report->rows_out - column->missing);
        fprintf(args->out, "\n");
    }
    if (policy->k)
        fprintf(args->out,
                "\n%s of %s classes were smaller than %u people%s; their rows are left out.\n",
                show_count(count, report->classes.classes_dropped),
                show_count(in, report->classes.classes), policy->k,
                policy->l ? " or not diverse" : "");
    fprintf(args->out, "The note for `require_policy` is %s%s.\n", cn_args_argument(args, 1),
            MANIFEST_SUFFIX);
}

/* Loads the policy and, where one is given, the key. */
static enum cn_err load(struct policy **policy, struct pseudonym_key **key,
                        const struct cn_args *args, struct cn_diag *diag)
{
    const char *path = cn_args_text(args, "key");

    CN_TRY(policy_load(policy, cn_args_text(args, "policy"), diag));
    return path ? pseudonym_key_load(key, path, diag) : CN_OK;
}

int data_table_deidentify(const struct cn_args *args)
{
    char folder[CN_PATH_MAX];
    struct deidentify_options options = {.in = cn_args_argument(args, 0),
                                         .out = cn_args_argument(args, 1)};
    struct deidentify_report report = {0};
    struct policy *policy = NULL;
    struct pseudonym_key *key = NULL;
    struct cn_diag diag = {0};
    enum cn_err err = load(&policy, &key, args, &diag);
    int code = CN_EXIT_DONE;

    options.separator = separator_of(options.in);
    options.folder = folder_of(folder, options.out);
    options.policy = policy;
    options.key = key;
    if (err == CN_OK)
        err = deidentify_run(&report, &options, &diag);
    if (err != CN_OK)
        code = cn_args_fail(args, err, &diag);
    else if (args->json)
        code = show_json(args, report_json(&report, policy, options.out), CN_EXIT_DONE);
    else
        print_report(args, &report, policy);
    deidentify_report_clear(&report);
    pseudonym_key_free(key);
    policy_free(policy);
    return code;
}

int data_table_key(const struct cn_args *args)
{
    const char *path = cn_args_argument(args, 0);
    struct cn_diag diag = {0};
    enum cn_err err = pseudonym_key_make(path, &diag);

    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (args->json)
        return show_json(args, json_pack("{s:s}", "key", path), CN_EXIT_DONE);
    fprintf(args->out,
            "%s holds a new key. Who has it can find every person again: keep it apart from the "
            "data.\n",
            path);
    return CN_EXIT_DONE;
}
