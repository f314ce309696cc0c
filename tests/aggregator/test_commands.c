/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs on a folder that nobody serves: answers, JSON, exit codes, next steps. */
#include "aggregator/commands.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "aggregator/config.h"
#include "aggregator/store.h"
#include "crypto/join.h"
#include "folder.h"
#include "privacy/ledger.h"

static char out[65536], err[8192];
static char dir[CN_PATH_MAX];

/* Runs one command line of up to nine words after the program's name. */
static int run(const char *words[10])
{
    char *argv[12] = {strdup("cairn-aggregator")};
    int argc = 1, code;
    FILE *files[2] = {fmemopen(out, sizeof(out), "w"), fmemopen(err, sizeof(err), "w")};
    memset(out, 0, sizeof(out));
    memset(err, 0, sizeof(err));
    for (int i = 0; i < 10 && words[i]; i++)
        argv[argc++] = strdup(words[i]);
    code = cn_options_run(commands_program(), argc, argv, files[0], files[1]);
    fclose(files[0]);
    fclose(files[1]);
    while (argc > 0)
        free(argv[--argc]);
    return code;
}

#define RUN(...) run((const char *[10]){__VA_ARGS__})

static json_t *answer(void)
{
    json_t *object = json_loads(out, 0, NULL);
    cr_assert(json_is_object(object), "%s", out);
    return object;
}

static void setup(void)
{
    test_folder_make();
    snprintf(dir, sizeof(dir), "%s", test_path("fed"));
}

static void setup_made(void)
{
    setup();
    cr_assert_eq(RUN("init", dir, "--port", "7001"), CN_EXIT_DONE, "%s", err);
}

static const char task_text[] =
    "task: small\n"
    "model: {input: [1, 1, 4], layers: [{type: flatten}, {type: dense, units: 2}]}\n"
    "data: {classes: 2}\n"
    "training: {learning_rate: 1, steps: 2, batch: 5, sampling_rate: 0.1}\n"
    "privacy: {unit: example, clip_norm: 1, noise_multiplier: 1, delta: 1.0e-5}\n"
    "secure_aggregation: {mode: on, update_range: 1}\n"
    "rounds: {count: 3, cohort_min: 3, cohort_max: 4, train_s: 10}\n"
    "strategy: {name: fedavg, learning_rate: 1.0}\n";

/* ---- init ---- */

Test(commands, init_makes_everything_with_the_right_modes, .init = setup,
     .fini = test_folder_remove)
{
    static const char *const secrets[] = {"fed/registrar.key", "fed/aggregator.key", "fed/tls.key"};
    struct stat st;
    cr_assert_eq(RUN("init", dir, "--host", "fl.example.org"), CN_EXIT_DONE, "%s", err);
    cr_assert(strstr(out, "cairn-aggregator serve"));
    for (size_t i = 0; i < CN_COUNT(secrets); i++) {
        cr_assert_eq(stat(test_path(secrets[i]), &st), 0);
        cr_assert_eq(st.st_mode & 0777, 0600);
    }
    struct config config;
    cr_assert_eq((int)config_load(&config, dir, NULL), (int)CN_OK);
    cr_assert_str_eq(config.public_host, "fl.example.org");
    cr_assert_str_eq(config.listen_host, "0.0.0.0");
    cr_assert_eq(config.listen_port, CONFIG_PORT_DEFAULT);
    struct ledger_summary summary;
    cr_assert_eq((int)ledger_read(test_path("fed/ledger.jsonl"), NULL, NULL, &summary, NULL),
                 (int)CN_OK);
    cr_assert_str_eq(summary.role, "aggregator");
}

Test(commands, init_overwrites_nothing, .init = setup_made, .fini = test_folder_remove)
{
    struct cn_buf before, after;
    cr_assert_eq((int)cn_file_read(&before, test_path("fed/registrar.key"), 999, NULL), (int)CN_OK);
    cr_assert_eq(RUN("init", dir), CN_EXIT_FAILED);
    cr_assert(strstr(err, "lives in this folder already"), "%s", err);
    /* An init that was cut short before its last file goes on with what is there. */
    cr_assert_eq(unlink(test_path("fed/aggregator.yaml")), 0);
    cr_assert_eq(RUN("init", dir), CN_EXIT_DONE, "%s", err);
    cr_assert_eq((int)cn_file_read(&after, test_path("fed/registrar.key"), 999, NULL), (int)CN_OK);
    cr_assert_arr_eq(before.data, after.data, before.len);
    cn_buf_clear(&before);
    cn_buf_clear(&after);
}

