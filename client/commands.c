/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs, and the two that talk to the aggregator: join and run. */
#include "client/commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "base/text.h"
#include "client/agent.h"
#include "client/home.h"

#define JOIN_GIVE_UP_MS 20000

/* clang-format off */
#define PASSPHRASE_OPTION \
    {.name = "passphrase-file", .kind = CN_OPTION_TEXT, .value = "FILE", \
     .help = "file whose first line unlocks (or, joining, locks) the device's key"}

static const struct cn_option join_options[] = {
    {.name = "name", .kind = CN_OPTION_TEXT, .value = "NAME",
     .help = "how this device is called (default: the machine's name)"},
    {.name = "data", .kind = CN_OPTION_TEXT, .value = "SOURCE",
     .help = "idx:IMAGES,LABELS or csv:FILE,label=COLUMN; can be said later in client.yaml"},
    PASSPHRASE_OPTION,
};
static const struct cn_option run_options[] = {
    PASSPHRASE_OPTION,
    {.name = "accept-ledger", .kind = CN_OPTION_FLAG,
     .help = "the aggregator's ledger was rewritten, and that is all right: hold to the new one"},
};
static const struct cn_option limits_options[] = {
    {.name = "privacy", .kind = CN_OPTION_CHOICE, .value = "WORD", .choices = "required optional",
     .help = "whether tasks must add noise"},
    {.name = "epsilon-life", .kind = CN_OPTION_REAL, .value = "E", .min = 1e-6, .max = 1000,
     .help = "privacy loss over all tasks, for ever"},
    {.name = "epsilon-period", .kind = CN_OPTION_REAL, .value = "E", .min = 0, .max = 1000,
     .help = "in any period of --period-days; 0: no limit of its own"},
    {.name = "period-days", .kind = CN_OPTION_UINT, .value = "N", .min = 1,
     .max = CLIENT_PERIOD_DAYS_MAX, .help = "length of that period"},
    {.name = "epsilon-task", .kind = CN_OPTION_REAL, .value = "E", .min = 0, .max = 1000,
     .help = "on any one task; 0: no limit of its own"},
    {.name = "epsilon-round", .kind = CN_OPTION_REAL, .value = "E", .min = 0, .max = 1000,
     .help = "of one round alone; 0: no limit of its own"},
    {.name = "delta", .kind = CN_OPTION_REAL, .value = "D", .min = 1e-15, .max = 0.01,
     .help = "at which epsilon is computed, and the largest a task may have"},
    {.name = "cohort-min", .kind = CN_OPTION_UINT, .value = "N", .min = 2, .max = 1024,
     .help = "never in a sum of fewer devices"},
    {.name = "corrupt-min", .kind = CN_OPTION_REAL, .value = "SHARE", .min = 0, .max = 0.333,
     .help = "in large cohorts: so many of the devices may help a lying aggregator"},
    {.name = "unmasked", .kind = CN_OPTION_CHOICE, .value = "WORD", .choices = "never allowed",
     .help = "whether an aggregator may see this device's own update"},
    {.name = "train-minutes", .kind = CN_OPTION_UINT, .value = "N", .min = 0, .max = 10080,
     .help = "computing for one round at most; 0: as long as the task gives"},
};

static const struct cn_verb verbs[] = {
    {.name = "join", .arguments = "LINK DIR", .summary = "become a device of a federation",
     .details = "LINK is the invitation that the operator gave you, one line, or - to read it from "
                "the standard input. DIR is a new folder: "
                "the device's key, certificate, settings and ledger will live in it. No data is "
                "sent; joining only registers the device.",
     .example = "cairn-client join cairn://fl.example.org:7700/AbC... ./ward3 "
                "--data csv:patients.csv,label=outcome",
     .options = join_options, .option_count = CN_COUNT(join_options), .run = commands_join},
    {.name = "run", .arguments = "DIR", .summary = "take part in rounds until stopped",
     .details = "Connects, waits for rounds, judges each by the owner's limits, trains, and sends "
                "masked updates. Reconnects by itself. Stop it with Ctrl-C: at any moment, nothing "
                "is lost.",
     .example = "cairn-client run ./ward3",
     .options = run_options, .option_count = CN_COUNT(run_options), .run = commands_run},
    {.name = "status", .arguments = "DIR", .summary = "show who this device is and what it did",
     .example = "cairn-client status ./ward3", .run = commands_status},
    {.name = "budget", .arguments = "DIR", .summary = "show the privacy spent and what is left",
     .details = "Adds up the device's own ledger: what was spent on what, whether one more round "
                "like the last fits and, if not, when it will again. Exit code 1 when it does not.",
     .example = "cairn-client budget ./ward3", .run = commands_budget},
    {.name = "limits", .arguments = "DIR", .summary = "show or change the owner's limits",
     .details = "Without options the limits are shown. A device that runs takes changes over when "
                "it is started again.",
     .example = "cairn-client limits ./ward3 --epsilon-life 4 --cohort-min 10",
     .options = limits_options, .option_count = CN_COUNT(limits_options), .run = commands_limits},
};
/* clang-format on */

