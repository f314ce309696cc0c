/* SPDX-License-Identifier: Apache-2.0 */
#include "data/source.h"

#include "data/manifest.h"
#include "data/policy.h"
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
    static const char *const texts[] = {"idx:a/images.gz,/b/labels",
                                        "csv:my data,v2.csv,label=y,z",
                                        "csv:t.csv,label=3",
                                        "tsv:t.tsv",
                                        "libsvm:a.txt",
                                        "images:scans",
                                        "text:austen.txt,length=64",
                                        "text:mails,label=1,sample=100,seed=7",
                                        "pairs:t.tsv,sample=5",
                                        "csv:a,b=3.csv,label=y,sample=9"};
    char again[DATA_SOURCE_TEXT_MAX];

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
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
    refuses("tab:t.csv", "is no data source");
    refuses("images:", "file's name is missing");
    refuses("images:a,label=1", "format images has no key label");
    refuses("libsvm:a,length=3", "format libsvm has no key length");
    refuses("text:a,label=2", "label=1");
    refuses("pairs:a,label=1", "format pairs has no key label");
    refuses("pairs:a,length=8", "format pairs has no key length");
    refuses("text:a,length=0", "whole numbers from 1");
    refuses("text:a,length=x", "whole numbers from 1");
    refuses("text:a,length=1,length=2", "whole numbers from 1");
    refuses("csv:a,label=y,label=z", "there twice");
    refuses("csv:a,label=y,seed=3", "a seed but no sample");
    refuses("csv:a,label=y,sample=9999999999", "whole numbers from 1");
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
    struct cn_diag diag = {0};
    struct dataset set;
    size_t counts[2];

    scratch_text("t.csv", "x,y\n1,0\n2,1\n3,1\n");
    cr_assert_eq(data_source_parse(&source, "csv:t.csv,label=y", NULL), CN_OK);
    cr_assert_eq(data_source_rebase(&source, scratch_folder), CN_OK);
    cr_assert_eq(data_source_load(&set, &source, NULL, NULL), CN_OK);
    dataset_counts(counts, &set);
    cr_assert(set.n == 3 && counts[0] == 1 && counts[1] == 2);
    dataset_free(&set);
    cr_assert_eq(data_source_parse(&source, "csv:t.csv", NULL), CN_OK);
    cr_assert_eq(data_source_rebase(&source, scratch_folder), CN_OK);
    cr_assert_eq(data_source_load(&set, &source, NULL, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.hint, ",label=COLUMN"));
    source.format[0] = '\0';
    cr_assert_eq(data_source_load(&set, &source, NULL, NULL), CN_E_CONFIG);
}

Test(source, loads_every_format_and_its_sample)
{
    static const char *const texts[] = {"tsv:t.tsv,label=y", "libsvm:t.svm", "text:t.txt,length=2",
                                        "text:l.txt,label=1", "csv:t.csv,label=y"};
    char text[DATA_SOURCE_TEXT_MAX];
    struct data_source source;
    struct dataset set;

    scratch_text("t.csv", "x,y\n1,0\n2,1\n3,1\n");
    scratch_text("t.tsv", "x\ty\n1\t0\n2\t1\n3\t1\n");
    scratch_text("t.svm", "0 1:1\n1 1:2\n1 1:3\n");
    scratch_text("t.txt", "abcdefg");
    scratch_text("l.txt", "0\ta\n1\tb\n1\tc\n");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t sample = 0; sample <= 2; sample += 2) {
            snprintf(text, sizeof text, sample ? "%s,sample=2" : "%s", texts[i]);
            cr_assert_eq(data_source_parse(&source, text, NULL), CN_OK);
            cr_assert_eq(data_source_rebase(&source, scratch_folder), CN_OK);
            cr_assert_eq(data_source_load(&set, &source, NULL, NULL), CN_OK, "%s", text);
            cr_assert_eq(set.n, sample ? 2 : 3, "%s", text);
            dataset_free(&set);
        }
    }
}

Test(source, refuses_sources_from_files_that_lack_or_mix_keys)
{
    struct data_source source = {.format = "idx", .images = "a"};
    struct cn_diag diag = {0};

    cr_assert_eq(data_source_check(&source, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.text, "images and labels"));
    source = (struct data_source){.format = "text", .path = "a", .images = "b"};
    cr_assert_eq(data_source_check(&source, NULL), CN_E_CONFIG);
    source = (struct data_source){.format = "idx", .path = "a", .images = "b", .labels = "c"};
    cr_assert_eq(data_source_check(&source, NULL), CN_E_CONFIG);
    source = (struct data_source){.format = "csv"};
    cr_assert_eq(data_source_check(&source, NULL), CN_E_CONFIG);
    source = (struct data_source){.format = "xml", .path = "a"};
    diag = (struct cn_diag){0};
    cr_assert_eq(data_source_check(&source, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.text, "libsvm, images, text or pairs"));
    source = (struct data_source){.format = "csv", .path = "a", .label = "y", .sample = 3};
    cr_assert_eq(data_source_check(&source, NULL), CN_OK);
}

Test(source, loads_only_what_the_demanded_policy_made)
{
    struct data_source source = {.format = "csv", .label = "y"};
    struct cn_diag diag = {0};
    struct manifest note = {.rows_in = 2, .rows_out = 2};
    struct dataset set;
    struct policy *policy;

    strcpy(source.path, scratch_text("t.csv", "x,y\n1,0\n2,1\n"));
    strcpy(source.require_policy,
           scratch_text("p.yaml", "policy: p\ncolumns:\n  - {name: x, action: keep}\n"
                                  "  - {name: y, action: keep}\n"));
    cr_assert_eq(data_source_load(&set, &source, NULL, &diag), CN_E_DENIED);
    cr_assert(!set.x && strstr(diag.hint, "cairn data deidentify"));
    cr_assert_eq(policy_load(&policy, source.require_policy, NULL), CN_OK);
    memcpy(note.policy, policy->hash, sizeof note.policy);
    policy_free(policy);
    cr_assert_eq(manifest_hash_file(note.output, source.path, NULL), CN_OK);
    cr_assert_eq(manifest_save(&note, source.path, NULL), CN_OK);
    cr_assert_eq(data_source_load(&set, &source, NULL, NULL), CN_OK);
    dataset_free(&set);
    scratch_text("t.csv", "x,y\n1,0\n3,1\n");
    cr_assert_eq(data_source_load(&set, &source, NULL, NULL), CN_E_DENIED);
}