Test(commands, init_refuses_hosts_and_names_that_can_not_be, .init = setup,
     .fini = test_folder_remove)
{
    cr_assert_eq(RUN("init", dir, "--host", "https://x"), CN_EXIT_USAGE);
    cr_assert(strstr(err, "without scheme"), "%s", err);
    cr_assert_eq(RUN("init", dir, "--name", "a b"), CN_EXIT_USAGE);
    cr_assert_eq(RUN("init", dir, "--port", "70000"), CN_EXIT_USAGE);
    cr_assert_not(cn_file_exists(dir));
}

Test(commands, a_registrar_locked_by_a_passphrase_invites_only_with_it, .init = setup,
     .fini = test_folder_remove)
{
    test_write("word", "correct horse\n");
    test_write("other", "battery staple\n");
    cr_assert_eq(RUN("init", dir, "--passphrase-file", test_path("word")), CN_EXIT_DONE, "%s", err);
    cr_assert_eq(RUN("invite", dir), CN_EXIT_USAGE);
    cr_assert(strstr(err, "passphrase"), "%s", err);
    cr_assert_eq(RUN("invite", dir, "--passphrase-file", test_path("other")), CN_EXIT_FAILED);
    cr_assert_eq(RUN("invite", dir, "--passphrase-file", test_path("word")), CN_EXIT_DONE, "%s",
                 err);
    cr_assert_eq(strncmp(out, "cairn://127.0.0.1:7443/", 23), 0);
}

Test(commands, a_registrar_can_live_elsewhere, .init = setup_made, .fini = test_folder_remove)
{
    char key[CN_PATH_MAX], second[CN_PATH_MAX];
    snprintf(key, sizeof(key), "%s", test_path("fed/registrar.key"));
    snprintf(second, sizeof(second), "%s", test_path("second"));
    cr_assert_eq(RUN("init", second, "--registrar", key), CN_EXIT_DONE, "%s", err);
    struct config one, two;
    cr_assert_eq((int)config_load(&one, dir, NULL), (int)CN_OK);
    cr_assert_eq((int)config_load(&two, second, NULL), (int)CN_OK);
    cr_assert_arr_eq(one.registrar, two.registrar, SIGN_PUBLIC_BYTES);
    cr_assert_eq(RUN("invite", second), CN_EXIT_DONE, "%s", err);
    cr_assert_eq(rename(key, test_path("stick.key")), 0);
    cr_assert_eq(RUN("invite", second), CN_EXIT_FAILED);
    cr_assert(strstr(err, "the registrar's key is not here"), "%s", err);
}

/* ---- invite ---- */

Test(commands, invite_gives_links_that_verify, .init = setup_made, .fini = test_folder_remove)
{
    struct config config;
    struct join_link link;
    cr_assert_eq(RUN("invite", dir, "--count", "3", "--uses", "5", "--json"), CN_EXIT_DONE, "%s",
                 err);
    json_t *object = answer();
    json_t *links = json_object_get(object, "links");
    cr_assert_eq(json_array_size(links), 3);
    cr_assert_eq((int)config_load(&config, dir, NULL), (int)CN_OK);
    for (size_t i = 0; i < 3; i++) {
        const char *text = json_string_value(json_array_get(links, i));
        cr_assert_eq((int)join_link_parse(&link, text, NULL), (int)CN_OK);
        cr_assert_eq(link.port, 7001);
        cr_assert_eq(link.invitation.uses, 5);
        cr_assert_arr_eq(link.invitation.registrar, config.registrar, SIGN_PUBLIC_BYTES);
    }
    json_decref(object);
    cr_assert_eq(RUN("invite", dir, "--expires", "10ms"), CN_EXIT_USAGE);
    cr_assert_eq(RUN("invite", test_folder), CN_EXIT_FAILED);
    cr_assert(strstr(err, "cairn-aggregator init"), "%s", err);
}

