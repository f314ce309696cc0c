/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn data`: look at a data set, and split one into parts for demos and simulations. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "cli/data_split.h"
#include "cli/data_table.h"
#include "cli/show.h"
#include "cli/verbs.h"
#include "data/idx.h"
#include "data/policy.h"
#include "data/source.h"
#include "data/split.h"

#define LABELS_SHOWN 64

/* ---- inspect ---- */

struct view {
    struct dataset set;
    size_t *counts; /* [set.classes] */
    double mean;    /* of all values */
    double deviation;
};

/* Two passes, so that nothing cancels. */
static void measure(struct view *view)
{
    size_t total = view->set.n * dataset_features(&view->set);
    double sum = 0, squares = 0;

    for (size_t i = 0; i < total; i++)
        sum += (double)view->set.x[i];
    view->mean = sum / (double)total;
    for (size_t i = 0; i < total; i++) {
        double off = (double)view->set.x[i] - view->mean;

        squares += off * off;
    }
    view->deviation = sqrt(squares / (double)total);
}

static enum cn_err view_load(struct view *view, const struct cn_args *args, struct cn_diag *diag)
{
    struct data_source source;

    CN_TRY(data_source_parse(&source, cn_args_text(args, "data"), diag));
    CN_TRY(data_source_load(&view->set, &source, NULL, diag));
    view->counts = calloc(view->set.classes + 1, sizeof *view->counts);
    if (!view->counts)
        return CN_E_NOMEM;
    dataset_counts(view->counts, &view->set);
    measure(view);
    return CN_OK;
}

static json_t *view_json(const struct view *view)
{
    const struct dataset *set = &view->set;
    json_t *counts = json_array();
    bool failed = !counts;

    for (uint32_t i = 0; !failed && i < set->classes; i++)
        failed = json_array_append_new(counts, json_integer((json_int_t)view->counts[i])) != 0;
    if (failed) {
        json_decref(counts);
        return NULL;
    }
    return json_pack("{s:I, s:[I, I, I], s:I, s:o, s:f, s:f}", "examples", (json_int_t)set->n,
                     "shape", (json_int_t)set->channels, (json_int_t)set->height,
                     (json_int_t)set->width, "classes", (json_int_t)set->classes, "counts", counts,
                     "mean", view->mean, "deviation", view->deviation);
}

static void print_view(const struct cn_args *args, const struct view *view)
{
    const struct dataset *set = &view->set;
    char count[SHOW_NUMBER_MAX], bar[SHOW_BAR_MAX];
    size_t largest = 1;
    uint32_t shown = 0;

    for (uint32_t i = 0; i < set->classes; i++)
        largest = view->counts[i] > largest ? view->counts[i] : largest;
    fprintf(args->out, "examples   %s\n", show_count(count, set->n));
    fprintf(args->out, "shape      %u x %u x %u (channels x height x width)\n", set->channels,
            set->height, set->width);
    fprintf(args->out, "values     mean %.4f, deviation %.4f%s\n", view->mean, view->deviation,
            strncmp(cn_args_text(args, "data"), "idx:", 4) == 0 ? " (bytes as 0 to 1)" : "");
    if (set->vocabulary)
        fprintf(args->out, "tokens     %u different ones; %u to predict in each example\n",
                set->vocabulary, dataset_targets(set));
    fprintf(args->out, "classes    %u\n\n", set->classes);
    for (uint32_t i = 0; i < set->classes && shown < LABELS_SHOWN; i++) {
        if (view->counts[i] == 0 && set->vocabulary)
            continue;
        shown++;
        fprintf(args->out, "  %4u %10s  %s\n", i, show_count(count, view->counts[i]),
                show_bar(bar, (double)view->counts[i] / (double)largest, 40));
    }
}

static int data_inspect(const struct cn_args *args)
{
    struct cn_diag diag = {0};
    struct view view = {0};
    enum cn_err err = CN_E_CONFIG;
    int code = CN_EXIT_DONE;

    if (cn_args_argument(args, 0) && !cn_args_given(args, "data"))
        return data_table_inspect(args);
    if (!cn_args_argument(args, 0) && cn_args_given(args, "data"))
        err = view_load(&view, args, &diag);
    else
        cn_diag_set(&diag, NULL, 0, 0, "give either a table's FILE or --data SOURCE");
    if (err != CN_OK)
        code = cn_args_fail(args, err, &diag);
    else if (args->json)
        code = show_json(args, view_json(&view), CN_EXIT_DONE);
    else
        print_view(args, &view);
    free(view.counts);
    dataset_free(&view.set);
    return code;
}

/* ---- split ---- */

struct cut {
    struct idx images;
    struct idx labels;
    uint32_t *owner; /* [n] */
    uint32_t *y;     /* [n] */
    uint32_t parts;
    uint32_t classes;
    size_t *counts; /* [parts, classes] */
    const char *folder;
};

static void cut_clear(struct cut *cut)
{
    idx_free(&cut->images);
    idx_free(&cut->labels);
    free(cut->owner);
    free(cut->y);
    free(cut->counts);
}

static enum cn_err cut_read(struct cut *cut, const struct data_source *source, struct cn_diag *diag)
{
    size_t n;

    CN_TRY(idx_load(&cut->images, source->images, diag));
    CN_TRY(idx_load(&cut->labels, source->labels, diag));
    n = cut->images.dims[0];
    if (cut->images.dim_count == 1 || cut->labels.dim_count != 1 || cut->labels.dims[0] != n) {
        cn_diag_set(diag, source->labels, 0, 0,
                    "does not hold one label for each of the %zu items "
                    "of %s",
                    n, source->images);
        cn_diag_hint(diag, "the order is idx:IMAGES,LABELS");
        return CN_E_DATA;
    }
    cut->owner = malloc(n * sizeof *cut->owner);
    cut->y = malloc(n * sizeof *cut->y);
    if (!cut->owner || !cut->y)
        return CN_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        cut->y[i] = cut->labels.bytes[i];
        cut->classes = cut->y[i] >= cut->classes ? cut->y[i] + 1 : cut->classes;
    }
    return CN_OK;
}

static enum cn_err cut_deal(struct cut *cut, const struct cn_args *args, struct cn_diag *diag)
{
    struct data_split_deal deal = {cut->y, cut->images.dims[0], cut->classes, cut->parts};

    return data_split_deal(cut->owner, &deal, args, diag);
}

static enum cn_err cut_count(struct cut *cut)
{
    cut->counts = calloc((size_t)cut->parts * cut->classes, sizeof *cut->counts);
    if (!cut->counts)
        return CN_E_NOMEM;
    for (size_t i = 0; i < cut->images.dims[0]; i++)
        if (cut->owner[i] != SPLIT_NOBODY)
            cut->counts[(size_t)cut->owner[i] * cut->classes + cut->y[i]]++;
    return CN_OK;
}

static const char *part_path(char out[CN_PATH_MAX], const struct cut *cut, uint32_t part,
                             const char *what)
{
    char name[64];

    snprintf(name, sizeof name, "part-%u-%s.gz", part + 1, what);
    CN_IGNORE(cn_path_join(out, cut->folder, name)); /* too long: empty, which can not be written */
    return out;
}

/* Writes what belongs to one part of either file. */
static enum cn_err write_part(const struct cut *cut, const struct idx *from, uint32_t part,
                              const char *what, struct cn_diag *diag)
{
    size_t item = idx_item_bytes(from), at = 0;
    struct idx to = *from;
    char path[CN_PATH_MAX];
    enum cn_err err;

    to.dims[0] = from->dims[0] / cut->parts;
    to.bytes = malloc(to.dims[0] * item);
    if (!to.bytes)
        return CN_E_NOMEM;
    for (size_t i = 0; i < from->dims[0]; i++) {
        if (cut->owner[i] == part) {
            memcpy(to.bytes + at, from->bytes + i * item, item);
            at += item;
        }
    }
    err = idx_save(part_path(path, cut, part, what), &to, diag);
    free(to.bytes);
    return err;
}

static enum cn_err cut_write(const struct cut *cut, struct cn_diag *diag)
{
    CN_TRY(cn_folder_make(cut->folder, 0755, diag));
    for (uint32_t part = 0; part < cut->parts; part++) {
        CN_TRY(write_part(cut, &cut->images, part, "images", diag));
        CN_TRY(write_part(cut, &cut->labels, part, "labels", diag));
    }
    return CN_OK;
}

static json_t *part_json(const struct cut *cut, uint32_t part)
{
    char images[CN_PATH_MAX], labels[CN_PATH_MAX], text[DATA_SOURCE_TEXT_MAX];
    json_t *counts = json_array();
    bool failed = !counts;

    for (uint32_t c = 0; !failed && c < cut->classes; c++)
        failed = json_array_append_new(
                     counts, json_integer((json_int_t)cut->counts[part * cut->classes + c])) != 0;
    if (failed) {
        json_decref(counts);
        return NULL;
    }
    snprintf(text, sizeof text, "idx:%s,%s", part_path(images, cut, part, "images"),
             part_path(labels, cut, part, "labels"));
    return json_pack("{s:s, s:o}", "data", text, "counts", counts);
}

static json_t *cut_json(const struct cut *cut)
{
    json_t *parts = json_array();
    bool failed = !parts;

    for (uint32_t part = 0; !failed && part < cut->parts; part++)
        failed = json_array_append_new(parts, part_json(cut, part)) != 0;
    if (failed) {
        json_decref(parts);
        return NULL;
    }
    return json_pack("{s:I, s:I, s:I, s:o}", "examples", (json_int_t)cut->images.dims[0], "each",
                     (json_int_t)(cut->images.dims[0] / cut->parts), "left_over",
                     (json_int_t)(cut->images.dims[0] % cut->parts), "parts", parts);
}

#define CLASSES_SHOWN 12

static void print_cut(const struct cn_args *args, const struct cut *cut)
{
    uint32_t shown = cut->classes < CLASSES_SHOWN ? cut->classes : CLASSES_SHOWN;
    char count[SHOW_NUMBER_MAX];

    fprintf(args->out, "%u part%s of %s examples each in %s\n\n  part  ", cut->parts,
            show_plural(cut->parts), show_count(count, cut->images.dims[0] / cut->parts),
            cut->folder);
    for (uint32_t c = 0; c < shown; c++)
        fprintf(args->out, "%6u", c);
    fprintf(args->out, "%s\n", shown < cut->classes ? "  ..." : "   (class)");
    for (uint32_t part = 0; part < cut->parts; part++) {
        fprintf(args->out, "  %4u  ", part + 1);
        for (uint32_t c = 0; c < shown; c++)
            fprintf(args->out, "%6zu", cut->counts[(size_t)part * cut->classes + c]);
        fprintf(args->out, "\n");
    }
    fprintf(args->out, "\nThe first device's data: idx:%s/part-1-images.gz,%s/part-1-labels.gz\n",
            cut->folder, cut->folder);
}

static enum cn_err split_run(struct cut *cut, const struct cn_args *args,
                             const struct data_source *source, struct cn_diag *diag)
{
    cut->parts = (uint32_t)cn_args_uint(args, "parts");
    cut->folder = cn_args_text(args, "out");
    CN_TRY(cut_read(cut, source, diag));
    CN_TRY(cut_deal(cut, args, diag));
    CN_TRY(cut_count(cut));
    return cut_write(cut, diag);
}

static int data_split(const struct cn_args *args)
{
    struct cn_diag diag = {0};
    struct cut cut = {0};
    struct data_source source;
    enum cn_err err = data_source_parse(&source, cn_args_text(args, "data"), &diag);
    int code = CN_EXIT_DONE;

    if (err == CN_OK && strcmp(source.format, "images") == 0)
        return data_split_images(args, &source);
    if (err == CN_OK && strcmp(source.format, "idx") != 0)
        return data_split_lines(args, &source);
    if (err == CN_OK)
        err = split_run(&cut, args, &source, &diag);

    if (err != CN_OK)
        code = cn_args_fail(args, err, &diag);
    else if (args->json)
        code = show_json(args, cut_json(&cut), CN_EXIT_DONE);
    else
        print_cut(args, &cut);
    cut_clear(&cut);
    return code;
}

/* clang-format off */
static const struct cn_option inspect_options[] = {
    {.name = "data", .kind = CN_OPTION_TEXT, .value = "SOURCE",
     .help = "as training sees it: idx:, csv:, tsv:, libsvm:, images:, text:, pairs:"},
    {.name = "quasi", .kind = CN_OPTION_TEXT, .value = "A,B",
     .help = "columns that together may give a person away: counts k-anonymity"},
    {.name = "sensitive", .kind = CN_OPTION_TEXT, .value = "C",
     .help = "a column that must not follow from them: counts l-diversity"},
    {.name = "k", .kind = CN_OPTION_UINT, .value = "K", .min = 2, .max = POLICY_K_MAX,
     .fallback = "5", .help = "classes of fewer rows are counted"},
};
static const struct cn_option deidentify_options[] = {
    {.name = "policy", .kind = CN_OPTION_TEXT, .value = "FILE", .required = true,
     .help = "what becomes of every column; see docs/data.md"},
    {.name = "key", .kind = CN_OPTION_TEXT, .value = "FILE",
     .help = "the owner's key, for hashes and shifted dates (`cairn data key`)"},
};
static const struct cn_option split_options[] = {
    {.name = "data", .kind = CN_OPTION_TEXT, .value = "SOURCE", .required = true,
     .help = "as of `data inspect`; a text without labels is cut in its order"},
    {.name = "parts", .kind = CN_OPTION_UINT, .value = "N", .min = 1, .max = SPLIT_PARTS_MAX,
     .required = true, .help = "how many"},
    {.name = "dirichlet", .kind = CN_OPTION_REAL, .value = "ALPHA", .min = SPLIT_ALPHA_MIN,
     .max = SPLIT_ALPHA_MAX,
     .help = "uneven over labels: 0.1 very, 1 clearly, 100 hardly; else at random"},
    {.name = "seed", .kind = CN_OPTION_UINT, .value = "SEED", .fallback = "1",
     .help = "the same seed gives the same parts, on every machine"},
    {.name = "out", .kind = CN_OPTION_TEXT, .value = "DIR", .required = true,
     .help = "folder for part-1-images.gz, part-1-labels.gz, ..., part-1.csv, ..., or part-1/"},
};
/* clang-format on */

const struct cn_verb data_verbs[] = {
    {.name = "data inspect",
     .arguments = "[FILE]",
     .summary = "look at a table's columns and identifiers, or at a data set as training sees it",
     .details = "FILE is a table (CSV, or TSV by its name): types, missing values, what looks like "
                "an identifier, and with --quasi how well people hide among each other. With "
                "--data: examples by class, mean and deviation.\n\nThose are figures of private "
                "data: they stay on this machine unless you pass them on.",
     .example = "cairn data inspect patients.csv --quasi age,postcode --sensitive diagnosis\n"
                "cairn data inspect --data csv:loans.csv,label=outcome",
     .options = inspect_options,
     .option_count = CN_COUNT(inspect_options),
     .run = data_inspect},
    {.name = "data deidentify",
     .arguments = "IN OUT",
     .summary = "drop, hash, generalise and shift a table's columns by a policy",
     .details = "Rows are left out until every class of quasi-identifiers has the policy's k "
                "people. Reads files larger than memory, twice. OUT must not exist; a note beside "
                "it lets a client that demands the policy train on it. De-identified is not "
                "anonymous.",
     .example = "cairn data deidentify --policy configs/policies/clinic.yaml --key clinic.key "
                "patients.csv patients-safe.csv",
     .options = deidentify_options,
     .option_count = CN_COUNT(deidentify_options),
     .run = data_table_deidentify},
    {.name = "data key",
     .arguments = "FILE",
     .summary = "make a key for pseudonyms and shifted dates",
     .example = "cairn data key clinic.key",
     .run = data_table_key},
    {.name = "data split",
     .summary = "split a data set into parts of equal size, for demos and simulations",
     .example = "cairn data split --data idx:train-images-idx3-ubyte.gz,train-labels-idx1-ubyte.gz "
                "--parts 8 --dirichlet 1.0 --seed 1 --out silos",
     .options = split_options,
     .option_count = CN_COUNT(split_options),
     .run = data_split},
};
const size_t data_verb_count = CN_COUNT(data_verbs);
