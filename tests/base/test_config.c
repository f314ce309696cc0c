/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include "tests/base/base_fixture.h"
#include "tests/base/config_schema.h"

static const char good[] = "# a comment\n"
                           "name: fashion\n"
                           "rounds: 15\n"
                           "seed: -9223372036854775808\n"
                           "split: dirichlet\n"
                           "training:\n"
                           "  rate: 1e-3\n"
                           "  momentum: .5\n"
                           "  shift: -128\n"
                           "  shuffle: true\n"
                           "layers:\n"
                           "  - kind: conv\n"
                           "    kernel: 5\n"
                           "  - {kind: relu}\n"
                           "shape: [1, 28, 255]\n"
                           "note: \"caf\xc3\xa9\"\n";

static enum cn_err parse(struct plan **plan, const char *text, struct cn_diag *diag)
{
    void *out = (void *)1;
    enum cn_err err = cn_config_parse(&out, text, strlen(text), "p.yaml", &plan_schema, diag);

    *plan = out;
    return err;
}

/* Expects that text is refused with exactly this line. */
static void refused(const char *text, const char *expected)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_diag diag = {0};
    struct plan *plan;

    cr_expect_eq(parse(&plan, text, &diag), CN_E_CONFIG, "%s", text);
    cr_expect_null(plan);
    cr_expect_str_eq(cn_diag_line(&diag, line), expected);
}

Test(config, loads_every_type)
{
    struct plan *plan;

    cr_assert_eq(parse(&plan, good, NULL), CN_OK);
    cr_assert_str_eq(plan->name, "fashion");
    cr_assert_eq(plan->rounds, 15);
    cr_assert_eq(plan->seed, INT64_MIN);
    cr_assert_eq(plan->split, PLAN_DIRICHLET);
    cr_assert_eq(plan->training.rate, 1e-3);
    cr_assert_eq(plan->training.momentum, 0.5f);
    cr_assert_eq(plan->training.shift, -128);
    cr_assert(plan->training.shuffle);
    cr_assert_null(plan->fine);
    cr_assert_eq(plan->layers_count, 2);
    cr_assert_str_eq(plan->layers[0].kind, "conv");
    cr_assert_eq(plan->layers[0].kernel, 5);
    cr_assert_eq(plan->layers[1].kernel, 0);
    cr_assert_eq(plan->shape[2], 255);
    cr_assert_str_eq(plan->note, "caf\xc3\xa9");
    cn_config_free(&plan_schema, plan);
    cn_config_free(&plan_schema, NULL);
}

Test(config, values_may_be_null_only_where_the_schema_says)
{
    struct plan *plan;

    cr_assert_eq(parse(&plan, "name: a\nrounds: 1\nfine:\nnote: ~\n", NULL), CN_OK);
    cr_assert_null(plan->fine);
    cr_assert_null(plan->note);
    cn_config_free(&plan_schema, plan);
    refused("name:\nrounds: 1\n", "p.yaml:1:6: 'name' has no value; expected text");
    refused("name: a\nrounds: 1\ntraining:\n",
            "p.yaml:3:10: 'training' has no value; expected a group of keys");
}

Test(config, an_unknown_key_is_told_with_what_was_meant)
{
    refused("name: a\nroudns: 1\n", "p.yaml:2:1: unknown key 'roudns' (did you mean 'rounds'?)");
    refused("name: a\nrounds: 1\ntraining:\n  rate: 1\n  momentun: 1\n",
            "p.yaml:5:3: unknown key 'momentun' in 'training' (did you mean 'momentum'?)");
    refused("name: a\nrounds: 1\nlayers: [{kind: a}, {kernal: 3}]\n",
            "p.yaml:3:22: unknown key 'kernal' in 'layers[1]' (did you mean 'kernel'?)");
    refused(
        "name: a\nrounds: 1\ntraining: {xylophone: 1}\n",
        "p.yaml:3:12: unknown key 'xylophone' in 'training' (known keys: rate, momentum, shift, "
        "shuffle)");
    refused("name: a\nrounds: 1\nNAME: b\n", "p.yaml:3:1: unknown key 'NAME' (known keys: name, "
                                             "rounds, seed, split, training, fine, layers, shape, "
                                             "note)");
}

Test(config, a_missing_key_is_told_with_its_group)
{
    refused("name: a\n", "p.yaml:1:1: the file lacks the key 'rounds'");
    refused("name: a\nrounds: 1\ntraining:\n  shuffle: true\n",
            "p.yaml:4:3: 'training' lacks the key 'rate'");
    refused("name: a\nrounds: 1\nlayers:\n  - kernel: 1\n",
            "p.yaml:4:5: 'layers[0]' lacks the key 'kind'");
}

Test(config, a_repeated_key_is_refused)
{
    refused("name: a\nrounds: 1\nname: b\n",
            "p.yaml:3:1: the key 'name' is there already, on line 1 (keep one of the two)");
}

