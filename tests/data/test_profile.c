/* SPDX-License-Identifier: Apache-2.0 */
#include "data/profile.h"

#include "scratch.h"

TestSuite(profile, .init = scratch_make, .fini = scratch_remove);

static struct profile profile;

static enum cn_err run(const char *text, struct profile_options options, struct cn_diag *diag)
{
    options.separator = ',';
    options.folder = scratch_folder;
    return profile_run(&profile, scratch_text("t.csv", text), &options, diag);
}

Test(profile, tells_types_missing_values_and_identifiers)
{
    char text[8192] = "age,mail,sex,seen,note,void\n";

    for (int i = 0; i < 100; i++)
        sprintf(text + strlen(text), "%s,p%d@example.org,%s,2024-01-%02d,word%d x,\n",
                i % 10 ? (i % 2 ? "30" : "50") : "NA", i, i % 3 ? "f" : "m", i % 28 + 1, i);
    cr_assert_eq(run(text, (struct profile_options){0}, NULL), CN_OK);
    cr_assert(profile.rows == 100 && profile.column_count == 6 && !profile.crowd);
    cr_assert(profile.columns[0].type == PROFILE_NUMBER && profile.columns[0].missing == 10);
    cr_assert(profile.columns[0].min == 30 && profile.columns[0].max == 50);
    cr_assert_float_eq(profile.columns[0].mean, (50 * 30 + 40 * 50) / 90.0, 1e-9);
    cr_assert_float_eq(profile.columns[0].deviation, 9.938079899999065, 1e-9);
    cr_assert(profile.columns[0].distinct == 2);
    cr_assert(profile.columns[1].suspects[IDENTIFIER_MAIL] == 100);
    cr_assert(profile.columns[1].type == PROFILE_TEXT && profile.columns[1].distinct == 100);
    cr_assert(profile.columns[2].type == PROFILE_CATEGORY && profile.columns[2].distinct == 2);
    cr_assert(profile.columns[3].type == PROFILE_DATE && profile.columns[3].dates == 100);
    cr_assert(profile.columns[4].type == PROFILE_TEXT && profile.columns[5].type == PROFILE_EMPTY);
    profile_clear(&profile);
}

Test(profile, counts_crowds_and_diversity)
{
    struct profile_options options = {.quasi = "zip,age", .sensitive = "icd", .k = 3};
    struct cn_diag diag = {0};

    cr_assert_eq(run("zip,age,icd\n1,30,x\n1,30,y\n1,30,x\n2,30,z\n2,30,z\n", options, &diag),
                 CN_OK);
    cr_assert(profile.crowd && profile.classes.classes == 2 && profile.classes.smallest == 2);
    cr_assert(profile.classes.values == 1 && profile.classes.rows_dropped == 2);
    profile_clear(&profile);
    options.quasi = "zip,aeg";
    cr_assert_eq(run("zip,age,icd\n1,30,x\n", options, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.hint, "'age'"), "%s", diag.hint);
    profile_clear(&profile);
    options.quasi = NULL;
    cr_assert_eq(run("zip,age,icd\n1,30,x\n", options, NULL), CN_E_CONFIG);
    profile_clear(&profile);
}

Test(profile, stops_counting_different_values_and_tells_broken_tables)
{
    char *text = malloc(1 << 16);
    struct cn_diag diag = {0};

    strcpy(text, "id\n");
    for (int i = 0; i < 3000; i++)
        sprintf(text + strlen(text), "k%d\n", i);
    cr_assert_eq(run(text, (struct profile_options){0}, NULL), CN_OK);
    cr_assert(profile.columns[0].distinct == PROFILE_DISTINCT_MAX);
    profile_clear(&profile);
    cr_assert_eq(run("a,b\n1\n", (struct profile_options){0}, &diag), CN_E_DATA);
    cr_assert(diag.line == 2);
    profile_clear(&profile);
    free(text);
}
