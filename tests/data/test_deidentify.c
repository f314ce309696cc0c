/* SPDX-License-Identifier: Apache-2.0 */
#include "data/deidentify.h"

#include <sys/stat.h>

#include "data/csv_write.h"
#include "data/date.h"
#include "data/manifest.h"
#include "scratch.h"

TestSuite(deidentify, .init = scratch_make, .fini = scratch_remove);

static struct pseudonym_key key = {{1, 2, 3}};
static struct deidentify_report report;
static char *output;

static enum cn_err run(const char *policy_text, const char *table, struct cn_diag *diag)
{
    struct policy *policy;
    struct deidentify_options options = {.in = scratch_text("in.csv", table),
                                         .out = scratch_path("out.csv"),
                                         .separator = ',',
                                         .folder = scratch_folder,
                                         .key = &key};
    enum cn_err err;
    size_t len;

    memset(diag, 0, sizeof *diag);
    remove(options.out);
    cr_assert_eq(policy_load(&policy, scratch_text("p.yaml", policy_text), diag), CN_OK, "%s",
                 diag->text);
    options.policy = policy;
    err = deidentify_run(&report, &options, diag);
    policy_free(policy);
    if (err == CN_OK) {
        output = (char *)scratch_read(options.out, &len);
        output[len] = '\0';
    } else {
        cr_assert_eq(access(options.out, F_OK), -1, "a file was left");
    }
    return err;
}

static void gives(const char *policy, const char *table, const char *expected)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_diag diag;

    cr_assert_eq(run(policy, table, &diag), CN_OK, "%s", cn_diag_line(&diag, line));
    cr_assert_str_eq(output, expected);
    deidentify_report_clear(&report);
}

static void refuses(const char *policy, const char *table, enum cn_err err, const char *part)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_diag diag;
    enum cn_err got = run(policy, table, &diag);

    cn_diag_line(&diag, line);
    cr_assert_eq(got, err, "%s", line);
    cr_assert(strstr(line, part), "'%s' lacks '%s'", line, part);
    deidentify_report_clear(&report);
}

#define TWO "policy: p\ncolumns: [{name: a, action: keep}, {name: b, action: drop}]\n"

Test(deidentify, keeps_and_drops_and_quotes_what_needs_it)
{
    gives(TWO, "b,a\nsecret,1\nsecret,\"x, \"\"y\"\"\n2\"\nsecret,NA\n",
          "a\n1\n\"x, \"\"y\"\"\n2\"\nNA\n");
}

Test(deidentify, hashes_the_same_value_alike_and_hides_it)
{
    static const char policy[] = "policy: p\ncolumns: [{name: a, action: hash}]\n";
    struct cn_diag diag;
    uint8_t digest[PSEUDONYM_BYTES];
    char expected[256], hex[2 * PSEUDONYM_BYTES + 1];

    pseudonym_of(digest, &key, "a", "zoe", 3);
    for (int i = 0; i < PSEUDONYM_BYTES; i++)
        sprintf(hex + 2 * i, "%02x", digest[i]);
    cr_assert_eq(run(policy, "a\nzoe\nbob\n zoe \n", &diag), CN_OK);
    snprintf(expected, sizeof expected, "a\n%s\n", hex);
    cr_assert(strncmp(output, expected, strlen(expected)) == 0 && strlen(output) == 2 + 3 * 33);
    cr_assert(strncmp(output + 2, output + 2 + 66, 33) == 0 && !strstr(output, "zoe"));
    cr_assert(report.columns[0].changed == 3 && report.rows_out == 3);
    deidentify_report_clear(&report);
}

/* The day that stands in line `row` (from 1), in the last column. */
static int64_t day_in(int row)
{
    const char *at = output;
    struct date date;

    for (; row > 0; row--)
        at = strchr(at, '\n') + 1;
    at = strchr(at, ',') + 1;
    cr_assert(date_parse(&date, at, 10), "%.20s", at);
    return date_to_days(date);
}