Test(config, whole_numbers_are_strict)
{
    static const char *const wrong[] = {"ten", "1e3", "010",   "0x10",       "1.0",
                                        "-1",  "+1",  "1_000", "4294967296", "99999999999999999999",
                                        "1 2", "nan"};

    for (size_t i = 0; i < CN_COUNT(wrong); i++) {
        char text[128], expected[256];

        snprintf(text, sizeof text, "name: a\nrounds: %s\n", wrong[i]);
        snprintf(expected, sizeof expected,
                 "p.yaml:2:9: 'rounds' is '%s'; expected a whole number from 0 to 4294967295",
                 wrong[i]);
        refused(text, expected);
    }
    refused("name: a\nrounds: '1'\n", "p.yaml:2:9: 'rounds' is the text '1'; expected a whole "
                                      "number from 0 to 4294967295");
    refused("name: a\nrounds: [1]\n",
            "p.yaml:2:9: 'rounds' is a list; expected a whole number from 0 to 4294967295");
    refused(
        "name: a\nrounds: {a: 1}\n",
        "p.yaml:2:9: 'rounds' is a group of keys; expected a whole number from 0 to 4294967295");
    refused("name: a\nrounds: 1\ntraining: {rate: 1, shift: 128}\n",
            "p.yaml:3:28: 'training.shift' is '128'; expected a whole number from -128 to 127");
    refused("name: a\nrounds: 1\nseed: 9223372036854775808\n",
            "p.yaml:3:7: 'seed' is '9223372036854775808'; expected a whole number from "
            "-9223372036854775808 to 9223372036854775807");
    refused("name: a\nrounds: 1\nshape: [1, 2, 256]\n",
            "p.yaml:3:15: 'shape[2]' is '256'; expected a whole number from 0 to 255");
}

Test(config, numbers_are_finite_and_decimal)
{
    static const char *const wrong[] = {"fast",   "nan",   ".inf", "inf", "1e999",
                                        "1e-999", "0x1p3", "1,5",  "--1", "."};

    for (size_t i = 0; i < CN_COUNT(wrong); i++) {
        char text[128], expected[256];

        snprintf(text, sizeof text, "name: a\nrounds: 1\ntraining:\n  rate: %s\n", wrong[i]);
        snprintf(expected, sizeof expected,
                 "p.yaml:4:9: 'training.rate' is '%s'; expected a number", wrong[i]);
        refused(text, expected);
    }
    refused("name: a\nrounds: 1\ntraining: {rate: 1, momentum: 1e39}\n",
            "p.yaml:3:31: 'training.momentum' is '1e39'; expected a number");
}

Test(config, booleans_are_true_or_false)
{
    static const char *const wrong[] = {"off", "on", "no", "yes", "1", "True", "\"true\""};

    for (size_t i = 0; i < CN_COUNT(wrong); i++) {
        char text[128];
        struct cn_diag diag = {0};
        struct plan *plan;

        snprintf(text, sizeof text, "name: a\nrounds: 1\ntraining: {rate: 1, shuffle: %s}\n",
                 wrong[i]);
        cr_expect_eq(parse(&plan, text, &diag), CN_E_CONFIG, "%s", wrong[i]);
        cr_expect_eq(diag.column, 30);
    }
}

Test(config, words_come_from_their_list)
{
    refused("name: a\nrounds: 1\nsplit: dirichelt\n",
            "p.yaml:3:8: 'split' is 'dirichelt'; expected one of: iid, dirichlet (did you mean "
            "'dirichlet'?)");
    refused("name: a\nrounds: 1\nsplit: 2\n",
            "p.yaml:3:8: 'split' is '2'; expected one of: iid, dirichlet");
    refused("name: a\nrounds: 1\nsplit: [iid]\n",
            "p.yaml:3:8: 'split' is a list; expected one of: iid, dirichlet");
}

Test(config, texts_and_lists_have_their_sizes)
{
    refused("name: aaaaaaaaaaaaaaaaaaaaa\nrounds: 1\n",
            "p.yaml:1:7: 'name' has 21 bytes; expected 1 to 20");
    refused("name: \"\"\nrounds: 1\n", "p.yaml:1:7: 'name' has 0 bytes; expected 1 to 20");
    refused("name: a\nrounds: 1\nlayers: [{kind: 12345678}]\n",
            "p.yaml:3:17: 'layers[0].kind' has 8 bytes; expected 1 to 7");
    refused("name: a\nrounds: 1\nlayers: []\n",
            "p.yaml:3:9: 'layers' has 0 entries; expected 1 to 3");
    refused("name: a\nrounds: 1\nlayers: [{kind: a},{kind: a},{kind: a},{kind: a}]\n",
            "p.yaml:3:9: 'layers' has 4 entries; expected 1 to 3");
    refused("name: a\nrounds: 1\nshape: [1, 2]\n", "p.yaml:3:8: 'shape' has 2 entries; expected 3");
    refused("name: a\nrounds: 1\nlayers: {kind: a}\n",
            "p.yaml:3:9: 'layers' is a group of keys; expected a list");
    refused("name: [a]\nrounds: 1\n", "p.yaml:1:7: 'name' is a list; expected text");
}

