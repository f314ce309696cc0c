/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/diag.h"

static char line[CN_DIAG_LINE_MAX];

Test(diag, prints_the_parts_that_are_known)
{
    struct cn_diag diag = {0};

    cr_assert_str_eq(cn_diag_line(&diag, line), "");
    cn_diag_set(&diag, "a.yaml", 3, 7, "'x' is %d", 5);
    cr_assert_str_eq(cn_diag_line(&diag, line), "a.yaml:3:7: 'x' is 5");
    cn_diag_hint(&diag, "did you mean '%s'?", "y");
    cr_assert_str_eq(cn_diag_line(&diag, line), "a.yaml:3:7: 'x' is 5 (did you mean 'y'?)");
    cn_diag_clear(&diag);
    cn_diag_set(&diag, "t.csv", 17, 0, "too short");
    cr_assert_str_eq(cn_diag_line(&diag, line), "t.csv:17: too short");
    cn_diag_clear(&diag);
    cn_diag_set(&diag, "key", 0, 0, "missing");
    cr_assert_str_eq(cn_diag_line(&diag, line), "key: missing");
    cn_diag_clear(&diag);
    cn_diag_set(&diag, NULL, 0, 0, "no place");
    cr_assert_str_eq(cn_diag_line(&diag, line), "no place");
}

Test(diag, keeps_the_first_fault)
{
    struct cn_diag diag = {0};

    cn_diag_set(&diag, "first", 1, 1, "cause");
    cn_diag_hint(&diag, "step");
    cn_diag_set(&diag, "second", 2, 2, "consequence");
    cn_diag_hint(&diag, "another");
    cr_assert_str_eq(cn_diag_line(&diag, line), "first:1:1: cause (step)");
}

Test(diag, is_optional)
{
    cn_diag_set(NULL, "x", 1, 1, "nobody listens");
    cn_diag_hint(NULL, "nobody");
    cn_diag_clear(NULL);
    cr_assert_str_eq(cn_diag_line(NULL, line), "");
}

Test(diag, cuts_what_is_too_long)
{
    struct cn_diag diag = {0};
    char text[2000];

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cn_diag_set(&diag, text, 4294967295u, 4294967295u, "%s", text);
    cn_diag_hint(&diag, "%s", text);
    cr_assert_eq(strlen(diag.place), CN_DIAG_PLACE_MAX - 1);
    cr_assert_lt(strlen(cn_diag_line(&diag, line)), sizeof line);
    cr_assert_eq(line[strlen(line) - 1], ')');
}