Test(deidentify, shifts_all_dates_of_a_person_alike)
{
    static const char policy[] = "policy: p\nperson: who\ncolumns: [{name: who, action: hash}, "
                                 "{name: seen, action: shift_date, days: 100}]\n";
    int64_t day = date_to_days((struct date){2024, 3, 1});
    struct cn_diag diag;
    char table[8192] = "who,seen\n";
    int moved = 0;

    for (int i = 0; i < 100; i++)
        sprintf(table + strlen(table), "p%d,2024-03-01\np%d,11.03.2024\n", i, i);
    cr_assert_eq(run(policy, table, &diag), CN_OK);
    for (int i = 0; i < 100; i++) {
        int64_t one = day_in(2 * i + 1), two = day_in(2 * i + 2);

        cr_assert(two - one == 10 && one >= day - 100 && one <= day + 100);
        moved += one != day;
    }
    cr_assert(moved > 90);
    deidentify_report_clear(&report);
    refuses(policy, "who,seen\na,2024-02-30\n", CN_E_DATA,
            "in.csv:2:3: column 'seen': '2024-02-30' is no date");
    refuses(policy, "who,seen\n,2024-02-03\n", CN_E_DATA, "in.csv:2:1: column 'who': '' names no");
}

#define CROWD                                                                                      \
    "policy: p\nquasi: [zip, age]\nk: 2\ncolumns:\n"                                               \
    "  - {name: zip, action: prefix, keep: 2}\n  - {name: age, action: bucket, width: 10}\n"       \
    "  - {name: icd, action: keep}\n"

Test(deidentify, leaves_out_rows_until_k_people_share_a_class)
{
    struct cn_diag diag;

    cr_assert_eq(run(CROWD, "zip,age,icd\n101,31,x\n102,39,y\n101,41,x\n201,31,z\n", &diag), CN_OK);
    cr_assert_str_eq(output, "zip,age,icd\n10*,30 to 40,x\n10*,30 to 40,y\n");
    cr_assert(report.rows_in == 4 && report.rows_out == 2 && report.classes.classes == 3);
    cr_assert(report.classes.classes_dropped == 2 && report.classes.rows_dropped == 2);
    deidentify_report_clear(&report);
    refuses(CROWD, "zip,age,icd\n101,31,x\n201,31,z\n", CN_E_DATA, "no row is left");
}

Test(deidentify, counts_people_and_different_values)
{
    static const char table[] = "zip,age,icd,who\n101,31,x,1\n101,31,y,1\n"
                                "201,31,x,1\n201,31,x,2\n301,31,x,1\n301,31,y,2\n";

    gives(CROWD "  - {name: who, action: drop}\nperson: who\n", table,
          "zip,age,icd\n20*,30 to 40,x\n20*,30 to 40,x\n30*,30 to 40,x\n30*,30 to 40,y\n");
    gives(CROWD "  - {name: who, action: drop}\nperson: who\nsensitive: icd\nl: 2\n", table,
          "zip,age,icd\n30*,30 to 40,x\n30*,30 to 40,y\n");
    gives(CROWD "  - {name: who, action: drop}\nsensitive: icd\nl: 2\n", table,
          "zip,age,icd\n10*,30 to 40,x\n10*,30 to 40,y\n30*,30 to 40,x\n30*,30 to 40,y\n");
}

Test(deidentify, refuses_columns_and_values_that_the_policy_does_not_foresee)
{
    struct deidentify_options options = {.in = "x", .separator = ',', .folder = scratch_folder};
    struct cn_diag diag = {0};

    refuses(TWO, "a,b,mail\n1,2,3\n", CN_E_CONFIG,
            "in.csv:1:5: column 'mail' is none of the policy's: it would pass as it is");
    refuses(TWO, "a\n1\n", CN_E_CONFIG, "no column 'b' in the header, which the policy names");
    refuses(TWO, "a,b\n1\n", CN_E_DATA, "in.csv:2:1: 1 fields, the header has 2");
    refuses(CROWD, "zip,age,icd\n1,old,x\n", CN_E_DATA,
            "in.csv:2:3: column 'age': 'old' is not a number");
    refuses(TWO, "a,b\n", CN_E_DATA, "no row is left");
    refuses(TWO, "", CN_E_DATA, "the file is empty");
    options.out = scratch_path("out2.csv");
    cr_assert_eq(
        policy_load((struct policy **)&options.policy,
                    scratch_text("k.yaml", "policy: p\ncolumns: [{name: a, action: hash}]\n"),
                    NULL),
        CN_OK);
    cr_assert_eq(deidentify_run(&report, &options, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.hint, "--key FILE"));
    options.key = &key;
    scratch_text("out2.csv", "mine");
    diag = (struct cn_diag){0};
    cr_assert_eq(deidentify_run(&report, &options, &diag), CN_E_EXISTS);
    policy_free((struct policy *)(uintptr_t)options.policy);
}

