/* SPDX-License-Identifier: Apache-2.0 */
#include "data/text.h"
#include "scratch.h"

TestSuite(text, .init = scratch_make, .fini = scratch_remove);

static enum cn_err load(struct dataset *set, const char *text, struct text_options options,
                        const struct data_form *form, struct cn_diag *diag)
{
    memset(diag, 0, sizeof *diag);
    return text_load(set, scratch_text("t.txt", text), &options, form, diag);
}

static void refuses(const char *text, struct text_options options, const struct data_form *form,
                    enum cn_err err, const char *part)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, text, options, form, &diag), err, "%s", text);
    cn_diag_line(&diag, line);
    cr_assert(strstr(line, part), "'%s' lacks '%s'", line, part);
    cr_assert(!set.x && !set.y);
}

Test(text, predicts_every_byte_but_the_first_once)
{
    static const char text[] = "one\r\ntwo and three\nfour";
    static const char stream[] = "one\ntwo and three\nfour";
    size_t tokens = sizeof stream - 1;

    for (uint32_t length = 1; length < 30; length++) {
        struct cn_diag diag;
        struct dataset set;
        size_t at = 0;

        cr_assert_eq(load(&set, text, (struct text_options){.length = length}, NULL, &diag), CN_OK);
        cr_assert(set.vocabulary == 256 && set.classes == 256 && set.targets == length);
        cr_assert(set.n == (tokens - 1 + length - 1) / length && set.width == length);
        for (size_t i = 0; i < set.n * length; i++) {
            bool there = i + 1 < tokens;

            cr_assert_eq(set.y[i], there ? (uint32_t)stream[i + 1] : DATASET_IGNORE);
            cr_assert_eq(set.x[i], there ? (float)stream[i] : 0);
            at += there;
        }
        cr_assert_eq(at, tokens - 1);
        dataset_free(&set);
    }
}

Test(text, numbers_characters_by_the_tasks_list)
{
    struct data_text how = {.unit = DATA_UNIT_CHARACTER, .characters = "a\xc3\xa4\n", .length = 3};
    struct data_form form = {.text = &how, .classes = 5};
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set,
                      "\xc3\xa4"
                      "ab\na",
                      (struct text_options){0}, &form, &diag),
                 CN_OK);
    cr_assert(set.vocabulary == 5 && set.classes == 5 && set.n == 2 && set.width == 3);
    cr_assert(set.x[0] == 3 && set.x[1] == 2 && set.x[2] == DATA_TOKEN_UNKNOWN && set.x[3] == 4);
    cr_assert(set.y[0] == 2 && set.y[1] == DATA_TOKEN_UNKNOWN && set.y[2] == 4 && set.y[3] == 2);
    cr_assert(set.y[4] == DATASET_IGNORE && set.x[4] == DATA_TOKEN_PADDING);
    dataset_free(&set);
    refuses("a\nb\xc3\xa4\xc3(", (struct text_options){0}, &form, CN_E_DATA,
            "t.txt:2:3: the bytes are not UTF-8");
    form.classes = 4;
    refuses("aa", (struct text_options){0}, &form, CN_E_SHAPE, "the text has 5 tokens");
}

Test(text, numbers_words_and_classifies_lines)
{
    char *words[] = {(char[]){"spam"}, (char[]){"ham"}, (char[]){"the"}};
    struct data_text how = {.unit = DATA_UNIT_WORD, .words = words, .word_count = 3};
    static const char *const names[] = {"no", "yes"};
    struct data_form form = {
        .text = &how, .width = 4, .classes = 2, .labels = names, .label_count = 2};
    struct text_options labelled = {.labelled = true};
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(
        load(&set, "yes\tthe  spam\tthe eggs the\n\nno\t\nno\tham\n", labelled, &form, &diag),
        CN_OK);
    cr_assert(set.n == 3 && set.classes == 2 && set.targets == 1 && set.vocabulary == 5);
    cr_assert(set.y[0] == 1 && set.y[1] == 0 && set.y[2] == 0);
    cr_assert(set.x[0] == 4 && set.x[1] == 2 && set.x[2] == 4 && set.x[3] == DATA_TOKEN_UNKNOWN);
    cr_assert(set.x[4] == 0 && set.x[8] == 3 && set.x[9] == 0);
    dataset_free(&set);
    refuses("no\tham\nmaybe\tham\n", labelled, &form, CN_E_DATA, "t.txt:2:1: label 'maybe'");
    refuses("no\tham\nyes ham\n", labelled, &form, CN_E_DATA, "t.txt:2:1: no tab in the line");
    refuses("\tham\n", labelled, &form, CN_E_DATA, "t.txt:1:1: no label");
    refuses("\n\n", labelled, &form, CN_E_DATA, "no lines in it");
}

