/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_world.h"

#include "data/manifest.h"

TestSuite(data_table, .init = scratch_make, .fini = world_clear);

static const char *const people = "id,name,mail,zip,age,icd\n"
                                  "1,Maria Keller,maria@example.org,10115,34,C34\n"
                                  "2,John Doe,john@example.org,10117,36,J45\n"
                                  "3,Ana Ruiz,ana@example.org,10119,38,C34\n"
                                  "4,Paul Roy,paul@example.org,80331,71,I10\n";
static const char *const policy = "policy: clinic\nperson: id\nquasi: [zip, age]\nk: 3\n"
                                  "columns:\n"
                                  "  - {name: id, action: hash}\n"
                                  "  - {name: name, action: drop}\n"
                                  "  - {name: mail, action: drop}\n"
                                  "  - {name: zip, action: prefix, keep: 3}\n"
                                  "  - {name: age, action: bucket, width: 10}\n"
                                  "  - {name: icd, action: keep}\n";

Test(data_table, inspects_columns_identifiers_and_crowds)
{
    json_t *answer, *columns, *crowd;

    scratch_text("p.csv", people);
    cr_assert_eq(
        world_runf("data inspect %s/p.csv --quasi zip,age --sensitive icd --json", scratch_folder),
        0, "%s", world_err);
    answer = world_json();
    columns = json_object_get(answer, "columns");
    crowd = json_object_get(answer, "crowd");
    cr_assert_eq(json_integer_value(json_object_get(answer, "rows")), 4);
    cr_assert_str_eq(
        json_string_value(json_object_get(
            json_array_get(json_object_get(json_array_get(columns, 2), "identifiers"), 0), "kind")),
        "mail address");
    cr_assert_eq(json_integer_value(json_object_get(crowd, "k_anonymity")), 1);
    cr_assert_eq(json_integer_value(json_object_get(crowd, "l_diversity")), 1);
    json_decref(answer);
    cr_assert_eq(world_runf("data inspect %s/p.csv --quasi zip", scratch_folder), 0);
    SAYS(world_out, "4 rows, 6 columns");
    SAYS(world_out, "! name of a person 100 %");
    SAYS(world_out, "! postcode 100 %");
    SAYS(world_out, "the smallest has 1 row (k = 1)");
    cr_assert_eq(world_run("data inspect"), 2);
    SAYS(world_err, "either a table's FILE or --data SOURCE");
    cr_assert_eq(world_runf("data inspect %s/p.csv --quasi zpi", scratch_folder), 2);
    SAYS(world_err, "did you mean 'zip'?");
}

Test(data_table, deidentifies_and_leaves_a_note)
{
    char out[256];
    json_t *answer;
    size_t len;
    const char *text;

    scratch_text("p.csv", people);
    scratch_text("p.yaml", policy);
    cr_assert_eq(world_runf("data deidentify --policy %s/p.yaml %s/p.csv %s/o.csv", scratch_folder,
                            scratch_folder, scratch_folder),
                 2);
    SAYS(world_err, "needs a key");
    cr_assert_eq(world_runf("data key %s/k", scratch_folder), 0);
    cr_assert_eq(world_runf("data key %s/k", scratch_folder), 3);
    cr_assert_eq(world_runf("data deidentify --policy %s/p.yaml --key %s/k %s/p.csv %s/o.csv "
                            "--json",
                            scratch_folder, scratch_folder, scratch_folder, scratch_folder),
                 0, "%s", world_err);
    answer = world_json();
    cr_assert_eq(json_integer_value(json_object_get(answer, "rows_written")), 3);
    cr_assert_eq(json_integer_value(json_object_get(answer, "rows_suppressed")), 1);
    json_decref(answer);
    text = (const char *)scratch_read(scratch_path("o.csv"), &len);
    cr_assert(strncmp(text, "id,zip,age,icd\n", 15) == 0);
    cr_assert(memmem(text, len, ",101*,30 to 40,C34\n", 19) && !memmem(text, len, "Maria", 5));
    snprintf(out, sizeof out, "%s", scratch_path("o.csv"));
    cr_assert_eq(manifest_check(out, scratch_path("p.yaml"), NULL), CN_OK);
    cr_assert_eq(world_runf("data deidentify --policy %s/p.yaml --key %s/k %s/p.csv %s/o.csv",
                            scratch_folder, scratch_folder, scratch_folder, scratch_folder),
                 3);
    SAYS(world_err, "is there already");
    cr_assert_eq(world_runf("data deidentify --policy %s/p.yaml --key %s/k %s/p.csv %s/o2.csv",
                            scratch_folder, scratch_folder, scratch_folder, scratch_folder),
                 0);
    SAYS(world_out, "3 of 4 rows written");
    SAYS(world_out, "1 of 2 classes were smaller than 3 people");
}

Test(data_table, tells_faults_with_their_place)
{
    scratch_text("p.csv", "id,age\n1,x\n");
    scratch_text("p.yaml", "policy: p\ncolumns:\n  - {name: id, action: keep}\n"
                           "  - {name: age, action: bucket, width: 10}\n");
    cr_assert_eq(world_runf("data deidentify --policy %s/p.yaml %s/p.csv %s/o.csv", scratch_folder,
                            scratch_folder, scratch_folder),
                 3);
    SAYS(world_err, "p.csv:2:3: column 'age': 'x' is not a number");
    scratch_text("p.yaml", "policy: p\ncolumns:\n  - {name: id, action: kep}\n");
    cr_assert_eq(world_runf("data deidentify --policy %s/p.yaml %s/p.csv %s/o.csv", scratch_folder,
                            scratch_folder, scratch_folder),
                 2);
    SAYS(world_err, "p.yaml:3:24");
}
