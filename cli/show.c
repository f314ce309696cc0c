/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text. */
#include "cli/show.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int show_json(const struct cn_args *args, json_t *object, int code)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    int wrote;

    json_decref(object);
    if (!text)
        return cn_args_fail(args, CN_E_NOMEM, NULL);
    wrote = fprintf(args->out, "%s\n", text);
    free(text);
    return wrote < 0 || fflush(args->out) != 0 ? CN_EXIT_FAILED : code;
}

const char *show_count(char out[SHOW_NUMBER_MAX], uint64_t number)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, number);
    char *to = out;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

const char *show_epsilon(char out[SHOW_NUMBER_MAX], double epsilon)
{
    if (!isfinite(epsilon))
        snprintf(out, SHOW_NUMBER_MAX, "unbounded");
    else
        snprintf(out, SHOW_NUMBER_MAX, "%.3f", epsilon);
    return out;
}

const char *show_bar(char out[SHOW_BAR_MAX], double share, unsigned width)
{
    static const char block[] = "\xe2\x96\x88"; /* a full block, three bytes of UTF-8 */
    unsigned filled;

    if (width > (SHOW_BAR_MAX - 1) / 3)
        width = (SHOW_BAR_MAX - 1) / 3;
    filled = share > 0 ? (unsigned)(fmin(share, 1) * width + 0.5) : 0;
    for (unsigned i = 0; i < filled; i++)
        memcpy(out + 3 * (size_t)i, block, 3);
    out[3 * (size_t)filled] = '\0';
    return out;
}

const char *show_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

json_t *show_json_real(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}