Test(deidentify, tells_identifiers_that_were_kept)
{
    struct cn_diag diag;

    cr_assert_eq(run(TWO, "a,b\nada@example.org,1\n5,1\n", &diag), CN_OK);
    cr_assert_eq(report.columns[0].suspects[IDENTIFIER_MAIL], 1);
    deidentify_report_clear(&report);
}

static void denied(const char *table, const char *policy, const char *part)
{
    struct cn_diag diag = {0};

    cr_assert_eq(manifest_check(table, policy, &diag), CN_E_DENIED);
    cr_assert(strstr(diag.text, part), "'%s' lacks '%s'", diag.text, part);
    cr_assert(strstr(diag.hint, "cairn data deidentify"));
}

Test(deidentify, leaves_a_manifest_that_every_change_breaks)
{
    const char *policy = scratch_path("p.yaml"), *out = scratch_path("out.csv");
    struct manifest manifest;
    struct cn_diag diag;
    unsigned char *note;
    size_t len;

    gives(TWO, "b,a\ns,1\n", "a\n1\n");
    policy = strdup(policy), out = strdup(out);
    cr_assert_eq(manifest_check(out, policy, NULL), CN_OK);
    cr_assert_eq(manifest_load(&manifest, out, NULL), CN_OK);
    cr_assert(manifest.rows_in == 1 && manifest.rows_out == 1);
    scratch_text("other.yaml", TWO "# changed\n");
    denied(out, scratch_path("other.yaml"), "another policy");
    denied(out, scratch_path("none.yaml"), "can not be read");
    denied(scratch_path("in.csv"), policy, "no sound manifest");
    scratch_text("out.csv", "a\n2\n");
    denied(out, policy, "was changed after");
    gives(TWO, "b,a\ns,1\n", "a\n1\n");
    note = scratch_read(scratch_path("out.csv.manifest"), &len);
    for (size_t i = 0; i < len; i++) {
        note[i] ^= 1;
        scratch_file("out.csv.manifest", note, len);
        denied(out, policy, "");
        note[i] ^= 1;
        scratch_file("out.csv.manifest", note, i);
        denied(out, policy, "no sound manifest");
    }
    cr_assert_eq(run(TWO, "b,a\ns,1\n", &diag), CN_OK);
    deidentify_report_clear(&report);
    free((void *)(uintptr_t)policy);
    free((void *)(uintptr_t)out);
}

Test(deidentify, writes_gzip_and_private_files)
{
    struct csv_writer writer;
    unsigned char *bytes;
    struct stat info;
    size_t len;

    cr_assert_eq(csv_writer_open(&writer, scratch_path("x.csv.gz"), ',', NULL), CN_OK);
    csv_writer_field(&writer, "a", 1);
    csv_writer_field(&writer, " b", 2);
    csv_writer_end_record(&writer);
    cr_assert_eq(csv_writer_close(&writer, NULL), CN_OK);
    bytes = scratch_read(scratch_path("x.csv.gz"), &len);
    cr_assert(len > 10 && bytes[0] == 0x1f && bytes[1] == 0x8b);
    cr_assert(stat(scratch_path("x.csv.gz"), &info) == 0 && (info.st_mode & 0777) == 0600);
    cr_assert_eq(csv_writer_open(&writer, scratch_path("x.csv.gz"), ',', NULL), CN_E_EXISTS);
    csv_writer_drop(&writer);
    cr_assert_eq(csv_writer_open(&writer, scratch_path("no/x.csv"), ',', NULL), CN_E_NOT_FOUND);
    csv_writer_drop(&writer);
}