Test(config, what_is_not_plain_yaml_is_refused)
{
    refused("", "p.yaml:1:1: there is nothing in it");
    refused("# only a comment\n", "p.yaml:1:1: there is nothing in it");
    refused("- a\n", "p.yaml:1:1: the file is a list; expected a group of keys");
    refused("just words\n", "p.yaml:1:1: the file is 'just words'; expected a group of keys");
    refused("name: a\n---\nname: b\n", "p.yaml:2:1: a second document (---) in one file");
    refused("name: &a b\n", "p.yaml:1:7: anchors and aliases (& and *) are not allowed here");
    refused("name: *a\n", "p.yaml:1:7: anchors and aliases (& and *) are not allowed here");
    refused("name: !!str b\n", "p.yaml:1:7: tags (!) are not allowed here");
    refused("training: !x {}\n", "p.yaml:1:11: tags (!) are not allowed here");
    refused("shape: &a []\n", "p.yaml:1:8: anchors and aliases (& and *) are not allowed here");
    refused("? [a]\n: b\n", "p.yaml:1:3: a key has to be a word");
    refused("name: \"a\\0b\"\n", "p.yaml:1:7: a zero byte in a value");
    refused("\xef\xbb\xbfname: a\n",
            "p.yaml:1:1: starts with a byte order mark (save the file as UTF-8 without BOM)");
    refused("name: a\nnote: caf\xe9\n",
            "p.yaml:2:10: the byte 0xe9 is not UTF-8 (save the file as UTF-8)");
}

Test(config, broken_yaml_is_told_with_place_and_likely_cause)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_diag diag = {0};
    struct plan *plan;

    cr_assert_eq(parse(&plan, "name: a\ntraining:\n\trate: 1\n", &diag), CN_E_CONFIG);
    cr_assert_eq(diag.line, 3);
    cr_assert_str_eq(diag.hint, "indent with spaces, not with tabs");
    cn_diag_clear(&diag);
    cr_assert_eq(parse(&plan, "name: [a\nrounds: 1\n", &diag), CN_E_CONFIG);
    cr_assert_eq(strncmp(cn_diag_line(&diag, line), "p.yaml:2:", 9), 0, "%s", line);
    cr_assert_not_null(strstr(line, "this is not YAML: "));
    cn_diag_clear(&diag);
    cr_assert_eq(parse(&plan, "name: a\nnote: \x01\n", &diag), CN_E_CONFIG);
    cr_assert_eq(diag.line, 2);
    cr_assert_eq(diag.column, 7);
}

Test(config, hostile_sizes_are_refused)
{
    char *text = malloc(CN_CONFIG_BYTES_MAX + 2);
    struct cn_diag diag = {0};
    struct plan *plan;

    memset(text, '[', 1000);
    text[1000] = '\0';
    cr_assert_eq(parse(&plan, text, &diag), CN_E_CONFIG);
    cr_assert_str_eq(diag.text, "nested too deep");
    cn_diag_clear(&diag);
    memcpy(text, "shape: [", 8);
    for (size_t i = 8; i < 30000; i += 2)
        memcpy(text + i, "1,", 2);
    memcpy(text + 30000, "1]", 3);
    cr_assert_eq(parse(&plan, text, &diag), CN_E_CONFIG);
    cr_assert_str_eq(diag.text, "too many values in one file");
    cn_diag_clear(&diag);
    memset(text, '#', CN_CONFIG_BYTES_MAX + 1);
    text[CN_CONFIG_BYTES_MAX + 1] = '\0';
    cr_assert_eq(parse(&plan, text, &diag), CN_E_TOO_LARGE);
    free(text);
}

Test(config, messages_show_hostile_keys_and_values_safely)
{
    refused("\"a\\e[2J\": 1\n", "p.yaml:1:1: unknown key 'a\\x1b[2J' (known keys: name, rounds, "
                                "seed, split, training, fine, layers, shape, note)");
    refused("name: a\nrounds: \"\\e[31m\"\n",
            "p.yaml:2:9: 'rounds' is the text '\\x1b[31m'; expected a whole number from 0 to "
            "4294967295");
    refused("name: a\nrounds: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
            "p.yaml:2:9: 'rounds' is 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'; expected a "
            "whole number from 0 to 4294967295");
}

