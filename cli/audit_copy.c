/* SPDX-License-Identifier: Apache-2.0 */
/* Two copies of one ledger: the same, one longer, or forked. */
#include <errno.h>
#include <stdio.h>

#include "cli/audit_verify.h"

#define BUFFER_BYTES 65536

static uint64_t count_newlines(const char *bytes, size_t len)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < len; i++)
        lines += bytes[i] == '\n';
    return lines;
}

/* Whole lines from here to the end. */
static enum cn_err count_rest(FILE *file, uint64_t *lines)
{
    char buffer[BUFFER_BYTES];
    size_t got;

    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        *lines += count_newlines(buffer, got);
    return ferror(file) ? CN_E_IO : CN_OK;
}

static enum cn_err compare(struct audit_copy *copy, FILE *a, FILE *b)
{
    char x[BUFFER_BYTES], y[BUFFER_BYTES];
    size_t in_a, in_b, same;

    do {
        in_a = fread(x, 1, sizeof x, a);
        in_b = fread(y, 1, sizeof y, b);
        if (ferror(a) || ferror(b))
            return CN_E_IO;
        for (same = 0; same < in_a && same < in_b && x[same] == y[same]; same++)
            ;
        copy->lines += count_newlines(x, same);
    } while (same == sizeof x);
    copy->more_a = count_newlines(x + same, in_a - same);
    copy->more_b = count_newlines(y + same, in_b - same);
    CN_TRY(count_rest(a, &copy->more_a));
    return count_rest(b, &copy->more_b);
}

enum cn_err audit_copy_compare(struct audit_copy *copy, const char *a, const char *b)
{
    FILE *file_a = fopen(a, "rbe"), *file_b = NULL;
    enum cn_err err;

    *copy = (struct audit_copy){0};
    if (!file_a)
        return cn_err_from_errno(errno);
    file_b = fopen(b, "rbe");
    err = file_b ? compare(copy, file_a, file_b) : cn_err_from_errno(errno);
    if (file_b)
        fclose(file_b);
    fclose(file_a);
    return err;
}
