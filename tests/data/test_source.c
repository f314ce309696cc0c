/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source.h"
#include "scratch.h"

TestSuite(source, .init = scratch_make, .fini = scratch_remove);

static void refuses(const char *text, const char *part)
{
    struct data_source source;
    struct cn_diag diag = {0};

    cr_assert_eq(data_source_parse(&source, text, &diag), CN_E_CONFIG, "%s", text);
    cr_assert(strstr(diag.text, part), "'%s' lacks '%s'", diag.text, part);
    cr_assert(strstr(diag.hint, "idx:IMAGES,LABELS") && source.format[0] == '\0');
}

Test(source, reads_what_it_writes)
{
    static const char *const texts[] = {"idx:a/images.gz,/b/labels", "csv:my data,v2.csv,label=y,z",
                                        "csv:t.csv,label=3"};
    char again[DATA_SOURCE_TEXT_MAX];

    for (size_t i = 0; i < 3; i++) {
        struct data_source source;

        cr_assert_eq(data_source_parse(&source, texts[i], NULL), CN_OK);
        cr_assert_str_eq(data_source_text(&source, again), texts[i]);
    }
}

Test(source, refuses_other_texts_with_the_form_that_is_meant)
{
    char text[CN_PATH_MAX + 32];

    refuses("", "is no data source");
    refuses("mnist", "is no data source");
    refuses("idx:images", "two files with one comma");
    refuses("idx:a,b,c", "two files with one comma");
    refuses("idx:,b", "missing or too long");
    refuses("idx:a,", "missing or too long");
    refuses("csv:t.csv", "',label='");
    refuses("csv:,label=y", "file's name is missing");
    refuses("csv:t.csv,label=", "column's name is missing");
    memset(text, 'x', sizeof text);
    memcpy(text, "idx:", 4);
    strcpy(text + sizeof text - 4, ",b");
    refuses(text, "missing or too long");
}

Test(source, counts_relative_paths_from_a_folder)
{
    struct data_source source;
    char text[DATA_SOURCE_TEXT_MAX], deep[CN_PATH_MAX];

    cr_assert_eq(data_source_parse(&source, "idx:a,/b", NULL), CN_OK);
    cr_assert_eq(data_source_rebase(&source, "/silo"), CN_OK);
    cr_assert_str_eq(data_source_text(&source, text), "idx:/silo/a,/b");
    cr_assert_eq(data_source_parse(&source, "csv:t.csv,label=y", NULL), CN_OK);
    memset(deep, 'd', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    cr_assert_eq(data_source_rebase(&source, deep), CN_E_TOO_LARGE);
    cr_assert_str_eq(data_source_text(&source, text), "csv:t.csv,label=y");
}

Test(source, loads_by_format)
{
    struct data_source source;
    struct dataset set;
    size_t counts[2];

    scratch_text("t.csv", "x,y\n1,0\n2,1\n3,1\n");
    cr_assert_eq(data_source_parse(&source, "csv:t.csv,label=y", NULL), CN_OK);
    cr_assert_eq(data_source_rebase(&source, scratch_folder), CN_OK);
    cr_assert_eq(data_source_load(&set, &source, NULL, NULL), CN_OK);
    dataset_counts(counts, &set);
    cr_assert(set.n == 3 && counts[0] == 1 && counts[1] == 2);
    dataset_free(&set);
    source.format[0] = '\0';
    cr_assert_eq(data_source_load(&set, &source, NULL, NULL), CN_E_CONFIG);
}
