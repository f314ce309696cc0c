/* SPDX-License-Identifier: Apache-2.0 */
/* The built program, as a shell sees it: exit codes, and standard output with --json. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define OUT_MAX 65536

static char out[OUT_MAX];

/* Runs `cairn words`, keeps its standard output, gives its exit code. */
static int run(const char *words)
{
    char command[2048];
    FILE *pipe;
    size_t len;
    int status;

    snprintf(command, sizeof command, CAIRN_BIN_DIR "/cairn %s 2>/dev/null", words);
    pipe = popen(command, "r");
    cr_assert(pipe);
    len = fread(out, 1, sizeof out - 1, pipe);
    out[len] = '\0';
    status = pclose(pipe);
    cr_assert(WIFEXITED(status), "%s", words);
    return WEXITSTATUS(status);
}

#define PLAN "--sampling-rate 0.034 --steps 435 --delta 1e-5"

Test(program, keeps_the_contract_of_exit_codes)
{
    cr_assert_eq(run("privacy epsilon --noise-multiplier 0.95 " PLAN), 0);
    cr_assert_eq(run("privacy calibrate --epsilon 1e-6 --delta 1e-12 --sampling-rate 1 --steps "
                     "1000000000000"),
                 1);
    cr_assert_eq(run("privacy epsilon"), 2);
    cr_assert_eq(run("nonsense"), 2);
    cr_assert_eq(run("model show /nowhere/model.safetensors"), 3);
    cr_assert_eq(run("--help"), 0);
    cr_assert_eq(run("audit verify --help"), 0);
}

Test(program, answers_with_one_json_object_and_nothing_else)
{
    static const char *const lines[] = {
        "privacy epsilon --noise-multiplier 0.95 " PLAN " --json",
        "privacy calibrate --epsilon 6 " PLAN " --json",
        "model show /nowhere/model.safetensors --json",
        "audit verify /nowhere/ledger.jsonl --json",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        json_error_t fault;
        json_t *object;

        run(lines[i]);
        object = json_loads(out, 0, &fault); /* anything behind the object is an error */
        cr_assert(object && json_is_object(object), "%s: %s", lines[i], out);
        json_decref(object);
    }
}