Test(config, every_truncation_is_refused_or_loads)
{
    for (size_t len = 0; len < sizeof good; len++) {
        struct cn_diag diag = {0};
        void *out;
        enum cn_err err = cn_config_parse(&out, good, len, "t", &plan_schema, &diag);

        cr_assert(err == CN_OK ? out != NULL : out == NULL && diag.text[0] && diag.line);
        cn_config_free(&plan_schema, out);
    }
}

Test(config, loads_files_and_names_them)
{
    struct fixture fixture = fixture_new("task.yaml");
    struct cn_diag diag = {0};
    void *out;

    cr_assert_eq(cn_config_load(&out, fixture.path, &plan_schema, &diag), CN_E_NOT_FOUND);
    cr_assert_null(out);
    cn_diag_clear(&diag);
    cr_assert_eq(cn_file_write(fixture.path, good, strlen(good), 0644, NULL), CN_OK);
    cr_assert_eq(cn_config_load(&out, fixture.path, &plan_schema, &diag), CN_OK);
    cn_config_free(&plan_schema, out);
    cr_assert_eq(cn_file_write(fixture.path, "name: 1\n", 8, 0644, NULL), CN_OK);
    cr_assert_eq(cn_config_load(&out, fixture.path, &plan_schema, &diag), CN_E_CONFIG);
    cr_assert_str_eq(diag.place, fixture.path);
    fixture_free(&fixture);
}

Test(config, finds_the_place_of_a_path)
{
    unsigned line, column;
    size_t len = strlen(good);

    cr_assert(cn_config_where(good, len, "training.rate", &line, &column));
    cr_assert(line == 7 && column == 9);
    cr_assert(cn_config_where(good, len, "layers[0].kernel", &line, &column));
    cr_assert(line == 13 && column == 13);
    cr_assert(cn_config_where(good, len, "layers[1]", &line, &column));
    cr_assert(line == 14 && column == 5);
    cr_assert(cn_config_where(good, len, "shape[1]", &line, &column));
    cr_assert(line == 15 && column == 12);
    cr_assert_not(cn_config_where(good, len, "fine", &line, &column));
    cr_assert(line == 0 && column == 0);
    cr_assert_not(cn_config_where(good, len, "layers[2]", &line, &column));
    cr_assert_not(cn_config_where("a: [", 4, "a", &line, &column), "not YAML");
}

Test(config, checks_ranges_at_their_place)
{
    static const struct cn_config_range rate = {"training.rate", 0, 1, .open_min = true};
    static const struct cn_config_range kernel = {.path = "layers[].kernel", .min = 1, .max = 4};
    static const struct cn_config_range absent = {.path = "fine.rate", .min = 5, .max = 6};
    struct cn_diag diag = {0};
    char line[CN_DIAG_LINE_MAX];
    const char *zero = "name: a\nrounds: 1\ntraining: {rate: 0}\n";

    cr_assert_eq(cn_config_check(good, strlen(good), "p", &rate, 1, &diag), CN_OK);
    cr_assert_eq(cn_config_check(good, strlen(good), "p", &absent, 1, &diag), CN_OK);
    cr_assert_eq(cn_config_check(good, strlen(good), "p", &kernel, 1, &diag), CN_E_CONFIG);
    cr_assert_str_eq(cn_diag_line(&diag, line),
                     "p:13:13: 'layers[0].kernel' is '5'; expected a number from 1 to 4");
    cn_diag_clear(&diag);
    cr_assert_eq(cn_config_check(zero, strlen(zero), "p", &rate, 1, &diag), CN_E_CONFIG);
    cr_assert_str_eq(cn_diag_line(&diag, line), "p:3:18: 'training.rate' is '0'; expected a number "
                                                "greater than 0 and at most 1");
}

Test(config, refuses_for_reasons_across_keys_at_the_nearest_place)
{
    struct cn_diag diag = {0};
    char line[CN_DIAG_LINE_MAX];
    size_t len = strlen(good);

    cr_assert_eq(cn_config_refuse(&diag, good, len, "p", "training.shift", "too far by %d", 3),
                 CN_E_CONFIG);
    cr_assert_str_eq(cn_diag_line(&diag, line), "p:9:10: too far by 3");
    cn_diag_clear(&diag);
    CN_IGNORE(cn_config_refuse(&diag, good, len, "p", "training.absent.deeper", "lacks it"));
    cr_assert_str_eq(cn_diag_line(&diag, line), "p:7:3: lacks it");
    cn_diag_clear(&diag);
    CN_IGNORE(cn_config_refuse(&diag, good, len, "p", "layers[9].kind", "too few"));
    cr_assert_str_eq(cn_diag_line(&diag, line), "p:12:3: too few");
    cn_diag_clear(&diag);
    CN_IGNORE(cn_config_refuse(&diag, good, len, "p", "fine", "is needed"));
    cr_assert_str_eq(cn_diag_line(&diag, line), "p:2:1: is needed");
}