/* ---- tasks ---- */

Test(commands, a_task_is_submitted_shown_and_stopped, .init = setup_made,
     .fini = test_folder_remove)
{
    test_write("task.yaml", task_text);
    cr_assert_eq(RUN("task", "submit", dir, test_path("task.yaml"), "--json"), CN_EXIT_DONE, "%s",
                 err);
    json_t *object = answer();
    cr_assert_str_eq(json_string_value(json_object_get(object, "state")), "waiting");
    cr_assert_float_eq(json_real_value(json_object_get(object, "delta")), 1e-5, 1e-12);
    cr_assert(json_real_value(json_object_get(object, "epsilon_total")) > 0);
    json_decref(object);
    cr_assert_eq(RUN("task", "list", dir), CN_EXIT_DONE);
    cr_assert(strstr(out, "small") && strstr(out, "0 of 3 rounds"), "%s", out);
    cr_assert_eq(RUN("task", "show", dir, "small", "--json"), CN_EXIT_DONE);
    object = answer();
    cr_assert_eq(json_array_size(json_object_get(object, "rounds")), 0);
    json_decref(object);
    cr_assert_eq(RUN("task", "stop", dir, "small"), CN_EXIT_DONE);
    cr_assert_eq(RUN("task", "stop", dir, "small"), CN_EXIT_FAILED);
    cr_assert(strstr(err, "stopped already"), "%s", err);
    cr_assert_eq(RUN("task", "show", dir, "large"), CN_EXIT_FAILED);
    cr_assert(strstr(err, "task list"), "%s", err);
}

Test(commands, a_wrong_task_is_refused_with_its_place, .init = setup_made,
     .fini = test_folder_remove)
{
    char text[sizeof(task_text) + 64];
    snprintf(text, sizeof(text), "%smomentun: 1\n", task_text);
    test_write("task.yaml", text);
    cr_assert_eq(RUN("task", "submit", dir, test_path("task.yaml")), CN_EXIT_USAGE);
    cr_assert(strstr(err, "task.yaml:9:1"), "%s", err);
    cr_assert_eq(RUN("task", "submit", dir, test_path("none.yaml")), CN_EXIT_FAILED);
    cr_assert_eq(RUN("task", "list", dir), CN_EXIT_DONE);
    cr_assert(strstr(out, "No task yet"), "%s", out);
}

Test(commands, test_data_and_start_models_are_tried_when_submitting, .init = setup_made,
     .fini = test_folder_remove)
{
    char source[CN_PATH_MAX + 32];
    test_write("task.yaml", task_text);
    test_write("good.csv", "a,b,c,d,y\n1,2,3,4,0\n4,3,2,1,1\n");
    test_write("bad.csv", "a,b,y\n1,2,0\n4,3,1\n");
    test_write("model", "not a model at all");
    snprintf(source, sizeof(source), "csv:%s,label=y", test_path("bad.csv"));
    const char *task = test_path("task.yaml");
    cr_assert_neq(RUN("task", "submit", dir, task, "--test", source), CN_EXIT_DONE);
    cr_assert(strstr(err, "bad.csv"), "%s", err);
    cr_assert_eq(RUN("task", "submit", dir, test_path("task.yaml"), "--test", "what"),
                 CN_EXIT_USAGE);
    cr_assert_neq(
        RUN("task", "submit", dir, test_path("task.yaml"), "--start-from", test_path("model")),
        CN_EXIT_DONE);
    cr_assert(strstr(err, "model"), "%s", err);
    snprintf(source, sizeof(source), "csv:%s,label=y", test_path("good.csv"));
    cr_assert_eq(RUN("task", "submit", dir, test_path("task.yaml"), "--test", source), CN_EXIT_DONE,
                 "%s", err);
}

/* ---- status and devices ---- */

