/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs, and what they share. */
#include "aggregator/commands_internal.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

/* clang-format off */
#define PASSPHRASE_OPTION(what) \
    {.name = "passphrase-file", .kind = CN_OPTION_TEXT, .value = "FILE", .help = what}

static const struct cn_option init_options[] = {
    {.name = "host", .kind = CN_OPTION_TEXT, .value = "HOST", .fallback = "127.0.0.1",
     .help = "name or address that devices connect to; goes into join links"},
    {.name = "port", .kind = CN_OPTION_UINT, .value = "PORT", .min = 1, .max = 65535,
     .fallback = "7443", .help = "port to listen at and to put into join links"},
    {.name = "listen", .kind = CN_OPTION_TEXT, .value = "ADDRESS",
     .help = "address to listen at (default: all, or HOST when that is this machine alone)"},
    {.name = "name", .kind = CN_OPTION_TEXT, .value = "NAME", .fallback = "aggregator",
     .help = "how it is called in its ledger"},
    {.name = "registrar", .kind = CN_OPTION_TEXT, .value = "KEYFILE",
     .help = "use this registrar's key instead of making a new one; it stays where it is"},
    PASSPHRASE_OPTION("file whose first line locks (or unlocks) the registrar's key"),
};
static const struct cn_option serve_options[] = {
    {.name = "port", .kind = CN_OPTION_UINT, .value = "PORT", .min = 0, .max = 65535,
     .help = "listen at another port than aggregator.yaml says; 0: any free one"},
    {.name = "until-done", .kind = CN_OPTION_FLAG,
     .help = "stop when no task is left to do"},
};
static const struct cn_option invite_options[] = {
    {.name = "uses", .kind = CN_OPTION_UINT, .value = "N", .min = 1, .max = INVITATION_USES_MAX,
     .fallback = "1", .help = "devices that one link may enrol"},
    {.name = "expires", .kind = CN_OPTION_DURATION, .value = "TIME", .min = 1, .max = 315360000,
     .fallback = "7d", .help = "how long the link can be used to join"},
    {.name = "count", .kind = CN_OPTION_UINT, .value = "N", .min = 1, .max = 10000,
     .fallback = "1", .help = "links to make, each its own"},
    {.name = "name", .kind = CN_OPTION_TEXT, .value = "NOTE",
     .help = "a note for you, e.g. who gets the link"},
    PASSPHRASE_OPTION("file whose first line unlocks the registrar's key"),
};
static const struct cn_option submit_options[] = {
    {.name = "test", .kind = CN_OPTION_TEXT, .value = "SOURCE",
     .help = "your test data, to evaluate every model: idx:IMAGES,LABELS or csv:FILE,label=COLUMN"},
    {.name = "start-from", .kind = CN_OPTION_TEXT, .value = "MODEL",
     .help = "a safetensors file to start from instead of fresh weights"},
};

static const struct cn_verb verbs[] = {
    {.name = "init", .arguments = "DIR", .summary = "set up a new aggregator in a folder",
     .details = "Makes the registrar's key, the aggregator's ledger and its key, a certificate for "
                "TLS, the store and aggregator.yaml. Nothing that exists is overwritten. The "
                "registrar's key decides who may join: --passphrase-file locks it by a passphrase, "
                "and it may move to a machine of its own.",
     .example = "cairn-aggregator init ./fed --host fl.example.org --port 7443",
     .options = init_options, .option_count = CN_COUNT(init_options), .run = commands_init},
    {.name = "serve", .arguments = "DIR", .summary = "accept devices and run tasks until stopped",
     .details = "Runs tasks one after the other in the order of their submission. Stop it with "
                "Ctrl-C at any moment, even with kill -9: the next start goes on from the last "
                "published round.",
     .example = "cairn-aggregator serve ./fed",
     .options = serve_options, .option_count = CN_COUNT(serve_options), .run = commands_serve},
    {.name = "invite", .arguments = "DIR", .summary = "make join links for devices",
     .details = "Each link is one line to hand to a device's owner. Whoever has it can join: treat "
                "it as a secret until it is used or has expired.",
     .example = "cairn-aggregator invite ./fed --expires 2d\n"
                "cairn-aggregator invite ./fed --count 8 --json",
     .options = invite_options, .option_count = CN_COUNT(invite_options), .run = commands_invite},
    {.name = "task submit", .arguments = "DIR TASK", .summary = "hand in a task to be run",
     .details = "TASK is a YAML file; see configs/tasks/. Every device reads the same text and "
                "judges it by its owner's limits.",
     .example = "cairn-aggregator task submit ./fed configs/tasks/fashion-demo.yaml "
                "--test idx:t10k-images.gz,t10k-labels.gz",
     .options = submit_options, .option_count = CN_COUNT(submit_options),
     .run = commands_task_submit},
    {.name = "task list", .arguments = "DIR", .summary = "list all tasks and where they stand",
     .example = "cairn-aggregator task list ./fed", .run = commands_task_list},
    {.name = "task show", .arguments = "DIR TASK", .summary = "show a task and its rounds",
     .details = "TASK is a name (then the last task of that name), an id or its first digits.",
     .example = "cairn-aggregator task show ./fed fashion-demo", .run = commands_task_show},
    {.name = "task stop", .arguments = "DIR TASK", .summary = "end a task early",
     .details = "The round that is under way is abandoned; what was published stays.",
     .example = "cairn-aggregator task stop ./fed fashion-demo", .run = commands_task_stop},
    {.name = "device list", .arguments = "DIR", .summary = "list the devices that have joined",
     .example = "cairn-aggregator device list ./fed", .run = commands_device_list},
    {.name = "device revoke", .arguments = "DIR DEVICE", .summary = "shut a device out for good",
     .details = "DEVICE is a name, an id or its first digits. A connected device is disconnected "
                "at once.",
     .example = "cairn-aggregator device revoke ./fed silo-5", .run = commands_device_revoke},
    {.name = "status", .arguments = "DIR", .summary = "show tasks, rounds and devices",
     .details = "With --json one object with every task and all its rounds, for programs to poll.",
     .example = "cairn-aggregator status ./fed\ncairn-aggregator status ./fed --json",
     .run = commands_status},
};
/* clang-format on */