const struct cn_program *commands_program(void)
{
    static const struct cn_program program = {
        .name = "cairn-client",
        .summary = "take part in federated learning; your data stays here",
        .verbs = verbs,
        .verb_count = CN_COUNT(verbs),
    };

    return &program;
}

/* ---- passphrase ---- */

struct passphrase {
    char text[1026];
    bool given;
};

static enum cn_err read_passphrase(struct passphrase *out, const struct cn_args *args,
                                   struct cn_diag *diag)
{
    const char *path = cn_args_text(args, "passphrase-file");
    struct cn_buf file;
    enum cn_err err;

    memset(out, 0, sizeof *out);
    if (!path)
        return CN_OK;
    err = cn_file_read(&file, path, sizeof out->text - 2, diag);
    if (err == CN_OK) {
        size_t len = strcspn((const char *)file.data, "\r\n");

        memcpy(out->text, file.data, len);
        out->given = true;
        explicit_bzero(file.data, file.len);
    }
    cn_buf_clear(&file);
    return err;
}

static const char *passphrase_text(const struct passphrase *passphrase)
{
    return passphrase->given ? passphrase->text : NULL;
}

/* ---- join ---- */

struct joining {
    const char *dir;
    struct join_link link;
    char name[CERTIFICATE_NAME_MAX + 1];
    struct data_source data;
    bool made; /* the folder is this call's */
};

static enum cn_err choose_name(struct joining *join, const struct cn_args *args,
                               struct cn_diag *diag)
{
    const char *given = cn_args_text(args, "name");
    char host[CERTIFICATE_NAME_MAX + 1] = "";

    if (!given && gethostname(host, sizeof host - 1) == 0)
        given = host;
    if (!given || !cn_text_is_name(given, CERTIFICATE_NAME_MAX)) {
        cn_diag_set(diag, NULL, 0, 0, "'%s' can not be a device's name", given ? given : "");
        cn_diag_hint(diag, "give --name, of letters, digits, '-', '_' and '.'");
        return CN_E_CONFIG;
    }
    snprintf(join->name, sizeof join->name, "%s", given);
    return CN_OK;
}

/* Paths in client.yaml count from its folder; on the command line from here. */
static enum cn_err choose_data(struct joining *join, const struct cn_args *args,
                               struct cn_diag *diag)
{
    const char *text = cn_args_text(args, "data");
    char here[CN_PATH_MAX];

    if (!text)
        return CN_OK;
    CN_TRY(data_source_parse(&join->data, text, diag));
    if (!getcwd(here, sizeof here))
        return CN_E_IO;
    return data_source_rebase(&join->data, here);
}

/* A folder left by an attempt with the same invitation is gone on with: the aggregator may have
 * enrolled that key already. */
static enum cn_err make_home(struct joining *join, const char *passphrase, struct cn_diag *diag)
{
    struct home_plan plan = {join->dir,   &join->link, join->name,
                             &join->data, passphrase,  cn_clock_system()};
    struct certificate certificate;
    enum cn_err err = home_make(&plan, diag);

    join->made = err == CN_OK;
    if (err != CN_E_EXISTS || home_read_certificate(&certificate, join->dir, NULL) != CN_OK ||
        memcmp(certificate.invitation.id, join->link.invitation.id, INVITATION_ID_BYTES) != 0)
        return err;
    cn_diag_clear(diag);
    return CN_OK;
}

static enum cn_err note_joined(struct home *home)
{
    struct ledger_entry entry = {.time_s = home->clock.wall_s(home->clock.ctx)};

    snprintf(entry.kind, sizeof entry.kind, "joined");
    snprintf(entry.reason, sizeof entry.reason, "%.100s:%u", home->config.host, home->config.port);
    return ledger_append(home->ledger, &entry);
}

static enum cn_err enrol(struct joining *join, const char *passphrase, struct cn_diag *diag)
{
    struct agent_options options = {.enrol = true, .give_up_ms = JOIN_GIVE_UP_MS};
    struct home *home;
    enum cn_err err;