Test(commands, status_of_a_new_folder_says_what_comes_next, .init = setup_made,
     .fini = test_folder_remove)
{
    cr_assert_eq(RUN("status", dir), CN_EXIT_DONE);
    cr_assert(strstr(out, "not serving") && strstr(out, "cairn-aggregator serve"), "%s", out);
    cr_assert_eq(RUN("status", dir, "--json"), CN_EXIT_DONE);
    json_t *object = answer();
    cr_assert(json_is_false(json_object_get(object, "serving")));
    cr_assert_eq(json_array_size(json_object_get(object, "tasks")), 0);
    json_decref(object);
    cr_assert_eq(RUN("device", "list", dir), CN_EXIT_DONE);
    cr_assert(strstr(out, "cairn-aggregator invite"), "%s", out);
    cr_assert_eq(RUN("device", "revoke", dir, "nobody"), CN_EXIT_FAILED);
    cr_assert(strstr(err, "device list"), "%s", err);
}

Test(commands, status_tells_rounds_with_their_numbers_and_reasons, .init = setup_made,
     .fini = test_folder_remove)
{
    struct store *store = NULL;
    struct store_task task;
    test_write("task.yaml", task_text);
    cr_assert_eq(RUN("task", "submit", dir, test_path("task.yaml")), CN_EXIT_DONE, "%s", err);
    cr_assert_eq((int)store_open(&store, test_path("fed/store.sqlite"), NULL), (int)CN_OK);
    cr_assert_eq((int)store_task_next(store, &task), (int)CN_OK);
    struct store_round round = {.round = 1, .attempt = 1, .cohort = 4, .reason = "too few devices"};
    memcpy(round.task, task.id, sizeof(round.task));
    metrics_init(&round.metrics);
    cr_assert_eq((int)store_round_add(store, &round), (int)CN_OK);
    round.attempt = 2;
    round.published = true;
    round.reason[0] = '\0';
    round.metrics.accuracy = 0.875;
    cr_assert_eq((int)store_round_add(store, &round), (int)CN_OK);
    store_close(store);
    cr_assert_eq(RUN("status", dir), CN_EXIT_DONE);
    cr_assert(strstr(out, "abandoned: too few devices") && strstr(out, "87.5%"), "%s", out);
    cr_assert_eq(RUN("status", dir, "--json"), CN_EXIT_DONE);
    json_t *object = answer();
    json_t *first = json_array_get(json_object_get(object, "tasks"), 0);
    json_t *last = json_array_get(json_object_get(first, "rounds"), 1);
    cr_assert(json_is_true(json_object_get(last, "published")));
    json_t *metrics = json_object_get(last, "metrics");
    cr_assert_float_eq(json_real_value(json_object_get(metrics, "accuracy")), 0.875, 1e-9);
    cr_assert(json_is_null(json_object_get(metrics, "loss")));
    json_decref(object);
}

Test(commands, every_verb_explains_itself_with_an_example)
{
    const struct cn_program *program = commands_program();
    for (size_t i = 0; i < program->verb_count; i++) {
        char first[32], *second;
        snprintf(first, sizeof(first), "%s", program->verbs[i].name);
        second = strchr(first, ' ');
        if (second)
            *second++ = '\0';
        int code = second ? RUN(first, second, "--help") : RUN(first, "--help");
        cr_assert_eq(code, CN_EXIT_DONE);
        cr_assert(strstr(out, "cairn-aggregator "), "%s", program->verbs[i].name);
        cr_assert_not_null(program->verbs[i].example);
    }
}

Test(commands, serve_refuses_a_folder_that_is_none, .init = setup, .fini = test_folder_remove)
{
    cr_assert_eq(RUN("serve", dir), CN_EXIT_FAILED);
    cr_assert(strstr(err, "cairn-aggregator init"), "%s", err);
}

Test(commands, the_example_configuration_is_valid, .init = setup, .fini = test_folder_remove)
{
    struct cn_buf text;
    struct config config, fresh;
    struct cn_diag diag = {0};
    config_init(&fresh);
    cr_assert_eq((int)cn_file_read(&text, CAIRN_SOURCE_DIR "/configs/aggregator.yaml", 65536, NULL),
                 (int)CN_OK);
    test_write("aggregator.yaml", (const char *)text.data);
    cn_buf_clear(&text);
    cr_assert_eq((int)config_load(&config, test_folder, &diag), (int)CN_OK, "%s", diag.text);
    cr_assert_eq(config.connections_max, fresh.connections_max);
    cr_assert_eq(config.uploads_max, fresh.uploads_max);
    cr_assert_eq(config.grace_s, fresh.grace_s);
}