Test(text, refuses_lengths_and_files_that_do_not_do)
{
    struct data_form form = {.width = 8};

    refuses("abc", (struct text_options){.length = 4}, &form, CN_E_CONFIG, "the task has 8");
    refuses("abc", (struct text_options){.length = TEXT_LENGTH_MAX + 1}, NULL, CN_E_TOO_LARGE,
            "at most 65536");
    refuses("a", (struct text_options){0}, &form, CN_E_DATA, "less than two tokens");
    refuses("", (struct text_options){0}, &form, CN_E_DATA, "less than two tokens");
    form.channels = 3;
    refuses("abcdef", (struct text_options){0}, &form, CN_E_SHAPE, "1 x 1 x 8");
}

static void expect_pair(const struct dataset *set, size_t row, const float *x, const uint32_t *y)
{
    for (uint32_t i = 0; i < set->width; i++)
        cr_assert_eq(set->x[row * set->width + i], x[i], "example %zu, token %u", row, i);
    for (uint32_t i = 0; i < set->targets; i++)
        cr_assert_eq(set->y[row * set->targets + i], y[i], "example %zu, target %u", row, i);
}

Test(text, makes_of_a_pair_a_source_and_a_target_moved_by_one)
{
    const uint32_t none = DATASET_IGNORE;
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, "ab\tc\n\nabcde\tvwxyz\n\t\r\nabc\txyz",
                      (struct text_options){.pairs = true, .length = 6}, NULL, &diag),
                 CN_OK);
    cr_assert(set.n == 4 && set.width == 6 && set.targets == 3 && set.classes == 256);
    expect_pair(&set, 0, (float[]){'a', 'b', 0, '\n', 'c', 0}, (uint32_t[]){'c', '\n', none});
    expect_pair(&set, 1, (float[]){'a', 'b', 'c', '\n', 'v', 'w'}, (uint32_t[]){'v', 'w', 'x'});
    expect_pair(&set, 2, (float[]){0, 0, 0, '\n', 0, 0}, (uint32_t[]){'\n', none, none});
    expect_pair(&set, 3, (float[]){'a', 'b', 'c', '\n', 'x', 'y'}, (uint32_t[]){'x', 'y', 'z'});
    dataset_free(&set);
}

Test(text, ends_the_targets_of_words_by_the_line_feed_that_the_task_lists)
{
    static char *words[] = {"\n", "one", "two", "eins", "zwei"};
    struct data_text how = {.unit = DATA_UNIT_WORD, .words = words, .word_count = 5};
    struct data_form form = {.text = &how, .classes = 7, .channels = 1, .height = 1, .width = 8};
    struct text_options pairs = {.pairs = true};
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(data_text_check(&how, &diag), CN_OK);
    cr_assert_eq(load(&set, "one three two\teins drei zwei\n", pairs, &form, &diag), CN_OK);
    expect_pair(&set, 0, (float[]){3, 1, 4, 0, 2, 5, 1, 6}, (uint32_t[]){5, 1, 6, 2});
    dataset_free(&set);
    how.words = words + 1;
    how.word_count = 4;
    form.classes = 6;
    refuses("one\teins\n", pairs, &form, CN_E_CONFIG, "does not list the line feed");
}

Test(text, names_the_place_of_what_is_no_pair)
{
    struct text_options pairs = {.pairs = true, .length = 4};

    refuses("a\tb\nabc\n", pairs, NULL, CN_E_DATA, "t.txt:2:4: no tab in the line");
    refuses("\n\n", pairs, NULL, CN_E_DATA, "no lines in it");
    refuses("a\tb\n", (struct text_options){.pairs = true, .length = 5}, NULL, CN_E_SHAPE,
            "two halves, the task's have 5 tokens");
    refuses("a\tb\n", pairs, &(struct data_form){.classes = 10}, CN_E_SHAPE,
            "256 tokens, the task's data.classes is 10");
}
