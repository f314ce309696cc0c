/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/err.h"

Test(err, names_words_and_classes_exist_for_every_error)
{
    for (int i = 1; i < CN_ERR_COUNT; i++) {
        enum cn_err err = (enum cn_err)i;

        cr_assert(strlen(cn_err_name(err)) > 0);
        cr_assert(strlen(cn_err_text(err)) > 0);
        cr_assert_neq(cn_err_class(err), CN_CLASS_NONE, "%s", cn_err_name(err));
        cr_assert_neq(cn_err_text(err)[strlen(cn_err_text(err)) - 1], '.');
    }
    cr_assert_eq(cn_err_class(CN_OK), CN_CLASS_NONE);
    cr_assert_str_eq(cn_err_name(CN_OK), "OK");
}

Test(err, rows_stand_where_the_enum_says)
{
    cr_assert_str_eq(cn_err_name(CN_E_COHORT), "COHORT");
    cr_assert_eq(cn_err_class(CN_E_COHORT), CN_CLASS_ROUND);
    cr_assert_str_eq(cn_err_name(CN_E_TLS), "TLS");
    cr_assert_eq(cn_err_class(CN_E_TLS), CN_CLASS_PEER);
    cr_assert_eq(cn_err_class(CN_E_NOMEM), CN_CLASS_LOCAL);
}

Test(err, a_foreign_number_has_words_too)
{
    cr_assert_str_eq(cn_err_name((enum cn_err)CN_ERR_COUNT), "UNKNOWN");
    cr_assert_str_eq(cn_err_text((enum cn_err)CN_ERR_COUNT), "unknown error");
}

Test(err, translates_errno)
{
    cr_assert_eq(cn_err_from_errno(ENOSPC), CN_E_NOSPACE);
    cr_assert_eq(cn_err_from_errno(EDQUOT), CN_E_NOSPACE);
    cr_assert_eq(cn_err_from_errno(ENOENT), CN_E_NOT_FOUND);
    cr_assert_eq(cn_err_from_errno(EEXIST), CN_E_EXISTS);
    cr_assert_eq(cn_err_from_errno(ENOMEM), CN_E_NOMEM);
    cr_assert_eq(cn_err_from_errno(EMFILE), CN_E_IO);
    cr_assert_eq(cn_err_from_errno(EIO), CN_E_IO);
}

static enum cn_err give(enum cn_err err)
{
    return err;
}

static enum cn_err try_both(enum cn_err first, enum cn_err second, int *reached)
{
    enum cn_err err;

    CN_TRY(give(first));
    *reached = 1;
    CN_TRY_OUT(err, give(second));
    *reached = 2;
out:
    return err;
}

Test(err, try_stops_at_the_first_failure)
{
    int reached = 0;

    cr_assert_eq(try_both(CN_E_IO, CN_OK, &reached), CN_E_IO);
    cr_assert_eq(reached, 0);
    cr_assert_eq(try_both(CN_OK, CN_E_AUTH, &reached), CN_E_AUTH);
    cr_assert_eq(reached, 1);
    cr_assert_eq(try_both(CN_OK, CN_OK, &reached), CN_OK);
    cr_assert_eq(reached, 2);
}

Test(err, a_broken_assumption_aborts, .signal = SIGABRT)
{
    CN_ASSERT(1 + 1 == 3);
}
