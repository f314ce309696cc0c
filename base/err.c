/* SPDX-License-Identifier: Apache-2.0 */
/* Tables behind the error names. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct row {
    const char *name;
    const char *text;
    enum cn_err_class class;
};

/* clang-format off */
static const struct row rows[] = {
    [CN_OK] = {"OK", "done", CN_CLASS_NONE},
#define X(name, class, text) [CN_E_##name] = {#name, text, CN_CLASS_##class},
    CN_ERRORS(X)
#undef X
};
/* clang-format on */
_Static_assert(CN_COUNT(rows) == CN_ERR_COUNT, "one row per error");

static const struct row *row_of(enum cn_err err)
{
    static const struct row unknown = {"UNKNOWN", "unknown error", CN_CLASS_LOCAL};
    return (unsigned)err < CN_ERR_COUNT ? &rows[err] : &unknown;
}

const char *cn_err_name(enum cn_err err)
{
    return row_of(err)->name;
}

const char *cn_err_text(enum cn_err err)
{
    return row_of(err)->text;
}

enum cn_err_class cn_err_class(enum cn_err err)
{
    return row_of(err)->class;
}

enum cn_err cn_err_from_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return CN_E_NOSPACE;
    case ENOENT:
        return CN_E_NOT_FOUND;
    case EEXIST:
        return CN_E_EXISTS;
    case ENOMEM:
        return CN_E_NOMEM;
    default:
        return CN_E_IO;
    }
}

void cn_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "cairn: internal error at %s:%d: %s does not hold\n", file, line, cond);
    abort();
}