const struct cn_program *commands_program(void)
{
    static const struct cn_program program = {
        .name = "cairn-aggregator",
        .summary = "run federated learning; sums are all it ever sees",
        .verbs = verbs,
        .verb_count = CN_COUNT(verbs),
    };
    return &program;
}

int64_t commands_now_s(void)
{
    struct cn_clock clock = cn_clock_system();
    return clock.wall_s(clock.ctx);
}

enum cn_err folder_open(struct folder *folder, const struct cn_args *args, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    memset(folder, 0, sizeof(*folder));
    folder->path = cn_args_argument(args, 0);
    CN_TRY(config_load(&folder->config, folder->path, diag));
    CN_TRY(cn_path_join(path, folder->path, CONFIG_STORE));
    CN_TRY(store_open(&folder->store, path, diag));
    return registry_open(&folder->registry, folder->path, diag);
}

void folder_close(struct folder *folder)
{
    store_close(folder->store);
    folder->store = NULL;
}

/* ---- passphrases ---- */

static enum cn_err first_line(char out[PASSPHRASE_ROOM], const char *path, struct cn_diag *diag)
{
    struct cn_buf text;
    enum cn_err err = cn_file_read(&text, path, PASSPHRASE_ROOM - 1, diag);
    if (err == CN_OK)
        snprintf(out, PASSPHRASE_ROOM, "%.*s", (int)strcspn((const char *)text.data, "\r\n"),
                 (const char *)text.data);
    if (err == CN_OK && !out[0]) {
        cn_diag_set(diag, path, 1, 0, "the first line is empty; expected a passphrase");
        err = CN_E_CONFIG;
    }
    if (text.data)
        explicit_bzero(text.data, text.len);
    cn_buf_clear(&text);
    return err;
}

/* Reads a line from the terminal without showing it. */
static bool ask_terminal(char out[PASSPHRASE_ROOM], const char *question)
{
    struct termios shown, hidden;
    if (tcgetattr(STDIN_FILENO, &shown) != 0)
        return false;
    fputs(question, stderr);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    bool read = fgets(out, PASSPHRASE_ROOM, stdin) != NULL;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', stderr);
    if (!read)
        return false;
    out[strcspn(out, "\r\n")] = '\0';
    return out[0] != '\0';
}

enum cn_err commands_passphrase(char out[PASSPHRASE_ROOM], bool *given, const struct cn_args *args,
                                bool ask, struct cn_diag *diag)
{
    const char *path = cn_args_text(args, "passphrase-file");
    out[0] = '\0';
    *given = false;
    if (path)
        CN_TRY(first_line(out, path, diag));
    else if (ask && isatty(STDIN_FILENO))
        ask_terminal(out, "Passphrase of the registrar's key: ");
    *given = out[0] != '\0';
    return CN_OK;
}

/* ---- answers ---- */

int commands_json(const struct cn_args *args, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;
    json_decref(object);
    if (!text)
        return cn_args_fail(args, CN_E_NOMEM, NULL);
    fprintf(args->out, "%s\n", text);
    free(text);
    return CN_EXIT_DONE;
}

json_t *commands_hex(const uint8_t *bytes, size_t len)
{
    char text[2 * HASH_BYTES + 1];
    CN_ASSERT(len <= HASH_BYTES);
    return json_string(cn_hex_encode(text, bytes, len));
}
