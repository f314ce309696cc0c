/* SPDX-License-Identifier: Apache-2.0 */
#include "data/form.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(form);

static char *two[] = {(char[]){"a"}, (char[]){"b"}};
static char *twice[] = {(char[]){"a"}, (char[]){"b"}, (char[]){"a"}};

static void refuses_column(struct data_column column, const char *part)
{
    struct cn_diag diag = {0};

    column.name = (char[]){"c"};
    cr_assert_eq(data_column_check(&column, &diag), CN_E_CONFIG, "%s", part);
    cr_assert(strstr(diag.text, part) && strstr(diag.text, "'c'"), "'%s' lacks '%s'", diag.text,
              part);
}

static void refuses_text(struct data_text text, const char *part)
{
    struct cn_diag diag = {0};

    cr_assert_eq(data_text_check(&text, &diag), CN_E_CONFIG, "%s", part);
    cr_assert(strstr(diag.text, part), "'%s' lacks '%s'", diag.text, part);
}

Test(form, counts_the_values_of_columns)
{
    struct data_column columns[] = {
        {.deviation = 1},
        {.deviation = 1, .missing = DATA_MISSING_MEAN, .indicator = true},
        {.kind = DATA_COLUMN_CATEGORY, .categories = two, .category_count = 2},
        {.kind = DATA_COLUMN_CATEGORY,
         .categories = two,
         .category_count = 2,
         .unknown = DATA_UNKNOWN_COLUMN,
         .missing = DATA_MISSING_ZEROS,
         .indicator = true},
    };
    struct data_form form = {.columns = columns, .column_count = 4};

    cr_assert_eq(data_form_values(&form), 1 + 2 + 2 + 4);
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(data_column_check(&columns[i], NULL), CN_OK);
    form.column_count = 0;
    cr_assert_eq(data_form_values(&form), 0);
}

Test(form, refuses_settings_of_columns_that_contradict_each_other)
{
    enum data_column_kind category = DATA_COLUMN_CATEGORY;

    refuses_column((struct data_column){.kind = category}, "needs the list");
    refuses_column(
        (struct data_column){.kind = category, .categories = two, .category_count = 2, .mean = 1},
        "are for numbers");
    refuses_column(
        (struct data_column){
            .kind = category, .categories = two, .category_count = 2, .missing = DATA_MISSING_MEAN},
        "no mean or fill");
    refuses_column((struct data_column){.kind = category, .categories = twice, .category_count = 3},
                   "category 'a' is listed twice");
    refuses_column((struct data_column){.categories = two, .category_count = 2},
                   "'categories' are for");
    refuses_column((struct data_column){.unknown = DATA_UNKNOWN_COLUMN}, "'unknown' is for");
    refuses_column((struct data_column){.missing = DATA_MISSING_ZEROS}, "'missing: zeros'");
    refuses_column((struct data_column){.fill = 3}, "'fill' is for");
    refuses_column((struct data_column){.indicator = true}, "which 'missing' refuses");
}

Test(form, counts_the_tokens_of_texts)
{
    struct data_text bytes = {0};
    struct data_text characters = {.unit = DATA_UNIT_CHARACTER, .characters = "a\xc3\xa4\n"};
    struct data_text words = {.unit = DATA_UNIT_WORD, .words = two, .word_count = 2};

    cr_assert_eq(data_text_vocabulary(NULL), 256);
    cr_assert_eq(data_text_vocabulary(&bytes), 256);
    cr_assert_eq(data_text_vocabulary(&characters), 5);
    cr_assert_eq(data_text_vocabulary(&words), 4);
    cr_assert_eq(data_text_check(&bytes, NULL), CN_OK);
    cr_assert_eq(data_text_check(&characters, NULL), CN_OK);
    cr_assert_eq(data_text_check(&words, NULL), CN_OK);
}

Test(form, refuses_settings_of_texts_that_contradict_each_other)
{
    refuses_text((struct data_text){.characters = "ab"}, "'characters' go with");
    refuses_text((struct data_text){.words = two, .word_count = 2}, "'words' with");
    refuses_text((struct data_text){.unit = DATA_UNIT_CHARACTER}, "needs 'characters'");
    refuses_text((struct data_text){.unit = DATA_UNIT_CHARACTER, .characters = "\xc3"}, "UTF-8");
    refuses_text(
        (struct data_text){.unit = DATA_UNIT_CHARACTER, .characters = "ab\xc3\xa4z\xc3\xa4"},
        "'\xc3\xa4' is listed twice");
    refuses_text((struct data_text){.unit = DATA_UNIT_WORD}, "needs the list 'words'");
    refuses_text((struct data_text){.unit = DATA_UNIT_WORD, .words = twice, .word_count = 3},
                 "'a' is listed twice");
    refuses_text((struct data_text){.unit = DATA_UNIT_WORD,
                                    .words = (char *[]){(char[]){"a b"}},
                                    .word_count = 1},
                 "has blanks");
}