    CN_TRY(home_open(&home, join->dir, passphrase, cn_clock_system(), diag));
    options.home = home;
    err = agent_run(&options, diag);
    if (err == CN_OK) {
        join->made = false; /* it is the aggregator's device now, whatever the disk says */
        err = note_joined(home);
    }
    home_close(home);
    /* Only what this call made and no aggregator knows is taken away again. */
    if (err != CN_OK && err != CN_E_CLOSED && join->made)
        home_remove(join->dir);
    return err;
}

/* "-": from the standard input, so that the secret in the link stands in no list of processes. */
static enum cn_err read_link(struct joining *join, const char *argument, struct cn_diag *diag)
{
    char line[JOIN_LINK_MAX + 2];
    enum cn_err err;

    if (strcmp(argument, "-") != 0)
        return join_link_parse(&join->link, argument, diag);
    if (!fgets(line, sizeof line, stdin)) {
        cn_diag_set(diag, "standard input", 0, 0, "no link came");
        cn_diag_hint(diag, "give the link that the operator gave you, one line");
        return CN_E_CONFIG;
    }
    line[strcspn(line, "\r\n")] = '\0';
    err = join_link_parse(&join->link, line, diag);
    explicit_bzero(line, sizeof line);
    return err;
}

static enum cn_err prepare(struct joining *join, const struct cn_args *args, struct cn_diag *diag)
{
    CN_TRY(read_link(join, cn_args_argument(args, 0), diag));
    if (invitation_expired(&join->link.invitation, cn_clock_system().wall_s(NULL))) {
        cn_diag_set(diag, NULL, 0, 0, "the invitation has expired");
        cn_diag_hint(diag,
                     "ask the operator for a new one; if it is new, check this machine's date");
        return CN_E_EXPIRED;
    }
    CN_TRY(choose_name(join, args, diag));
    return choose_data(join, args, diag);
}

static void tell_joined(const struct cn_args *args, const struct joining *join)
{
    if (args->json) {
        json_t *o = json_pack("{s:s, s:s, s:s, s:i}", "dir", join->dir, "name", join->name, "host",
                              join->link.host, "port", (int)join->link.port);

        json_dumpf(o, args->out, JSON_COMPACT);
        fputc('\n', args->out);
        json_decref(o);
        return;
    }
    fprintf(args->out,
            "Joined %s:%u as %s. The device lives in %s.\n\n"
            "  Your limits       cairn-client limits %s\n"
            "  Take part         cairn-client run %s\n",
            join->link.host, join->link.port, join->name, join->dir, join->dir, join->dir);
    if (!join->data.format[0])
        fprintf(args->out, "\nBefore it can train, say in %s/%s where your data lies.\n", join->dir,
                CLIENT_CONFIG_FILE);
}

int commands_join(const struct cn_args *args)
{
    struct joining join = {.dir = cn_args_argument(args, 1)};
    struct passphrase passphrase;
    struct cn_diag diag = {0};
    enum cn_err err = read_passphrase(&passphrase, args, &diag);

    if (err == CN_OK)
        err = prepare(&join, args, &diag);
    if (err == CN_OK)
        err = make_home(&join, passphrase_text(&passphrase), &diag);
    if (err == CN_OK)
        err = enrol(&join, passphrase_text(&passphrase), &diag);
    if (err == CN_OK)
        tell_joined(args, &join);
    join_link_wipe(&join.link);
    explicit_bzero(&passphrase, sizeof passphrase);
    return cn_args_fail(args, err, &diag);
}

/* ---- run ---- */

static void tell_stopped(const struct cn_args *args, const struct home *home)
{
    json_t *o = json_pack("{s:s, s:I, s:b}", "name", home->config.name, "spendings",
                          (json_int_t)home->spent.all.spendings, "stopped", 1);

    json_dumpf(o, args->out, JSON_COMPACT);
    fputc('\n', args->out);
    json_decref(o);
}

int commands_run(const struct cn_args *args)
{
    struct agent_options options = {0};
    struct passphrase passphrase;
    struct cn_diag diag = {0};
    enum cn_err err = read_passphrase(&passphrase, args, &diag);

    if (err == CN_OK)
        err = home_open(&options.home, cn_args_argument(args, 0), passphrase_text(&passphrase),
                        cn_clock_system(), &diag);
    explicit_bzero(&passphrase, sizeof passphrase);
    if (err == CN_OK)
        options.home->accept_ledger = cn_args_given(args, "accept-ledger");
    if (err == CN_OK)
        err = agent_run(&options, &diag);
    if (err == CN_OK && args->json)
        tell_stopped(args, options.home);
    home_close(options.home);
    return cn_args_fail(args, err, &diag);
}
